#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/clock.h"
#include "core/base/format.h"
#include "core/redis/glob.h"
#include "views/verbs/backups.h"

#define BATCH 64 /* manifests read before their lines are printed */
#define DAY_MS ((int64_t)24 * 3600 * 1000)

static const struct option_row options[] = {
    BACKUPS_OPTIONS,
    {"limit", 0, OPTION_INT, "N", "At most this many, the first of the order.", .min = 1,
     .max = 1000000},
    {"details", 0, OPTION_FLAG,
     .help = "Read each manifest too: state, keys, types (one small request each)."},
    {"state", 0, OPTION_CHOICE, "STATE", "Only backups in this state (reads the manifests).",
     .choices = "complete|incomplete|corrupt|foreign|unknown", .flags = OPTION_REPEAT},
    {"filter", 0, OPTION_TEXT, "GLOB", "Only ids that match: *-prd-202508*.",
     .flags = OPTION_REPEAT},
    {"newer-than", 0, OPTION_INT, "DAYS", "Only backups younger than that.", .min = 1,
     .max = 36500},
    {"older-than", 0, OPTION_INT, "DAYS", "Only backups at least that old.", .min = 1,
     .max = 36500},
    {"sort", 0, OPTION_CHOICE, "BY", "Newest first, largest first, or by environment or state.",
     "time", .choices = "time|size|keys|env|state"},
    {"reverse", 0, OPTION_FLAG, .help = "The other way round."},
    {NULL},
};

struct entry {
    struct place *place;
    struct catalog_row *row;
};

struct listing {
    const struct invocation *inv;
    struct backups backups;
    struct entry *items;
    size_t count;
    size_t cap;
    bool reads; /* manifests are needed, for what is shown or asked */
    json_t *rows;
};

/* ---- what is asked for -------------------------------------------------------------------------
 */

static bool matches_name(const struct invocation *inv, const struct catalog_row *row)
{
    size_t count = option_count(inv, "filter");
    for (size_t i = 0; i < count; i++)
        if (glob_match(str_from(option_text_at(inv, "filter", i)), str_from(row->id.text)))
            return true;
    return count == 0;
}

static bool matches_age(const struct invocation *inv, const struct catalog_row *row, int64_t now_ms)
{
    int64_t age_ms = now_ms - row->id.time_ms;
    int64_t newer = option_int(inv, "newer-than");
    int64_t older = option_int(inv, "older-than");
    return (newer == 0 || age_ms < newer * DAY_MS) && (older == 0 || age_ms >= older * DAY_MS);
}

static bool matches_state(const struct invocation *inv, const struct catalog_row *row)
{
    size_t count = option_count(inv, "state");
    for (size_t i = 0; i < count; i++)
        if (strcmp(option_text_at(inv, "state", i), backup_state_name(row->state)) == 0)
            return true;
    return count == 0;
}

static void collect(struct listing *l)
{
    int64_t now_ms = clock_real_ms();
    for (int p = 0; p < PLACES; p++) {
        struct catalog *c = l->backups.places[p].catalog;
        for (size_t i = 0; c != NULL && i < catalog_count(c); i++) {
            struct catalog_row *row = catalog_row(c, i);
            if (matches_name(l->inv, row) && matches_age(l->inv, row, now_ms))
                ARRAY_PUSH(l->items, l->count, l->cap) = (struct entry){&l->backups.places[p], row};
        }
    }
}

/* A manifest that cannot be fetched is shown as such: state unknown, and why. The first reason is
 * kept. */
static bool read_some(struct listing *l, size_t from, size_t count, struct error *err)
{
    struct catalog_row *rows[BATCH];
    bool ok = true;
    for (int p = 0; ok && p < PLACES; p++) {
        struct place *place = &l->backups.places[p];
        struct error why = {.code = ERROR_NONE};
        size_t unknown = 0;
        size_t n = 0;
        for (size_t i = from; i < from + count; i++)
            if (l->items[i].place == place)
                rows[n++] = l->items[i].row;
        ok = n == 0 || catalog_read_summaries(place->catalog, rows, n, &unknown, &why, err);
        if (ok && unknown > 0 && l->backups.s3_error.code == ERROR_NONE)
            l->backups.s3_error = why;
    }
    return ok;
}

static bool read_all(struct listing *l, struct error *err)
{
    for (size_t at = 0; at < l->count; at += BATCH)
        if (!read_some(l, at, l->count - at < BATCH ? l->count - at : BATCH, err))
            return false;
    return true;
}

/* ---- order -------------------------------------------------------------------------------------
 */

static int descending(int64_t a, int64_t b)
{
    return (a < b) - (a > b);
}

static int by_time(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    int order = descending(x->row->id.time_ms, y->row->id.time_ms);
    if (order == 0)
        order = strcmp(y->row->id.text, x->row->id.text);
    return order != 0 ? order : (x->place > y->place) - (x->place < y->place);
}

static int by_size(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    int order = descending(x->row->archive_bytes, y->row->archive_bytes);
    return order != 0 ? order : by_time(a, b);
}

