#include "core/restore/restore_again.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/json.h"
#include "core/redis/command.h"
#include "core/redis/info.h"
#include "core/restore/restore_worker.h"

#define NO_OWNER UINT16_MAX
#define RANGES_IN_DOC 2000 /* of slots: "12345-12346," times that stays below a journal line */

struct owner {
    char id[CLUSTER_ID_MAX];
    char history[48]; /* master_replid: new after a promotion and after a restart */
    char run[48];     /* run_id */
    int64_t evicted;  /* counter; -1 unknown */
    bool untold;      /* what it evicted is not known, and that was counted */
};

struct restore_history {
    struct owner *owners;
    size_t count;
    uint16_t owner_of[SLOT_COUNT]; /* index into owners */
};

void restore_history_free(struct restore_history *h)
{
    if (h == NULL)
        return;
    free(h->owners);
    free(h);
}

static bool read_owner(struct cluster *c, struct owner *o, struct error *err)
{
    const struct reply *r;
    struct str text;
    struct info info;

    struct conn *conn = cluster_node_conn(c, o->id, err);

    if (conn == NULL || !conn_call(conn, COMMAND(STR("INFO")), 0, &r, err) ||
        !reply_want_string(r, "INFO", &text, err))
        return false;
    info_parse(&info, text);
    (void)str_copy(info.replid, o->history, sizeof(o->history));
    (void)str_copy(info.run_id, o->run, sizeof(o->run));
    o->evicted = info.evicted_keys;
    return true;
}

static void map_slots(struct restore_history *h, const struct cluster *c)
{
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++) {
        const struct cluster_node *owner = cluster_owner(c, slot);

        h->owner_of[slot] = NO_OWNER;
        for (size_t i = 0; owner != NULL && i < h->count; i++)
            if (strcmp(h->owners[i].id, owner->id) == 0)
                h->owner_of[slot] = (uint16_t)i;
    }
}

static bool take_once(struct cluster *c, struct restore_history **out, struct error *err)
{
    struct restore_history *h = mem_zero(1, sizeof(*h));
    const struct cluster_node *nodes;
    size_t count;
    bool ok = cluster_refresh(c, err);

    count = cluster_nodes(c, &nodes);
    h->owners = mem_zero(count, sizeof(*h->owners));
    for (size_t i = 0; i < count && ok; i++)
        if (nodes[i].role == NODE_ROLE_PRIMARY && nodes[i].slots > 0)
            (void)str_copy(str_from(nodes[i].id), h->owners[h->count++].id, sizeof(h->owners->id));
    map_slots(h, c);
    for (size_t i = 0; i < h->count && ok; i++)
        ok = read_owner(c, &h->owners[i], err);
    if (!ok) {
        restore_history_free(h);
        return false;
    }
    *out = h;
    return true;
}

bool restore_history_take(struct cluster *c, const struct redis_options *target,
                          struct restore_history **out, struct error *err)
{
    struct backoff wait;

    backoff_init(&wait,
                 target->outage_timeout_ms > 0 ? target->outage_timeout_ms : RESTORE_OUTAGE_MS);
    for (;;) {
        struct error why = {0};

        if (take_once(c, out, &why))
            return true;
        if (why.code == ERROR_AUTH || why.code == ERROR_CANCELLED) {
            *err = why;
            return false;
        }
        if (!backoff_wait(&wait, &target->cancel, &why, err))
            return false;
    }
}

static bool is_same(const struct owner *a, const struct owner *b)
{
    return strcmp(a->id, b->id) == 0 && strcmp(a->history, b->history) == 0 &&
           strcmp(a->run, b->run) == 0;
}

bool restore_history_differs(const struct restore_history *before,
                             const struct restore_history *now, struct slot_set *slots)
{
    bool any = false;

    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t a = before->owner_of[slot];
        uint16_t b = now->owner_of[slot];

        if (a == NO_OWNER && b == NO_OWNER)
            continue;
        if (a != NO_OWNER && b != NO_OWNER && is_same(&before->owners[a], &now->owners[b]))
            continue;
        slot_set_add(slots, slot);
        any = true;
    }
    return any;
}

