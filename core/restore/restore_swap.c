#include "core/restore/restore_build.h"

#include "core/redis/command.h"

#define TIMEOUT_MS 60000

/*
 * A large value that is replaced must not be freed where clients wait for it (RENAME over a hash of
 * 5 million fields held a 7.0 server up for 2.2 s), so it is renamed aside, and UNLINK frees it in
 * the background; all in the transaction that puts the new value in its place.
 *
 * The value aside is the only copy of the old one for the length of that transaction, and never
 * longer: servers run a transaction as a whole, hand it to replicas as a whole, and drop a half one
 * from the end of an append-only file. What could fail in it is looked at before: the new value is
 * watched, so that it is there when EXEC runs, and refusals (memory, permission, slot) refuse the
 * whole. So a sweep of left-over temporary names (restore_sweep.c) never meets a value aside, and
 * may remove whatever it finds.
 */

static bool append_swap(struct restore_build *b, bool only_new, size_t *n, struct error *err)
{
    struct buf *out = conn_out(b->conn);

    *n = 2;
    if (!command_words(out, "MULTI", err))
        return false;
    if (!only_new) {
        ++*n; /* freeing a large old value inside RENAME would hold the server up */
        if (!command_append(out, COMMAND(STR("RENAME"), b->key, b->aside), err))
            return false;
    }
    if (b->expiry.kind == RESTORE_KEEP) {
        ++*n;
        if (!command_append(out, COMMAND(STR("PERSIST"), b->temp), err))
            return false;
    }
    if (!restore_write_expiry(out, b->temp, b->expiry, n, err))
        return false;
    ++*n;
    if (!command_append(out, COMMAND(only_new ? STR("RENAMENX") : STR("RENAME"), b->temp, b->key),
                        err))
        return false;
    if (!only_new) {
        ++*n;
        if (!command_append(out, COMMAND(STR("UNLINK"), b->aside), err))
            return false;
    }
    return command_words(out, "EXEC", err);
}

/* The results of the transaction; the old key's RENAME fails where there is none, and may. */
static bool read_swap(const struct reply *r, bool only_new, bool *there, struct error *err)
{
    if (r->type == REPLY_NIL)
        return error_set(err, ERROR_CORRUPT, 0,
                         "its temporary key was evicted, expired or changed: nothing was replaced");
    if (!reply_want_array(r, "rename into place", err))
        return false;
    if (r->count < 2)
        return error_set(err, ERROR_REPLY, 0, "the transaction was not carried out");
    for (size_t i = only_new ? 0 : 1; i < r->count; i++)
        if (!reply_check(&r->elements[i], "rename into place", err))
            return false;
    *there = only_new && r->elements[r->count - 1].integer == 0;
    return true;
}

bool restore_build_swap(struct restore_build *b, bool *there, struct error *err)
{
    bool only_new = restore_only_new(b->w);
    struct error queued = {0};
    const struct reply *r;
    size_t n;

    if (!append_swap(b, only_new, &n, err) || !conn_appended(b->conn, n, TIMEOUT_MS, err))
        return false;
    b->swapping = true;
    for (size_t i = 0; i + 1 < n; i++) {
        if (!conn_next_reply(b->conn, &r, err))
            return false;
        if (queued.code == ERROR_NONE && !reply_check(r, "rename into place", &queued))
            continue;
    }
    if (!conn_next_reply(b->conn, &r, err))
        return false;
    b->swapping = false;
    b->watching = false;
    if (queued.code != ERROR_NONE) {
        *err = queued;
        return false;
    }
    return read_swap(r, only_new, there, err);
}
