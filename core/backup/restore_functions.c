#include "core/backup/restore_functions.h"

#include <string.h>

#include "core/base/base64.h"
#include "core/base/json.h"
#include "core/redis/command.h"

/* The library's code, from "code" or "code_b64", appended to out. */
static bool read_code(const json_t *doc, struct buf *out, struct error *err)
{
    const json_t *text = json_object_get(doc, "code");
    const json_t *coded = json_object_get(doc, "code_b64");

    if (json_is_string(text))
        return buf_append(out, (struct str){json_string_value(text), json_string_length(text)},
                          err);
    if (json_is_string(coded))
        return base64_decode(out, (struct str){json_string_value(coded), json_string_length(coded)},
                             err);
    return error_set(err, ERROR_CORRUPT, 0, "functions.jsonl: a library without code");
}

/* *done is false when the library was there and had to stay. */
static bool load_on(struct restore_shared *s, struct cluster *c, const struct restore_node *n,
                    struct str code, bool *done, struct error *err)
{
    bool replace = s->options->policy == RESTORE_OVERWRITE;
    struct command with = COMMAND(STR("FUNCTION"), STR("LOAD"), STR("REPLACE"), code);
    struct command without = COMMAND(STR("FUNCTION"), STR("LOAD"), code);
    const struct reply *r;

    *done = true;
    if (!cluster_call_node(c, n->id, replace ? with : without, &r, err))
        return error_wrap(err, "%s", n->addr);
    if (r->type == REPLY_ERROR && !replace &&
        memmem(r->str.ptr, r->str.len, "already exists", 14) != NULL) {
        *done = false;
        return true;
    }
    if (reply_error_of(r) == REPLY_ERROR_UNKNOWN_COMMAND && s->options->allow_downgrade) {
        *done = false; /* the plan named it */
        return true;
    }
    if (reply_error_of(r) == REPLY_ERROR_UNKNOWN_COMMAND)
        return error_set(err, ERROR_UNSUPPORTED, 0, "%s knows no functions, the backup has some",
                         n->addr);
    return reply_check(r, "FUNCTION LOAD", err) || error_wrap(err, "%s", n->addr);
}

/* The server said no, or the archive is odd; anything else is about the connection. */
static bool is_finding(const struct error *why)
{
    return why->code == ERROR_UNSUPPORTED || why->code == ERROR_CORRUPT || why->detail > 0;
}

static bool load_everywhere(struct restore_shared *s, struct cluster *c, const json_t *doc,
                            bool *all, struct error *err)
{
    struct buf code;
    bool ok;

    buf_init(&code, RECORD_ELEMENT_MAX);
    ok = read_code(doc, &code, err);
    for (size_t i = 0; i < s->plan->node_count && ok; i++) {
        bool done = false;

        ok = load_on(s, c, &s->plan->nodes[i], buf_str(&code), &done, err);
        *all = *all && done;
    }
    buf_release(&code);
    return ok;
}

static bool load_line(struct restore_shared *s, struct cluster *c, struct str line,
                      struct restore_result *out, struct error *err)
{
    json_t *doc = json_parse(line, "functions.jsonl", err);
    struct error why = {0};
    const char *name;
    bool all = true;
    bool ok;

    if (doc == NULL)
        return false;
    name = json_text(doc, "library", "?");
    ok = load_everywhere(s, c, doc, &all, &why);
    if (!ok && is_finding(&why)) {
        out->failed++;
        task_ledger(s->task, str_from(name), "function", why.text);
        task_note(s->task, TASK_ERROR, "function library %s: %s", name, why.text);
        ok = true;
    } else if (ok && all) {
        out->functions++;
    } else if (ok) {
        task_note(s->task, TASK_INFO, "function library %s is there already, or has no place here",
                  name);
    } else {
        *err = why;
    }
    json_decref(doc);
    return ok;
}

bool restore_functions(struct restore_shared *s, struct cluster *c, struct restore_result *out,
                       struct error *err)
{
    struct source_part part;
    struct str rest;
    struct str line;
    bool ok = true;

    if (!source_read_functions(s->source, &part, err))
        return false;
    rest = part.text;
    while (ok && source_next_line(&rest, &line))
        ok = load_line(s, c, line, out, err);
    source_part_release(&part);
    return ok;
}
