#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/snapshot/snapshot_private.h"
#include "core/value/stream_read.h"

#define MEMORY_LEAST ((size_t)1 << 20)
#define SAMPLE_SPARE 1000

static size_t share(size_t memory, size_t workers)
{
    size_t mine = memory / (workers > 0 ? workers : 1);

    return mine < MEMORY_LEAST ? MEMORY_LEAST : mine;
}

/* Names spread evenly over the nodes, so four times the fair share is plenty; were it not, the
 * sample would be smaller, never wrong. */
static size_t sample_of(const struct snapshot_run *run, size_t workers)
{
    size_t wanted = run->o->sample;
    size_t fair = wanted / (workers > 0 ? workers : 1) * 4 + SAMPLE_SPARE;

    return wanted == 0 ? 0 : fair < wanted + 1 ? fair : wanted + 1;
}

static void *open_pass(void *ctx, const struct sink_pass *pass)
{
    struct snapshot_run *run = ctx;
    struct snapshot_pass *p = mem_zero(1, sizeof(*p));

    p->run = run;
    p->pass = *pass;
    (void)str_copy(str_from(pass->node), p->node, sizeof(p->node));
    (void)str_copy(str_from(pass->node_id), p->node_id, sizeof(p->node_id));
    p->spool_memory = share(run->memory / 4, pass->workers);
    p->digest = key_digest_new(run->dir, share(run->memory / 8, pass->workers));
    snapshot_tables_init(&p->tables, sample_of(run, pass->workers));
    pthread_mutex_lock(&run->mutex);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    ARRAY_PUSH(run->passes, run->pass_count, run->pass_cap) = p;
    pthread_mutex_unlock(&run->mutex);
    return p;
}

void snapshot_pass_free(struct snapshot_pass *p)
{
    snapshot_tables_release(&p->tables);
    key_digest_free(p->digest);
    key_spool_free(p->spool);
    arena_release(&p->scratch);
    free(p);
}

/* ---- one key ----------------------------------------------------------------------------------
 */

static void begin(struct snapshot_pass *p, const struct record_head *head)
{
    p->facts = (struct key_facts){.key = head->key,
                                  .db = head->db,
                                  .slot = record_slot(head),
                                  .type = head->type,
                                  .type_name = head->type_name,
                                  .deadline = head->expire_at_millis,
                                  .fuzzy = head->fuzzy};
    key_digest_start(p->digest, head);
}

static bool end(struct snapshot_pass *p, struct error *err)
{
    struct key_facts *k = &p->facts;

    if (!key_digest_end(p->digest, &k->content, &k->bytes, err))
        return false;
    k->bytes += k->key.len;
    k->hyperloglog = key_digest_is_hyperloglog(p->digest);
    return true;
}

static bool count(struct snapshot_pass *p, struct error *err)
{
    if (p->run->o->keys_path == NULL && !fingerprints_is_full(p->pass.seen)) {
        snapshot_tables_add(&p->tables, &p->facts);
        return true;
    }
    if (p->spool == NULL)
        p->spool = key_spool_new(p->run->dir, p->spool_memory);
    return key_spool_add(p->spool, &p->facts, err);
}

/* ---- replies ----------------------------------------------------------------------------------
 */

static bool bad(struct error *err, const char *what)
{
    return error_set(err, ERROR_REPLY, 0, "%s", what);
}

static bool add_member(struct snapshot_pass *p, const struct reply *e, struct error *err)
{
    double score;

    return str_to_double(e[1].str, &score) ? key_digest_member(p->digest, e[0].str, score, err)
                                           : bad(err, "a score is no number");
}

static bool add_items(struct snapshot_pass *p, const struct reply *list, const int64_t *deadlines,
                      struct error *err)
{
    enum record_type type = p->facts.type;
    size_t width = type == RECORD_HASH || type == RECORD_ZSET ? 2 : 1;
    const struct reply *e = list->elements;
    bool ok = true;

    if (list->type != REPLY_ARRAY || list->count % width != 0)
        return bad(err, "the server's answer is no list of elements");
    for (size_t i = 0; ok && i < list->count; i += width) {
        if (e[i].type != REPLY_STRING || e[i + width - 1].type != REPLY_STRING)
            return bad(err, "an element is not a string");
        if (type == RECORD_HASH)
            ok = key_digest_field(p->digest, e[i].str, e[i + 1].str,
                                  deadlines != NULL ? deadlines[i / 2] : RECORD_NO_TIME, err);
        else if (type == RECORD_ZSET)
            ok = add_member(p, &e[i], err);
        else
            ok = key_digest_element(p->digest, e[i].str, err);
    }
    return ok;
}

