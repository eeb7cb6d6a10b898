#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/redis/command.h"
#include "core/restore/restore_worker.h"

/* What becomes of a key's expiry, and of the key in the counts, the ledger and the bars. */

/* ---- expiry ---------------------------------------------------------------------------------- */

struct restore_expiry restore_expiry_of(const struct restore_shared *s, const struct record_head *h)
{
    struct restore_expiry e = {RESTORE_KEEP, 0};

    if (h->ttl_millis == RECORD_NO_TIME || s->options->ttl == RESTORE_TTL_NONE)
        return e;
    if (s->options->ttl == RESTORE_TTL_ABSOLUTE) {
        /* Without the deadline itself, the end of the backup plus the remaining life is nearest. */
        e.ms = h->expire_at_millis != RECORD_NO_TIME ? h->expire_at_millis
                                                     : s->read_ms + h->ttl_millis;
        e.kind = e.ms <= clock_real_ms() + s->clock_ahead_ms ? RESTORE_DEAD : RESTORE_ABSOLUTE;
        return e;
    }
    /* A resumed run gives what is left of the life that the first one would have given. */
    e.ms = h->ttl_millis - s->late_ms;
    e.kind = e.ms <= 0 ? RESTORE_DEAD : RESTORE_RELATIVE;
    return e;
}

bool restore_write_expiry(struct buf *out, struct str key, struct restore_expiry expiry,
                          size_t *commands, struct error *err)
{
    if (expiry.kind != RESTORE_RELATIVE && expiry.kind != RESTORE_ABSOLUTE)
        return true;
    ++*commands;
    return command_begin(out, 3, err) &&
           command_arg_text(out, expiry.kind == RESTORE_RELATIVE ? "PEXPIRE" : "PEXPIREAT", err) &&
           command_arg(out, key, err) && command_arg_i64(out, expiry.ms, err);
}

/* ---- counting -------------------------------------------------------------------------------- */

uint16_t restore_slot(const struct restore_shared *s, const struct record_head *h)
{
    return s->plan->cluster ? record_slot(h) : 0;
}

uint16_t *restore_rows_of(const struct restore_plan *plan, const struct cluster *c)
{
    uint16_t *rows = mem_zero(SLOT_COUNT, sizeof(*rows));

    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++) {
        const struct cluster_node *owner = cluster_owner(c, slot);

        rows[slot] = UINT16_MAX;
        for (size_t i = 0; owner != NULL && i < plan->node_count; i++)
            if (strcmp(plan->nodes[i].id, owner->id) == 0)
                rows[slot] = (uint16_t)i;
    }
    return rows;
}

bool restore_append_select(struct buf *out, uint32_t db, struct error *err)
{
    return command_begin(out, 2, err) && command_arg_text(out, "SELECT", err) &&
           command_arg_u64(out, db, err);
}

void restore_count_key(struct restore_worker *w, uint16_t slot)
{
    struct restore_shared *s = w->shared;
    uint16_t row = s->row_of_slot[slot];
    uint64_t done;

    w->paced++;
    if (row == UINT16_MAX || w->again != NULL)
        return;
    done = atomic_fetch_add(&s->row_done[row], 1) + 1;
    if (done % 64 == 0 || done == s->plan->nodes[row].to_write)
        task_row(s->task, row, NULL, done, s->plan->nodes[row].to_write);
}

void restore_fail_key(struct restore_worker *w, struct str key, const char *why)
{
    w->result.failed++;
    task_ledger(w->shared->task, key, "write", why);
    task_count(w->shared->task, "failed", 1);
}

bool restore_is_key_refused(const struct error *why)
{
    return why->code == ERROR_AUTH && why->detail == (int)REPLY_ERROR_NOPERM &&
           strstr(why->text, "permissions to run") == NULL;
}

static void settle_unsure(struct restore_worker *w, struct str key)
{
    w->result.unsure++;
    task_ledger(w->shared->task, key, "unsure", "it exists: written by us, or by somebody else");
}

/* A second look only mends what a failover took away: what it finds in place was counted. */
static void settle_again(struct restore_worker *w, struct str key, enum restore_fate fate)
{
    if (fate == RESTORE_WRITTEN && w->force) {
        w->result.replaced++;
    } else if (fate == RESTORE_WRITTEN) {
        w->result.rewritten++;
    } else if (fate == RESTORE_CHANGED) {
        w->result.changed++;
        task_ledger(w->shared->task, key, "changed",
                    "after a primary was replaced it has another value than the backup, and it is "
                    "new: a client wrote it, perhaps where ours was lost");
    } else if (fate == RESTORE_UNSURE) {
        settle_unsure(w, key);
    }
}

void restore_settle_key(struct restore_worker *w, struct str key, enum record_type type,
                        uint16_t slot, enum restore_fate fate)
{
    struct restore_shared *s = w->shared;

    if (w->again != NULL) {
        settle_again(w, key, fate);
        return;
    }
    restore_count_key(w, slot);
    switch (fate) {
    case RESTORE_WRITTEN:
        if (w->force) {
            w->result.repeated++;
            return;
        }
        w->result.written++;
        w->result.by_type[type]++;
        return;
    case RESTORE_KEPT:
        w->result.written++;
        w->result.by_type[type]++;
        return;
    case RESTORE_CHANGED:
    case RESTORE_EXISTED:
        w->result.existing++;
        if (s->options->policy != RESTORE_FAIL_EXISTING)
            return;
        w->result.conflicts++;
        task_ledger(s->task, key, "exists", "created during the restore");
        return;
    case RESTORE_EXPIRED:
        w->result.expired++;
        return;
    case RESTORE_UNSURE:
        settle_unsure(w, key);
        return;
    }
}
