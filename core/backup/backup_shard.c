#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backup/backup_private.h"
#include "core/base/clock.h"
#include "core/base/escape.h"
#include "core/redis/info.h"

#define DATABASES_MAX 1024

bool shard_changed(struct shard *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(s->reason, sizeof(s->reason), fmt, ap);
    va_end(ap);
    s->end = SHARD_CHANGED;
    conn_close(s->conn);
    return false;
}

bool shard_failed(struct shard *s, const struct error *err)
{
    s->end = SHARD_FAILED;
    s->err = *err;
    conn_close(s->conn);
    return false;
}

bool shard_broken(struct shard *s, const struct error *err)
{
    if (err->code == ERROR_CANCELLED || err->code == ERROR_AUTH || err->code == ERROR_CONFIG)
        return shard_failed(s, err);
    return shard_changed(s, "%s", err->text);
}

bool shard_next(struct shard *s, const struct reply **r)
{
    struct error err = {0};

    return conn_next_reply(s->conn, r, &err) || shard_broken(s, &err);
}

bool shard_send(struct shard *s, struct command command)
{
    struct error err = {0};

    return conn_append(s->conn, command, 0, &err) || shard_broken(s, &err);
}

/* ---- keys -------------------------------------------------------------------------------------
 */

static bool close_sink(struct shard *s, bool whole)
{
    struct error err = {0};

    return s->b->sink.ops->close(s->sink, whole, &err) || shard_failed(s, &err);
}

void shard_head(const struct shard *s, const struct item *item, struct record_head *out)
{
    record_head_init(out);
    out->key = item->key;
    out->type = item->type;
    out->type_name = item->type_name;
    out->slot = item->slot;
    out->db = s->db;
    if (item->deadline != RECORD_NO_TIME) {
        out->expire_at_millis = item->deadline < 0 ? 0 : item->deadline;
        out->ttl_millis = item->deadline > s->now_ms ? item->deadline - s->now_ms : 0;
    }
}

void shard_count(struct shard *s, const struct record_head *head)
{
    tally_key(s->tally, head);
}

void shard_unreadable(struct shard *s, const struct item *item, const char *reason,
                      const char *detail)
{
    if (strcmp(reason, "too_large") == 0)
        tally_of(s->tally, item->slot)->too_large++;
    else
        tally_of(s->tally, item->slot)->unreadable++;
    task_ledger(s->b->task, item->key, reason, detail);
    task_count(s->b->task, reason, 1);
}

bool shard_put_off(struct shard *s, const struct reply *r)
{
    enum reply_error kind = reply_error_of(r);

    if (kind != REPLY_ERROR_LOADING && kind != REPLY_ERROR_BUSY &&
        kind != REPLY_ERROR_CLUSTERDOWN && kind != REPLY_ERROR_MAXCLIENTS)
        return false;
    (void)escape_text(s->later_why, sizeof(s->later_why), r->str);
    return true;
}

bool shard_error_reply(struct shard *s, struct item *item, const struct reply *r)
{
    enum reply_error kind = reply_error_of(r);
    char text[200];

    item->state = ITEM_DONE;
    if (shard_put_off(s, r)) {
        item->state = ITEM_LATER;
        return true;
    }
    (void)escape_text(text, sizeof(text), r->str);
    switch (reply_error_action(kind)) {
    case REPLY_FOLLOW:
    case REPLY_RETRY: /* TRYAGAIN: a slot that is on the move */
        if (s->cluster && item->slot != SLOT_NONE) {
            slot_set_add(&s->dirty, item->slot);
            return true;
        }
        return shard_changed(s, "%s", text);
    case REPLY_WAIT:
        return shard_changed(s, "%s", text);
    case REPLY_VALUE:
        item->state = ITEM_AGAIN;
        return true;
    case REPLY_FATAL:
        break;
    }
    if (kind == REPLY_ERROR_OTHER && str_starts(r->str, "ERR no such key")) {
        tally_of(s->tally, item->slot)->vanished++;
        return true;
    }
    if (kind == REPLY_ERROR_NOAUTH || kind == REPLY_ERROR_WRONGPASS) {
        struct error err = {0};

        return reply_check(r, s->name, &err) || shard_failed(s, &err);
    }
    shard_unreadable(s, item, "unreadable", text);
    return true;
}

/* ---- time -------------------------------------------------------------------------------------
 */

void shard_take_time(struct shard *s, const struct reply *r)
{
    int64_t seconds;
    int64_t micros;

    if (r->type == REPLY_ARRAY && r->count == 2 && str_to_i64(r->elements[0].str, &seconds) &&
        str_to_i64(r->elements[1].str, &micros) && seconds > 0 && seconds < INT64_MAX / 1000 - 1)
        s->now_ms = seconds * 1000 + micros / 1000;
    else
        s->now_ms = clock_real_ms();
}

struct command shard_expiry_command(const struct shard *s, struct str words[2])
{
    words[0] = s->capability.has[CAP_EXPIRETIME] ? STR("PEXPIRETIME") : STR("PTTL");
    return (struct command){words, 2};
}

bool shard_deadline(struct shard *s, const struct reply *r, int64_t *deadline, bool *gone)
{
    *gone = false;
    *deadline = RECORD_NO_TIME;
    if (r->type != REPLY_INTEGER)
        return false;
    *gone = r->integer == -2;
    if (r->integer >= 0)
        *deadline = s->capability.has[CAP_EXPIRETIME] ? r->integer : s->now_ms + r->integer;
    /* A replica waits for its primary to delete what has expired. */
    if (s->source.replica && *deadline != RECORD_NO_TIME && *deadline <= s->now_ms)
        *gone = true;
    return true;
}

