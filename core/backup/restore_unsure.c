#include "core/backup/live_sum.h"
#include "core/backup/restore_worker.h"

/*
 * A write that may only make new keys was sent twice, because its first reply was lost, and the
 * second one found the key. Was that our own first write, or another client? The value decides: the
 * same one is what the operator wanted, whoever wrote it.
 */

static bool read_live(struct restore_worker *w, const struct restore_item *item, bool groups,
                      struct value_sum *live, bool *gone, struct error *err)
{
    const struct cluster_node *owner = cluster_owner(w->cluster, item->slot);
    struct live_sum_ask ask = {.key = item->key, .type = item->type, .groups = groups};
    struct conn *conn;

    if (owner == NULL)
        return error_set(err, ERROR_UNREACHABLE, 0, "slot %u has no owner", (unsigned)item->slot);
    conn = cluster_node_conn(w->cluster, owner->id, err);
    return conn != NULL && live_sum_read(conn, &ask, live, gone, err);
}

static enum restore_fate look(struct restore_worker *w, const struct restore_item *item,
                              const struct record *r, struct value_sum *saved,
                              struct value_sum *live)
{
    bool groups = !w->shared->options->no_stream_groups;
    struct error why = {0};
    bool gone = false;

    if (item->skip > 0) /* another database */
        return RESTORE_UNSURE;
    value_sum_clear(saved);
    value_sum_add(saved, r, groups);
    if (!read_live(w, item, groups, live, &gone, &why)) {
        task_note(w->shared->task, TASK_WARN, "whose key is it? %s", why.text);
        return why.detail == (int)REPLY_ERROR_WRONGTYPE ? RESTORE_EXISTED : RESTORE_UNSURE;
    }
    if (gone)
        return RESTORE_UNSURE;
    return value_sum_compare(saved, live, 0, 0).same ? RESTORE_WRITTEN : RESTORE_EXISTED;
}

bool restore_look_at_unsure(struct restore_worker *w, struct record_stream *stream,
                            struct error *err)
{
    struct record_position here = record_stream_position(stream);
    struct value_sum *saved;
    struct value_sum *live;
    const struct record *r;
    bool ok = true;

    if (w->unsure_count == 0)
        return true;
    saved = value_sum_new();
    live = value_sum_new();
    for (size_t i = 0; i < w->unsure_count && ok; i++) {
        const struct restore_item *item = &w->unsure[i];

        record_stream_seek(stream, item->position);
        ok = record_stream_next(stream, &r, err) &&
             (r != NULL || error_set(err, ERROR_INTERNAL, 0, "a record is gone from its part"));
        if (ok)
            restore_settle_key(w, item->key, item->type, item->slot, look(w, item, r, saved, live));
        ok = ok && task_checkpoint(w->shared->task, err);
    }
    w->unsure_count = 0;
    value_sum_free(saved);
    value_sum_free(live);
    record_stream_seek(stream, here);
    return ok && record_stream_next(stream, &r, err);
}
