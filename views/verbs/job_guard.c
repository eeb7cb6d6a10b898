#include "views/verbs/job_guard.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/escape.h"

static bool take_field(struct str line, const char *prefix, struct str *out)
{
    struct str piece;

    while (str_split(&line, ' ', &piece))
        if (str_starts(piece, prefix)) {
            *out = str_slice(piece, strlen(prefix), piece.len);
            return true;
        }
    return false;
}

bool job_guard_line(struct str line, enum job_kind kind, struct str *name, struct str *addr)
{
    struct str rest;
    struct str word;
    char text[32];
    enum job_kind other;

    *addr = STR("?");
    if (!take_field(line, "name=", name) || !str_starts(*name, "rbconsole:"))
        return false;
    (void)take_field(line, "addr=", addr);
    rest = str_slice(*name, strlen("rbconsole:"), name->len);
    if (!str_split(&rest, ':', &word) || !str_copy(word, text, sizeof(text)) ||
        !job_kind_parse(text, &other))
        return false;
    return !job_dangers_agree(job_kind_danger(kind), job_kind_danger(other));
}

static bool check_list(struct str text, enum job_kind kind, struct error *err)
{
    struct str line;

    while (str_split(&text, '\n', &line)) {
        struct str name;
        struct str addr;
        char shown[80];
        char from[80];

        if (job_guard_line(line, kind, &name, &addr))
            return error_set(
                err, ERROR_LOCKED, 0,
                "%s from %s is at work on this cluster: wait for it, or cancel it there",
                escape_text(shown, sizeof(shown), name), escape_text(from, sizeof(from), addr));
    }
    return true;
}

static bool check_node(struct cluster *c, const char *id, enum job_kind kind, bool *blind,
                       struct error *err)
{
    const struct reply *r;
    struct error ignored = {0};
    struct str text;

    if (!cluster_call_node(c, id, COMMAND(STR("CLIENT"), STR("LIST")), &r, err))
        return false;
    if (!reply_want_string(r, "CLIENT LIST", &text, &ignored)) {
        *blind = true;
        return true;
    }
    return check_list(text, kind, err);
}

bool job_guard_check(struct cluster *c, enum job_kind kind, bool *blind, struct error *err)
{
    const struct cluster_node *nodes;
    size_t count = cluster_nodes(c, &nodes);
    char(*ids)[CLUSTER_ID_MAX] = mem_zero(count, sizeof(*ids));
    bool ok = true;

    for (size_t i = 0; i < count; i++) /* a call may refresh the list */
        if (nodes[i].role == NODE_ROLE_PRIMARY && !nodes[i].failing)
            (void)str_copy(str_from(nodes[i].id), ids[i], sizeof(ids[i]));
    *blind = false;
    for (size_t i = 0; i < count && ok; i++)
        if (ids[i][0] != '\0' && job_kind_danger(kind) != JOB_HARMLESS)
            ok = check_node(c, ids[i], kind, blind, err);
    free(ids);
    return ok;
}
