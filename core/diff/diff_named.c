#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/escape.h"
#include "core/base/format.h"
#include "core/diff/diff_private.h"

/*
 * The keys that go into the report, once all verdicts are known. A backup is read again at the
 * places where they stand and nowhere else; a snapshot's keys file from end to end. Values are
 * compared whole while they fit into the memory; the largest one after another, alone.
 */

#define KEY_SHOWN 1024   /* bytes of a name in the report */
#define ELEMENT_BYTES 64 /* of a value_sum, generously */

struct naming {
    struct diff_run *run;
    struct diff_named **list; /* in the order of a side's places */
    size_t count;
    struct record_stream **streams; /* of the backup that is read, by group */
    uint64_t left;                  /* elements that may still be held */
    bool alone;                     /* a large key by itself */
};

static char *shown_key(struct str key)
{
    char text[KEY_SHOWN + 8];

    return mem_copy_text(escape_text(text, sizeof(text), key));
}

static void drop_sums(struct diff_named *n)
{
    for (int side = SIDE_A; side < SIDES; side++) {
        value_sum_free(n->sums[side]);
        n->sums[side] = NULL;
    }
}

/* ---- from a backup --------------------------------------------------------------------------- */

static bool wants_value(const struct naming *x, const struct diff_named *n)
{
    return n->verdict == DIFF_DIFFERS && x->run->side[SIDE_A]->source != NULL &&
           x->run->side[SIDE_B]->source != NULL && n->entry.type[SIDE_A] == n->entry.type[SIDE_B];
}

/* False: there is no room for this line's elements. */
static bool make_room(struct naming *x, const struct record *r)
{
    uint64_t more = record_count(r) + 1 + record_deadlines(r);
    size_t groups;
    const struct stream_group *list = record_groups(r, &groups);

    for (size_t i = 0; i < groups; i++)
        more += list[i].consumer_count + 1;
    if (more > x->left)
        return false;
    x->left -= more;
    return true;
}

/* The lines of one key, of which the stream stands before the first. */
static bool read_key(struct naming *x, int side, struct record_stream *stream, struct diff_named *n,
                     struct error *err)
{
    const struct record *r;
    uint64_t count = 0;

    for (uint64_t seq = 0;; seq++) {
        const struct record_head *h;

        if (!record_stream_next(stream, &r, err))
            return false;
        if (r == NULL || (h = record_head(r))->chunk_seq != seq)
            return error_set(err, ERROR_CORRUPT, 0, "it reads differently the second time");
        if (seq == 0) {
            if (n->name == NULL)
                n->name = shown_key(h->key);
            n->db = h->db;
            n->deadline_ms[side] = diff_deadline(x->run->side[side], h);
        }
        count += record_count(r);
        if (n->sums[side] != NULL && !make_room(x, r)) {
            n->large = true;
            drop_sums(n);
        }
        if (n->sums[side] != NULL)
            value_sum_add(n->sums[side], r, true);
        if (!h->chunked || h->chunk_last) {
            n->elements[side] = h->chunked ? h->chunk_count : count;
            return true;
        }
    }
}

static bool read_at(struct naming *x, int side, struct diff_named *n, struct error *err)
{
    const struct diff_side *s = x->run->side[side];
    uint32_t group = s->group_of[n->entry.part[side]];
    struct record_position at = {s->place_of[n->entry.part[side]], n->entry.offset[side]};

    if (x->streams[group] == NULL)
        x->streams[group] = record_stream_new(s->source, &s->groups[group], NULL);
    if (wants_value(x, n) && (x->alone || !n->large))
        n->sums[side] = value_sum_new();
    record_stream_seek(x->streams[group], at);
    return read_key(x, side, x->streams[group], n, err);
}

static bool is_there(const struct diff_named *n, int side)
{
    return (n->entry.flags & (side == SIDE_A ? DIFF_IN_A : DIFF_IN_B)) != 0;
}

static int by_place(const struct diff_named *a, const struct diff_named *b, int side)
{
    if (a->entry.part[side] != b->entry.part[side])
        return a->entry.part[side] < b->entry.part[side] ? -1 : 1;
    return (a->entry.offset[side] > b->entry.offset[side]) -
           (a->entry.offset[side] < b->entry.offset[side]);
}

static int by_place_in_a(const void *a, const void *b)
{
    return by_place(*(struct diff_named *const *)a, *(struct diff_named *const *)b, SIDE_A);
}

static int by_place_in_b(const void *a, const void *b)
{
    return by_place(*(struct diff_named *const *)a, *(struct diff_named *const *)b, SIDE_B);
}

