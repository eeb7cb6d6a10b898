#include "core/config/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/escape.h"

void cluster_identity_init(struct cluster_identity *id, enum cluster_kind kind)
{
    memset(id, 0, sizeof(*id));
    id->kind = kind;
}

/* Where text is, or should be put. */
static size_t place(const struct cluster_identity *id, const char *text, bool *found)
{
    size_t low = 0;
    size_t high = id->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(id->ids[middle], text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < id->count && strcmp(id->ids[low], text) == 0;
    return low;
}

void cluster_identity_add(struct cluster_identity *id, const char *text)
{
    bool found = false;
    size_t at = place(id, text, &found);
    if (found || text[0] == '\0' || !str_is_text(str_from(text)) || id->count >= IDENTITY_IDS_MAX)
        return;
    id->ids = mem_resize(id->ids, id->count + 1, sizeof(*id->ids));
    memmove(&id->ids[at + 1], &id->ids[at], (id->count - at) * sizeof(*id->ids));
    id->ids[at] = mem_copy_text(text);
    id->count++;
}

void cluster_identity_set_master(struct cluster_identity *id, const char *name)
{
    free(id->master_name);
    id->master_name = mem_copy_text(name);
}

void cluster_identity_copy(struct cluster_identity *to, const struct cluster_identity *from)
{
    cluster_identity_init(to, from->kind);
    to->master_name = mem_copy_text(from->master_name);
    for (size_t i = 0; i < from->count; i++)
        cluster_identity_add(to, from->ids[i]);
}

void cluster_identity_release(struct cluster_identity *id)
{
    for (size_t i = 0; i < id->count; i++)
        free(id->ids[i]);
    free(id->ids);
    free(id->master_name);
    memset(id, 0, sizeof(*id));
}

static bool same_master(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

bool cluster_identity_same(const struct cluster_identity *a, const struct cluster_identity *b)
{
    if (a->kind == KIND_NONE || a->kind != b->kind || !same_master(a->master_name, b->master_name))
        return false;
    for (size_t i = 0; i < a->count; i++) {
        bool found = false;
        place(b, a->ids[i], &found);
        if (found)
            return true;
    }
    return false;
}

char *cluster_identity_show(const struct cluster_identity *id, char *out, size_t size)
{
    char first[24] = "";
    char master[64] = "";
    if (id->count > 0)
        escape_text(first, sizeof(first), str_from(id->ids[0]));
    if (id->count > 0 && id->kind == KIND_CLUSTER) {
        /* Twelve digits tell node ids apart and leave room for the rest of the line. */
        (void)snprintf(out, size, "cluster of %zu nodes (%.12s…)", id->count, first);
    } else if (id->kind == KIND_SENTINEL) {
        escape_text(master, sizeof(master), str_from(id->master_name));
        (void)snprintf(out, size, "%s behind %zu sentinels", master, id->count);
    } else if (id->kind == KIND_SINGLE && id->count > 0) {
        char address[280];
        (void)snprintf(out, size, "single server %s",
                       escape_text(address, sizeof(address), str_from(id->ids[0])));
    } else {
        (void)snprintf(out, size, "unknown");
    }
    return out;
}

const struct identity_memory *identity_memory_find(const struct identity_memories *all,
                                                   const char *environment)
{
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->items[i].environment, environment) == 0)
            return &all->items[i];
    return NULL;
}

/* ---- the decision ---------------------------------------------------------------------------- */

static const struct environment *configured(const struct identity_question *q, const char *name)
{
    for (size_t i = 0; i < q->environment_count; i++) {
        const struct environment *env = q->environments[i];
        if (env->in_config && strcmp(env->name, name) == 0)
            return env;
    }
    return NULL;
}

/* Whether a remembered environment is protected: what this config says of it in its own right,
 * else what was true when it was remembered. An environment whose nodes were replaced for this run
 * (-n, REDIS_NODES) says nothing about the cluster it usually names. */
static bool memory_protects(const struct identity_question *q, const struct identity_memory *m)
{
    const struct environment *env = configured(q, m->environment);
    if (env != NULL && !env->nodes_given)
        return env->protected;
    return m->protected;
}

struct known {
    size_t count;                        /* environments remembered with this identity */
    bool own;                            /* the selected one is among them */
    bool protected;                      /* any of them is */
    const struct identity_memory *other; /* another one, a protected one if there is */
    bool other_protected;
};

static struct known look_up(const struct identity_question *q)
{
    struct known k = {0};
    for (size_t i = 0; i < q->memories->count; i++) {
        const struct identity_memory *m = &q->memories->items[i];
        bool protects;
        if (!cluster_identity_same(&m->identity, &q->observed->identity))
            continue;
        protects = memory_protects(q, m);
        k.count++;
        k.protected = k.protected || protects;
        if (strcmp(m->environment, q->env->name) == 0) {
            k.own = true;
        } else if (k.other == NULL || (protects && !k.other_protected)) {
            k.other = m;
            k.other_protected = protects;
        }
    }
    return k;
}

/* A cluster nobody remembers: the configuration's own word, and where the nodes really are. */
static bool unknown_is_protected(const struct identity_question *q)
{
    return q->env->protected || (!q->env->protected_given && !q->observed->all_loopback);
}

static void decide_known(const struct identity_question *q, const struct known *k,
                         struct identity_decision *out)
{
    bool configured_here = !q->env->nodes_given && q->env->protected;
    out->protected = k->protected || configured_here || (!k->own && unknown_is_protected(q));
    if (k->other == NULL)
        return;
    escape_text(out->known_as, sizeof(out->known_as), str_from(k->other->environment));
    if (k->other_protected && !configured_here) {
        (void)snprintf(
            out->text, sizeof(out->text),
            "these nodes are the protected cluster known as \"%s\": treated as protected",
            out->known_as);
    }
}

static void explain_difference(const struct identity_question *q,
                               const struct identity_memory *mine, struct identity_decision *out)
{
    char was[80];
    char is[80];
    cluster_identity_show(&mine->identity, was, sizeof(was));
    cluster_identity_show(&q->observed->identity, is, sizeof(is));
    (void)snprintf(
        out->text, sizeof(out->text),
        "the nodes of \"%s\" are another cluster than before: %s, it was %s%s", q->env->name, is,
        was, out->refused ? "; changes are refused until `rbconsole doctor --fix` accepts it" : "");
}

void identity_decide(const struct identity_question *q, struct identity_decision *out)
{
    const struct identity_memory *mine = identity_memory_find(q->memories, q->env->name);
    struct known k;
    memset(out, 0, sizeof(*out));
    if (q->observed == NULL || q->observed->identity.kind == KIND_NONE ||
        q->observed->identity.count == 0) {
        out->match = IDENTITY_UNSEEN;
        out->protected = q->env->protected || (mine != NULL && memory_protects(q, mine));
        return;
    }
    k = look_up(q);
    out->protected = k.count > 0 ? false : unknown_is_protected(q);
    if (k.count > 0)
        decide_known(q, &k, out);
    /* Nodes that were given for one run do not become what the name stands for. */
    out->remember = !q->env->nodes_given;
    if (mine == NULL || k.own) {
        out->match = mine == NULL ? IDENTITY_FIRST : IDENTITY_MATCHES;
        return;
    }
    out->match = IDENTITY_DIFFERS;
    out->refused = memory_protects(q, mine) || (q->env->protected && !q->env->nodes_given);
    out->remember = out->remember && !out->refused;
    if (out->text[0] == '\0')
        explain_difference(q, mine, out);
}
