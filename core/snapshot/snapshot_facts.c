#include <stdio.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/escape.h"
#include "core/base/json.h"
#include "core/redis/info.h"
#include "core/snapshot/snapshot_private.h"

#define ASK_MS 5000

struct facts {
    struct cluster *cluster;
    struct arena arena;
    json_t *servers;
    json_t *functions; /* name -> object */
    bool functions_known;
};

/* Unknown is null, never 0. */
static void put_known(json_t *doc, const char *name, int64_t value)
{
    json_put(doc, name, value < 0 ? json_null() : json_integer((json_int_t)value));
}

static void put_word(json_t *doc, const char *name, struct str value)
{
    if (value.len == 0)
        json_put_text(doc, name, NULL);
    else
        json_put_str(doc, name, value);
}

static void put_flag_word(json_t *doc, const char *name, int64_t flag)
{
    json_put_text(doc, name, flag < 0 ? NULL : flag > 0 ? "yes" : "no");
}

static void refused(json_t *doc, const char *command)
{
    json_push(json_object_get(doc, "refused"), json_string(command));
}

/* One question; NULL when it was not answered. The first failure is kept in "error", a refusal by
 * the ACL (or a command that is not there) under its name. */
static const struct reply *ask(struct conn *conn, json_t *doc, const char *words)
{
    const struct reply *r;
    struct error err = {0};

    if (!conn_call_words(conn, words, ASK_MS, &r, &err)) {
        json_put_text(doc, "error", err.text);
        return NULL;
    }
    if (r->type != REPLY_ERROR)
        return r;
    refused(doc, words);
    return NULL;
}

static void put_info(json_t *doc, const struct info *info)
{
    put_word(doc, "flavour", info->flavour);
    put_word(doc, "version", info->version);
    put_word(doc, "run_id", info->run_id);
    put_known(doc, "uptime_s", info->uptime_s);
    put_known(doc, "maxmemory", info->maxmemory);
    put_word(doc, "maxmemory_policy", info->maxmemory_policy);
    put_known(doc, "used_memory", info->used_memory);
    put_flag_word(doc, "appendonly", info->aof_enabled);
    put_word(doc, "last_bgsave", info->last_bgsave_status);
    put_known(doc, "last_save_s", info->last_save_s);
    put_word(doc, "aof_last_write", info->last_aof_write_status);
    put_known(doc, "replicas",
              info->role == INFO_ROLE_PRIMARY ? info->connected_replicas : INFO_UNKNOWN);
    put_word(doc, "link", info->primary_link);
    put_known(doc, "offset",
              info->role == INFO_ROLE_REPLICA && info->replica_offset >= 0 ? info->replica_offset
                                                                           : info->primary_offset);
    put_known(doc, "evicted_keys", info->evicted_keys);
    put_known(doc, "keys", info->keys);
}

static void put_save(struct conn *conn, json_t *doc)
{
    const struct reply *r = ask(conn, doc, "CONFIG GET save");
    const struct reply *save = r != NULL && r->type == REPLY_ARRAY ? reply_member(r, "save") : NULL;

    if (save != NULL && save->type == REPLY_STRING)
        json_put_str(doc, "save", save->str);
    else
        json_put_text(doc, "save", NULL);
}

/* ---- functions --------------------------------------------------------------------------------
 */

static void add_library(struct facts *f, const struct reply *r)
{
    const struct reply *name = r->type == REPLY_ARRAY ? reply_member(r, "library_name") : NULL;
    const struct reply *engine = name != NULL ? reply_member(r, "engine") : NULL;
    const struct reply *code = name != NULL ? reply_member(r, "library_code") : NULL;
    char text[KEY_DIGEST_TEXT];
    char shown[200];
    char id[260];
    json_t *doc;

    if (code == NULL || code->type != REPLY_STRING)
        return;
    (void)digest128_format(text, key_digest_of(code->str));
    (void)snprintf(id, sizeof(id), "%s %s", escape_text(shown, sizeof(shown), name->str), text);
    doc = json_object_get(f->functions, id);
    if (doc == NULL) {
        doc = json_object();
        json_put_str(doc, "name", name->str);
        json_put_str(doc, "engine", engine != NULL ? engine->str : STR("LUA"));
        json_put_text(doc, "digest", text);
        json_put_int(doc, "nodes", 0);
        (void)json_object_set_new(f->functions, id, doc);
    }
    json_put_int(doc, "nodes", json_int(doc, "nodes", 0) + 1);
}

static void ask_functions(struct facts *f, struct conn *conn, json_t *doc)
{
    const struct reply *r = ask(conn, doc, "FUNCTION LIST WITHCODE");

    if (r == NULL || r->type != REPLY_ARRAY)
        return;
    f->functions_known = true;
    for (size_t i = 0; i < r->count; i++)
        add_library(f, &r->elements[i]);
}

static json_t *list_functions(const struct facts *f)
{
    json_t *list;
    const char *name;
    json_t *one;

    if (!f->functions_known)
        return json_null();
    list = json_array();
    json_object_foreach(f->functions, name, one)
    {
        json_push(list, json_incref(one));
    }
    return list;
}

/* ---- nodes ------------------------------------------------------------------------------------
 */

