#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/redis/command.h"
#include "core/verify/verify_search.h"

/*
 * Names of keys: those of the wanted slots that the backup lacks, and those that lie on a node
 * which does not own their slot. Fingerprints of the backup's names go into a set of bounded size;
 * a listed name that is new to the set is one (or was given by SCAN for the first of two times).
 * Where the set is too small, some slots are looked at after the others.
 */

#define MEMORY ((size_t)256 << 20)
#define SLOTS_AT_ONCE 64
#define MOVED_ROUNDS 3
#define NAMES_AT_ONCE 20000 /* expected in the replies of one pipeline */

/* ---- the backup's names -----------------------------------------------------------------------
 */

/* Is this key one of those that are looked at now? */
static bool is_now(const struct verify_look *x, struct str key)
{
    uint16_t slot = slot_of_key(key);

    return slot >= x->first_slot && slot < x->first_slot + x->slots &&
           slot_set_has(&x->wanted, slot) && verify_is_ours(x, key);
}

static bool load_group(struct verify_look *x, const struct part_group *group, struct error *err)
{
    struct record_stream *stream = record_stream_new(x->s->source, group, NULL);
    bool ok = true;

    while (ok && !fingerprints_is_full(x->names)) {
        const struct record *r = NULL;

        ok = task_checkpoint(x->s->task, err) && record_stream_next(stream, &r, err);
        if (!ok || r == NULL)
            break;
        if (record_head(r)->db == x->db && is_now(x, record_head(r)->key))
            (void)fingerprints_add(x->names, record_head(r)->key);
    }
    record_stream_free(stream);
    return ok;
}

/* The backup's names in the slots of now, which become fewer until there is room. */
static bool load_names(struct verify_look *x, struct error *err)
{
    for (;; x->slots /= 2) {
        fingerprints_clear(x->names);
        for (size_t i = 0; i < x->s->group_count; i++)
            if (!load_group(x, &x->s->groups[i], err))
                return false;
        if (!fingerprints_is_full(x->names))
            return true;
        if (x->slots == 1)
            return error_set(err, ERROR_LIMIT, 0, "slot %u has too many keys to look for others",
                             (unsigned)x->first_slot);
    }
}

/* ---- candidates -------------------------------------------------------------------------------
 */

static void settle_stray(struct verify_look *x, struct str key, struct str type)
{
    const struct verify_foreign *f = x->stray;
    const struct cluster_node *node = cluster_find(x->cluster, f->id);
    bool there = !str_is(type, "none");
    char address[ADDRESS_TEXT_MAX] = "a node that is gone";
    char detail[200];

    if (node != NULL)
        (void)address_text(address, sizeof(address), &node->announced);
    (void)snprintf(detail, sizeof(detail),
                   "a copy on %.100s, which does not own slot %u; the owner %s", address,
                   (unsigned)f->slot, there ? "has the key too" : "has no such key");
    verify_settle_other(x->s, key, there ? record_type_of(type) : RECORD_OPAQUE, VERIFY_MISPLACED,
                        detail);
}

static void settle_extra(struct verify_look *x, struct str key, struct str type)
{
    char detail[80] = "the backup has no such key";

    if (str_is(type, "none") || !filter_takes_type(&x->s->options->filter, type) ||
        !filter_takes_type(&x->backed_up, type) || !fingerprints_add(x->told, key))
        return;
    if (x->db != 0)
        (void)snprintf(detail, sizeof(detail), "the backup has no such key in database %u",
                       (unsigned)x->db);
    verify_settle_other(x->s, key, record_type_of(type), VERIFY_EXTRA, detail);
}

static void on_type(void *arg, const struct pipeline_reply *r)
{
    struct verify_look *x = arg;
    struct str key = x->candidates[r->tag];
    struct error why = {0};

    if (r->index != (x->db != 0 ? 1 : 0))
        return;
    if (!reply_check(r->reply, "TYPE", &why))
        x->failed = why;
    else if (x->stray != NULL)
        settle_stray(x, key, r->reply->str);
    else
        settle_extra(x, key, r->reply->str);
}

/* Ask the owners for the candidates' types: what has gone meanwhile, or is left on a former owner
 * only, drops out. */
