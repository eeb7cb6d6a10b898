#include "core/diff/diff_facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "core/base/alloc.h"
#include "core/base/base64.h"
#include "core/base/json.h"
#include "core/diff/diff_private.h"

#define NAME_SIZE 600

/* Each side becomes a flat object {fact: text or number}, and the two are compared. */

static void put(json_t *facts, const char *group, const char *name, const char *what, json_t *value)
{
    char fact[NAME_SIZE];

    if (value == NULL || json_is_null(value)) {
        json_decref(value);
        return;
    }
    (void)snprintf(fact, sizeof(fact), "%s%s%s%s%s", group, name[0] != '\0' ? " " : "", name,
                   what[0] != '\0' ? " " : "", what);
    json_put(facts, fact, value);
}

static void put_text(json_t *facts, const char *group, const char *name, const char *what,
                     const char *value)
{
    if (value != NULL && value[0] != '\0')
        put(facts, group, name, what, json_string(value));
}

/* ---- a snapshot ------------------------------------------------------------------------------ */

static void put_copy(json_t *facts, const char *group, const char *name, const char *what,
                     const json_t *value)
{
    if (json_is_string(value) || json_is_integer(value))
        put(facts, group, name, what, json_deep_copy(value));
}

static void put_server(json_t *facts, const json_t *server)
{
    static const char *const members[] = {
        "role",       "version", "flavour",     "maxmemory",      "maxmemory_policy",
        "appendonly", "save",    "last_bgsave", "aof_last_write", "replicas",
        "link",       "error",
    };
    const char *addr = json_text(server, "addr", "?");

    for (size_t i = 0; i < COUNT_OF(members); i++)
        put_copy(facts, "server", addr, members[i], json_object_get(server, members[i]));
}

static const char *addr_of(const json_t *servers, const char *id)
{
    size_t i;
    const json_t *server;

    json_array_foreach(servers, i, server)
    {
        if (strcmp(json_text(server, "id", ""), id) == 0)
            return json_text(server, "addr", id);
    }
    return id;
}

/* "0-100,200" and "101-199" of one owner become one text, in their order. */
static void put_owner(json_t *facts, const char *owner, const char *range)
{
    char fact[NAME_SIZE];
    const char *have;
    char *both;

    (void)snprintf(fact, sizeof(fact), "slots of %s", owner);
    have = json_text(facts, fact, "");
    both = mem_format("%s%s%s", have, have[0] != '\0' ? "," : "", range);
    json_put_text(facts, fact, both);
    free(both);
}

static void put_topology(json_t *facts, const json_t *doc)
{
    const json_t *topology = json_object_get(doc, "topology");
    size_t i;
    const json_t *range;

    put_copy(facts, "cluster", "", "epoch", json_object_get(topology, "epoch"));
    put_copy(facts, "slots", "", "without owner", json_object_get(topology, "uncovered"));
    put_copy(facts, "slots", "", "open", json_object_get(topology, "open"));
    json_array_foreach(json_object_get(topology, "slots"), i, range)
    {
        put_owner(facts, addr_of(json_object_get(doc, "servers"), json_text(range, "owner", "?")),
                  json_text(range, "range", "?"));
    }
}

static json_t *facts_of_snapshot(const json_t *doc)
{
    json_t *facts = json_object();
    size_t i;
    const json_t *one;

    put_copy(facts, "mode", "", "", json_object_get(doc, "mode"));
    json_array_foreach(json_object_get(doc, "servers"), i, one)
    {
        put_server(facts, one);
    }
    put_topology(facts, doc);
    json_array_foreach(json_object_get(doc, "functions"), i, one)
    {
        put_copy(facts, "function", json_text(one, "name", "?"), "",
                 json_object_get(one, "digest"));
    }
    return facts;
}

/* ---- a backup -------------------------------------------------------------------------------- */