static int by_keys(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    int order = descending(x->row->summary.keys, y->row->summary.keys);
    return order != 0 ? order : by_time(a, b);
}

static int by_env(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    int order = strcmp(x->row->id.env, y->row->id.env);
    return order != 0 ? order : by_time(a, b);
}

static int by_state(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    int order = (x->row->state > y->row->state) - (x->row->state < y->row->state);
    return order != 0 ? order : by_time(a, b);
}

static const struct order {
    const char *name;
    int (*compare)(const void *a, const void *b);
    bool reads; /* what it compares stands in the manifests */
} orders[] = {{"time", by_time, false},
              {"size", by_size, false},
              {"keys", by_keys, true},
              {"env", by_env, false},
              {"state", by_state, true}};

static const struct order *order_of(const struct invocation *inv)
{
    for (size_t i = 0; i < COUNT_OF(orders); i++)
        if (strcmp(option_text(inv, "sort"), orders[i].name) == 0)
            return &orders[i];
    return &orders[0];
}

static void arrange(struct listing *l)
{
    if (l->count > 0)
        qsort(l->items, l->count, sizeof(*l->items), order_of(l->inv)->compare);
    for (size_t i = 0; option_flag(l->inv, "reverse") && i < l->count / 2; i++) {
        struct entry held = l->items[i];
        l->items[i] = l->items[l->count - 1 - i];
        l->items[l->count - 1 - i] = held;
    }
}

static void drop_other_states(struct listing *l)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->count; i++)
        if (matches_state(l->inv, l->items[i].row))
            l->items[kept++] = l->items[i];
    l->count = kept;
}

/* ---- lines -------------------------------------------------------------------------------------
 */

static void print_row(const struct listing *l, const struct entry *e)
{
    const struct catalog_row *row = e->row;
    char time[FORMAT_MAX];
    char size[FORMAT_MAX];
    char keys[FORMAT_MAX];
    char *uri = backups_uri(e->place, row);
    printf("%s\t%s\t%s", format_rfc3339(time, sizeof(time), row->id.time_ms),
           format_size(size, sizeof(size), row->archive_bytes), uri);
    if (l->reads)
        printf("\t%s\t%s keys\t%s", backup_state_name(row->state),
               format_count(keys, sizeof(keys), row->summary.keys), row->summary.reason);
    (void)putchar('\n');
    free(uri);
}

static bool show(struct listing *l, struct error *err)
{
    size_t limit = (size_t)option_int(l->inv, "limit");
    size_t end = limit > 0 && limit < l->count ? limit : l->count;
    for (size_t at = 0; at < end; at += BATCH) {
        size_t count = end - at < BATCH ? end - at : BATCH;
        if (l->reads && !read_some(l, at, count, err))
            return false;
        for (size_t i = at; i < at + count; i++) {
            if (l->inv->json)
                json_push(l->rows, backups_json(l->items[i].place, l->items[i].row));
            else
                print_row(l, &l->items[i]);
        }
        (void)fflush(stdout);
    }
    return true;
}

static bool list(struct listing *l, struct error *err)
{
    bool filters = option_count(l->inv, "state") > 0;
    bool all_first = filters || order_of(l->inv)->reads;
    l->reads = option_flag(l->inv, "details") || all_first;
    if (!backups_open(l->inv, &l->backups, err))
        return false;
    collect(l);
    if (all_first && !read_all(l, err))
        return false;
    if (filters)
        drop_other_states(l);
    arrange(l);
    return show(l, err);
}

static int run(const struct invocation *inv, struct error *err)
{
    struct listing l = {.inv = inv, .rows = json_array()};
    bool ok = list(&l, err);
    if (ok && inv->json) {
        json_t *doc = json_object();
        json_put(doc, "backups", json_incref(l.rows));
        backups_print_json(doc);
    }
    json_decref(l.rows);
    if (ok && l.backups.s3_error.code != ERROR_NONE) {
        *err = l.backups.s3_error;
        ok = false;
    }
    free(l.items);
    backups_release(&l.backups);
    return ok ? 0 : verb_fail(err);
}

const struct verb verb_list = {
    .name = "list",
    .alias = "list-backups",
    .summary = "List backups in S3 and on disk, newest first.",
    .options = options,
    .notes = "Each line is the time, the archive's size and where it is, with tabs between them. A "
             "backup that is only a directory has no size.\n"
             "States, shown with --details, --state and where the order needs them: complete; "
             "incomplete (not finished, or its manifest says so, with the reason); corrupt (the "
             "manifest cannot be understood, the archive is missing or shorter than it says); "
             "foreign (an archive without a manifest beside it); unknown (the manifest could not "
             "be fetched: exit status as the reason has it).",
    .examples = "rbconsole list\nrbconsole -e prd list --s3 --limit 10 --details\n"
                "rbconsole list --state incomplete --state corrupt\n"
                "rbconsole list --filter '*-prd-*' --older-than 30 --sort size\n",
    .run = run,
};
