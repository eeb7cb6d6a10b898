#include <stdio.h>
#include <string.h>

#include "core/backup/backup_large.h"
#include "core/backup/backup_private.h"

#define TRIES 3 /* exact ones; the last one is fuzzy */
#define WINDOW_BYTES ((uint64_t)2 << 20)
#define WINDOW_ITEMS 5000

/* ---- pieces -----------------------------------------------------------------------------------
 */

bool run_piece(struct run *run, struct sink_piece *piece)
{
    struct shard *s = run->s;
    struct error err = {0};

    run->head.chunk_seq = run->seq++;
    piece->head = &run->head;
    switch (s->b->sink.ops->piece(s->sink, piece, &err)) {
    case SINK_OK:
        return true;
    case SINK_BAD:
        run->outcome = RUN_BAD;
        run->err = err;
        return false;
    case SINK_FAILED:
        break;
    }
    run->outcome = RUN_BROKEN;
    return shard_failed(s, &err);
}

bool run_reply(struct run *run, const struct reply **r)
{
    struct shard *s = run->s;
    struct item *item = run->item;

    run->outcome = RUN_BROKEN;
    if (!shard_next(s, r))
        return false;
    if ((*r)->type != REPLY_ERROR) {
        run->outcome = RUN_OK;
        return true;
    }
    if (!shard_error_reply(s, item, *r))
        return false;
    run->outcome = item->state == ITEM_AGAIN   ? RUN_RETRY
                   : item->state == ITEM_LATER ? RUN_LATER
                                               : RUN_SETTLED;
    return false;
}

bool run_call(struct run *run, struct command command, const struct reply **r)
{
    run->outcome = RUN_BROKEN;
    return shard_send(run->s, command) && run_reply(run, r);
}

/* ---- windows ----------------------------------------------------------------------------------
 */

static bool read_string(struct run *run)
{
    const struct reply *r;

    for (uint64_t at = 0;; at += WINDOW_BYTES) {
        char from[24];
        char to[24];

        (void)snprintf(from, sizeof(from), "%llu", (unsigned long long)at);
        (void)snprintf(to, sizeof(to), "%llu", (unsigned long long)(at + WINDOW_BYTES - 1));
        if (!run_call(run, COMMAND(STR("GETRANGE"), run->item->key, str_from(from), str_from(to)),
                      &r))
            return false;
        if (r->str.len == 0)
            return true;
        if (!run_piece(run, &(struct sink_piece){.bytes = r->str}))
            return false;
        run->count += r->str.len;
        if (r->str.len < WINDOW_BYTES)
            return true;
    }
}

static bool put_items(struct run *run, const struct reply *list)
{
    bool pairs = run->head.type == RECORD_HASH || run->head.type == RECORD_ZSET;

    run->count += list->count / (pairs ? 2 : 1);
    return run_piece(run, &(struct sink_piece){.items = list,
                                               .fields = run->fields,
                                               .deadlines = run->deadlines,
                                               .deadline_count = run->field_count});
}

static bool read_list(struct run *run)
{
    const struct reply *r;

    for (uint64_t at = 0;; at += run->window) {
        char from[24];
        char to[24];

        (void)snprintf(from, sizeof(from), "%llu", (unsigned long long)at);
        (void)snprintf(to, sizeof(to), "%llu", (unsigned long long)(at + run->window - 1));
        if (!run_call(run, COMMAND(STR("LRANGE"), run->item->key, str_from(from), str_from(to)),
                      &r))
            return false;
        if (r->type != REPLY_ARRAY || r->count == 0)
            return true;
        if (!put_items(run, r))
            return false;
    }
}

/* Deadlines of the fields in a window: HPEXPIRETIME key FIELDS n field… The window is copied first,
 * because the next reply replaces it. */