static void put_library(json_t *facts, struct str line)
{
    char text[33];
    struct error ignored = {0};
    json_t *doc = json_parse(line, "functions.jsonl", &ignored);
    const json_t *code = json_object_get(doc, "code");
    const json_t *coded = json_object_get(doc, "code_b64");
    struct buf bytes;
    XXH128_hash_t hash;

    buf_init(&bytes, RECORD_LINE_MAX);
    if (json_is_string(coded) &&
        base64_decode(&bytes, (struct str){json_string_value(coded), json_string_length(coded)},
                      &ignored))
        hash = XXH3_128bits(bytes.data, bytes.len);
    else
        hash = XXH3_128bits(json_is_string(code) ? json_string_value(code) : "",
                            json_is_string(code) ? json_string_length(code) : 0);
    (void)snprintf(text, sizeof(text), "%016llx%016llx", (unsigned long long)hash.high64,
                   (unsigned long long)hash.low64);
    put_text(facts, "function", json_text(doc, "name", "?"), "", text);
    buf_release(&bytes);
    json_decref(doc);
}

static void put_functions(json_t *facts, struct source *source)
{
    struct source_part part;
    struct error unreadable = {0};
    struct str rest;
    struct str line;

    if (!source_manifest(source)->functions)
        return;
    if (!source_read_functions(source, &part, &unreadable)) {
        put_text(facts, "functions", "", "unreadable in", source_name(source));
        return;
    }
    rest = part.text;
    while (source_next_line(&rest, &line))
        put_library(facts, line);
    source_part_release(&part);
}

static json_t *facts_of_backup(struct source *source, bool owners)
{
    const struct manifest *m = source_manifest(source);
    json_t *facts = json_object();

    put_text(facts, "mode", "", "", m->mode);
    for (size_t i = 0; i < m->server_count; i++) {
        const struct manifest_server *s = &m->servers[i];

        put_text(facts, "server", s->addr, "role", s->role);
        put_text(facts, "server", s->addr, "version", s->version);
        put_text(facts, "server", s->addr, "flavour", s->flavour);
    }
    for (size_t i = 0; i < m->slot_count && owners; i++) {
        char range[16];

        (void)snprintf(range, sizeof(range), m->slots[i].first == m->slots[i].last ? "%u" : "%u-%u",
                       (unsigned)m->slots[i].first, (unsigned)m->slots[i].last);
        put_owner(facts, m->slots[i].owner, range);
    }
    put_functions(facts, source);
    return facts;
}

/* ---- both ------------------------------------------------------------------------------------ */

static void push(json_t *list, const char *fact, const json_t *a, const json_t *b)
{
    json_t *row;

    if (json_array_size(list) >= DIFF_FACTS_MAX)
        return;
    row = json_object();
    json_put_text(row, "fact", fact);
    json_put(row, "a", a != NULL ? json_deep_copy(a) : json_null());
    json_put(row, "b", b != NULL ? json_deep_copy(b) : json_null());
    json_push(list, row);
}

/* `both`: only facts that both sides have. Takes a and b. */
static json_t *compare(json_t *a, json_t *b, bool both)
{
    json_t *list = json_array();
    const char *fact;
    json_t *value;

    json_object_foreach(a, fact, value)
    {
        const json_t *other = json_object_get(b, fact);

        if (other == NULL ? !both : !json_equal(value, other))
            push(list, fact, value, other);
    }
    json_object_foreach(b, fact, value)
    {
        if (!both && json_object_get(a, fact) == NULL)
            push(list, fact, NULL, value);
    }
    json_decref(a);
    json_decref(b);
    return list;
}

json_t *diff_facts_of_snapshots(const json_t *a, const json_t *b)
{
    return compare(facts_of_snapshot(a), facts_of_snapshot(b), false);
}

static json_t *facts_of_side(const struct diff_side *s, bool owners)
{
    if (s->source != NULL)
        return facts_of_backup(s->source, owners);
    return s->snapshot != NULL ? facts_of_snapshot(s->snapshot->doc) : json_object();
}

/* Of one of each, what the other does not know is no difference. */
json_t *diff_facts_of_sides(const struct diff_side *a, const struct diff_side *b)
{
    bool alike = (a->source != NULL) == (b->source != NULL);

    return compare(facts_of_side(a, alike), facts_of_side(b, alike), !alike);
}

uint64_t diff_facts_findings(const json_t *facts, bool snapshots)
{
    uint64_t count = 0;
    size_t i;
    const json_t *one;

    json_array_foreach(facts, i, one)
    {
        count += snapshots || str_starts(str_from(json_text(one, "fact", "")), "function ");
    }
    return count;
}