static bool add_entries(struct snapshot_pass *p, const struct reply *list, struct error *err)
{
    if (list == NULL || list->type != REPLY_ARRAY)
        return bad(err, "the server's answer about a stream lacks entries");
    for (size_t i = 0; i < list->count; i++) {
        struct stream_id id;
        struct str *fields;
        size_t n;

        if (!stream_read_entry(&list->elements[i], &p->scratch, &id, &fields, &n, err))
            return false;
        key_digest_entry(p->digest, id, fields, n);
    }
    return true;
}

/* XINFO STREAM … FULL */
static bool add_stream(struct snapshot_pass *p, const struct reply *r, struct error *err)
{
    struct stream_state state;
    struct stream_group *groups;
    size_t n;

    if (r->type != REPLY_ARRAY)
        return bad(err, "the server's answer is not about a stream");
    if (!add_entries(p, reply_member(r, "entries"), err) || !stream_read_state(r, &state, err) ||
        !stream_read_groups(reply_member(r, "groups"), &p->scratch, &groups, &n, err))
        return false;
    key_digest_state(p->digest, &state);
    for (size_t i = 0; i < n; i++)
        key_digest_group(p->digest, &groups[i]);
    return true;
}

static bool add_reply(struct snapshot_pass *p, const struct reply *r, struct error *err)
{
    enum record_type type = p->facts.type;

    if (type != RECORD_STRING && type != RECORD_OPAQUE)
        return type == RECORD_STREAM ? add_stream(p, r, err) : add_items(p, r, NULL, err);
    if (r->type != REPLY_STRING)
        return bad(err, "the server's answer is not a string");
    if (type == RECORD_STRING)
        return key_digest_bytes(p->digest, r->str, err);
    key_digest_dump(p->digest, r->str);
    return true;
}

/* ---- the sink ---------------------------------------------------------------------------------
 */

static enum value_outcome take(void *worker, const struct record_head *head, const struct reply *r,
                               struct error *err)
{
    struct snapshot_pass *p = worker;
    bool ok;

    if (value_is_gone(head->type, r))
        return VALUE_GONE;
    begin(p, head);
    ok = add_reply(p, r, err) && end(p, err);
    if (p->scratch.total > 0)
        arena_clear(&p->scratch);
    return ok ? VALUE_WRITTEN : err->code == ERROR_LIMIT ? VALUE_TOO_LARGE : VALUE_BAD;
}

static bool keep(void *worker, struct error *err)
{
    return count(worker, err);
}

static void drop(void *worker)
{
    (void)worker; /* the next key begins anew */
}

static bool add_piece(struct snapshot_pass *p, const struct sink_piece *piece, struct error *err)
{
    bool ok = true;

    if (piece->head->chunk_seq == 0)
        begin(p, piece->head);
    if (piece->head->type == RECORD_STRING)
        ok = key_digest_bytes(p->digest, piece->bytes, err);
    else if (piece->items != NULL)
        ok = add_items(p, piece->items, piece->deadline_count > 0 ? piece->deadlines : NULL, err);
    else if (piece->group != NULL)
        key_digest_group(p->digest, piece->group);
    else if (piece->entries != NULL)
        ok = add_entries(p, piece->entries, err);
    else if (piece->state != NULL)
        key_digest_state(p->digest, piece->state);
    if (p->scratch.total > 0)
        arena_clear(&p->scratch);
    return ok && (!piece->head->chunk_last || end(p, err));
}

static enum sink_result take_piece(void *worker, const struct sink_piece *piece, struct error *err)
{
    struct snapshot_pass *p = worker;

    if (!add_piece(p, piece, err))
        return err->code == ERROR_STORAGE ? SINK_FAILED : SINK_BAD;
    return !piece->head->chunk_last || count(p, err) ? SINK_OK : SINK_FAILED;
}

static bool close_pass(void *worker, bool whole, struct error *err)
{
    struct snapshot_pass *p = worker;
    size_t keep_bytes = whole && p->pass.generation == 0 ? p->spool_memory : 0;

    key_digest_free(p->digest);
    p->digest = NULL;
    return p->spool == NULL || key_spool_sort(p->spool, keep_bytes, err);
}

static void counts(void *ctx, void *worker, const struct slot_set *slots)
{
    struct snapshot_run *run = ctx;

    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        if (!run->by_slot || slot_set_has(slots, (uint16_t)slot))
            run->counting[slot] = worker;
}

/* Passes are needed until the sums are added up. */
static void free_nothing(void *ctx, void *worker)
{
    (void)ctx;
    (void)worker;
}

const struct sink_ops snapshot_sink_ops = {
    .stage = "snapshot",
    .open = open_pass,
    .take = take,
    .keep = keep,
    .drop = drop,
    .piece = take_piece,
    .close = close_pass,
    .counts = counts,
    .free = free_nothing,
};
