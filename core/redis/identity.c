#include "core/redis/identity.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/json.h"

#define NAMES_MAX 4096
#define NAME_MAX_BYTES 512

static const char *const mode_names[] = {
    [IDENTITY_NONE] = "none",
    [IDENTITY_CLUSTER] = "cluster",
    [IDENTITY_SENTINEL] = "sentinel",
    [IDENTITY_SINGLE] = "single",
};

const char *identity_mode_name(enum identity_mode mode)
{
    return mode_names[mode];
}

void identity_release(struct identity *id)
{
    for (size_t i = 0; i < id->count; i++)
        free(id->names[i]);
    free(id->names);
    free(id->master);
    *id = (struct identity){0};
}

/* Where `name` is, or belongs. */
static size_t find(const struct identity *id, const char *name, bool *there)
{
    size_t low = 0;
    size_t high = id->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(id->names[mid], name);

        if (order == 0) {
            *there = true;
            return mid;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *there = false;
    return low;
}

void identity_add(struct identity *id, struct str name)
{
    char *copy;
    bool there;
    size_t at;

    if (name.len == 0 || name.len > NAME_MAX_BYTES || id->count >= NAMES_MAX)
        return;
    copy = mem_copy_str(name);
    at = find(id, copy, &there);
    if (there) {
        free(copy);
        return;
    }
    id->names = mem_resize(id->names, id->count + 1, sizeof(*id->names));
    memmove(&id->names[at + 1], &id->names[at], (id->count - at) * sizeof(*id->names));
    id->names[at] = copy;
    id->count++;
}

void identity_copy(struct identity *to, const struct identity *from)
{
    *to = (struct identity){.mode = from->mode, .master = mem_copy_text(from->master)};
    for (size_t i = 0; i < from->count; i++)
        identity_add(to, str_from(from->names[i]));
}

void identity_from_topology(struct identity *out, const struct topology *t)
{
    *out = (struct identity){.mode = IDENTITY_CLUSTER};
    for (size_t i = 0; i < t->count; i++) {
        /* A handshake's id is a temporary one. */
        if ((t->nodes[i].flags & NODE_HANDSHAKE) == 0)
            identity_add(out, t->nodes[i].id);
    }
}

void identity_from_sentinel(struct identity *out, struct str master, const struct str *run_ids,
                            size_t count)
{
    *out = (struct identity){.mode = IDENTITY_SENTINEL, .master = mem_copy_str(master)};
    for (size_t i = 0; i < count; i++)
        identity_add(out, run_ids[i]);
}

void identity_from_address(struct identity *out, struct str host, uint16_t port)
{
    char *name = mem_format("%.*s:%u", (int)(host.len < 256 ? host.len : 256),
                            host.len > 0 ? host.ptr : "", (unsigned)port);

    *out = (struct identity){.mode = IDENTITY_SINGLE};
    identity_add(out, str_from(name));
    free(name);
}

bool identity_same(const struct identity *a, const struct identity *b)
{
    if (a->mode != b->mode || a->mode == IDENTITY_NONE)
        return false;
    if (a->mode == IDENTITY_SENTINEL &&
        (a->master == NULL || b->master == NULL || strcmp(a->master, b->master) != 0))
        return false;
    for (size_t i = 0; i < a->count; i++) {
        bool there;

        (void)find(b, a->names[i], &there);
        if (there)
            return true;
    }
    return false;
}

json_t *identity_to_json(const struct identity *id)
{
    json_t *doc = json_object();
    json_t *names = json_array();

    json_put_text(doc, "mode", identity_mode_name(id->mode));
    if (id->master != NULL)
        json_put_text(doc, "master_name", id->master);
    for (size_t i = 0; i < id->count; i++) {
        /* Names are ids or addresses; one with odd bytes is left out rather than kept changed. */
        if (str_is_text(str_from(id->names[i])))
            json_push(names, json_string(id->names[i]));
    }
    json_put(doc, "names", names);
    return doc;
}

static bool read_names(struct identity *out, const json_t *names, struct error *err)
{
    if (!json_is_array(names) || json_array_size(names) > NAMES_MAX)
        return error_set(err, ERROR_CORRUPT, 0, "identity: \"names\" is no list of names");
    for (size_t i = 0; i < json_array_size(names); i++) {
        const json_t *name = json_array_get(names, i);

        if (!json_is_string(name) || json_string_length(name) == 0 ||
            json_string_length(name) > NAME_MAX_BYTES)
            return error_set(err, ERROR_CORRUPT, 0, "identity: name %zu is not valid", i);
        identity_add(out, (struct str){json_string_value(name), json_string_length(name)});
    }
    return true;
}

bool identity_from_json(struct identity *out, const json_t *doc, struct error *err)
{
    struct identity found = {0};
    const char *mode = json_text(doc, "mode", "");

    for (size_t i = 0; i < COUNT_OF(mode_names); i++)
        if (strcmp(mode, mode_names[i]) == 0)
            found.mode = (enum identity_mode)i;
    if (found.mode == IDENTITY_NONE)
        return error_set(err, ERROR_CORRUPT, 0, "identity: \"mode\" is missing or unknown");
    found.master = mem_copy_text(json_text(doc, "master_name", NULL));
    if (!read_names(&found, json_object_get(doc, "names"), err)) {
        identity_release(&found);
        return false;
    }
    *out = found;
    return true;
}