/* ---- databases --------------------------------------------------------------------------------
 */

/* "db0:keys=5,expires=1,avg_ttl=0,subexpiry=0": may hashes have fields with deadlines? */
static bool may_have_field_ttl(const struct shard *s, struct str line)
{
    struct str value;

    if (!s->capability.has[CAP_HASH_FIELD_EXPIRY])
        return false;
    for (struct str rest = line; str_split(&rest, ',', &value);)
        if (str_is(value, "subexpiry=0") || str_is(value, "keys_with_volatile_items=0"))
            return false;
    return true;
}

struct database {
    uint32_t number;
    bool field_ttl;
    uint64_t keys;
};

static bool list_databases(struct shard *s, struct database *out, size_t *count)
{
    const struct reply *r;
    struct str rest;
    struct str line;

    *count = 0;
    for (;;) {
        if (!shard_send(s, COMMAND(STR("INFO"), STR("keyspace"))) || !shard_next(s, &r))
            return false;
        if (!shard_put_off(s, r))
            break;
        if (!shard_wait(s))
            return false;
    }
    shard_waited(s);
    if (r->type != REPLY_STRING)
        return shard_changed(s, "INFO keyspace was not answered");
    for (rest = r->str; rest.len > 0 && str_split(&rest, '\n', &line);) {
        struct database db = {0};
        size_t colon = str_find(line, ':');
        struct str first;
        struct str parts = str_trim(str_slice(line, colon + 1, line.len));

        if (!str_starts(line, "db") || !str_to_u32(str_slice(line, 2, colon), &db.number) ||
            *count == DATABASES_MAX)
            continue;
        db.field_ttl = may_have_field_ttl(s, parts);
        if (!str_split(&parts, ',', &first) || !str_starts(first, "keys=") ||
            !str_to_u64(str_slice(first, 5, first.len), &db.keys))
            db.keys = 0;
        out[(*count)++] = db;
    }
    return true;
}

static bool select_database(struct shard *s, const struct database *db)
{
    char number[16];
    const struct reply *r;
    struct error err = {0};

    s->field_ttl =
        db->field_ttl || (s->capability.has[CAP_HASH_FIELD_EXPIRY] && s->b->fields_expire);
    if (db->number == s->db)
        return true;
    (void)snprintf(number, sizeof(number), "%u", (unsigned)db->number);
    if (!shard_send(s, COMMAND(STR("SELECT"), str_from(number))) || !shard_next(s, &r))
        return false;
    s->db = db->number;
    return reply_check(r, "SELECT", &err) || shard_failed(s, &err);
}

bool shard_check_fields(struct shard *s)
{
    struct database dbs[DATABASES_MAX];
    size_t count;

    if (s->field_ttl || !s->capability.has[CAP_HASH_FIELD_EXPIRY])
        return true;
    if (!list_databases(s, dbs, &count))
        return false;
    for (size_t i = 0; i < count; i++)
        if (dbs[i].number == s->db && dbs[i].field_ttl) {
            s->b->fields_expire = true;
            return shard_changed(s, "fields of hashes got deadlines while it was read");
        }
    return true;
}

static bool prepare(struct shard *s)
{
    struct error err = {0};
    const struct reply *r;

    if (!conn_open(s->conn, &err) || !capability_load(s->conn, &s->capability, &err))
        return shard_broken(s, &err);
    s->memory_usage = s->capability.has[CAP_MEMORY_USAGE];
    if (s->capability.has[CAP_CLIENT_NO_TOUCH] &&
        (!shard_send(s, COMMAND(STR("CLIENT"), STR("NO-TOUCH"), STR("ON"))) || !shard_next(s, &r)))
        return false;
    if (!shard_look(s, &s->view))
        return false;
    if (!s->view.primary)
        return shard_changed(s, "it is no primary");
    return true;
}

static bool read_all(struct shard *s)
{
    struct database dbs[DATABASES_MAX];
    struct error err = {0};
    size_t count;

    if (!prepare(s) || !list_databases(s, dbs, &count))
        return false;
    for (size_t i = 0; i < count; i++)
        s->total += dbs[i].keys;
    if (!order_begin(s, count))
        return false;
    if (!backup_mark_pass(s, &err))
        (void)backup_checkpoint_lost(s->b, &err);
    order_progress(s);
    for (size_t i = 0; i < count; i++)
        if (!select_database(s, &dbs[i]) || !shard_read_database(s))
            return false;
    return shard_compare(s) && order_settle(s, true) && close_sink(s, true);
}

void *shard_run(void *shard)
{
    struct shard *s = shard;
    struct sink_pass pass = {.node = s->name,
                             .node_id = s->node_id,
                             .number = s->pass,
                             .generation = s->generation,
                             .by_slot = s->cluster,
                             .workers = s->b->active};

    s->seen = fingerprints_new(s->b->seen_memory);
    pass.seen = s->seen;
    s->sink = s->b->sink.ops->open(s->b->sink.ctx, &pass);
    task_row_state(s->b->task, s->row, "reading");
    s->end = SHARD_DONE;
    if (!read_all(s) && s->end == SHARD_CHANGED)
        (void)close_sink(s, false); /* read again if it can be; better than nothing if not */
    task_row_state(s->b->task, s->row,
                   s->end == SHARD_DONE      ? "done"
                   : s->end == SHARD_CHANGED ? "again"
                                             : "failed");
    fingerprints_free(s->seen);
    s->seen = NULL;
    arena_release(&s->keys);
    arena_release(&s->scan.keys);
    arena_release(&s->scratch);
    conn_free(s->conn);
    s->conn = NULL;
    return NULL;
}