static bool settle_page(struct verify_look *x, struct error *err)
{
    bool ok = true;

    for (size_t i = 0; i < x->count && ok; i++) {
        struct buf *out;
        size_t n = 1;

        if (pipeline_full(x->types))
            ok = pipeline_flush(x->types, err);
        if (!ok)
            break;
        out = pipeline_begin(x->types);
        ok = verify_append_select(out, x->db, x->db, &n, err) &&
             command_append(out, COMMAND(STR("TYPE"), x->candidates[i]), err) &&
             verify_append_select(out, x->db, 0, &n, err);
        pipeline_end(x->types, x->s->cluster ? slot_of_key(x->candidates[i]) : 0, n, i);
    }
    ok = ok && pipeline_flush(x->types, err);
    x->count = 0;
    arena_clear(&x->arena);
    if (ok && x->failed.code != ERROR_NONE) {
        *err = x->failed;
        return false;
    }
    return ok;
}

/* A set that became full tells no more whether SCAN gave a name before; it may be named twice. */
static void take_page(struct verify_look *x, const struct reply *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        struct str key = keys->elements[i].str;

        if (is_now(x, key) && fingerprints_add(x->names, key))
            ARRAY_PUSH(x->candidates, x->count, x->cap) = arena_str(&x->arena, key);
    }
}

/* ---- listing ----------------------------------------------------------------------------------
 */

static bool scan_node(struct verify_look *x, struct conn *conn, struct error *err)
{
    char cursor[32] = "0";

    if (x->db != 0 && !verify_select(conn, x->db, err))
        return false;
    do {
        const struct reply *r;

        if (!task_checkpoint(x->s->task, err) ||
            !conn_call(conn, COMMAND(STR("SCAN"), str_from(cursor), STR("COUNT"), STR("1000")), 0,
                       &r, err) ||
            !reply_want_array(r, "SCAN", err))
            return false;
        if (r->count != 2 || r->elements[1].type != REPLY_ARRAY ||
            !str_copy(r->elements[0].str, cursor, sizeof(cursor)))
            return error_set(err, ERROR_REPLY, 0, "SCAN answered something else");
        take_page(x, &r->elements[1]);
        if (!settle_page(x, err))
            return false;
    } while (strcmp(cursor, "0") != 0);
    return true;
}

static bool ask_slots(struct verify_look *x, struct conn *conn, const uint16_t *slots, size_t count,
                      struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct buf *out = conn_out(conn);

        if (!command_begin(out, 4, err) || !command_arg_text(out, "CLUSTER", err) ||
            !command_arg_text(out, "GETKEYSINSLOT", err) || !command_arg_u64(out, slots[i], err) ||
            !command_arg_u64(out, VERIFY_LISTED_MAX, err))
            return false;
    }
    if (!conn_appended(conn, count, 0, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct reply *r;

        if (!conn_next_reply(conn, &r, err) || !reply_want_array(r, "CLUSTER GETKEYSINSLOT", err))
            return false;
        x->overfull = x->overfull || r->count >= VERIFY_LISTED_MAX;
        take_page(x, r);
    }
    return settle_page(x, err);
}

/* Has the node at work keys of this slot that matter? */
static bool lies_here(const struct verify_look *x, uint16_t slot)
{
    if (x->owner[slot] == x->node)
        return true;
    for (size_t i = 0; i < x->foreign_count; i++)
        if (x->foreign[i].importing && x->foreign[i].slot == slot &&
            strcmp(x->foreign[i].id, x->primaries[x->node]) == 0)
            return true;
    return false;
}

static bool list_slots(struct verify_look *x, struct conn *conn, struct error *err)
{
    uint16_t slots[SLOTS_AT_ONCE];
    uint64_t names = 0;
    size_t count = 0;

    if (x->db != 0 && !verify_select(conn, x->db, err))
        return false;
    for (uint32_t slot = x->first_slot; slot < x->first_slot + x->slots; slot++) {
        if (!slot_set_has(&x->wanted, (uint16_t)slot) || !lies_here(x, (uint16_t)slot))
            continue;
        slots[count++] = (uint16_t)slot;
        names += x->live[slot];
        if (count < SLOTS_AT_ONCE && names < NAMES_AT_ONCE)
            continue;
        if (!task_checkpoint(x->s->task, err) || !ask_slots(x, conn, slots, count, err))
            return false;
        count = 0;
        names = 0;
    }
    return count == 0 || ask_slots(x, conn, slots, count, err);
}

/* Slots that hold more than one command may list are scanned with the whole node. */
static bool list_node(struct verify_look *x, struct conn *conn, struct error *err)
{
    if (!x->by_slot)
        return scan_node(x, conn, err);
    x->overfull = false;
    return list_slots(x, conn, err) && (!x->overfull || scan_node(x, conn, err));
}

