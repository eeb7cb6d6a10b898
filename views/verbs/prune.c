#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/format.h"
#include "views/confirm_rule.h"
#include "views/verbs/backups.h"

static const struct option_row options[] = {
    BACKUPS_OPTIONS,
    {"keep", 0, OPTION_INT, "N", "Keep the newest N complete backups.", .min = 1, .max = 100000},
    {"keep-days", 0, OPTION_INT, "D", "Keep all that are younger than D days.", .min = 1,
     .max = 36500},
    {"confirm", 0, OPTION_ENV, "NAME", "The environment's name: go ahead."},
    {NULL},
};

struct plan {
    bool *doomed[PLACES];
    size_t count;
    int64_t bytes;
    json_t *listed; /* URIs */
    json_t *deleted;
};

static bool make_plan(const struct invocation *inv, const struct backups *b, struct plan *plan,
                      struct error *err)
{
    const struct catalog_keep keep = {
        .env = inv->env->name,
        .keep_count = (size_t)option_int(inv, "keep"),
        .keep_days = option_int(inv, "keep-days"),
        .now_ms = clock_real_ms(),
    };
    for (int i = 0; i < PLACES; i++) {
        struct catalog *c = b->places[i].catalog;
        if (c == NULL)
            continue;
        plan->doomed[i] = mem_zero(catalog_count(c) + 1, sizeof(bool));
        if (!catalog_plan_prune(c, &keep, plan->doomed[i], err))
            return false;
        for (size_t r = 0; r < catalog_count(c); r++) {
            plan->count += plan->doomed[i][r];
            if (plan->doomed[i][r] && catalog_row(c, r)->archive_bytes > 0)
                plan->bytes += catalog_row(c, r)->archive_bytes;
        }
    }
    return true;
}

/* Each doomed row: printed, or removed and printed. */
static bool walk(const struct invocation *inv, const struct backups *b, struct plan *plan,
                 bool remove, struct error *err)
{
    json_t *uris = remove ? plan->deleted : plan->listed;
    bool ok = true;
    for (int i = 0; i < PLACES; i++) {
        struct catalog *c = b->places[i].catalog;
        for (size_t r = 0; ok && c != NULL && r < catalog_count(c); r++) {
            const struct catalog_row *row = catalog_row(c, r);
            if (!plan->doomed[i][r])
                continue;
            char *uri = backups_uri(&b->places[i], row);
            ok = !remove || catalog_remove(c, row, err);
            if (ok)
                json_push(uris, json_string(uri));
            if (ok && !inv->json)
                printf("%s: %s (%s)\n", remove ? "Deleted" : "Delete", uri,
                       backup_state_name(row->state));
            free(uri);
        }
    }
    return ok;
}

static bool execute(const struct invocation *inv, const struct backups *b, struct plan *plan,
                    struct error *err)
{
    char size[FORMAT_MAX];
    bool ok = true;
    if (plan->count > 0) {
        if (!inv->json)
            printf("%zu backups of %s go, %s\n", plan->count, inv->env->name,
                   format_size(size, sizeof(size), plan->bytes));
        (void)fflush(stdout);
        ok = confirm_require(inv, DANGER_DESTROY, NULL, "delete these backups", err) &&
             walk(inv, b, plan, true, err);
    } else if (!inv->json) {
        printf("Nothing to delete\n");
    }
    if (inv->json) {
        json_t *doc = json_object();
        json_put(doc, "plan", json_incref(plan->listed));
        json_put(doc, "deleted", json_incref(plan->deleted));
        backups_print_json(doc);
    }
    return ok;
}

static int run(const struct invocation *inv, struct error *err)
{
    struct backups b;
    struct plan plan = {.listed = json_array(), .deleted = json_array()};
    bool ok = backups_open(inv, &b, err);
    if (ok && b.s3_error.code != ERROR_NONE) {
        *err = b.s3_error;
        ok = error_wrap(err, "S3 cannot be asked; --local prunes only the backup directory");
    }
    ok = ok && make_plan(inv, &b, &plan, err) && walk(inv, &b, &plan, false, err) &&
         execute(inv, &b, &plan, err);
    for (int i = 0; i < PLACES; i++)
        free(plan.doomed[i]);
    json_decref(plan.listed);
    json_decref(plan.deleted);
    backups_release(&b);
    return ok ? 0 : verb_fail(err);
}

const struct verb verb_prune = {
    .name = "prune",
    .summary = "Delete this environment's old backups by rule.",
    .options = options,
    .notes = "Prints the plan first. --confirm with the environment's name, or the name typed when "
             "asked, runs it. A backup that either rule keeps is kept; the last complete one "
             "always is; an incomplete one goes when it is older than a day and a newer complete "
             "one stays; archives of other tools never go. S3 and disk are counted apart.",
    .examples = "rbconsole -e prd prune --keep 14 --keep-days 30\n"
                "rbconsole -e prd prune --keep 14 --confirm prd\n",
    .run = run,
};
