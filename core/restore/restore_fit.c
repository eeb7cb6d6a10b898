#include "core/restore/restore_fit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/redis/command.h"
#include "core/redis/info.h"
#include "core/redis/topology_parse.h"
#include "core/restore/restore_size.h"
#include "core/restore/restore_tune.h"
#include "core/value/value_build.h"

#define CAPABILITY_TRIES 5

/* ---- a primary ------------------------------------------------------------------------------- */

/* A setting of the server; empty when it may not be read. */
static bool read_setting(struct cluster *c, const char *id, const char *name, char *out,
                         size_t size, struct error *err)
{
    const struct reply *r;

    out[0] = '\0';
    if (!cluster_call_node(c, id, COMMAND(STR("CONFIG"), STR("GET"), str_from(name)), &r, err))
        return false;
    if (r->type == REPLY_ARRAY && r->count == 2 && r->elements[1].type == REPLY_STRING)
        (void)str_copy(r->elements[1].str, out, size);
    return true;
}

static bool read_settings(struct cluster *c, struct restore_node *n, struct error *err)
{
    char stop[8];
    char save[80];
    struct error why = {0};
    bool known;

    if (!read_setting(c, n->id, "stop-writes-on-bgsave-error", stop, sizeof(stop), err) ||
        !read_setting(c, n->id, "save", save, sizeof(save), err))
        return error_wrap(err, "%s", n->addr);
    n->settings_known = stop[0] != '\0';
    n->stops_writes = strcmp(stop, "yes") == 0 && save[0] != '\0';
    n->may_tune = restore_tune_allowed(c, n->id, &known, &why);
    if (!n->may_tune)
        (void)snprintf(n->why_not_tune, sizeof(n->why_not_tune), "%.150s", why.text);
    return true;
}

/* Each primary knows only of its own open slots. */
static bool read_open_slots(struct cluster *c, struct restore_plan *p, const struct restore_node *n,
                            struct error *err)
{
    const struct cluster_node *node = cluster_find(c, n->id);
    struct topology_self self = {{NULL, 0}, 0};
    struct slot_set open;
    const struct reply *r;
    struct topology *t;
    struct str text;

    if (node != NULL)
        self = (struct topology_self){str_from(node->address.host), node->address.port};
    if (!cluster_call_node(c, n->id, COMMAND(STR("CLUSTER"), STR("NODES")), &r, err) ||
        !reply_want_string(r, "CLUSTER NODES", &text, err))
        return error_wrap(err, "%s", n->addr);
    t = topology_parse_nodes(text, self, err);
    if (t == NULL)
        return error_wrap(err, "%s", n->addr);
    topology_open_slots(t, &open);
    slot_set_merge(&p->needs.open, &open);
    topology_free(t);
    return true;
}

static int64_t number_in(struct str info, const char *name)
{
    struct str value;
    int64_t n;

    return info_field(info, name, &value) && str_to_i64(value, &n) && n >= 0 ? n : -1;
}

/* One lost connection is no reason to give the plan up; PING waits through an outage. */
static const struct capability *capability_of(struct cluster *c, const char *id, struct error *err)
{
    for (int tries = 1;; tries++) {
        struct error why = {0};
        const struct capability *can = cluster_capability(c, id, &why);
        const struct reply *r;

        if (can != NULL)
            return can;
        if (why.code != ERROR_UNREACHABLE || tries == CAPABILITY_TRIES) {
            *err = why;
            return NULL;
        }
        if (!cluster_call_node(c, id, COMMAND(STR("PING")), &r, err))
            return NULL;
    }
}

bool restore_fit_node(struct cluster *c, struct restore_plan *plan, struct restore_node *n,
                      struct str info, struct error *err)
{
    const struct capability *can;
    struct str word;

