#include "core/value/stream_write.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/arena.h"
#include "core/base/array.h"
#include "core/record/temp_key.h"
#include "core/redis/command.h"
#include "core/value/stream_claim.h"

/*
 * XCLAIM passes over pending entries whose message is not in the stream, without a word. So every
 * pending id without a message gets a stand-in message first, is claimed, and the stand-ins are
 * removed at the end. Counters are set before the groups (servers hold a group's entries-read below
 * entries-added) and once more at the end, because adding and removing stand-ins moves them.
 */

#define FLUSH_COMMANDS 500
#define FLUSH_BYTES ((size_t)1 << 20)
#define ARM_ENTRIES 100000 /* entries after which the key's own expiry is set anew */
#define HELPER_GROUP "rbc"

struct group {
    struct group *next;
    struct stream_group g; /* everything in the arena; pending grows by chunks */
    size_t pending_cap;
    size_t consumer_cap;
};

struct stream_build {
    struct arena arena;
    struct stream_abilities target;
    char *key;
    struct str key_str;
    struct group *groups;
    struct group **groups_end;
    struct stream_id *missing; /* pending ids; those that have a message are dropped on the way */
    size_t missing_count, missing_cap, missing_at;
    struct stream_id *stand_ins; /* the ones that were added */
    size_t stand_in_count, stand_in_cap;
    bool sorted;
    bool has_first;
    struct stream_id first; /* first real entry */
    uint64_t real, added;
    bool has_state;
    struct stream_state state;
    size_t queued; /* commands appended and not yet checked */
};

struct stream_build *stream_build_new(struct str key, const struct stream_abilities *target)
{
    struct stream_build *b = mem_zero(1, sizeof(*b));

    b->key = mem_copy_str(key);
    b->key_str = (struct str){b->key, key.len};
    b->target = *target;
    b->groups_end = &b->groups;
    return b;
}

void stream_build_free(struct stream_build *b)
{
    if (b == NULL)
        return;
    for (struct group *g = b->groups; g != NULL; g = g->next) {
        free(g->g.pending);
        free(g->g.consumers);
    }
    arena_release(&b->arena);
    free(b->missing);
    free(b->stand_ins);
    free(b->key);
    free(b);
}

uint64_t stream_build_entries(const struct stream_build *b)
{
    return b->real;
}

/* ---- pipeline -------------------------------------------------------------------------------- */

static bool drain(struct stream_build *b, struct conn *c, struct error *err)
{
    struct error first = {0};

    if (b->queued > 0 && !conn_flush(c, err))
        return false;
    for (; b->queued > 0; b->queued--) {
        const struct reply *r;

        if (!conn_next_reply(c, &r, err))
            return false;
        if (first.code == ERROR_NONE && !reply_check(r, "restore stream", &first))
            continue; /* the other replies must be read all the same */
    }
    if (first.code == ERROR_NONE)
        return true;
    *err = first;
    return false;
}

bool stream_build_drain(struct stream_build *b, struct conn *c, struct error *err)
{
    return drain(b, c, err);
}

static bool appended(struct stream_build *b, struct conn *c, struct error *err)
{
    if (!conn_appended(c, 1, 0, err))
        return false;
    b->queued++;
    if (b->queued >= FLUSH_COMMANDS || conn_out(c)->len >= FLUSH_BYTES)
        return drain(b, c, err);
    return true;
}

static bool queue(struct stream_build *b, struct conn *c, struct command command, struct error *err)
{
    return command_append(conn_out(c), command, err) && appended(b, c, err);
}

struct id_text {
    char text[STREAM_ID_TEXT];
};

static struct str id_str(struct id_text *t, struct stream_id id)
{
    return str_from(stream_id_format(t->text, sizeof(t->text), id));
}

struct number {
    char text[24];
};

static struct str u64_str(struct number *n, uint64_t value)
{
    size_t at = sizeof(n->text);