static bool read_field_deadlines(struct run *run, const struct reply **list)
{
    struct shard *s = run->s;
    size_t count = (*list)->count / 2;
    const struct reply *r;
    struct str *argv;
    char number[24];

    *list = reply_copy(&s->scratch, *list);
    argv = arena_array(&s->scratch, count + 4, sizeof(*argv));
    run->fields = arena_array(&s->scratch, count + 1, sizeof(*run->fields));
    run->deadlines = arena_array(&s->scratch, count + 1, sizeof(*run->deadlines));
    (void)snprintf(number, sizeof(number), "%zu", count);
    argv[0] = STR("HPEXPIRETIME");
    argv[1] = run->item->key;
    argv[2] = STR("FIELDS");
    argv[3] = str_from(number);
    for (size_t i = 0; i < count; i++)
        argv[4 + i] = run->fields[i] = (*list)->elements[2 * i].str;
    if (!run_call(run, (struct command){argv, count + 4}, &r))
        return false;
    if (r->type != REPLY_ARRAY || r->count != count) {
        run->outcome = RUN_RETRY; /* gone meanwhile */
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const struct reply *e = &r->elements[i];

        run->deadlines[i] =
            e->type == REPLY_INTEGER && e->integer >= 0 ? e->integer : RECORD_NO_TIME;
    }
    run->field_count = count;
    return true;
}

/* EXEC gives nil when the key was touched since WATCH. */
static bool prove(struct run *run)
{
    const struct reply *r;

    if (run->head.fuzzy)
        return true;
    if (!run_call(run, COMMAND(STR("MULTI")), &r) || !run_call(run, COMMAND(STR("EXEC")), &r))
        return false;
    if (r->type == REPLY_ARRAY)
        return true;
    run->outcome = RUN_RETRY;
    return false;
}

/* The only window of a hash: as one plain line, if nothing touched it. */
static bool be_whole(struct run *run)
{
    run->whole = true;
    run->head.chunked = false;
    run->head.chunk_last = true;
    return prove(run);
}

static bool read_scanned(struct run *run)
{
    static const char *const words[RECORD_TYPES] = {
        [RECORD_HASH] = "HSCAN", [RECORD_SET] = "SSCAN", [RECORD_ZSET] = "ZSCAN"};
    char cursor[32] = "0";
    char count[24];
    const struct reply *r;
    const struct reply *list;

    (void)snprintf(count, sizeof(count), "%llu", (unsigned long long)run->window);
    do {
        bool first = run->count == 0 && strcmp(cursor, "0") == 0;

        if (!run_call(run,
                      COMMAND(str_from(words[run->head.type]), run->item->key, str_from(cursor),
                              STR("COUNT"), str_from(count)),
                      &r))
            return false;
        if (r->type != REPLY_ARRAY || r->count != 2 || r->elements[1].type != REPLY_ARRAY ||
            !str_copy(r->elements[0].str, cursor, sizeof(cursor))) {
            run->outcome = RUN_BROKEN;
            return shard_changed(run->s, "a scan of a key was answered with something else");
        }
        list = &r->elements[1];
        run->field_count = 0;
        if (run->head.type == RECORD_HASH && run->s->field_ttl && list->count > 0 &&
            (!read_field_deadlines(run, &list) ||
             (first && strcmp(cursor, "0") == 0 && !be_whole(run))))
            return false;
        if (list->count > 0 && !put_items(run, list))
            return false;
        arena_clear(&run->s->scratch);
    } while (strcmp(cursor, "0") != 0);
    return true;
}

/* ---- one try ----------------------------------------------------------------------------------
 */

/* How many elements make a window of about WINDOW_BYTES. */
static bool measure(struct run *run)
{
    static const char *const lengths[RECORD_TYPES] = {
        [RECORD_HASH] = "HLEN",  [RECORD_LIST] = "LLEN",   [RECORD_SET] = "SCARD",
        [RECORD_ZSET] = "ZCARD", [RECORD_STREAM] = "XLEN",
    };
    uint64_t each = 64;
    const struct reply *r;

    if (lengths[run->head.type] == NULL)
        return true;
    if (!run_call(run, COMMAND(str_from(lengths[run->head.type]), run->item->key), &r))
        return false;
    if (r->type == REPLY_INTEGER && r->integer > 0)
        each = run->item->weight / (uint64_t)r->integer;
    run->window = WINDOW_BYTES / (each > 0 ? each : 1);
    if (run->window < 1)
        run->window = 1;
    if (run->window > WINDOW_ITEMS)
        run->window = WINDOW_ITEMS;
    return true;
}