    n->system_memory = number_in(info, "total_system_memory");
    n->startup_memory = number_in(info, "used_memory_startup");
    if (info_field(info, "maxmemory_policy", &word))
        (void)str_copy(word, n->policy, sizeof(n->policy));
    n->save_failed = info_field(info, "rdb_last_bgsave_status", &word) && !str_is(word, "ok");
    n->aof_failed = info_field(info, "aof_last_write_status", &word) && !str_is(word, "ok");
    can = capability_of(c, n->id, err); /* `info` is not valid after this */
    if (can == NULL)
        return error_wrap(err, "%s", n->addr);
    n->flavour = can->flavour;
    n->version_number = can->version_number;
    n->keeps_field_ttl = can->has[CAP_HASH_FIELD_EXPIRY];
    n->keeps_counters =
        can->flavour == FLAVOUR_VALKEY || capability_at_least(can, FLAVOUR_REDIS, 70000);
    n->keeps_unowned = can->has[CAP_XNACK];
    n->keeps_functions = can->has[CAP_FUNCTION];
    return read_settings(c, n, err) && (!plan->cluster || read_open_slots(c, plan, n, err));
}

/* ---- a record -------------------------------------------------------------------------------- */

static void count_stream(struct restore_needs *needs, const struct record *r)
{
    size_t count;
    const struct stream_group *groups = record_groups(r, &count);

    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < groups[i].pending_count; k++)
            needs->unowned += groups[i].pending[k].consumer == STREAM_UNOWNED ? 1 : 0;
    if (!record_has_state(r))
        return;
    if (record_state(r).has_counters)
        needs->counted_streams++;
    else
        needs->uncounted_streams++;
}

static void count_deadlines(struct restore_needs *needs, const struct record *r)
{
    size_t count = record_deadlines(r);

    if (count == 0)
        return;
    needs->field_deadlines += count;
    for (size_t i = 0; i < count; i++) {
        struct str field;
        int64_t at;

        record_deadline(r, i, &field, &at);
        needs->clamped += at > VALUE_FIELD_DEADLINE_MAX ? 1 : 0;
    }
}

static enum restore_size_sets sets_of(const struct restore_node *n)
{
    if (n->flavour == FLAVOUR_VALKEY)
        return RESTORE_SETS_VALKEY;
    return n->version_number >= 70200 ? RESTORE_SETS_REDIS : RESTORE_SETS_OLD;
}

/* Of a slot that stands for several the lowest is named, whoever met it first. */
static void count_slot(uint64_t *keys, uint16_t *named, uint64_t more, uint16_t slot)
{
    if (more > 0 && (*keys == 0 || slot < *named))
        *named = slot;
    *keys += more;
}

void restore_fit_count(struct restore_plan *plan, const struct record *r, uint16_t slot,
                       struct restore_node *owner)
{
    const struct record_head *h = record_head(r);
    struct restore_needs *needs = &plan->needs;
    bool first = !h->chunked || h->chunk_seq == 0;

    if (owner != NULL)
        owner->need_memory += restore_size_memory(r, sets_of(owner));
    if (owner == NULL && first)
        count_slot(&needs->uncovered_keys, &needs->uncovered_slot, 1, slot);
    if (plan->cluster && first && slot_set_has(&needs->open, slot))
        count_slot(&needs->open_keys, &needs->open_slot, 1, slot);
    if (h->type == RECORD_STREAM)
        count_stream(needs, r);
    if (h->type == RECORD_HASH)
        count_deadlines(needs, r);
    if (h->type == RECORD_OPAQUE && h->rdb_version > needs->rdb_version)
        needs->rdb_version = h->rdb_version;
}

void restore_fit_add(struct restore_needs *to, const struct restore_needs *from)
{
    to->field_deadlines += from->field_deadlines;
    to->clamped += from->clamped;
    to->counted_streams += from->counted_streams;
    to->uncounted_streams += from->uncounted_streams;
    to->unowned += from->unowned;
    if (from->rdb_version > to->rdb_version)
        to->rdb_version = from->rdb_version;
    count_slot(&to->uncovered_keys, &to->uncovered_slot, from->uncovered_keys,
               from->uncovered_slot);
    count_slot(&to->open_keys, &to->open_slot, from->open_keys, from->open_slot);
}