/* Groups are read one after another, so that one part at a time is in memory. */
static bool read_backup(struct naming *x, int side, struct error *err)
{
    const struct diff_side *s = x->run->side[side];
    uint32_t open = 0;
    bool ok = true;

    x->streams = mem_zero(s->group_count + 1, sizeof(struct record_stream *));
    if (x->count > 0)
        qsort(x->list, x->count, sizeof(struct diff_named *),
              side == SIDE_A ? by_place_in_a : by_place_in_b);
    for (size_t i = 0; i < x->count && ok; i++) {
        struct diff_named *n = x->list[i];

        if (!is_there(n, side) || (side == SIDE_B && n->large && !x->alone && n->name != NULL))
            continue;
        if (s->group_of[n->entry.part[side]] != open) {
            record_stream_free(x->streams[open]);
            x->streams[open] = NULL;
            open = s->group_of[n->entry.part[side]];
        }
        ok = task_checkpoint(x->run->task, err) && read_at(x, side, n, err);
    }
    for (size_t g = 0; g < s->group_count; g++)
        record_stream_free(x->streams[g]);
    free(x->streams);
    return ok || error_wrap(err, "%s", s->name);
}

/* ---- from a snapshot's keys ------------------------------------------------------------------ */

static int by_print(const void *a, const void *b)
{
    const struct diff_named *const *x = a;
    const struct diff_named *const *y = b;

    return diff_print_compare((*x)->entry.print, (*y)->entry.print);
}

struct lookup {
    struct naming *x;
    int side;
};

static bool visit_named(void *ctx, const struct diff_key *k, struct error *err UNUSED)
{
    struct lookup *l = ctx;
    struct diff_named like = {.entry.print = k->print};
    const struct diff_named *key = &like;
    struct diff_named **found =
        bsearch(&key, l->x->list, l->x->count, sizeof(struct diff_named *), by_print);

    if (found == NULL)
        return true;
    if ((*found)->name == NULL)
        (*found)->name = shown_key(k->facts.key);
    (*found)->db = k->facts.db;
    (*found)->deadline_ms[l->side] = k->facts.deadline;
    return true;
}

static bool read_snapshot(struct naming *x, int side, struct error *err)
{
    struct lookup l = {x, side};
    struct diff_want want = {.modulus = 1, .below = UINT64_MAX};

    if (x->count == 0)
        return true;
    for (size_t i = 0; i < x->count; i++)
        slot_set_add(&want.slots, x->list[i]->entry.slot);
    qsort(x->list, x->count, sizeof(struct diff_named *), by_print);
    return diff_side_walk(x->run, side, &want, visit_named, &l, err);
}

/* ---- what to say ----------------------------------------------------------------------------- */

static const char *type_word(uint8_t type)
{
    const char *name = type < RECORD_TYPES ? record_type_name((enum record_type)type) : NULL;

    return name == NULL ? "other" : name;
}

static const char *element_word(uint8_t type)
{
    static const char *const words[RECORD_TYPES] = {"bytes",   "fields",  "elements", "members",
                                                    "members", "entries", "bytes"};

    return type < RECORD_TYPES ? words[type] : "elements";
}

/* A comparison of values speaks of what was saved and what is there: here these are A and B. */
static void say_in_sides(struct diff_named *n, const char *what)
{
    static const char *const words[][2] = {
        {"saved", "in A"}, {"there", "in B"}, {"missing", "removed"}};
    struct str rest = str_from(what);
    struct str word;
    size_t used = 0;

    while (str_split(&rest, ' ', &word) && used < sizeof(n->detail)) {
        bool mark = word.len > 0 && strchr(",:", word.ptr[word.len - 1]) != NULL;
        struct str bare = str_slice(word, 0, word.len - mark);
        int shown = (int)bare.len;
        const char *text = bare.ptr;

        for (size_t i = 0; i < COUNT_OF(words); i++)
            if (str_is(bare, words[i][0])) {
                text = words[i][1];
                shown = (int)strlen(text);
            }
        used += (size_t)snprintf(n->detail + used, sizeof(n->detail) - used, "%s%.*s%.*s",
                                 used > 0 ? " " : "", shown, text, (int)mark, word.ptr + bare.len);
    }
}

static void say_value(struct diff_named *n)
{
    struct value_difference d = value_sum_compare(n->sums[SIDE_A], n->sums[SIDE_B], 0, 0);

    if (d.same && d.deadlines > 0)
        (void)snprintf(n->detail, sizeof(n->detail), "the expiry of %" PRIu64 " %s differs",
                       d.deadlines, element_word(n->entry.type[SIDE_A]));
    else
        say_in_sides(n, d.same ? "the content differs" : d.what);
}

static void say_sizes(struct diff_named *n)
{
    (void)snprintf(n->detail, sizeof(n->detail),
                   "%" PRIu64 " %s in A, %" PRIu64 " in B: too large to say more",
                   n->elements[SIDE_A], element_word(n->entry.type[SIDE_A]), n->elements[SIDE_B]);
}

static void say_deadline(struct diff_named *n)
{
    int64_t a = n->deadline_ms[SIDE_A];
    int64_t b = n->deadline_ms[SIDE_B];
    char when[FORMAT_MAX];

    if (a == RECORD_NO_TIME)
        (void)snprintf(n->detail, sizeof(n->detail), "never expires in A, %s in B",
                       format_rfc3339(when, sizeof(when), b));
    else if (b == RECORD_NO_TIME)
        (void)snprintf(n->detail, sizeof(n->detail), "expires %s in A, never in B",
                       format_rfc3339(when, sizeof(when), a));
    else
        (void)snprintf(n->detail, sizeof(n->detail), "expires %s %s in B",
                       format_duration(when, sizeof(when), a > b ? a - b : b - a),
                       a > b ? "earlier" : "later");
}

