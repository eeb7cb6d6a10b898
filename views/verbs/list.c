#include <stdlib.h>

#include "core/base/format.h"
#include "views/verbs/backups.h"

static const struct option_row options[] = {
    BACKUPS_OPTIONS,
    {"limit", 0, OPTION_INT, "N", "At most this many, the newest.", .min = 1, .max = 1000000},
    {"details", 0, OPTION_FLAG,
     .help = "Read each manifest too: state, keys, types (one small request each)."},
    {NULL},
};

/* The newer head of the two lists; at[] says how far each was read. NULL: both at their end. */
static struct catalog_row *take_newest(const struct backups *b, size_t at[PLACES], int *which)
{
    struct catalog_row *best = NULL;
    for (int i = 0; i < PLACES; i++) {
        struct catalog *c = b->places[i].catalog;
        if (c == NULL || at[i] == catalog_count(c))
            continue;
        struct catalog_row *row = catalog_row(c, at[i]);
        if (best == NULL || row->id.time_ms > best->id.time_ms) {
            best = row;
            *which = i;
        }
    }
    if (best != NULL)
        at[*which]++;
    return best;
}

static void print_row(const struct place *place, const struct catalog_row *row, bool details)
{
    char time[FORMAT_MAX];
    char size[FORMAT_MAX];
    char keys[FORMAT_MAX];
    char *uri = backups_uri(place, row);
    printf("%s\t%s\t%s", format_rfc3339(time, sizeof(time), row->id.time_ms),
           format_size(size, sizeof(size), row->archive_bytes), uri);
    if (details)
        printf("\t%s\t%s keys\t%s", backup_state_name(row->state),
               format_count(keys, sizeof(keys), row->summary.keys), row->summary.reason);
    (void)putchar('\n');
    free(uri);
}

static int run(const struct invocation *inv, struct error *err)
{
    struct backups b;
    struct error why;
    size_t at[PLACES] = {0, 0};
    int64_t limit = option_int(inv, "limit");
    bool details = option_flag(inv, "details");
    json_t *rows = json_array();
    bool ok = backups_open(inv, &b, err);
    int which = 0;
    struct catalog_row *row;
    for (int64_t shown = 0; ok && (limit == 0 || shown < limit); shown++) {
        row = take_newest(&b, at, &which);
        if (row == NULL)
            break;
        struct place *place = &b.places[which];
        /* A manifest that cannot be fetched is shown as such: state unknown, and why. */
        if (details && !catalog_read_summary(place->catalog, row, &why) &&
            b.s3_error.code == ERROR_NONE)
            b.s3_error = why;
        if (inv->json)
            json_push(rows, backups_json(place, row));
        else
            print_row(place, row, details);
    }
    if (ok && inv->json) {
        json_t *doc = json_object();
        json_put(doc, "backups", json_incref(rows));
        backups_print_json(doc);
    }
    json_decref(rows);
    if (ok && b.s3_error.code != ERROR_NONE) {
        *err = b.s3_error;
        ok = false;
    }
    backups_release(&b);
    return ok ? 0 : verb_fail(err);
}

const struct verb verb_list = {
    .name = "list",
    .alias = "list-backups",
    .summary = "List backups in S3 and on disk, newest first.",
    .options = options,
    .notes = "Each line is the time, the archive's size and where it is, with tabs between them. A "
             "backup that is only a directory has no size.",
    .examples = "rbconsole list\nrbconsole -e prd list --s3 --limit 10 --details\n",
    .run = run,
};