static void ask_node(struct facts *f, const struct cluster_node *n, json_t *doc)
{
    struct error err = {0};
    struct conn *conn = cluster_node_conn(f->cluster, n->id, &err);
    const struct reply *r;
    struct info info;

    info_parse(&info, STR("")); /* nothing is known */
    if (conn == NULL) {
        json_put_text(doc, "error", err.text);
        put_info(doc, &info);
        json_put_text(doc, "save", NULL);
        return;
    }
    r = ask(conn, doc, "INFO");
    info_parse(&info, r != NULL && r->type == REPLY_STRING ? r->str : STR(""));
    put_info(doc, &info);
    if (json_is_null(json_object_get(doc, "error")))
        put_save(conn, doc);
    else
        json_put_text(doc, "save", NULL);
    if (n->role == NODE_ROLE_PRIMARY && json_is_null(json_object_get(doc, "error")))
        ask_functions(f, conn, doc);
}

static void add_node(struct facts *f, const struct cluster_node *nodes,
                     const struct cluster_node *n)
{
    const struct topology *t = cluster_topology(f->cluster);
    uint16_t at = t != NULL ? topology_find_id(t, str_from(n->id)) : TOPOLOGY_NONE;
    json_t *doc = json_object();
    char addr[ADDRESS_TEXT_MAX];

    json_put_text(doc, "id", n->id);
    json_put_text(doc, "addr", address_text(addr, sizeof(addr), &n->address));
    json_put_text(doc, "role",
                  n->role == NODE_ROLE_PRIMARY   ? "primary"
                  : n->role == NODE_ROLE_REPLICA ? "replica"
                                                 : "unknown");
    json_put_text(doc, "primary", n->primary != TOPOLOGY_NONE ? nodes[n->primary].id : NULL);
    json_put_text(doc, "error", NULL);
    json_put(doc, "refused", json_array());
    put_known(doc, "epoch", at != TOPOLOGY_NONE ? (int64_t)t->nodes[at].epoch : INFO_UNKNOWN);
    json_put_int(doc, "slots", n->slots);
    json_put_text(doc, "lag_bytes", NULL);
    ask_node(f, n, doc);
    json_push(f->servers, doc);
}

static json_t *server_of(const struct facts *f, const char *id)
{
    size_t i;
    json_t *one;

    json_array_foreach(f->servers, i, one)
    {
        if (strcmp(json_text(one, "id", ""), id) == 0)
            return one;
    }
    return NULL;
}

/* How far each replica is behind its primary, as both said a moment apart. */
static void put_lags(struct facts *f)
{
    size_t i;
    json_t *one;

    json_array_foreach(f->servers, i, one)
    {
        const json_t *primary = server_of(f, json_text(one, "primary", ""));
        int64_t theirs = json_int(primary, "offset", -1);
        int64_t ours = json_int(one, "offset", -1);

        if (primary != NULL && theirs >= 0 && ours >= 0)
            json_put_int(one, "lag_bytes", theirs > ours ? theirs - ours : 0);
    }
}

/* ---- topology ---------------------------------------------------------------------------------
 */

static void put_set(json_t *doc, const char *name, const struct slot_set *set)
{
    struct error ignored = {0};
    struct buf text;

    buf_init(&text, (size_t)1 << 20);
    if (slot_set_count(set) > 0 && slot_set_format(set, 0, &text, &ignored))
        json_put_text(doc, name, text.data);
    else
        json_put_text(doc, name, NULL);
    buf_release(&text);
}

static json_t *slot_ranges(const struct topology *t)
{
    json_t *list = json_array();
    unsigned first = 0;

    for (unsigned slot = 1; slot <= SLOT_COUNT; slot++) {
        char range[24];
        json_t *one;

        if (slot < SLOT_COUNT && t->owner[slot] == t->owner[first])
            continue;
        if (t->owner[first] != TOPOLOGY_NONE) {
            one = json_object();
            (void)snprintf(range, sizeof(range), "%u-%u", first, slot - 1);
            json_put_text(one, "range", range);
            json_put_str(one, "owner", t->nodes[t->owner[first]].id);
            json_push(list, one);
        }
        first = slot;
    }
    return list;
}

static json_t *topology_json(const struct topology *t)
{
    json_t *doc = json_object();
    struct slot_set set = {0};

    put_known(doc, "epoch", t != NULL ? (int64_t)t->max_epoch : INFO_UNKNOWN);
    json_put(doc, "slots", t != NULL ? slot_ranges(t) : json_array());
    if (t != NULL)
        topology_uncovered(t, &set);
    put_set(doc, "uncovered", &set);
    set = (struct slot_set){0};
    if (t != NULL)
        topology_open_slots(t, &set);
    put_set(doc, "open", &set);
    return doc;
}

void snapshot_facts(struct cluster *cluster, struct task *task, json_t *doc)
{
    struct facts f = {.cluster = cluster, .servers = json_array(), .functions = json_object()};
    const struct cluster_node *nodes;
    size_t count = cluster_nodes(cluster, &nodes);
    struct cluster_node *copy = arena_array(&f.arena, count + 1, sizeof(*copy));

    memcpy(copy, nodes, count * sizeof(*copy));
    for (size_t i = 0; i < count && !task_cancelled(task); i++)
        add_node(&f, copy, &copy[i]);
    put_lags(&f);
    json_put(doc, "servers", f.servers);
    json_put(doc, "topology", topology_json(cluster_topology(cluster)));
    json_put(doc, "functions", list_functions(&f));
    json_decref(f.functions);
    arena_release(&f.arena);
}
