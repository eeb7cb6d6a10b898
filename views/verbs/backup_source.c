#include "views/verbs/backup_source.h"

#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "views/connect.h"

void backup_source_describe(const struct invocation *inv, char *out, size_t size)
{
    const char *input = option_text(inv, "input");
    const char *id = option_text(inv, "from-s3");

    (void)snprintf(out, size, "%s", input != NULL ? input : id != NULL ? id : "?");
}

void backup_source_options(const struct invocation *inv, json_t *options)
{
    if (option_given(inv, "input"))
        json_put_text(options, "input", option_text(inv, "input"));
    if (option_given(inv, "from-s3"))
        json_put_text(options, "from_s3", option_text(inv, "from-s3"));
    if (option_flag(inv, "any"))
        json_put_flag(options, "any", true);
}

/* "redis-backup-….tar.gz" and a whole URI are accepted for an id. */
static struct str bare_id(const char *text)
{
    struct str id = str_from(text);
    size_t slash = str_find_last(id, '/');

    if (slash < id.len)
        id = str_slice(id, slash + 1, id.len);
    if (str_ends(id, ".tar.gz"))
        id = str_slice(id, 0, id.len - strlen(".tar.gz"));
    return id;
}

static bool parse_id(const char *text, struct backup_id *id, struct error *err)
{
    return backup_id_parse(bare_id(text), id) ||
           error_set(err, ERROR_USAGE, 0,
                     "--from-s3 takes latest or an id as `rbconsole list` shows it");
}

static bool choose_row(const struct invocation *inv, const struct cluster_identity *ids,
                       struct backup_source *s, struct catalog_row **row, struct error *err)
{
    const char *wanted = option_text(inv, "from-s3");
    struct catalog_want want = {.env = inv->env->name,
                                .cluster_ids = (const char *const *)ids->ids,
                                .cluster_id_count = ids->count,
                                .any = option_flag(inv, "any")};
    struct backup_id id;

    if (!catalog_load(s->catalog, err))
        return false;
    if (strcmp(wanted, "latest") == 0)
        return catalog_latest(s->catalog, &want, row, s->why, sizeof(s->why), err);
    if (!parse_id(wanted, &id, err))
        return false;
    *row = catalog_find(s->catalog, id.text);
    if (*row == NULL)
        return error_set(err, ERROR_NOT_FOUND, 0, "no backup %s in %s", id.text,
                         option_text(inv, "s3-uri"));
    (void)snprintf(s->why, sizeof(s->why), "%s, as asked for", id.text);
    return true;
}

static bool open_s3(const struct invocation *inv, const struct cluster_identity *ids,
                    struct source_options *o, struct backup_source *s, struct error *err)
{
    struct config_scope scope = {inv->config, inv->env};
    struct catalog_row *row;

    if (!connect_store(&scope, option_text(inv, "s3-uri"), &s->store, err))
        return false;
    s->catalog = catalog_new(s->store);
    if (!choose_row(inv, ids, s, &row, err))
        return false;
    o->store = s->store;
    o->name = catalog_object_name(row, s->name);
    return true;
}

bool backup_source_check(const struct invocation *inv, struct error *err)
{
    const char *id = option_text(inv, "from-s3");
    struct backup_id parsed;

    if (option_text(inv, "input") != NULL)
        return true;
    if (id == NULL)
        return error_set(err, ERROR_USAGE, 0,
                         "name the backup: --from-s3 latest, --from-s3 ID or -i PATH");
    return strcmp(id, "latest") == 0 || parse_id(id, &parsed, err);
}

bool backup_source_open(const struct invocation *inv, const struct cluster_identity *ids,
                        struct task *task, struct backup_source *out, struct error *err)
{
    struct source_options o = {.task = task, .spool_dir = task_dir(task)};
    const char *key = option_text(inv, "verify-key-file");
    bool loose = false;
    bool ok;

    *out = (struct backup_source){0};
    if (key != NULL && !secret_load(&out->key, key, &loose, err))
        return false;
    o.verify_key = &out->key;
    if (option_text(inv, "input") != NULL) {
        o.path = option_text(inv, "input");
        (void)snprintf(out->why, sizeof(out->why), "%s, as asked for", o.path);
        ok = true;
    } else {
        ok = open_s3(inv, ids, &o, out, err);
    }
    ok = ok && source_open(&o, &out->source, err);
    if (!ok)
        backup_source_release(out);
    return ok;
}

bool backup_source_begin(const struct invocation *inv, const struct cluster_identity *ids,
                         struct task *task, struct backup_source *out, json_t *report,
                         struct error *err)
{
    task_stage(task, "open");
    if (!backup_source_open(inv, ids, task, out, err))
        return false;
    task_note(task, TASK_INFO, "backup: %s", out->why);
    if (!inv->quiet && !inv->json)
        (void)fprintf(stderr, "Backup: %s\n", out->why);
    json_put_text(report, "source", source_name(out->source));
    json_put_text(report, "chosen", out->why);
    json_put_text(report, "backup_id", source_manifest(out->source)->backup_id);
    return true;
}

void backup_source_release(struct backup_source *s)
{
    source_close(s->source);
    catalog_free(s->catalog);
    store_free(s->store);
    secret_release(&s->key);
    *s = (struct backup_source){0};
}
