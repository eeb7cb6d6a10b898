#include "core/restore/restore_sweep.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/redis/command.h"
#include "core/redis/databases.h"

/* A key that is on the move between two nodes is left for the next run. */
static bool remove_keys(struct conn *conn, const struct reply *names, uint64_t *swept,
                        struct error *err)
{
    struct buf *out = conn_out(conn);
    size_t count = 0;
    const struct reply *r;

    /* The names live in the reply that the next read drops, so all of them are written first. */
    for (size_t i = 0; i < names->count; i++) {
        if (!record_is_temp(names->elements[i].str))
            continue;
        if (!command_append(out, COMMAND(STR("UNLINK"), names->elements[i].str), err))
            return false;
        count++;
    }
    if (count > 0 && !conn_appended(conn, count, 0, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!conn_next_reply(conn, &r, err))
            return false;
        if (r->type == REPLY_INTEGER && r->integer > 0)
            *swept += (uint64_t)r->integer;
    }
    return true;
}

/* Of the database that is selected. */
static bool sweep_keys(struct conn *conn, struct task *task, uint64_t *swept, struct error *err)
{
    char cursor[24] = "0";
    const struct reply *r;

    do {
        if (!task_checkpoint(task, err) ||
            !conn_call(conn,
                       COMMAND(STR("SCAN"), str_from(cursor), STR("MATCH"),
                               ((struct str){RECORD_TEMP_PREFIX "*", RECORD_TEMP_PREFIX_LEN + 1}),
                               STR("COUNT"), STR("1000")),
                       0, &r, err) ||
            !reply_want_array(r, "SCAN", err))
            return false;
        if (r->count != 2 || r->elements[1].type != REPLY_ARRAY ||
            !str_copy(r->elements[0].str, cursor, sizeof(cursor)))
            return error_set(err, ERROR_REPLY, 0, "SCAN answered something else");
        if (!remove_keys(conn, &r->elements[1], swept, err))
            return false;
    } while (strcmp(cursor, "0") != 0);
    return true;
}

static bool select_db(struct conn *conn, uint32_t db, struct error *err)
{
    const struct reply *r;
    char text[24];

    (void)snprintf(text, sizeof(text), "SELECT %" PRIu32, db);
    return conn_call_words(conn, text, 0, &r, err) && reply_want_ok(r, "SELECT", err);
}

static bool sweep_database(struct cluster *c, const char *id, uint32_t db, struct task *task,
                           uint64_t *swept, struct error *err)
{
    struct conn *conn = cluster_node_conn(c, id, err);

    if (conn == NULL)
        return false;
    if (db == 0)
        return sweep_keys(conn, task, swept, err);
    if (select_db(conn, db, err) && sweep_keys(conn, task, swept, err) && select_db(conn, 0, err))
        return true;
    conn_close(conn); /* nobody may go on in another database */
    return false;
}

static bool sweep_node(struct cluster *c, const char *id, struct task *task, uint64_t *swept,
                       struct error *err)
{
    uint32_t numbers[DATABASES_MAX];
    size_t count;

    if (!databases_of(c, id, numbers, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!sweep_database(c, id, numbers[i], task, swept, err))
            return false;
    return true;
}

static bool sweep_all(struct restore_shared *s, struct cluster *c, uint64_t *swept,
                      struct error *err)
{
    const struct cluster_node *nodes;
    size_t count = cluster_nodes(c, &nodes);
    struct cluster_node *copy = mem_zero(count, sizeof(*copy)); /* a call may refresh the list */
    bool ok = true;

    if (count > 0)
        memcpy(copy, nodes, count * sizeof(*copy));
    for (size_t i = 0; i < count && ok; i++) {
        char addr[ADDRESS_TEXT_MAX];

        if (copy[i].role == NODE_ROLE_PRIMARY && copy[i].slots > 0)
            ok = sweep_node(c, copy[i].id, s->task, swept, err) ||
                 error_wrap(err, "look for left-over temporary keys on %s",
                            address_text(addr, sizeof(addr), &copy[i].address));
    }
    free(copy);
    return ok;
}

/* A broken connection: its cursor means nothing any more, and the primaries may be others now. So
 * all of it is done again; what was removed is gone and counted. */
bool restore_sweep(struct restore_shared *s, struct cluster *c, uint64_t *swept, struct error *err)
{
    int64_t budget = s->target->outage_timeout_ms;
    struct backoff wait;

    backoff_init(&wait, budget > 0 ? budget : RESTORE_OUTAGE_MS);
    for (;;) {
        struct error why = {0};

        if (sweep_all(s, c, swept, &why))
            return true;
        if (why.code == ERROR_AUTH || why.code == ERROR_CANCELLED || why.code == ERROR_LIMIT ||
            why.code == ERROR_INTERNAL) {
            *err = why;
            return false;
        }
        if (!backoff_wait(&wait, &s->target->cancel, &why, err))
            return false;
        if (!cluster_refresh(c, &why))
            task_note(s->task, TASK_WARN, "the slot map is old: %s", why.text);
    }
}
