#include <stdlib.h>

#include "core/base/format.h"
#include "views/confirm_rule.h"
#include "views/verbs/backups.h"

static const struct option_row options[] = {
    BACKUPS_OPTIONS,
    {"confirm", 0, OPTION_ENV, "NAME", "The environment's name: go ahead."},
    {NULL},
};

#define DELETE_MAX 64 /* backups named at once */

/* What was named, in both places. */
struct doomed {
    struct catalog_row *rows[DELETE_MAX][PLACES];
    size_t count;
};

static json_t *print_plan(const struct invocation *inv, const struct backups *b,
                          const struct doomed *d)
{
    char size[FORMAT_MAX];
    json_t *plan = json_array();
    for (size_t i = 0; i < d->count * PLACES; i++) {
        const struct place *place = &b->places[i % PLACES];
        const struct catalog_row *row = d->rows[i / PLACES][i % PLACES];
        if (row == NULL)
            continue;
        char *uri = backups_uri(place, row);
        json_push(plan, json_string(uri));
        if (!inv->json)
            printf("Delete: %s (%s, %s)\n", uri,
                   format_size(size, sizeof(size), row->archive_bytes),
                   backup_state_name(row->state));
        free(uri);
    }
    (void)fflush(stdout);
    return plan;
}

static bool remove_rows(const struct invocation *inv, const struct backups *b,
                        const struct doomed *d, json_t *deleted, struct error *err)
{
    bool ok = true;
    for (size_t i = 0; ok && i < d->count * PLACES; i++) {
        const struct place *place = &b->places[i % PLACES];
        const struct catalog_row *row = d->rows[i / PLACES][i % PLACES];
        if (row == NULL)
            continue;
        char *uri = backups_uri(place, row);
        ok = catalog_remove(place->catalog, row, err);
        if (ok)
            json_push(deleted, json_string(uri));
        if (ok && !inv->json)
            printf("Deleted: %s\n", uri);
        free(uri);
    }
    return ok;
}

static bool plan_and_run(const struct invocation *inv, const struct backups *b,
                         const struct doomed *d, struct error *err)
{
    json_t *plan = print_plan(inv, b, d);
    json_t *deleted = json_array();
    bool ok = confirm_require(inv, DANGER_DESTROY, NULL,
                              d->count == 1 ? "delete this backup" : "delete these backups", err) &&
              remove_rows(inv, b, d, deleted, err);
    if (inv->json) {
        json_t *doc = json_object();
        json_put(doc, "plan", json_incref(plan));
        json_put(doc, "deleted", json_incref(deleted));
        backups_print_json(doc);
    }
    json_decref(plan);
    json_decref(deleted);
    return ok;
}

/* All of them exist before the first goes; a name given twice counts once. */
static bool find_all(const struct invocation *inv, const struct backups *b, struct doomed *d,
                     struct error *err)
{
    struct error ignored;
    for (size_t i = 0; i < inv->operand_count; i++) {
        struct catalog_row **rows = d->rows[d->count];
        if (!backups_find(b, inv->operands[i], rows, err))
            return false;
        bool again = false;
        for (size_t n = 0; n < d->count; n++)
            again = again || (d->rows[n][PLACE_S3] == rows[PLACE_S3] &&
                              d->rows[n][PLACE_LOCAL] == rows[PLACE_LOCAL]);
        for (int p = 0; p < PLACES; p++)
            if (rows[p] != NULL && !catalog_read_summary(b->places[p].catalog, rows[p], &ignored))
                continue; /* the plan then says `unknown` */
        d->count += !again;
    }
    return true;
}

static int run(const struct invocation *inv, struct error *err)
{
    struct backups b;
    struct doomed doomed = {.count = 0};
    bool ok = backups_open(inv, &b, err) && find_all(inv, &b, &doomed, err);
    if (ok && b.s3_error.code != ERROR_NONE) {
        *err = b.s3_error;
        ok = error_wrap(err, "S3 cannot be asked; --local deletes only the local copy");
    }
    ok = ok && plan_and_run(inv, &b, &doomed, err);
    backups_release(&b);
    return ok ? 0 : verb_fail(err);
}

const struct verb verb_delete = {
    .name = "delete",
    .summary = "Delete backups, wherever they are; --s3 or --local for one place only.",
    .operands = "ID...",
    .operands_min = 1,
    .operands_max = DELETE_MAX,
    .options = options,
    .notes = "Prints the plan first; an id that is nowhere stops it before anything goes. "
             "--confirm with the environment's name, or the name typed when "
             "asked, runs it. The manifest goes first: what is half deleted never counts as "
             "complete.",
    .examples = "rbconsole delete redis-backup-local-20250818T060635Z-28e5 --confirm local\n",
    .run = run,
};
