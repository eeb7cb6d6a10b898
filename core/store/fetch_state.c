#include "core/store/fetch_state.h"

#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/str.h"

#define STATE_BYTES_MAX ((size_t)64 << 20)
#define HEX_LEN (SIGV4_HASH_SIZE - 1)

bool fetch_state_write(const char *path, const struct fetch_state *s, struct error *err)
{
    json_t *doc = json_object();
    json_t *pieces = json_array();
    json_put_int(doc, "v", 1);
    json_put_text(doc, "name", s->name);
    json_put_text(doc, "version", s->version);
    json_put_int(doc, "size_bytes", s->size_bytes);
    json_put_int(doc, "piece_bytes", (int64_t)s->piece_bytes);
    for (size_t i = 0; i < s->count; i++)
        json_push(pieces, s->pieces[i].done ? json_string(s->pieces[i].sha256) : json_null());
    json_put(doc, "pieces", pieces);
    bool ok = json_write_file(path, doc, true, err);
    json_decref(doc);
    return ok;
}

static const char *objection(const json_t *doc, const struct fetch_state *s)
{
    if (json_int(doc, "v", 0) != 1 || strcmp(json_text(doc, "name", ""), s->name) != 0)
        return "it is about something else";
    if (json_int(doc, "size_bytes", -1) != s->size_bytes ||
        strcmp(json_text(doc, "version", ""), s->version) != 0)
        return "the object was replaced since";
    if (json_int(doc, "piece_bytes", 0) != (int64_t)s->piece_bytes ||
        json_array_size(json_object_get(doc, "pieces")) != s->count)
        return "it counts in other pieces";
    return NULL;
}

bool fetch_state_read(const char *path, struct fetch_state *s, char *why, size_t size)
{
    struct error err;
    why[0] = '\0';
    json_t *doc = json_read_file(path, STATE_BYTES_MAX, &err);
    if (doc == NULL) {
        (void)snprintf(why, size, "%s", err.code == ERROR_NOT_FOUND ? "" : "it cannot be read");
        return false;
    }
    const char *against = objection(doc, s);
    const json_t *pieces = json_object_get(doc, "pieces");
    for (size_t i = 0; against == NULL && i < s->count; i++) {
        const char *hex = json_string_value(json_array_get(pieces, i));
        s->pieces[i].done = hex != NULL && strlen(hex) == HEX_LEN;
        if (s->pieces[i].done)
            str_copy(str_from(hex), s->pieces[i].sha256, sizeof(s->pieces[i].sha256));
    }
    json_decref(doc);
    (void)snprintf(why, size, "%s", against != NULL ? against : "");
    return against == NULL;
}