/* Type and deadline again, now that the key is watched. */
static bool look_again(struct run *run)
{
    struct shard *s = run->s;
    struct item *item = run->item;
    const struct reply *r;
    struct str words[2];
    struct command expiry = shard_expiry_command(s, words);
    bool gone = false;

    words[1] = item->key;
    if (!run_call(run, COMMAND(STR("TIME")), &r))
        return false;
    shard_take_time(s, r);
    if (!run_call(run, COMMAND(STR("TYPE"), item->key), &r))
        return false;
    if (!reply_is(r, "none") && !str_equal(r->str, item->type_name)) {
        run->outcome = RUN_OTHER_TYPE;
        return false;
    }
    if (!run_call(run, expiry, &r))
        return false;
    if (!shard_deadline(s, r, &item->deadline, &gone) || gone) {
        tally_of(s->tally, item->slot)->vanished++;
        run->outcome = RUN_SETTLED;
        return false;
    }
    return true;
}

/* The piece that makes the run valid: empty, with the count. */
static bool finish(struct run *run)
{
    bool stream = run->head.type == RECORD_STREAM;

    run->head.chunk_last = true;
    run->head.chunk_count = run->count;
    if (!run_piece(run, &(struct sink_piece){.state = stream ? &run->stream : NULL}))
        return false;
    shard_count(run->s, &run->head);
    return true;
}

static bool try_once(struct run *run, bool fuzzy)
{
    static bool (*const readers[RECORD_TYPES])(struct run *) = {
        [RECORD_STRING] = read_string, [RECORD_HASH] = read_scanned, [RECORD_LIST] = read_list,
        [RECORD_SET] = read_scanned,   [RECORD_ZSET] = read_scanned, [RECORD_STREAM] = run_stream,
    };
    const struct reply *r;

    run->seq = 0;
    run->count = 0;
    run->field_count = 0;
    run->whole = false;
    if (!fuzzy && !run_call(run, COMMAND(STR("WATCH"), run->item->key), &r))
        return false;
    if (!look_again(run))
        return false;
    shard_head(run->s, run->item, &run->head);
    run->head.chunked = true;
    run->head.chunk_last = false;
    run->head.fuzzy = fuzzy;
    if (!measure(run) || !readers[run->head.type](run))
        return false;
    if (run->count == 0 && run->head.type != RECORD_STREAM) { /* deleted, or all fields expired */
        tally_of(run->s->tally, run->item->slot)->vanished++;
        run->outcome = RUN_SETTLED;
        return false;
    }
    if (!run->whole)
        return prove(run) && finish(run);
    shard_count(run->s, &run->head);
    return true;
}

static void name_fuzzy(struct shard *s, const struct item *item)
{
    char key[120];

    if (s->fuzzy_named++ < 100)
        task_note(s->b->task, TASK_WARN, "%.120s changed while it was read: marked fuzzy",
                  escape_text(key, sizeof(key), item->key));
    task_count(s->b->task, "fuzzy", 1);
}

bool shard_read_large(struct shard *s, struct item *item)
{
    struct run run = {.s = s, .item = item};
    struct error err = {0};
    const struct reply *r;

    for (int i = 0; i <= TRIES; i++) {
        if (!task_checkpoint(s->b->task, &err))
            return shard_failed(s, &err);
        run.outcome = RUN_OK;
        if (try_once(&run, i == TRIES)) {
            if (run.head.fuzzy)
                name_fuzzy(s, item);
            item->state = ITEM_DONE;
            return true;
        }
        if (run.outcome == RUN_BROKEN)
            return false;
        if (!shard_send(s, COMMAND(STR("UNWATCH"))) || !shard_next(s, &r))
            return false;
        if (run.outcome != RUN_RETRY)
            break;
    }
    item->state = run.outcome == RUN_LATER ? ITEM_LATER : ITEM_DONE;
    if (run.outcome == RUN_BAD)
        shard_unreadable(s, item, run.err.code == ERROR_LIMIT ? "too_large" : "unreadable",
                         run.err.text);
    else if (run.outcome == RUN_OTHER_TYPE) /* replaced meanwhile: from the start, as it is now */
        item->state = ITEM_AGAIN;
    else if (run.outcome == RUN_RETRY)
        shard_unreadable(s, item, "unreadable", "it kept changing while it was read");
    return true;
}
