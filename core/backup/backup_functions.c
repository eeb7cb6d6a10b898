#include <stdlib.h>

#include "core/backup/backup_private.h"
#include "core/base/base64.h"
#include "core/base/escape.h"
#include "core/base/json.h"
#include "core/base/map.h"

#define FUNCTIONS_MAX ((size_t)64 << 20)

static const struct reply *text_member(const struct reply *r, const char *name)
{
    const struct reply *value = r->type == REPLY_ARRAY ? reply_member(r, name) : NULL;

    return value != NULL && (value->type == REPLY_STRING || value->type == REPLY_STATUS) ? value
                                                                                         : NULL;
}

/* {"name":…,"engine":…,"code":…}, one line. */
static bool put_library(struct buf *out, struct str name, const struct reply *engine,
                        struct str code, struct error *err)
{
    json_t *doc = json_object();
    struct buf coded;
    bool ok = true;

    buf_init(&coded, FUNCTIONS_MAX);
    json_put_str(doc, "name", name);
    json_put_str(doc, "engine", engine != NULL ? engine->str : STR("LUA"));
    if (str_is_text(code)) {
        json_put_str(doc, "code", code);
    } else {
        ok = base64_encode(&coded, code, err);
        json_put_str(doc, "code_b64", buf_str(&coded));
    }
    ok = ok && json_print(doc, false, out, err);
    if (ok && out->data[out->len - 1] != '\n')
        ok = buf_byte(out, '\n', err);
    buf_release(&coded);
    json_decref(doc);
    return ok;
}

struct libraries {
    struct backup *b;
    struct part *part;
    struct map *codes; /* name -> struct str of its code, in the arena */
    struct arena arena;
};

static bool take_library(struct libraries *l, const struct reply *r, const char *node,
                         struct error *err)
{
    const struct reply *name = text_member(r, "library_name");
    const struct reply *code = text_member(r, "library_code");
    struct str *known;
    char shown[100];

    if (name == NULL || code == NULL)
        return error_set(err, ERROR_REPLY, 0, "FUNCTION LIST: a library without name or code");
    known = map_get(l->codes, name->str);
    if (known != NULL) {
        if (!str_equal(*known, code->str)) {
            l->b->doubtful_functions++;
            backup_note(l->b, &l->b->warnings,
                        "function library %s is not the same on %s: the first one seen is kept",
                        escape_text(shown, sizeof(shown), name->str), node);
        }
        return true;
    }
    known = arena_alloc(&l->arena, sizeof(*known));
    *known = arena_str(&l->arena, code->str);
    (void)map_put(l->codes, name->str, known);
    l->part->info.keys++;
    return put_library(&l->part->text, name->str, text_member(r, "engine"), code->str, err);
}

static bool ask_node(struct libraries *l, const struct cluster_node *node, struct error *err)
{
    const struct capability *can = cluster_capability(l->b->cluster, node->id, err);
    const struct reply *r;
    char name[ADDRESS_TEXT_MAX];
    bool ok = true;

    if (can == NULL)
        return false;
    if (!can->has[CAP_FUNCTION])
        return true;
    (void)address_text(name, sizeof(name), &node->address);
    if (!cluster_call_node(l->b->cluster, node->id,
                           COMMAND(STR("FUNCTION"), STR("LIST"), STR("WITHCODE")), &r, err))
        return false;
    if (reply_error_of(r) == REPLY_ERROR_NOPERM) {
        l->b->doubtful_functions++;
        backup_note(l->b, &l->b->warnings,
                    "functions were not read from %s: the user may not FUNCTION LIST", name);
        return true;
    }
    if (!reply_want_array(r, "FUNCTION LIST", err))
        return false;
    for (size_t i = 0; ok && i < r->count; i++)
        ok = take_library(l, &r->elements[i], name, err);
    return ok;
}

bool backup_functions(struct backup *b, struct error *err)
{
    struct libraries l = {.b = b, .part = part_new("", 0, FUNCTIONS_MAX), .codes = map_new()};
    const struct cluster_node *nodes;
    size_t count = cluster_nodes(b->cluster, &nodes);
    struct cluster_node *copy = arena_array(&l.arena, count + 1, sizeof(*copy));
    bool ok = true;

    for (size_t i = 0; i < count; i++) /* a call may refresh the list */
        copy[i] = nodes[i];
    l.part->functions = true;
    for (size_t i = 0; ok && i < count; i++)
        if (copy[i].role == NODE_ROLE_PRIMARY && copy[i].slots > 0)
            ok = ask_node(&l, &copy[i], err);
    if (ok && !part_is_empty(l.part))
        ok = archiver_add(b->archive, l.part, err);
    else
        part_free(l.part);
    map_free(l.codes, NULL);
    arena_release(&l.arena);
    return ok;
}