    do {
        n->text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return (struct str){n->text + at, sizeof(n->text) - at};
}

/* ---- lines ----------------------------------------------------------------------------------- */

static struct group *find_group(struct stream_build *b, struct str name)
{
    for (struct group *g = b->groups; g != NULL; g = g->next)
        if (str_equal(g->g.name, name))
            return g;
    return NULL;
}

static size_t find_consumer(struct stream_build *b, struct group *g, struct str name)
{
    for (size_t i = 0; i < g->g.consumer_count; i++)
        if (str_equal(g->g.consumers[i], name))
            return i;
    ARRAY_PUSH(g->g.consumers, g->g.consumer_count, g->consumer_cap) = arena_str(&b->arena, name);
    return g->g.consumer_count - 1;
}

/* The same group may come in several lines of a chunk run: its lists go on. */
static void take_group(struct stream_build *b, const struct stream_group *from)
{
    struct group *g = find_group(b, from->name);

    if (g == NULL) {
        g = arena_alloc(&b->arena, sizeof(*g));
        g->g = (struct stream_group){.name = arena_str(&b->arena, from->name),
                                     .last_delivered = from->last_delivered,
                                     .has_entries_read = from->has_entries_read,
                                     .entries_read = from->entries_read};
        *b->groups_end = g;
        b->groups_end = &g->next;
    }
    for (size_t i = 0; i < from->consumer_count; i++)
        (void)find_consumer(b, g, from->consumers[i]);
    for (size_t i = 0; i < from->pending_count; i++) {
        struct stream_pending p = from->pending[i];

        if (p.consumer == STREAM_UNOWNED && !b->target.unowned && b->target.drop_unowned)
            continue;
        if (p.consumer != STREAM_UNOWNED)
            p.consumer = find_consumer(b, g, from->consumers[p.consumer]);
        ARRAY_PUSH(g->g.pending, g->g.pending_count, g->pending_cap) = p;
        ARRAY_PUSH(b->missing, b->missing_count, b->missing_cap) = p.id;
    }
}

static int by_id(const void *a, const void *b)
{
    const struct stream_id *x = a;
    const struct stream_id *y = b;

    return stream_id_compare(*x, *y);
}

static void sort_missing(struct stream_build *b)
{
    size_t out = 0;

    if (b->sorted)
        return;
    b->sorted = true;
    if (b->missing_count > 1)
        qsort(b->missing, b->missing_count, sizeof(*b->missing), by_id);
    for (size_t i = 0; i < b->missing_count; i++)
        if (out == 0 || stream_id_compare(b->missing[out - 1], b->missing[i]) != 0)
            b->missing[out++] = b->missing[i];
    b->missing_count = out;
}

/* Counts an entry that was sent. */
static bool added(struct stream_build *b, struct conn *c, struct error *err)
{
    struct number ms;

    if (b->added++ % ARM_ENTRIES != 0)
        return true;
    return queue(b, c, COMMAND(STR("PEXPIRE"), b->key_str, u64_str(&ms, TEMP_KEY_TTL_MS)), err);
}

static bool add_stand_in(struct stream_build *b, struct conn *c, struct stream_id id,
                         struct error *err)
{
    struct id_text text;

    ARRAY_PUSH(b->stand_ins, b->stand_in_count, b->stand_in_cap) = id;
    return queue(b, c, COMMAND(STR("XADD"), b->key_str, id_str(&text, id), STR("x"), STR("")),
                 err) &&
           added(b, c, err);
}

/* Stand-ins for every pending id below `id`; the one equal to it has its message. */
static bool add_stand_ins_below(struct stream_build *b, struct conn *c, const struct stream_id *id,
                                struct error *err)
{
    sort_missing(b);
    for (; b->missing_at < b->missing_count; b->missing_at++) {
        int order = id == NULL ? -1 : stream_id_compare(b->missing[b->missing_at], *id);

        if (order > 0)
            return true;
        if (order < 0 && !add_stand_in(b, c, b->missing[b->missing_at], err))
            return false;
    }
    return true;
}

static bool add_entry(struct stream_build *b, struct conn *c, const struct record *r, size_t i,
                      struct error *err)
{
    struct record_entry e;
    struct id_text text;
    struct buf *out = conn_out(c);

    record_entry(r, i, &e);
    if (!add_stand_ins_below(b, c, &e.id, err))
        return false;
    if (!b->has_first)
        b->first = e.id;
    b->has_first = true;
    b->real++;
    if (!command_begin(out, 3 + e.count, err) || !command_arg_text(out, "XADD", err) ||
        !command_arg(out, b->key_str, err) || !command_arg(out, id_str(&text, e.id), err))
        return false;
    for (size_t k = 0; k < e.count; k++)
        if (!command_arg(out, record_entry_item(r, &e, k), err))
            return false;
    return appended(b, c, err) && added(b, c, err);
}

bool stream_build_line(struct stream_build *b, struct conn *c, const struct record *r,
                       struct error *err)
{
    const struct stream_group *groups;
    size_t count;

    groups = record_groups(r, &count);
    if (count > 0 && b->added > 0)
        return error_set(err, ERROR_CORRUPT, 0, "groups of a stream come after its entries");
    for (size_t i = 0; i < count && b->target.groups; i++)
        take_group(b, &groups[i]);
    for (size_t i = 0; i < record_count(r); i++)
        if (!add_entry(b, c, r, i, err))
            return false;
    if (record_has_state(r)) {
        b->state = record_state(r);
        b->has_state = true;
    }
    return true;
}

/* ---- finish ---------------------------------------------------------------------------------- */

static bool set_id(struct stream_build *b, struct conn *c, uint64_t least_added, struct error *err)
{
    struct id_text last;
    struct id_text deleted;
    struct number added;
    uint64_t entries = b->state.has_counters ? b->state.entries_added : b->real;

    if (!b->target.counters)
        return queue(b, c, COMMAND(STR("XSETID"), b->key_str, id_str(&last, b->state.last_id)),
                     err);
    if (entries < least_added)
        entries = least_added;
    return queue(b, c,
                 COMMAND(STR("XSETID"), b->key_str, id_str(&last, b->state.last_id),
                         STR("ENTRIESADDED"), u64_str(&added, entries), STR("MAXDELETEDID"),
                         id_str(&deleted, b->state.max_deleted)),
                 err);
}

static bool create_group(struct stream_build *b, struct conn *c, const struct stream_group *g,
                         struct error *err)
{
    struct id_text last;
    struct number read;
    struct str id = id_str(&last, g->last_delivered);

