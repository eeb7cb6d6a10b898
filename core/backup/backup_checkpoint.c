#include <stdio.h>

#include "core/backup/backup_private.h"
#include "core/base/clock.h"
#include "core/base/format.h"
#include "core/base/hex.h"
#include "core/base/json.h"
#include "core/codec/digest.h"

static json_t *slots_json(const struct slot_set *slots)
{
    struct error ignored = {0};
    struct buf text;
    json_t *out;

    buf_init(&text, (size_t)SLOT_COUNT * 12);
    if (!slot_set_format(slots, 0, &text, &ignored))
        buf_clear(&text);
    out = json_stringn(text.data, text.len);
    buf_release(&text);
    return out;
}

bool backup_mark_run(struct backup *b, struct error *err)
{
    json_t *doc = json_object();
    json_t *identity = json_array();
    char now[FORMAT_MAX];

    json_put_text(doc, "backup_id", b->o->archive.id);
    json_put_text(doc, "time", format_rfc3339_ms(now, sizeof(now), clock_real_ms()));
    json_put_int(doc, "started_ms", b->started_ms);
    for (size_t i = 0; i < b->o->identity_count; i++)
        json_push(identity, json_string(b->o->identity[i]));
    json_put(doc, "cluster", identity);
    return checkpoint_add(b->checkpoint, "run", doc, err) && checkpoint_sync(b->checkpoint, err);
}

bool backup_mark_pass(struct shard *s, struct error *err)
{
    json_t *doc = json_object();

    json_put_int(doc, "pass", s->pass);
    json_put_int(doc, "generation", s->generation);
    json_put_text(doc, "node", s->node_id);
    json_put_text(doc, "name", s->name);
    json_put_flag(doc, "replica", s->source.replica);
    json_put_text(doc, "run_id", s->view.run_id);
    json_put_int(doc, "epoch", (int64_t)s->view.epoch);
    json_put_text(doc, "version", s->capability.version);
    json_put_int(doc, "flavour", s->capability.flavour);
    json_put(doc, "want", slots_json(&s->want));
    return checkpoint_add(s->b->checkpoint, "pass", doc, err);
}

static json_t *tally_json(const struct tally *t, const struct slot_set *slots)
{
    json_t *list = json_array();

    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        const struct tally_slot *s = &t->slots[slot];
        json_t *row;

        if (!slot_set_has(slots, (uint16_t)slot) ||
            tally_slot_keys(s) + s->vanished + s->unreadable + s->too_large == 0)
            continue;
        row = json_array();
        json_push(row, json_integer((json_int_t)slot));
        for (size_t i = 0; i < RECORD_TYPES; i++)
            json_push(row, json_integer(s->types[i]));
        json_push(row, json_integer(s->with_ttl));
        json_push(row, json_integer(s->hyperloglog));
        json_push(row, json_integer(s->fuzzy));
        json_push(row, json_integer(s->vanished));
        json_push(row, json_integer(s->unreadable));
        json_push(row, json_integer(s->too_large));
        json_push(list, row);
    }
    return list;
}

bool backup_mark_slots(struct backup *b, uint32_t pass, uint32_t after,
                       const struct slot_set *slots, const struct tally *tally)
{
    struct error err = {0};
    json_t *doc = json_object();

    json_put_int(doc, "pass", pass);
    json_put_int(doc, "after", after);
    json_put(doc, "slots", slots_json(slots));
    json_put(doc, "tally", tally_json(tally, slots));
    return checkpoint_add(b->checkpoint, "mark", doc, &err) || backup_checkpoint_lost(b, &err);
}

/* What the checkpoint lacks would be read again: no reason to end a backup that goes well. */
bool backup_checkpoint_lost(struct backup *b, const struct error *why)
{
    if (!atomic_exchange(&b->checkpoint_lost, true))
        task_note(b->task, TASK_WARN, "a resumed run would read more than it had to: %s",
                  why->text);
    return true;
}

bool backup_mark_dirty(struct backup *b, const struct slot_set *slots)
{
    struct error err = {0};
    json_t *doc;

    if (slot_set_count(slots) == 0 || !checkpoint_is_kept(b->checkpoint))
        return true;
    doc = json_object();
    json_put(doc, "slots", slots_json(slots));
    /* Here a lost line would make a resumed run keep what does not count. */
    return (checkpoint_add(b->checkpoint, "dirty", doc, &err) &&
            checkpoint_sync(b->checkpoint, &err)) ||
           !backup_checkpoint_lost(b, &err);
}

bool backup_mark_part(void *backup, const struct part *part, struct error *err)
{
    struct backup *b = backup;
    const struct manifest_part *i = &part->info;
    char digest[SHA256_TEXT];
    json_t *doc;

    (void)err;
    if (!checkpoint_is_kept(b->checkpoint))
        return true;
    doc = json_object();
    json_put_int(doc, "pass", part->pass);
    json_put_int(doc, "seq", part->seq);
    json_put_int(doc, "number", (int64_t)part->number);
    json_put_flag(doc, "functions", part->functions);
    json_put_int(doc, "generation", i->generation);
    json_put_text(doc, "shard", part->shard);
    json_put_flag(doc, "continues", i->continues);
    json_put_int(doc, "keys", (int64_t)i->keys);
    json_put_int(doc, "bytes", (int64_t)i->bytes);
    json_put_text(doc, "sha256", hex_encode(digest, i->sha256, sizeof(i->sha256)));
    json_put_int(doc, "offset", (int64_t)i->offset);
    json_put_int(doc, "length", (int64_t)i->length);
    if (!checkpoint_add(b->checkpoint, "part", doc, err))
        return backup_checkpoint_lost(b, err);
    return true;
}

void backup_mark_drop(struct backup *b, uint64_t number, bool functions, const char *why)
{
    struct error err = {0};
    json_t *doc = json_object();

    json_put_int(doc, "number", (int64_t)number);
    json_put_flag(doc, "functions", functions);
    json_put_text(doc, "why", why);
    if (!checkpoint_add(b->checkpoint, "drop", doc, &err))
        (void)backup_checkpoint_lost(b, &err);
}

void backup_mark_note(struct backup *b, const char *kind, const char *text)
{
    struct error err = {0};
    json_t *doc;

    if (!checkpoint_is_kept(b->checkpoint))
        return;
    doc = json_object();
    json_put_text(doc, "kind", kind);
    json_put_text(doc, "text", text);
    if (!checkpoint_add(b->checkpoint, "note", doc, &err))
        (void)backup_checkpoint_lost(b, &err);
}

bool backup_mark_local(struct backup *b, struct error *err)
{
    return checkpoint_add(b->checkpoint, "local", json_object(), err) &&
           checkpoint_sync(b->checkpoint, err);
}
