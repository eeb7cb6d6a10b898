#include "core/restore/restore_lag.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/attr.h"

const struct lag_limits lag_limits_default = {(int64_t)256 << 20, (int64_t)64 << 20};

/* ---- limits ---------------------------------------------------------------------------------- */

static struct str next_word(struct str *rest)
{
    struct str all = str_trim(*rest);
    size_t end = str_find(all, ' ');
    struct str word = str_slice(all, 0, end);

    *rest = str_slice(all, end, all.len);
    return word;
}

bool lag_limits_parse(struct str text, struct lag_limits *out)
{
    struct str rest = text;

    for (;;) {
        struct str name = next_word(&rest);
        struct str hard = next_word(&rest);
        struct str soft = next_word(&rest);
        struct lag_limits found = {0, 0};

        (void)next_word(&rest); /* seconds */
        if (name.len == 0)
            return false;
        if (!str_is(name, "slave") && !str_is(name, "replica"))
            continue;
        if (!str_to_i64(hard, &found.hard) || !str_to_i64(soft, &found.soft) || found.hard < 0 ||
            found.soft < 0)
            return false;
        *out = found;
        return true;
    }
}

int64_t lag_limits_safe(const struct lag_limits *limits, int64_t backlog_size)
{
    int64_t hard = limits->hard > 0 && limits->hard < backlog_size ? backlog_size : limits->hard;
    int64_t least = limits->soft;

    if (least == 0 || (hard > 0 && hard < least))
        least = hard;
    if (least == 0) /* no limit: the server's memory is one */
        return LAG_MOST;
    least /= LAG_SAFE_PART;
    return least < LAG_LEAST ? LAG_LEAST : least > LAG_MOST ? LAG_MOST : least;
}

/* ---- who is there ---------------------------------------------------------------------------- */

static struct lag_replica *find(struct lag_row *row, const char *name)
{
    for (size_t i = 0; i < row->count; i++)
        if (strcmp(row->replicas[i].name, name) == 0)
            return &row->replicas[i];
    if (row->count == COUNT_OF(row->replicas))
        return NULL;
    row->replicas[row->count] = (struct lag_replica){.state = LAG_ONLINE};
    (void)str_copy(str_from(name), row->replicas[row->count].name, LAG_NAME);
    return &row->replicas[row->count++];
}

/* A full sync starts at the offset of its snapshot: what follows piles up until it is through. */
static void take_syncing(struct lag_replica *r, int64_t primary, bool is_new)
{
    if (r->state != LAG_SYNCING || is_new) {
        r->offset = primary;
        r->stuck_ms = 0;
    }
    r->state = LAG_SYNCING;
}

static void take_listed(struct lag_row *row, const struct info *info)
{
    for (size_t i = 0; i < info->replica_count; i++) {
        const struct info_replica *from = &info->replicas[i];
        size_t before = row->count;
        struct lag_replica *r;
        char name[LAG_NAME];

        (void)snprintf(name, sizeof(name), "%.*s:%u",
                       (int)(from->host.len < 60 ? from->host.len : 60), from->host.ptr,
                       (unsigned)from->port);
        r = find(row, name);
        if (r == NULL)
            continue;
        r->listed = true;
        if (!from->online) {
            take_syncing(r, info->primary_offset, row->count > before);
            continue;
        }
        if (r->state != LAG_ONLINE || from->offset > r->offset)
            r->stuck_ms = 0;
        r->state = LAG_ONLINE;
        r->offset = from->offset;
    }
}

static void drop(struct lag_row *row, size_t i)
{
    row->replicas[i] = row->replicas[--row->count];
}

/* ---- how near -------------------------------------------------------------------------------- */

static int64_t limit_of(const struct lag_replica *r, const struct info *info, int64_t safe)
{
    return r->state == LAG_GONE ? info->backlog_size / LAG_SAFE_PART : safe;
}

static int64_t patience_of(const struct lag_replica *r, int64_t patience_ms)
{
    if (r->state == LAG_SYNCING)
        return patience_ms * LAG_SYNC_TIMES;
    return r->state == LAG_GONE && patience_ms > LAG_GONE_MS ? LAG_GONE_MS : patience_ms;
}

/* Its link broke and it is not back. False: it is of no concern any more. */
static bool look_at_gone(struct lag_replica *r, const struct info *info, struct lag_verdict *out)
{
    if (r->state == LAG_SYNCING || r->given_up)
        return false;
    r->stuck_ms = r->state == LAG_GONE ? r->stuck_ms : 0;
    r->state = LAG_GONE;
    if (info->backlog_size > 0 && info->primary_offset - r->offset <= info->backlog_size)
        return true;
    (void)snprintf(out->note, sizeof(out->note),
                   "replica %s lost its link, and the backlog of %" PRId64
                   " bytes holds no longer what it missed: it will copy everything anew",
                   r->name, info->backlog_size);
    return false;
}

static void give_up(struct lag_replica *r, struct lag_verdict *out)
{
    r->given_up = true;
    (void)snprintf(out->note, sizeof(out->note),
                   "replica %s %s for %" PRId64 " s: it is waited for no more, and its primary may "
                   "drop it",
                   r->name,
                   r->state == LAG_SYNCING ? "did not finish its full sync"
                   : r->state == LAG_GONE  ? "did not come back"
                                           : "took nothing",
                   r->stuck_ms / 1000);
}

static void measure(struct lag_row *row, size_t i, const struct info *info, int64_t step_ms,
                    int64_t patience_ms, struct lag_verdict *out)
{
    struct lag_replica *r = &row->replicas[i];
    int64_t limit = limit_of(r, info, out->most);
    int64_t behind = info->primary_offset > r->offset ? info->primary_offset - r->offset : 0;

    if (behind <= limit / 2) {
        r->given_up = false;
        r->stuck_ms = 0;
    } else if (!r->given_up) {
        r->stuck_ms += step_ms;
        if (r->stuck_ms > patience_of(r, patience_ms))
            give_up(r, out);
    }
    if (r->given_up || limit - behind >= out->room)
        return;
    out->room = limit - behind;
    out->waiting = i;
}

void lag_look(struct lag_row *row, const struct info *info, int64_t patience_ms, int64_t now_ms,
              struct lag_verdict *out)
{
    int64_t step_ms = row->begun ? now_ms - row->looked_ms : 0;

    *out = (struct lag_verdict){.waiting = LAG_NOBODY,
                                .most = lag_limits_safe(&row->limits, info->backlog_size)};
    out->room = out->most;
    if (info->primary_offset < row->offset)
        row->count = 0; /* another history */
    for (size_t i = 0; i < row->count; i++)
        row->replicas[i].listed = false;
    take_listed(row, info);
    for (size_t i = 0; i < row->count;) {
        struct lag_replica *r = &row->replicas[i];

        if (!r->listed && !look_at_gone(r, info, out)) {
            drop(row, i);
            continue;
        }
        out->online += r->state == LAG_ONLINE ? 1 : 0;
        measure(row, i, info, step_ms > LAG_STEP_MS ? LAG_STEP_MS : step_ms, patience_ms, out);
        i++;
    }
    row->offset = info->primary_offset;
    row->looked_ms = now_ms;
    row->begun = true;
}
