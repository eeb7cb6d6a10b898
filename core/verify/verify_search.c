#include "core/verify/verify_search.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"

#define CLOCK_SLACK_MS 1000 /* deadlines are known by a TTL and two clocks */

/* ---- one node, through outages ----------------------------------------------------------------
 */

/* Down, and another node has its slots: there is nothing on it to wait for. */
static bool is_left_behind(const struct cluster_node *n)
{
    return n->role == NODE_ROLE_PRIMARY && n->failing && n->slots == 0;
}

static bool is_worth_waiting(const struct verify_look *x, const char *id)
{
    const struct cluster_node *nodes;
    size_t count = cluster_nodes(x->cluster, &nodes);

    for (size_t i = 0; i < count; i++)
        if (strcmp(nodes[i].id, id) == 0)
            return !is_left_behind(&nodes[i]);
    return true;
}

static void note_left_behind(const struct verify_look *x)
{
    const struct cluster_node *nodes;
    size_t count = cluster_nodes(x->cluster, &nodes);
    char addr[ADDRESS_TEXT_MAX];

    for (size_t i = 0; i < count; i++)
        if (is_left_behind(&nodes[i]))
            task_note(x->s->task, TASK_WARN,
                      "%s is down and owns no slots: whether keys lie on it was not looked at",
                      address_text(addr, sizeof(addr), &nodes[i].address));
}

bool verify_on_node(struct verify_look *x, const char *id, verify_step step, struct error *err)
{
    struct backoff wait;

    backoff_init(&wait, verify_outage_ms(x->s));
    while (is_worth_waiting(x, id)) {
        struct error why = {0};
        struct error ignored = {0};
        struct conn *conn = cluster_new_conn(x->cluster, id, false, &why);
        bool ok;
        bool passes;

        if (conn == NULL)
            return true; /* not a node any more: the map has changed, and that is noticed */
        ok = conn_open(conn, &why) && step(x, conn, &why);
        passes = !ok && why.code != ERROR_CANCELLED && verify_passes(conn, &why);
        conn_free(conn);
        if (ok)
            return true;
        if (!passes) {
            *err = why;
            return false;
        }
        if (!task_checkpoint(x->s->task, err) ||
            !backoff_wait(&wait, &x->s->target->cancel, &why, err))
            return false;
        /* Where this fails the next attempt fails too, until the budget is used up. */
        if (!cluster_refresh(x->cluster, &ignored))
            continue;
    }
    return true;
}

/* ---- what is compared -------------------------------------------------------------------------
 */

static bool slot_is_ours(const struct verify_look *x, uint16_t slot)
{
    const struct verify_options *o = x->s->options;

    return (o->extent != VERIFY_SUBSET || slot % o->subsets == o->subset - 1) &&
           (!o->filter.by_slot || slot_set_has(&o->filter.slots, slot)) &&
           (!x->backed_up.by_slot || slot_set_has(&x->backed_up.slots, slot));
}

bool verify_is_ours(const struct verify_look *x, struct str key)
{
    uint16_t slot = slot_of_key(key);

    return slot_is_ours(x, slot) && filter_takes_key(&x->s->options->filter, key, slot) &&
           filter_takes_key(&x->backed_up, key, slot);
}

static bool read_filter(struct verify_look *x, struct error *err)
{
    const struct manifest_options *m = &source_manifest(x->s->source)->options;

    x->backed_up.match = m->match;
    x->backed_up.match_count = m->match_count;
    x->backed_up.types = m->types;
    x->backed_up.type_count = m->type_count;
    return m->slots == NULL || m->slots[0] == '\0' ||
           filter_set_slots(&x->backed_up, m->slots, err);
}

/* Keys of the backup that were there. */
static uint64_t found_in(const struct verify_shared *s, uint16_t slot)
{
    const uint32_t *v = s->slots[slot].verdicts;

    return (uint64_t)v[VERIFY_SAME] + v[VERIFY_DIFFERS] + v[VERIFY_TTL];
}

/* A key that was there and may have died before it was counted: another one may stand in for it. */
static bool may_have_lost(const struct verify_shared *s, uint16_t slot, int64_t now_ms)
{
    int64_t death = s->slots[slot].next_death;

    return death != 0 && death <= now_ms + CLOCK_SLACK_MS;
}