static bool list_nodes(struct verify_look *x, struct error *err)
{
    for (x->node = 0; x->node < x->primary_count; x->node++)
        if (!verify_on_node(x, x->primaries[x->node], list_node, err) || !settle_page(x, err))
            return false;
    return true;
}

static bool list_databases(struct verify_look *x, struct error *err)
{
    for (size_t i = 0; i < x->database_count; i++) {
        x->db = x->databases[i];
        x->slots = SLOT_COUNT;
        fingerprints_clear(x->told);
        for (x->first_slot = 0; x->first_slot < SLOT_COUNT; x->first_slot += x->slots)
            if (!load_names(x, err) || !list_nodes(x, err))
                return false;
    }
    return true;
}

/* Slots that moved meanwhile are listed again where they are now. */
bool verify_list_extra(struct verify_look *x, bool by_slot, struct error *err)
{
    size_t all = x->s->options->max_memory != 0 ? x->s->options->max_memory : MEMORY;
    size_t memory = x->s->options->extra_memory != 0 ? x->s->options->extra_memory : all / 4;

    x->by_slot = by_slot && !x->restless;
    x->names = fingerprints_new(memory);
    x->told = fingerprints_new(all / 16);
    x->stray = NULL;
    for (unsigned round = 1;; round++) {
        struct slot_set moved;

        if (!list_databases(x, err) || !cluster_refresh(x->cluster, err))
            return false;
        verify_moved_slots(x, &moved);
        for (size_t i = 0; i < COUNT_OF(moved.bits); i++)
            x->wanted.bits[i] &= moved.bits[i];
        if (slot_set_count(&x->wanted) == 0)
            return true;
        if (round == MOVED_ROUNDS)
            break;
        verify_read_map(x);
    }
    task_note(x->s->task, TASK_WARN,
              "%u slots keep moving: they may hold more keys that the backup lacks",
              (unsigned)slot_set_count(&x->wanted));
    return true;
}

/* ---- keys on the wrong node -------------------------------------------------------------------
 */

static bool list_foreign(struct verify_look *x, struct conn *conn, struct error *err)
{
    const struct verify_foreign *f = x->stray;
    uint16_t slot = f->slot;
    struct slot_set importing;
    struct buf *out;
    const struct reply *r;
    bool primary;

    if (!verify_read_view(conn, &importing, &primary, err))
        return false;
    if (!primary)
        return true; /* demoted since it was counted: its copies belong there */
    if (f->db != 0 && !verify_select(conn, f->db, err))
        return false;
    out = conn_out(conn);
    if (!command_begin(out, 4, err) || !command_arg_text(out, "CLUSTER", err) ||
        !command_arg_text(out, "GETKEYSINSLOT", err) || !command_arg_u64(out, slot, err) ||
        !command_arg_u64(out, VERIFY_LISTED_MAX, err) || !conn_appended(conn, 1, 0, err) ||
        !conn_next_reply(conn, &r, err) || !reply_want_array(r, "CLUSTER GETKEYSINSLOT", err))
        return false;
    for (size_t i = 0; i < r->count; i++)
        if (verify_is_ours(x, r->elements[i].str))
            ARRAY_PUSH(x->candidates, x->count, x->cap) = arena_str(&x->arena, r->elements[i].str);
    return true;
}

bool verify_list_strays(struct verify_look *x, struct error *err)
{
    for (size_t i = 0; i < x->foreign_count; i++) {
        const struct verify_foreign *f = &x->foreign[i];

        if (f->importing)
            continue;
        x->stray = f;
        x->db = f->db;
        if (!task_checkpoint(x->s->task, err) || !verify_on_node(x, f->id, list_foreign, err) ||
            !settle_page(x, err))
            return false;
        if (f->count > VERIFY_LISTED_MAX)
            task_note(x->s->task, TASK_WARN,
                      "slot %u has %u keys on a node that does not own it: %d of them are named",
                      (unsigned)f->slot, (unsigned)f->count, VERIFY_LISTED_MAX);
    }
    x->stray = NULL;
    return true;
}

void verify_extra_init(struct verify_look *x)
{
    struct pipeline_handler handler = {on_type, x};

    x->types = pipeline_new(x->cluster, &handler, verify_outage_ms(x->s), &x->s->target->cancel);
}

void verify_extra_release(struct verify_look *x)
{
    pipeline_free(x->types);
    fingerprints_free(x->names);
    fingerprints_free(x->told);
    arena_release(&x->arena);
    free(x->candidates);
}
