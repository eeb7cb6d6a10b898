#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/redis/command.h"
#include "core/redis/server_time.h"
#include "core/verify/verify_search.h"

/* ---- before ---------------------------------------------------------------------------------- */

/* "db0:keys=5,expires=1,avg_ttl=0,subexpiry=0": may hashes have fields with deadlines? */
static bool line_has_field_ttl(struct str line)
{
    struct str value;

    for (struct str rest = line; str_split(&rest, ',', &value);)
        if (str_is(value, "subexpiry=0") || str_is(value, "keys_with_volatile_items=0"))
            return false;
    return true;
}

static void add_database(uint32_t *list, size_t *count, uint32_t number)
{
    size_t at = 0;

    while (at < *count && list[at] < number)
        at++;
    if (*count == VERIFY_DATABASES_MAX || (at < *count && list[at] == number))
        return;
    memmove(&list[at + 1], &list[at], (*count - at) * sizeof(*list));
    list[at] = number;
    ++*count;
}

static void read_keyspace(struct str text, uint32_t *list, size_t *count, bool *field_ttl)
{
    struct str line;

    while (text.len > 0 && str_split(&text, '\n', &line)) {
        size_t colon = str_find(line, ':');
        uint32_t number;

        if (!str_starts(line, "db") || !str_to_u32(str_slice(line, 2, colon), &number))
            continue;
        add_database(list, count, number);
        *field_ttl =
            *field_ttl || line_has_field_ttl(str_trim(str_slice(line, colon + 1, line.len)));
    }
}

/* The ids are copied: every call may refresh the list. */
static char (*primary_ids(struct cluster *c, size_t *count))[CLUSTER_ID_MAX]
{
    const struct cluster_node *nodes;
    size_t all = cluster_nodes(c, &nodes);
    char(*ids)[CLUSTER_ID_MAX] = mem_zero(all + 1, sizeof(*ids));

    *count = 0;
    for (size_t i = 0; i < all; i++)
        if (nodes[i].role == NODE_ROLE_PRIMARY && nodes[i].slots > 0)
            (void)str_copy(str_from(nodes[i].id), ids[(*count)++], sizeof(*ids));
    return ids;
}

/* INFO keyspace of every primary. */
static bool look_at_keyspaces(struct cluster *c, uint32_t *list, size_t *count, bool *field_ttl,
                              struct error *err)
{
    size_t nodes;
    char(*ids)[CLUSTER_ID_MAX] = primary_ids(c, &nodes);
    bool ok = true;

    *count = 0;
    *field_ttl = false;
    for (size_t i = 0; i < nodes && ok; i++) {
        const struct capability *can = cluster_capability(c, ids[i], err);
        bool may = can != NULL && can->has[CAP_HASH_FIELD_EXPIRY];
        bool has = false;
        const struct reply *r;
        struct str text = {"", 0};

        ok = can != NULL &&
             cluster_call_node(c, ids[i], COMMAND(STR("INFO"), STR("keyspace")), &r, err) &&
             reply_want_string(r, "INFO keyspace", &text, err);
        if (ok)
            read_keyspace(text, list, count, &has);
        *field_ttl = *field_ttl || (may && has);
    }
    free(ids);
    return ok;
}

bool verify_list_databases(struct cluster *c, uint32_t *out, size_t *count, struct error *err)
{
    bool ignored;

    return look_at_keyspaces(c, out, count, &ignored, err);
}

bool verify_look_at_target(struct verify_shared *s, struct error *err)
{
    struct cluster *c = cluster_new(s->target);
    uint32_t *databases = mem_zero(VERIFY_DATABASES_MAX, sizeof(*databases));
    size_t count;
    bool ok = cluster_connect(c, false, err) &&
              server_time_ahead(c, NULL, &s->clock_ahead_ms, err) &&
              look_at_keyspaces(c, databases, &count, &s->field_ttl, err);

    s->cluster = ok && cluster_mode(c) == REDIS_MODE_CLUSTER;
    if (ok && s->cluster && s->seen != NULL)
        ok = verify_count_before(s, c, err);
    free(databases);
    cluster_free(c);
    return ok;
}

/* ---- after ----------------------------------------------------------------------------------- */

/* There is room for every node, and for slots that nobody owns. */
static struct verify_node *node_of(struct verify_report *r, const struct cluster_node *owner)
{
    char address[ADDRESS_TEXT_MAX] = "no owner";

    if (owner != NULL)
        (void)address_text(address, sizeof(address), &owner->announced);
    for (size_t i = 0; i < r->node_count; i++)
        if (strcmp(r->nodes[i].address, address) == 0)
            return &r->nodes[i];
    memcpy(r->nodes[r->node_count].address, address, sizeof(address));
    return &r->nodes[r->node_count++];
}

void verify_sum_by_node(struct verify_shared *s, struct cluster *c)
{
    struct verify_report *r = s->report;
    const struct cluster_node *last = NULL;
    const struct cluster_node *all;
    struct verify_node *node = NULL;

    r->nodes = mem_zero(cluster_nodes(c, &all) + 1, sizeof(*r->nodes));
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        const struct cluster_node *owner = cluster_owner(c, (uint16_t)slot);
        const uint32_t *v = s->slots[slot].verdicts;

        if (node == NULL || owner != last)
            node = node_of(r, owner);
        last = owner;
        for (int i = 0; i < VERIFY_VERDICTS; i++)
            node->verdicts[i] += v[i];
    }
}