static void say_end(const struct diff_run *run, struct diff_named *n)
{
    bool in_a = is_there(n, SIDE_A);
    const struct diff_side *lacks = run->side[in_a ? SIDE_B : SIDE_A];
    char when[FORMAT_MAX];

    if (n->verdict == DIFF_EXPIRED)
        (void)snprintf(n->detail, sizeof(n->detail), "%s before %s was read to its end",
                       format_duration(when, sizeof(when),
                                       lacks->end_ms - n->deadline_ms[in_a ? SIDE_A : SIDE_B]),
                       in_a ? "B" : "A");
    else if (n->verdict == DIFF_UNSURE)
        (void)snprintf(n->detail, sizeof(n->detail), "not in %s, which is incomplete",
                       in_a ? "B" : "A");
}

static void say(const struct diff_run *run, struct diff_named *n)
{
    size_t used;

    if (n->verdict == DIFF_TTL)
        say_deadline(n);
    else if (n->verdict != DIFF_DIFFERS)
        say_end(run, n);
    else if (n->entry.type[SIDE_A] != n->entry.type[SIDE_B])
        (void)snprintf(n->detail, sizeof(n->detail), "%s in A, %s in B",
                       type_word(n->entry.type[SIDE_A]), type_word(n->entry.type[SIDE_B]));
    else if (n->sums[SIDE_A] != NULL && n->sums[SIDE_B] != NULL)
        say_value(n);
    else if (n->large)
        say_sizes(n);
    else
        (void)snprintf(n->detail, sizeof(n->detail), "the content differs");
    used = strlen(n->detail);
    if ((n->entry.flags & DIFF_FUZZY) != 0)
        (void)snprintf(n->detail + used, sizeof(n->detail) - used,
                       "; it changed while it was backed up");
    drop_sums(n);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static bool read_side(struct naming *x, int side, struct error *err)
{
    return x->run->side[side]->source != NULL ? read_backup(x, side, err)
                                              : read_snapshot(x, side, err);
}

static uint64_t room(const struct diff_run *run)
{
    return run->o->max_memory / 4 / ELEMENT_BYTES;
}

/* Those that were too large to be held beside the others. */
static bool name_large(struct diff_run *run, struct diff_named *n, struct error *err)
{
    struct naming x = {.run = run, .list = &n, .count = 1, .left = room(run), .alone = true};

    return read_side(&x, SIDE_A, err) && read_side(&x, SIDE_B, err);
}

static bool name_list(struct diff_run *run, struct diff_named **list, size_t count,
                      struct error *err)
{
    struct naming x = {.run = run, .list = list, .count = count, .left = room(run)};

    if (!read_side(&x, SIDE_A, err) || !read_side(&x, SIDE_B, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (list[i]->large && !name_large(run, list[i], err))
            return false;
        say(run, list[i]);
    }
    return true;
}

static int by_slot_and_key(const void *a, const void *b)
{
    const struct diff_finding *x = a;
    const struct diff_finding *y = b;

    if (x->verdict != y->verdict)
        return x->verdict < y->verdict ? -1 : 1;
    if (x->slot != y->slot)
        return x->slot < y->slot ? -1 : 1;
    return strcmp(x->key, y->key);
}

static enum record_type type_of(uint8_t type)
{
    return type == DIFF_NO_TYPE ? RECORD_TYPES : (enum record_type)type;
}

static void report_key(struct diff_report *r, struct diff_named *n)
{
    struct diff_finding *f = &r->findings[r->finding_count++];

    *f = (struct diff_finding){.key = n->name != NULL ? n->name : mem_copy_text(""),
                               .db = n->db,
                               .slot = n->entry.slot,
                               .type_a = type_of(n->entry.type[SIDE_A]),
                               .type_b = type_of(n->entry.type[SIDE_B]),
                               .verdict = n->verdict};
    (void)snprintf(f->detail, sizeof(f->detail), "%s", n->detail);
    n->name = NULL;
}

bool diff_name_keys(struct diff_run *run, struct error *err)
{
    struct diff_report *r = run->r;
    struct diff_named **list;
    size_t count = 0;
    size_t at = 0;
    bool ok;

    for (int v = 0; v < DIFF_VERDICTS; v++) {
        count += run->draws[v].count;
        r->unnamed += run->draws[v].seen - run->draws[v].count;
    }
    task_stage(run->task, "name");
    list = mem_zero(count + 1, sizeof(struct diff_named *));
    for (int v = 0; v < DIFF_VERDICTS; v++)
        for (size_t i = 0; i < run->draws[v].count; i++)
            list[at++] = &run->draws[v].items[i];
    ok = name_list(run, list, count, err);
    r->findings = mem_zero(count + 1, sizeof(*r->findings));
    for (size_t i = 0; i < count; i++) {
        drop_sums(list[i]);
        report_key(r, list[i]);
    }
    if (count > 0)
        qsort(r->findings, count, sizeof(*r->findings), by_slot_and_key);
    free(list);
    return ok;
}