/* Slots in which there may be keys that the forward pass did not see. */
static void choose_slots(struct verify_look *x, bool counts_tell)
{
    const struct verify_shared *s = x->s;
    int64_t now_ms = clock_real_ms() + s->clock_ahead_ms;

    x->wanted = (struct slot_set){{0}};
    for (uint32_t i = 0; i < SLOT_COUNT; i++) {
        uint16_t slot = (uint16_t)i;

        if (slot_is_ours(x, slot) &&
            (!counts_tell || slot_set_has(&s->repeated, slot) || may_have_lost(s, slot, now_ms) ||
             x->live[slot] != found_in(s, slot) || x->live[slot] != s->before[slot]))
            slot_set_add(&x->wanted, slot);
    }
    /* A slot that is on its way has keys on both nodes. */
    for (size_t i = 0; i < x->foreign_count; i++)
        if (x->foreign[i].importing && slot_is_ours(x, x->foreign[i].slot))
            slot_set_add(&x->wanted, x->foreign[i].slot);
}

static bool may_not_count(const struct error *why)
{
    return why->detail == REPLY_ERROR_NOPERM || why->detail == REPLY_ERROR_UNKNOWN_COMMAND;
}

/* Who may not count still gets an answer, by names alone. */
static bool count(struct verify_look *x, bool *counted, struct error *err)
{
    *counted = verify_count(x, err);
    if (*counted && x->s->cluster)
        note_left_behind(x);
    if (*counted && x->restless)
        task_note(x->s->task, TASK_WARN, "slots keep moving: where keys lie was not looked at");
    if (*counted || !may_not_count(err))
        return *counted;
    task_note(x->s->task, TASK_WARN, "where keys lie was not looked at: %s", err->text);
    *err = (struct error){0};
    x->foreign_count = 0;
    return true;
}

static bool look_for_extra(struct verify_look *x, bool counted, struct error *err)
{
    struct verify_report *r = x->s->report;
    bool counts_tell = counted && x->s->before != NULL;

    task_stage(x->s->task, "extra");
    choose_slots(x, counts_tell);
    r->search = counts_tell ? VERIFY_SEARCH_COUNTS : VERIFY_SEARCH_SCAN;
    r->slots_counted = counts_tell ? SLOT_COUNT : 0;
    r->slots_listed = slot_set_count(&x->wanted);
    return r->slots_listed == 0 || verify_list_extra(x, counts_tell, err);
}

static struct verify_look *new_look(struct verify_shared *s, struct cluster *c)
{
    struct verify_look *x = mem_zero(1, sizeof(*x));

    x->s = s;
    x->cluster = c;
    verify_extra_init(x);
    return x;
}

static void free_look(struct verify_look *x)
{
    verify_extra_release(x);
    free(x->primaries);
    free(x->foreign);
    free(x);
}

bool verify_count_before(struct verify_shared *s, struct cluster *c, struct error *err)
{
    struct verify_look *x = new_look(s, c);
    bool ok = verify_list_databases(c, x->databases, &x->database_count, err);
    bool counted = ok && verify_count(x, err);

    if (ok && !counted) {
        ok = may_not_count(err); /* said by the search */
        if (ok)
            *err = (struct error){0};
    }
    if (counted && !x->restless) {
        s->before = mem_zero(SLOT_COUNT, sizeof(*s->before));
        memcpy(s->before, x->live, SLOT_COUNT * sizeof(*s->before));
    }
    free_look(x);
    return ok;
}

bool verify_search(struct verify_shared *s, struct cluster *c, struct error *err)
{
    struct verify_look *x;
    bool counted = false;
    bool ok;

    if (!s->cluster && !s->options->extra)
        return true;
    x = new_look(s, c);
    ok = read_filter(x, err) && verify_list_databases(c, x->databases, &x->database_count, err) &&
         count(x, &counted, err);
    s->report->placement = ok && s->cluster && counted && !x->restless;
    ok =
        ok && verify_list_strays(x, err) && (!s->options->extra || look_for_extra(x, counted, err));
    free_look(x);
    return ok;
}
