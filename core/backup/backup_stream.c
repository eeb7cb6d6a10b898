#include <stdio.h>
#include <string.h>

#include "core/backup/backup_large.h"
#include "core/value/stream_read.h"

#define PENDING_WINDOW "1000"
#define LAST_ID "18446744073709551615-18446744073709551615"

static bool bad_reply(struct run *run, const struct error *err)
{
    run->outcome = RUN_BAD;
    run->err = *err;
    return false;
}

/* ---- groups -----------------------------------------------------------------------------------
 */

static bool put_group(struct run *run, const struct stream_group *g)
{
    return run_piece(run, &(struct sink_piece){.group = g});
}

static bool read_consumers(struct run *run, struct stream_group *g)
{
    struct arena *arena = &run->s->scratch;
    const struct reply *r;

    if (!run_call(run, COMMAND(STR("XINFO"), STR("CONSUMERS"), run->item->key, g->name), &r))
        return false;
    g->consumers = arena_array(arena, r->count + 1, sizeof(*g->consumers));
    for (size_t i = 0; r->type == REPLY_ARRAY && i < r->count; i++) {
        const struct reply *name =
            r->elements[i].type == REPLY_ARRAY ? reply_member(&r->elements[i], "name") : NULL;

        if (name != NULL && name->type == REPLY_STRING)
            g->consumers[g->consumer_count++] = arena_str(arena, name->str);
    }
    return true;
}

/* A page says how long ago each entry was delivered. The clock is asked in the same breath: the
 * time between the two is the error of every moment on the page. */
static bool ask_pending(struct run *run, const struct stream_group *g, const char *from,
                        const struct reply **r)
{
    struct command page = COMMAND(STR("XPENDING"), run->item->key, g->name, str_from(from),
                                  STR(LAST_ID), STR(PENDING_WINDOW));

    run->outcome = RUN_BROKEN;
    if (!shard_send(run->s, COMMAND(STR("TIME"))) || !shard_send(run->s, page) ||
        !shard_next(run->s, r))
        return false;
    shard_take_time(run->s, *r);
    return run_reply(run, r);
}

/* Pending entries page by page; each page is a line of its own. The first line names all
 * consumers, the others only need those of their entries. */
static bool read_pending(struct run *run, struct stream_group *g)
{
    struct stream_id from = {0, 0};
    const struct reply *r;
    struct error err = {0};
    bool first = true;
    bool more = true;

    while (more) {
        char text[STREAM_ID_TEXT];
        struct arena page = {0};
        bool ok;

        if (!ask_pending(run, g, stream_id_format(text, sizeof(text), from), &r))
            return false;
        ok = stream_read_pending(r, run->s->now_ms, &page, g, &err);
        more = ok && g->pending_count > 0 &&
               stream_id_next(g->pending[g->pending_count - 1].id, &from);
        if (ok)
            ok = g->pending_count == 0 && !first ? true : put_group(run, g);
        else
            (void)bad_reply(run, &err);
        arena_release(&page);
        if (!ok)
            return false;
        first = false;
    }
    return true;
}

static bool read_groups(struct run *run)
{
    struct arena *arena = &run->s->scratch;
    struct stream_group *groups;
    struct error err = {0};
    const struct reply *r;
    size_t count;

    if (!run_call(run, COMMAND(STR("XINFO"), STR("GROUPS"), run->item->key), &r))
        return false;
    count = r->type == REPLY_ARRAY ? r->count : 0;
    groups = arena_array(arena, count + 1, sizeof(*groups));
    for (size_t i = 0; i < count; i++)
        if (!stream_read_group(&r->elements[i], arena, &groups[i], &err))
            return bad_reply(run, &err);
    for (size_t i = 0; i < count; i++)
        if (!read_consumers(run, &groups[i]) || !read_pending(run, &groups[i]))
            return false;
    arena_clear(arena);
    return true;
}

/* ---- entries ----------------------------------------------------------------------------------
 */

static bool put_entries(struct run *run, const struct reply *list, struct stream_id *last)
{
    struct error err = {0};
    struct str *fields;
    size_t n;
    bool ok = stream_read_entry(&list->elements[list->count - 1], &run->s->scratch, last, &fields,
                                &n, &err);

    arena_clear(&run->s->scratch);
    run->count += list->count;
    return ok ? run_piece(run, &(struct sink_piece){.entries = list}) : bad_reply(run, &err);
}

static bool read_entries(struct run *run)
{
    char from[STREAM_ID_TEXT] = "0-0";
    char to[STREAM_ID_TEXT];
    char count[24];
    struct stream_id last;
    const struct reply *r;

    (void)snprintf(count, sizeof(count), "%llu", (unsigned long long)run->window);
    (void)stream_id_format(to, sizeof(to), run->stream.last_id); /* later ones are not ours */
    for (;;) {
        if (!run_call(run,
                      COMMAND(STR("XRANGE"), run->item->key, str_from(from), str_from(to),
                              STR("COUNT"), str_from(count)),
                      &r))
            return false;
        if (r->type != REPLY_ARRAY || r->count == 0)
            return true;
        if (!put_entries(run, r, &last))
            return false;
        if (!stream_id_next(last, &last))
            return true;
        (void)stream_id_format(from, sizeof(from), last);
    }
}

bool run_stream(struct run *run)
{
    struct error err = {0};
    const struct reply *r;
    const struct reply *length;
    uint64_t expected = 0;

    if (!run_call(run, COMMAND(STR("XINFO"), STR("STREAM"), run->item->key), &r))
        return false;
    if (!stream_read_state(r, &run->stream, &err))
        return bad_reply(run, &err);
    length = reply_member(r, "length");
    if (length != NULL && length->type == REPLY_INTEGER)
        expected = (uint64_t)length->integer;
    if (!read_groups(run) || !read_entries(run))
        return false;
    if (run->count != expected && !run->head.fuzzy) {
        run->outcome = RUN_RETRY;
        return false;
    }
    return true;
}
