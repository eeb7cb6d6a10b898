#include <stdlib.h>

#include "core/base/format.h"
#include "views/confirm_rule.h"
#include "views/verbs/backups.h"

static const struct option_row options[] = {
    BACKUPS_OPTIONS,
    {"confirm", 0, OPTION_ENV, "NAME", "The environment's name: go ahead."},
    {NULL},
};

static json_t *print_plan(const struct invocation *inv, const struct backups *b,
                          struct catalog_row *rows[PLACES])
{
    char size[FORMAT_MAX];
    json_t *plan = json_array();
    for (int i = 0; i < PLACES; i++) {
        if (rows[i] == NULL)
            continue;
        char *uri = backups_uri(&b->places[i], rows[i]);
        json_push(plan, json_string(uri));
        if (!inv->json)
            printf("Delete: %s (%s, %s)\n", uri,
                   format_size(size, sizeof(size), rows[i]->archive_bytes),
                   backup_state_name(rows[i]->state));
        free(uri);
    }
    (void)fflush(stdout);
    return plan;
}

static bool remove_rows(const struct invocation *inv, const struct backups *b,
                        struct catalog_row *rows[PLACES], json_t *deleted, struct error *err)
{
    bool ok = true;
    for (int i = 0; ok && i < PLACES; i++) {
        if (rows[i] == NULL)
            continue;
        char *uri = backups_uri(&b->places[i], rows[i]);
        ok = catalog_remove(b->places[i].catalog, rows[i], err);
        if (ok)
            json_push(deleted, json_string(uri));
        if (ok && !inv->json)
            printf("Deleted: %s\n", uri);
        free(uri);
    }
    return ok;
}

static bool plan_and_run(const struct invocation *inv, const struct backups *b,
                         struct catalog_row *rows[PLACES], struct error *err)
{
    json_t *plan = print_plan(inv, b, rows);
    json_t *deleted = json_array();
    bool ok = confirm_require(inv, DANGER_DESTROY, NULL, "delete this backup", err) &&
              remove_rows(inv, b, rows, deleted, err);
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

static int run(const struct invocation *inv, struct error *err)
{
    struct backups b;
    struct catalog_row *rows[PLACES] = {NULL, NULL};
    struct error ignored;
    bool ok = backups_open(inv, &b, err) && backups_find(&b, inv->operands[0], rows, err);
    for (int i = 0; ok && i < PLACES; i++)
        if (rows[i] != NULL && !catalog_read_summary(b.places[i].catalog, rows[i], &ignored))
            continue; /* the plan then says `unknown` */
    if (ok && b.s3_error.code != ERROR_NONE) {
        *err = b.s3_error;
        ok = error_wrap(err, "S3 cannot be asked; --local deletes only the local copy");
    }
    ok = ok && plan_and_run(inv, &b, rows, err);
    backups_release(&b);
    return ok ? 0 : verb_fail(err);
}

const struct verb verb_delete = {
    .name = "delete",
    .summary = "Delete a backup, wherever it is; --s3 or --local for one place only.",
    .operands = "ID",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .notes = "Prints the plan first. --confirm with the environment's name, or the name typed when "
             "asked, runs it. The manifest goes first: what is half deleted never counts as "
             "complete.",
    .examples = "rbconsole delete redis-backup-local-20250818T060635Z-28e5 --confirm local\n",
    .run = run,
};