bool restore_history_evicted(const struct restore_history *before,
                             const struct restore_history *now, struct slot_set *slots)
{
    bool any = false;

    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t a = before->owner_of[slot];
        uint16_t b = now->owner_of[slot];

        if (a == NO_OWNER || b == NO_OWNER || !is_same(&before->owners[a], &now->owners[b]) ||
            before->owners[a].evicted < 0 || now->owners[b].evicted <= before->owners[a].evicted)
            continue;
        slot_set_add(slots, slot);
        any = true;
    }
    return any;
}

/* A counter that fell was reset: what it had counted by then is not known. */
static void add_evicted(const struct owner *before, struct owner *now, struct restore_evicted *sum)
{
    bool told = before->evicted >= 0 && now->evicted >= before->evicted;

    if (told)
        sum->keys += now->evicted - before->evicted;
    else if (!before->untold)
        sum->untold++;
    now->untold = before->untold || !told;
}

void restore_history_add_evicted(const struct restore_history *before, struct restore_history *now,
                                 struct restore_evicted *sum)
{
    for (size_t i = 0; i < before->count; i++)
        for (size_t k = 0; k < now->count; k++)
            if (is_same(&before->owners[i], &now->owners[k]))
                add_evicted(&before->owners[i], &now->owners[k], sum);
}

/* ---- in the journal --------------------------------------------------------------------------
 */

static void push_doc(json_t *list, const struct owner *o, const struct slot_set *slots)
{
    struct error ignored = {0};
    json_t *doc = json_object();
    struct buf text;

    buf_init(&text, (size_t)RANGES_IN_DOC * 12);
    if (!slot_set_format(slots, 0, &text, &ignored)) /* there is room */
        buf_clear(&text);
    json_put_text(doc, "node", o->id);
    json_put_text(doc, "history", o->history);
    json_put_text(doc, "server_run", o->run);
    json_put_int(doc, "evicted", o->evicted);
    json_put_str(doc, "slots", buf_str(&text));
    json_push(list, doc);
    buf_release(&text);
}

static void push_owner(json_t *list, const struct restore_history *h, size_t owner)
{
    struct slot_set all = {0};
    struct slot_set some = {0};
    uint32_t at = 0;
    uint32_t ranges = 0;
    uint16_t first;
    uint16_t last;

    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++)
        if (h->owner_of[slot] == owner)
            slot_set_add(&all, slot);
    while (slot_set_next_range(&all, &at, &first, &last)) {
        slot_set_add_range(&some, first, last);
        if (++ranges < RANGES_IN_DOC)
            continue;
        push_doc(list, &h->owners[owner], &some);
        some = (struct slot_set){0};
        ranges = 0;
    }
    if (ranges > 0)
        push_doc(list, &h->owners[owner], &some);
}

json_t *restore_history_docs(const struct restore_history *h)
{
    json_t *list = json_array();

    for (size_t i = 0; i < h->count; i++)
        push_owner(list, h, i);
    return list;
}

struct restore_history *restore_history_new(void)
{
    struct restore_history *h = mem_zero(1, sizeof(*h));

    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++)
        h->owner_of[slot] = NO_OWNER;
    return h;
}

bool restore_history_add(struct restore_history *h, const json_t *doc, struct error *err)
{
    const char *id = json_text(doc, "node", NULL);
    struct slot_set slots = {0};
    struct owner o = {.evicted = json_int(doc, "evicted", -1)};

    if (id == NULL || h->count >= SLOT_COUNT || !str_copy(str_from(id), o.id, sizeof(o.id)) ||
        !str_copy(str_from(json_text(doc, "history", "")), o.history, sizeof(o.history)) ||
        !str_copy(str_from(json_text(doc, "server_run", "")), o.run, sizeof(o.run)) ||
        !slot_set_parse(&slots, str_from(json_text(doc, "slots", "")), err))
        return error_set(err, ERROR_CORRUPT, 0, "the journal's note of a node is damaged");
    h->owners = mem_resize(h->owners, h->count + 1, sizeof(*h->owners));
    h->owners[h->count] = o;
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++)
        if (slot_set_has(&slots, slot))
            h->owner_of[slot] = (uint16_t)h->count;
    h->count++;
    return true;
}
