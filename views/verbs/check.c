#include <inttypes.h>
#include <stdio.h>

#include "core/base/escape.h"
#include "core/base/json.h"
#include "core/redis/conn.h"
#include "views/screens/cluster_json.h"
#include "views/verbs/status_print.h"
#include "views/verbs/status_watch.h"

#define COUNT_TIMEOUT_MS 5000
#define BATCH 512

static const struct option_row options[] = {
    {"keys", 0, OPTION_FLAG,
     .help = "Count keys that lie on a primary which does not own their slot."},
    {NULL},
};

/* Keys outside their owner, per node. */
struct misplaced {
    const struct monitor_node *node;
    struct slot_set slots;
    int64_t keys;
    struct error err; /* code ERROR_NONE: counted */
};

static bool ask_batch(struct conn *c, const uint16_t *slots, size_t count, struct misplaced *out,
                      struct error *err)
{
    char text[BATCH][8];

    for (size_t i = 0; i < count; i++) {
        (void)snprintf(text[i], sizeof(text[i]), "%u", (unsigned)slots[i]);
        if (!conn_append(c, COMMAND(STR("CLUSTER"), STR("COUNTKEYSINSLOT"), str_from(text[i])),
                         COUNT_TIMEOUT_MS, err))
            return false;
    }
    for (size_t i = 0; i < count; i++) {
        const struct reply *r;
        int64_t keys;

        if (!conn_next_reply(c, &r, err) ||
            !reply_want_i64(r, "CLUSTER COUNTKEYSINSLOT", &keys, err))
            return false;
        if (keys <= 0)
            continue;
        slot_set_add(&out->slots, slots[i]);
        out->keys += keys;
    }
    return true;
}

static bool count_on(struct conn *c, const struct snapshot *s, uint16_t at, struct misplaced *out,
                     struct error *err)
{
    uint16_t batch[BATCH];
    size_t count = 0;

    if (!conn_open(c, err))
        return false;
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        /* A slot that is migrating has keys on both sides, and rightly so. */
        if (s->slots->owner[slot] == at ||
            (s->slots->state[slot] & (SLOT_MIGRATING | SLOT_IMPORTING)) != 0)
            continue;
        batch[count++] = (uint16_t)slot;
        if (count < BATCH)
            continue;
        if (!ask_batch(c, batch, count, out, err))
            return false;
        count = 0;
    }
    return count == 0 || ask_batch(c, batch, count, out, err);
}

static void count_node(const struct redis_options *redis, const struct snapshot *s, uint16_t at,
                       struct misplaced *out)
{
    struct conn_options how = redis_options_conn(redis);
    struct address address;
    struct conn *c;

    *out = (struct misplaced){.node = &s->nodes[at]};
    if (!address_set(&address, out->node->host, out->node->port)) {
        (void)error_set(&out->err, ERROR_CORRUPT, 0, "the node's address cannot be used");
        return;
    }
    if (!out->node->seed)
        (void)address_map_apply(redis->map, &address);
    if (out->node->hostname.len > 0)
        how.tls_server_name = out->node->hostname.ptr;
    c = conn_new(&address, &how);
    (void)count_on(c, s, at, out, &out->err);
    conn_free(c);
}

static json_t *misplaced_json(const struct misplaced *m)
{
    json_t *doc = json_object();
    struct error ignored;
    struct buf ranges;

    json_put_str(doc, "node", m->node->address);
    if (m->err.code != ERROR_NONE) {
        json_put_text(doc, "error", m->err.text);
        return doc;
    }
    buf_init(&ranges, (size_t)1 << 20);
    if (m->keys == 0 || !slot_set_format(&m->slots, 0, &ranges, &ignored))
        buf_clear(&ranges);
    json_put_int(doc, "keys", m->keys);
    json_put_text(doc, "slots", ranges.data);
    buf_release(&ranges);
    return doc;
}

static void print_misplaced(const struct misplaced *m)
{
    char address[128];
    struct error ignored;
    struct buf ranges;

    (void)escape_text(address, sizeof(address), m->node->address);
    if (m->err.code != ERROR_NONE) {
        printf("warn %s keys could not be counted: %s\n", address, m->err.text);
        return;
    }
    if (m->keys == 0)
        return;
    buf_init(&ranges, (size_t)1 << 20);
    if (slot_set_format(&m->slots, 8, &ranges, &ignored))
        printf("warn %s holds %" PRId64 " keys of slots it does not own: %s\n", address, m->keys,
               ranges.data);
    buf_release(&ranges);
}

/* Returns how many nodes have misplaced keys or could not be asked. */
static size_t check_keys(const struct invocation *inv, const struct redis_options *redis,
                         const struct snapshot *s, json_t *list)
{
    size_t bad = 0;

    for (size_t i = 0; i < s->node_count; i++) {
        struct misplaced m;

        if (s->nodes[i].role != MONITOR_PRIMARY || s->nodes[i].stale || !s->slots->known)
            continue;
        count_node(redis, s, (uint16_t)i, &m);
        bad += m.keys > 0 || m.err.code != ERROR_NONE ? 1 : 0;
        if (inv->json)
            json_push(list, misplaced_json(&m));
        else
            print_misplaced(&m);
    }
    return bad;
}

static int report(const struct invocation *inv, const struct status_watch *w,
                  const struct snapshot *s)
{
    json_t *misplaced = json_array();
    bool keys = option_flag(inv, "keys");
    size_t bad = 0;

    if (!inv->json) {
        status_print_summary(s, inv->env->name);
        status_print_findings(s);
    }
    if (keys)
        bad = check_keys(inv, connection_options(w->connection), s, misplaced);
    if (inv->json) {
        json_t *doc = cluster_status_json(s);

        if (keys)
            json_put(doc, "misplaced", json_incref(misplaced));
        status_print_json(doc, true);
    } else if (s->finding_count == 0 && bad == 0) {
        printf("no finding\n");
    }
    json_decref(misplaced);
    return bad > 0 ? 1 : status_exit(s);
}

static int run(const struct invocation *inv, struct error *err)
{
    struct status_watch w;
    struct snapshot *s;
    int status;

    if (!status_watch_open(&w, inv, 0, false, err))
        return verb_fail(err);
    s = status_watch_first(&w, err);
    /* What is wrong for one moment only (a poll between two changes) is not told. */
    if (s != NULL && s->state != MONITOR_OK) {
        int64_t interval = s->interval_ms;

        snapshot_unref(s);
        clock_sleep_ms(interval * 2);
        s = status_watch_first(&w, err);
    }
    status = s == NULL ? verb_fail(err) : report(inv, &w, s);
    snapshot_unref(s);
    status_watch_close(&w);
    return status;
}

const struct verb verb_check = {
    .name = "check",
    .summary = "Deep check: views agree, slots, replicas, persistence, versions, stray keys.",
    .options = options,
    .notes = "Ends with 0 when nothing is found, 1 with findings of a warning or worse. It only "
             "reads.",
    .examples = "rbconsole check\nrbconsole check --keys --json\n",
    .run = run,
};
