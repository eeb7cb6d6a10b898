#include <stdlib.h>

#include "core/base/escape.h"
#include "core/base/format.h"
#include "views/verbs/backups.h"

#define MANIFEST_MAX ((size_t)64 << 20)

static const struct option_row options[] = {
    BACKUPS_OPTIONS,
    {"parts", 0, OPTION_FLAG, .help = "Also list every part."},
    {NULL},
};

/* The whole manifest, or NULL when there is none; why is then in the row. */
static json_t *read_manifest(const struct place *place, const struct catalog_row *row,
                             struct error *err)
{
    char name[CATALOG_NAME_MAX];
    struct buf text;
    json_t *doc = NULL;
    if (catalog_manifest_name(row, name)[0] == '\0') {
        error_set(err, ERROR_NOT_FOUND, 0, "%s", row->summary.reason);
        return NULL;
    }
    buf_init(&text, MANIFEST_MAX);
    if (store_read_all(place->store, name, &text, err))
        doc = json_parse(buf_str(&text), name, err);
    buf_release(&text);
    return doc;
}

static void print_line(const char *label, const char *text)
{
    char shown[400];
    if (text[0] != '\0')
        printf("%-12s %s\n", label, escape_text(shown, sizeof(shown), str_from(text)));
}

static void print_count(const char *label, int64_t n)
{
    char text[FORMAT_MAX];
    if (n >= 0)
        printf("%-12s %s\n", label, format_count(text, sizeof(text), n));
}

static void print_time(const char *label, int64_t ms)
{
    char text[FORMAT_MAX];
    if (ms > 0)
        printf("%-12s %s\n", label, format_rfc3339(text, sizeof(text), ms));
}

static void print_row(const struct place *place, const struct catalog_row *row)
{
    const struct backup_summary *s = &row->summary;
    char text[FORMAT_MAX];
    char *uri = backups_uri(place, row);
    print_line("backup", row->id.text);
    print_line("where", uri);
    print_line("state", backup_state_name(row->state));
    print_line("because", s->reason);
    printf("%-12s %s\n", "archive", format_size(text, sizeof(text), row->archive_bytes));
    print_line("filtered", s->filtered ? "yes: it holds only part of the keys" : "");
    print_line("environment", s->env);
    print_line("mode", s->mode);
    print_line("server", s->server);
    print_time("started", s->started_ms);
    print_time("finished", s->finished_ms);
    print_count("keys", s->keys);
    for (size_t i = 0; i < s->type_count; i++)
        printf("  %-10s %s\n", s->types[i].name,
               format_count(text, sizeof(text), s->types[i].keys));
    print_count("with TTL", s->with_ttl);
    print_count("unreadable", s->unreadable);
    free(uri);
}

static void print_list(const char *label, const json_t *list)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        if (json_is_string(item))
            print_line(label, json_string_value(item));
    }
}

static void print_parts(const json_t *doc, bool each)
{
    const json_t *parts = json_object_get(doc, "parts");
    char size[FORMAT_MAX];
    char keys[FORMAT_MAX];
    char name[120];
    size_t i;
    json_t *part;
    print_count("parts", (int64_t)json_array_size(parts));
    json_array_foreach(parts, i, part)
    {
        if (!each)
            break;
        printf("  %s  %s keys  %s\n",
               escape_text(name, sizeof(name), str_from(json_text(part, "name", ""))),
               format_count(keys, sizeof(keys), json_int(part, "keys", -1)),
               format_size(size, sizeof(size), json_int(part, "bytes", -1)));
    }
}

static bool show(const struct invocation *inv, struct place *place, struct catalog_row *row,
                 json_t *all, struct error *err)
{
    struct error why;
    if (!catalog_read_summary(place->catalog, row, err))
        return false;
    json_t *doc = read_manifest(place, row, &why);
    if (inv->json) {
        json_t *entry = backups_json(place, row);
        json_put(entry, "manifest", doc != NULL ? json_incref(doc) : json_null());
        json_push(all, entry);
    } else {
        print_row(place, row);
        print_list("warning", json_object_get(doc, "warnings"));
        print_list("event", json_object_get(doc, "topology_events"));
        print_parts(doc, option_flag(inv, "parts"));
    }
    json_decref(doc);
    return true;
}

static int run(const struct invocation *inv, struct error *err)
{
    struct backups b;
    struct catalog_row *rows[PLACES] = {NULL, NULL};
    json_t *all = json_array();
    bool healthy = true;
    bool ok = backups_open(inv, &b, err) && backups_find(&b, inv->operands[0], rows, err);
    bool first = true;
    for (int i = 0; ok && i < PLACES; i++) {
        if (rows[i] == NULL)
            continue;
        if (!first && !inv->json)
            (void)putchar('\n');
        first = false;
        ok = show(inv, &b.places[i], rows[i], all, err);
        healthy = healthy && rows[i]->state == BACKUP_COMPLETE && rows[i]->summary.unreadable <= 0;
    }
    if (ok && inv->json) {
        json_t *doc = json_object();
        json_put(doc, "backups", json_incref(all));
        backups_print_json(doc);
    }
    json_decref(all);
    backups_release(&b);
    if (!ok)
        return verb_fail(err);
    return healthy ? 0 : 1;
}

const struct verb verb_show = {
    .name = "show",
    .summary = "Show one backup: its manifest, its parts, complete or why not.",
    .operands = "ID",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .notes = "The exit status is 0 for a complete backup without unreadable keys and 1 otherwise. "
             "A backup that is in S3 and on disk is shown twice.",
    .examples = "rbconsole show redis-backup-local-20250818T060635Z-28e5 --parts\n",
    .run = run,
};
