#include "core/restore/restore_functions.h"

#include <stdio.h>
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

enum library_fate {
    LIBRARY_LOADED,
    LIBRARY_SAME,    /* it was there already, with this code */
    LIBRARY_OTHER,   /* it was there already, with other code, and stays */
    LIBRARY_NO_PLACE /* the server knows no functions, which the plan named */
};

struct library {
    struct str name, code;
    size_t nodes[LIBRARY_NO_PLACE + 1]; /* how many met which fate */
    const char *other_on;               /* the first one with other code */
};

/* What stands under that name. *found false: nothing. */
static bool compare_code(struct cluster *c, const struct restore_node *n, const struct library *l,
                         bool *found, bool *same, struct error *err)
{
    const struct reply *r;

    *found = false;
    if (!cluster_call_node(
            c, n->id,
            COMMAND(STR("FUNCTION"), STR("LIST"), STR("LIBRARYNAME"), l->name, STR("WITHCODE")), &r,
            err) ||
        !reply_want_array(r, "FUNCTION LIST", err))
        return false;
    for (size_t i = 0; i < r->count && !*found; i++) {
        const struct reply *one = &r->elements[i];
        const struct reply *name = reply_member(one, "library_name");
        const struct reply *code = reply_member(one, "library_code");

        if (name == NULL || code == NULL)
            return error_set(err, ERROR_REPLY, 0, "FUNCTION LIST: a library without name or code");
        *found = str_equal(name->str, l->name);
        *same = *found && str_equal(code->str, l->code);
    }
    return true;
}

/* refused: why it could not be loaded. A function of another library may be what is in the way. */
static bool judge_existing(struct cluster *c, const struct restore_node *n, const struct library *l,
                           const struct error *refused, enum library_fate *fate, struct error *err)
{
    bool found = false;
    bool same = false;

    if (!compare_code(c, n, l, &found, &same, err))
        return false;
    if (!found) {
        *err = *refused;
        return false;
    }
    *fate = same ? LIBRARY_SAME : LIBRARY_OTHER;
    return true;
}

static bool load_on(struct restore_shared *s, struct cluster *c, const struct restore_node *n,
                    const struct library *l, enum library_fate *fate, struct error *err)
{
    bool replace = s->options->policy == RESTORE_OVERWRITE;
    struct command with = COMMAND(STR("FUNCTION"), STR("LOAD"), STR("REPLACE"), l->code);
    struct command without = COMMAND(STR("FUNCTION"), STR("LOAD"), l->code);
    struct error refused = {0};
    const struct reply *r;

    *fate = LIBRARY_LOADED;
    if (!cluster_call_node(c, n->id, replace ? with : without, &r, err))
        return error_wrap(err, "%s", n->addr);
    if (reply_error_of(r) == REPLY_ERROR_UNKNOWN_COMMAND && s->options->allow_downgrade) {
        *fate = LIBRARY_NO_PLACE;
        return true;
    }
    if (reply_error_of(r) == REPLY_ERROR_UNKNOWN_COMMAND)
        return error_set(err, ERROR_UNSUPPORTED, 0, "%s knows no functions, the backup has some",
                         n->addr);
    if (reply_check(r, "FUNCTION LOAD", &refused))
        return true;
    if (r->type == REPLY_ERROR && !replace && l->name.len > 0 &&
        memmem(r->str.ptr, r->str.len, "already exists", 14) != NULL)
        return judge_existing(c, n, l, &refused, fate, err) || error_wrap(err, "%s", n->addr);
    *err = refused;
    return error_wrap(err, "%s", n->addr);
}

/* The detail of a lost connection is a number too, and no kind of reply. */
static bool is_answer(const struct error *why)
{
    return why->detail > 0 && why->detail < REPLY_ERRORS &&
           reply_error_code((enum reply_error)why->detail) == why->code;
}

/* The server said no, or the archive is odd; anything else is about the connection. */
static bool is_finding(const struct error *why)
{
    return why->code == ERROR_UNSUPPORTED || why->code == ERROR_CORRUPT || is_answer(why);
}

/* The first server that does not take it is named, but the others get it all the same. */
static bool load_everywhere(struct restore_shared *s, struct cluster *c, struct library *l,
                            struct error *err)
{
    struct error first = {0};

    for (size_t i = 0; i < s->plan->node_count; i++) {
        enum library_fate fate = LIBRARY_LOADED;
        struct error why = {0};

        if (load_on(s, c, &s->plan->nodes[i], l, &fate, &why)) {
            l->nodes[fate]++;
            if (fate == LIBRARY_OTHER && l->other_on == NULL)
                l->other_on = s->plan->nodes[i].addr;
        } else if (!is_finding(&why)) {
            *err = why;
            return false;
        } else if (first.code == ERROR_NONE) {
            first = why;
        }
    }
    if (first.code == ERROR_NONE)
        return true;
    *err = first;
    return false;
}

static void fail_library(struct restore_shared *s, const struct library *l, const char *why,
                         struct restore_result *out)
{
    out->failed++;
    task_ledger(s->task, l->name, "function", why);
    task_note(s->task, TASK_ERROR, "function library %.*s: %s", (int)l->name.len, l->name.ptr, why);
}

static void settle_library(struct restore_shared *s, const struct library *l,
                           struct restore_result *out)
{
    char why[500];

    if (l->nodes[LIBRARY_OTHER] > 0) {
        (void)snprintf(why, sizeof(why),
                       "%zu of %zu primaries, first %s, have other code under this name, which "
                       "stays (--overwrite replaces it)",
                       l->nodes[LIBRARY_OTHER], s->plan->node_count, l->other_on);
        if (s->options->policy != RESTORE_SKIP_EXISTING) {
            fail_library(s, l, why, out);
            return;
        }
        out->existing++;
        task_note(s->task, TASK_WARN, "function library %.*s: %s", (int)l->name.len, l->name.ptr,
                  why);
    } else if (l->nodes[LIBRARY_LOADED] > 0) {
        out->functions++;
    } else {
        task_note(s->task, TASK_INFO, "function library %.*s %s", (int)l->name.len, l->name.ptr,
                  l->nodes[LIBRARY_SAME] > 0 ? "is there already, with the same code"
                                             : "has no place here");
    }
}

static bool load_line(struct restore_shared *s, struct cluster *c, struct str line,
                      struct restore_result *out, struct error *err)
{
    json_t *doc = json_parse(line, "functions.jsonl", err);
    struct library l = {0};
    struct error why = {0};
    struct buf code;
    bool ok;

    if (doc == NULL)
        return false;
    buf_init(&code, RECORD_ELEMENT_MAX);
    l.name = str_from(json_text(doc, "name", ""));
    ok = read_code(doc, &code, &why);
    l.code = buf_str(&code);
    ok = ok && load_everywhere(s, c, &l, &why);
    if (ok) {
        settle_library(s, &l, out);
    } else if (is_finding(&why)) {
        fail_library(s, &l, why.text, out);
        ok = true;
    } else {
        *err = why;
    }
    buf_release(&code);
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