    if (!b->target.counters)
        return queue(b, c, COMMAND(STR("XGROUP"), STR("CREATE"), b->key_str, g->name, id), err);
    return queue(b, c,
                 COMMAND(STR("XGROUP"), STR("CREATE"), b->key_str, g->name, id, STR("ENTRIESREAD"),
                         g->has_entries_read ? u64_str(&read, g->entries_read) : STR("-1")),
                 err);
}

static bool create_consumers(struct stream_build *b, struct conn *c, const struct stream_group *g,
                             struct error *err)
{
    for (size_t i = 0; i < g->consumer_count; i++) {
        struct command created =
            COMMAND(STR("XGROUP"), STR("CREATECONSUMER"), b->key_str, g->name, g->consumers[i]);
        /* Before 6.2 reading nothing makes a consumer; harmless while its list is empty. */
        struct command read =
            COMMAND(STR("XREADGROUP"), STR("GROUP"), g->name, g->consumers[i], STR("COUNT"),
                    STR("1"), STR("STREAMS"), b->key_str, STR("0-0"));

        if (!queue(b, c, b->target.create_consumer ? created : read, err))
            return false;
    }
    return true;
}

/* Below the first real entry XTRIM, which leaves max-deleted alone; the others XDEL. */
static bool remove_stand_ins(struct stream_build *b, struct conn *c, struct error *err)
{
    struct id_text id;
    struct number count;
    bool below = b->stand_in_count > 0 &&
                 (!b->has_first || stream_id_compare(b->stand_ins[0], b->first) < 0);

    for (size_t i = 0; i < b->stand_in_count && b->has_first; i++) {
        if (stream_id_compare(b->stand_ins[i], b->first) < 0)
            continue;
        if (!queue(b, c, COMMAND(STR("XDEL"), b->key_str, id_str(&id, b->stand_ins[i])), err))
            return false;
    }
    if (!below)
        return true;
    if (b->has_first && b->target.create_consumer)
        return queue(b, c, COMMAND(STR("XTRIM"), b->key_str, STR("MINID"), id_str(&id, b->first)),
                     err);
    return queue(b, c, COMMAND(STR("XTRIM"), b->key_str, STR("MAXLEN"), u64_str(&count, b->real)),
                 err);
}

static bool check_length(struct stream_build *b, struct conn *c, struct error *err)
{
    const struct reply *r;
    int64_t length;

    if (!conn_call(c, COMMAND(STR("XLEN"), b->key_str), 0, &r, err) ||
        !reply_want_i64(r, "XLEN", &length, err))
        return false;
    if ((uint64_t)length != b->real)
        return error_set(err, ERROR_CORRUPT, 0, "stream came out with %lld of %llu entries",
                         (long long)length, (unsigned long long)b->real);
    return true;
}

static bool build_groups(struct stream_build *b, struct conn *c, struct error *err)
{
    for (const struct group *g = b->groups; g != NULL; g = g->next)
        if (!create_group(b, c, &g->g, err) || !create_consumers(b, c, &g->g, err))
            return false;
    if (!drain(b, c, err))
        return false;
    for (const struct group *g = b->groups; g != NULL; g = g->next)
        if (!stream_claim(c, b->key_str, &g->g, b->target.unowned, err))
            return false;
    return true;
}

bool stream_build_finish(struct stream_build *b, struct conn *c, struct error *err)
{
    bool empty;

    if (!b->has_state)
        return error_set(err, ERROR_CORRUPT, 0, "stream without its last id");
    if (!add_stand_ins_below(b, c, NULL, err))
        return false;
    empty = b->added == 0;
    if (empty && !queue(b, c,
                        COMMAND(STR("XGROUP"), STR("CREATE"), b->key_str, STR(HELPER_GROUP),
                                STR("0"), STR("MKSTREAM")),
                        err))
        return false;
    /* A group of the backup may have the helper's name: it goes before they are made. */
    if (empty &&
        !queue(b, c, COMMAND(STR("XGROUP"), STR("DESTROY"), b->key_str, STR(HELPER_GROUP)), err))
        return false;
    return set_id(b, c, b->added, err) && build_groups(b, c, err) && remove_stand_ins(b, c, err) &&
           set_id(b, c, 0, err) && drain(b, c, err) && check_length(b, c, err);
}
