#include <stdlib.h>
#include <string.h>

#include "core/backup/backup_private.h"
#include "core/base/alloc.h"
#include "core/value/stream_read.h"

/* One pass of one node: its records become lines of parts for the archive. */
struct parts {
    struct backup *b;
    struct sink_pass pass;
    struct part *part; /* being filled; never full */
    uint32_t seq;      /* parts handed over */
    size_t start;      /* of the newest line */
    struct arena scratch;
};

static void *open_parts(void *ctx, const struct sink_pass *pass)
{
    struct parts *p = mem_zero(1, sizeof(*p));

    p->b = ctx;
    p->pass = *pass;
    return p;
}

static struct buf *room(struct parts *p)
{
    if (p->part == NULL)
        p->part = part_new(p->pass.node, p->pass.generation,
                           (size_t)p->b->chunk_bytes + RECORD_LINE_MAX + ((size_t)16 << 20));
    return &p->part->text;
}

static bool hand_over(struct parts *p, struct error *err)
{
    struct part *part = p->part;

    p->part = NULL;
    if (part == NULL)
        return true;
    part->pass = p->pass.number;
    part->seq = ++p->seq;
    return archiver_add(p->b->archive, part, err);
}

/* `ended`: a key ended in this line, else its run goes on. */
static bool line_done(struct parts *p, bool ended, struct error *err)
{
    if (ended)
        p->part->info.keys++;
    if (!part_is_full(p->part, p->b->chunk_keys, p->b->chunk_bytes))
        return true;
    if (!hand_over(p, err))
        return false;
    if (!ended) {
        (void)room(p);
        p->part->info.continues = true;
    }
    return true;
}

/* ---- small keys -------------------------------------------------------------------------------
 */

static enum value_outcome take(void *worker, const struct record_head *head, const struct reply *r,
                               struct error *err)
{
    struct parts *p = worker;
    struct buf *out = room(p);

    p->start = out->len;
    return value_write(out, head, r, &p->scratch, err);
}

static bool keep(void *worker, struct error *err)
{
    return line_done(worker, true, err);
}

static void drop(void *worker)
{
    struct parts *p = worker;
    struct buf *out = room(p);

    out->len = p->start;
    out->data[out->len] = '\0';
}

/* ---- pieces of large ones ----------------------------------------------------------------------
 */

static bool entries_are_text(const struct reply *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct reply *e = &list->elements[i];

        for (size_t f = 0; e->type == REPLY_ARRAY && e->count == 2 && f < e->elements[1].count; f++)
            if (!str_is_text(e->elements[1].elements[f].str))
                return false;
    }
    return true;
}

static bool is_binary(const struct sink_piece *piece)
{
    size_t look = piece->head->type == RECORD_ZSET ? 2 : 1; /* scores are no data */

    if (piece->entries != NULL)
        return !entries_are_text(piece->entries);
    for (size_t i = 0; piece->items != NULL && i < piece->items->count; i += look)
        if (!str_is_text(piece->items->elements[i].str))
            return true;
    return !str_is_text(piece->bytes);
}

static bool put_items(struct record_writer *w, const struct reply *list, struct error *err)
{
    bool pairs = w->head.type == RECORD_HASH || w->head.type == RECORD_ZSET;
    const struct reply *e = list->elements;

    for (size_t i = 0; i + (pairs ? 1 : 0) < list->count; i += pairs ? 2 : 1)
        if (!record_put_element(w, e[i].str, pairs ? e[i + 1].str : STR(""), err))
            return false;
    return true;
}

static bool put_entries(struct parts *p, struct record_writer *w, const struct reply *list,
                        struct error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < list->count; i++) {
        struct stream_id id;
        struct str *fields;
        size_t n;

        ok = stream_read_entry(&list->elements[i], &p->scratch, &id, &fields, &n, err) &&
             record_put_entry(w, id, fields, n, err);
    }
    arena_clear(&p->scratch);
    return ok;
}

static bool put_piece(struct parts *p, const struct sink_piece *piece, struct error *err)
{
    struct record_writer w;
    bool ok = true;

    if (!record_begin(&w, room(p), piece->head, is_binary(piece), err))
        return false;
    if (piece->head->type == RECORD_STRING)
        ok = record_put_string(&w, piece->bytes, err);
    else if (piece->items != NULL)
        ok = put_items(&w, piece->items, err);
    else if (piece->group != NULL)
        ok = record_put_groups(&w, piece->group, 1, err);
    else if (piece->entries != NULL)
        ok = put_entries(p, &w, piece->entries, err);
    else if (piece->state != NULL)
        ok = record_put_state(&w, piece->state, err);
    return ok && record_end(&w, piece->deadline_count > 0 ? piece->fields : NULL,
                            piece->deadline_count > 0 ? piece->deadlines : NULL,
                            piece->deadline_count, err);
}

static enum sink_result take_piece(void *worker, const struct sink_piece *piece, struct error *err)
{
    struct parts *p = worker;

    p->start = room(p)->len;
    if (!put_piece(p, piece, err)) {
        drop(p);
        return SINK_BAD;
    }
    return line_done(p, piece->head->chunk_last, err) ? SINK_OK : SINK_FAILED;
}

/* ---- end --------------------------------------------------------------------------------------
 */

/* The part that is being filled is the last one that these slots need. */
static bool settle(void *worker, const struct slot_set *slots, const struct tally *tally,
                   bool flush, struct error *err)
{
    struct parts *p = worker;

    if (!p->pass.by_slot && p->pass.generation > 0) /* see close_parts */
        (void)room(p);
    if (slot_set_count(slots) > 0 && checkpoint_is_kept(p->b->checkpoint))
        (void)backup_mark_slots(p->b, p->pass.number, p->seq + (p->part != NULL ? 1 : 0), slots,
                                tally);
    return !flush || hand_over(p, err);
}

static bool close_parts(void *worker, bool whole, struct error *err)
{
    struct parts *p = worker;

    /* Outside cluster mode a generation counts because a part has it: even an empty one. */
    if (whole && !p->pass.by_slot && p->pass.generation > 0)
        (void)room(p);
    return hand_over(p, err);
}

/* Readers of the archive go by the manifest. */
static void nothing_to_count(void *ctx, void *worker, const struct slot_set *slots)
{
    (void)ctx;
    (void)worker;
    (void)slots;
}

static void free_parts(void *ctx, void *worker)
{
    struct parts *p = worker;

    (void)ctx;
    if (p == NULL)
        return;
    part_free(p->part);
    arena_release(&p->scratch);
    free(p);
}

const struct sink_ops backup_parts_ops = {
    .stage = "backup",
    .open = open_parts,
    .take = take,
    .keep = keep,
    .drop = drop,
    .piece = take_piece,
    .settled = settle,
    .close = close_parts,
    .counts = nothing_to_count,
    .free = free_parts,
};
