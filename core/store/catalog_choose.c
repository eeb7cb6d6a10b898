#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/store/catalog_impl.h"

#define DAY_MS ((int64_t)24 * 3600 * 1000)

static bool shares_cluster(const struct backup_summary *s, const struct catalog_want *want)
{
    if (want->cluster_id_count == 0 || s->cluster_id_count == 0)
        return true;
    for (size_t i = 0; i < s->cluster_id_count; i++)
        for (size_t w = 0; w < want->cluster_id_count; w++)
            if (strcmp(s->cluster_ids[i], want->cluster_ids[w]) == 0)
                return true;
    return false;
}

/* Why a row may not be `latest`; NULL when it may. */
static const char *objection(const struct catalog_row *row, const struct catalog_want *want)
{
    const struct backup_summary *s = &row->summary;
    if (row->state != BACKUP_COMPLETE)
        return s->reason[0] != '\0' ? s->reason : backup_state_name(row->state);
    if (want->any)
        return NULL;
    if (s->filtered)
        return "it holds only part of the keys (filtered)";
    if (want->env != NULL && strcmp(s->env, want->env) != 0)
        return "its manifest names another environment";
    if (!shares_cluster(s, want))
        return "it is of another cluster";
    return NULL;
}

static void explain(const struct catalog_row *row, const struct catalog_want *want, size_t passed,
                    const char *newest, char *why, size_t size)
{
    char scope[BACKUP_ENV_MAX + 32] = "of any environment";
    char others[BACKUP_ID_MAX + 320] = "";
    if (!want->any && want->env != NULL)
        (void)snprintf(scope, sizeof(scope), "of environment %.63s", want->env);
    if (passed > 0)
        (void)snprintf(others, sizeof(others), "; passed over %zu newer, the newest being %s",
                       passed, newest);
    (void)snprintf(why, size, "%s: the newest complete backup %s%s", row->id.text, scope, others);
}

bool catalog_latest(struct catalog *c, const struct catalog_want *want, struct catalog_row **out,
                    char *why, size_t size, struct error *err)
{
    size_t passed = 0;
    char newest[BACKUP_ID_MAX + 240] = "";
    for (size_t i = 0; i < c->count; i++) {
        struct catalog_row *row = c->rows[i];
        if (!want->any && want->env != NULL && strcmp(row->id.env, want->env) != 0)
            continue;
        if (!catalog_read_summary(c, row, err))
            return error_wrap(err, "choose the latest backup: %s", row->id.text);
        const char *against = objection(row, want);
        if (against == NULL) {
            explain(row, want, passed, newest, why, size);
            *out = row;
            return true;
        }
        if (passed++ == 0)
            (void)snprintf(newest, sizeof(newest), "%s (%s)", row->id.text, against);
    }
    char *root = store_uri(c->store, "");
    if (passed == 0)
        error_set(err, ERROR_NOT_FOUND, 0, "no backup%s%s in %s",
                  want->env != NULL && !want->any ? " of " : "",
                  want->env != NULL && !want->any ? want->env : "", root);
    else
        error_set(err, ERROR_NOT_FOUND, 0,
                  "none of the %zu backups in %s can be taken as latest: "
                  "%s",
                  passed, root, newest);
    free(root);
    return false;
}

static bool same_group(const struct catalog_row *a, const struct catalog_row *b)
{
    return strcmp(a->id.env, b->id.env) == 0 && a->summary.filtered == b->summary.filtered;
}

/* Complete ones of the row's kind that are newer. */
static size_t newer_complete(const struct catalog *c, size_t at, bool any_filter)
{
    size_t count = 0;
    for (size_t i = 0; i < at; i++)
        if (c->rows[i]->state == BACKUP_COMPLETE &&
            (any_filter ? strcmp(c->rows[i]->id.env, c->rows[at]->id.env) == 0 &&
                              !c->rows[i]->summary.filtered
                        : same_group(c->rows[i], c->rows[at])))
            count++;
    return count;
}

/* The newest of its kind without a single unreadable key: a later one with gaps does not make up
 * for it. */
static bool is_last_flawless(const struct catalog *c, size_t at)
{
    if (c->rows[at]->summary.unreadable > 0)
        return false;
    for (size_t i = 0; i < at; i++)
        if (c->rows[i]->state == BACKUP_COMPLETE && same_group(c->rows[i], c->rows[at]) &&
            c->rows[i]->summary.unreadable <= 0)
            return false;
    return true;
}

static bool is_doomed(const struct catalog *c, size_t i, const struct catalog_keep *keep)
{
    const struct catalog_row *row = c->rows[i];
    int64_t age_ms = keep->now_ms - row->id.time_ms;
    if (keep->env != NULL && strcmp(row->id.env, keep->env) != 0)
        return false;
    if (keep->keep_days > 0 && age_ms < keep->keep_days * DAY_MS)
        return false;
    if (row->state == BACKUP_COMPLETE) {
        /* Whatever the rules say, the last complete one of its kind stays. */
        size_t newer = newer_complete(c, i, false);
        return newer > 0 && newer >= keep->keep_count && !is_last_flawless(c, i);
    }
    if (row->state == BACKUP_INCOMPLETE || row->state == BACKUP_CORRUPT)
        return age_ms > DAY_MS && newer_complete(c, i, true) > 0;
    return false;
}

bool catalog_plan_prune(struct catalog *c, const struct catalog_keep *keep, bool *doomed,
                        struct error *err)
{
    if (keep->keep_count == 0 && keep->keep_days <= 0)
        return error_set(err, ERROR_USAGE, 0, "prune needs --keep N, --keep-days D or both");
    struct catalog_row **rows = mem_zero(c->count + 1, sizeof(struct catalog_row *));
    struct error why;
    size_t count = 0;
    size_t unknown = 0;
    for (size_t i = 0; i < c->count; i++)
        if (keep->env == NULL || strcmp(c->rows[i]->id.env, keep->env) == 0)
            rows[count++] = c->rows[i];
    bool ok = catalog_read_summaries(c, rows, count, &unknown, &why, err);
    free(rows);
    if (ok && unknown > 0) {
        *err = why;
        return error_wrap(err, "%zu manifests could not be read, so nothing is deleted", unknown);
    }
    for (size_t i = 0; ok && i < c->count; i++)
        doomed[i] = is_doomed(c, i, keep);
    return ok;
}
