#include "core/base/format.h"
#include "core/base/json.h"
#include "core/diff/diff_private.h"

/* The order of every table, and of members. */
static const enum diff_verdict order[] = {DIFF_SAME,  DIFF_DIFFERS, DIFF_TTL,   DIFF_REMOVED,
                                          DIFF_ADDED, DIFF_EXPIRED, DIFF_UNSURE};

static const char *const levels[] = {
    [DIFF_BY_KEY] = "keys", [DIFF_BY_SAMPLE] = "sample", [DIFF_BY_SLOT] = "slots"};

static void put_time(json_t *doc, const char *name, int64_t ms)
{
    char text[FORMAT_MAX];

    json_put_text(doc, name, ms > 0 ? format_rfc3339(text, sizeof(text), ms) : NULL);
}

static json_t *side_json(const struct diff_side *s)
{
    const struct manifest *m = s->source != NULL ? source_manifest(s->source) : NULL;
    json_t *doc = json_object();

    json_put_text(doc, "what", m != NULL ? "backup" : "snapshot");
    json_put_text(doc, "name", s->name);
    json_put_text(doc, "id", m != NULL ? m->backup_id : s->snapshot->id);
    json_put_text(doc, "env", m != NULL ? m->env : s->snapshot->env);
    put_time(doc, "started_at", s->start_ms);
    put_time(doc, "finished_at", s->end_ms);
    json_put_flag(doc, "complete", m != NULL ? m->complete : s->snapshot->complete);
    json_put_flag(doc, "filtered", m != NULL ? m->filtered : s->snapshot->filtered);
    return doc;
}

/* verdicts false: they are not known, only how many keys each side has. */
static void put_counts(json_t *doc, const struct diff_counts *c, bool verdicts)
{
    json_put_int(doc, "a", (int64_t)c->a);
    json_put_int(doc, "b", (int64_t)c->b);
    for (size_t i = 0; i < COUNT_OF(order) && verdicts; i++)
        json_put_int(doc, diff_verdict_name(order[i]), (int64_t)c->verdicts[order[i]]);
}

static json_t *rows_json(const struct diff_row *rows, size_t count, const char *member,
                         bool verdicts)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        json_t *row = json_object();

        json_put_text(row, member, rows[i].name);
        put_counts(row, &rows[i].counts, verdicts);
        json_push(list, row);
    }
    return list;
}

static const char *type_word(enum record_type type)
{
    const char *name = type < RECORD_TYPES ? record_type_name(type) : NULL;

    return type == RECORD_TYPES ? NULL : name == NULL ? "other" : name;
}

static json_t *types_json(const struct diff_report *r)
{
    json_t *list = json_array();

    for (int t = 0; t < RECORD_TYPES; t++) {
        json_t *row;

        if (r->by_type[t].a + r->by_type[t].b == 0)
            continue;
        row = json_object();
        json_put_text(row, "type", type_word((enum record_type)t));
        put_counts(row, &r->by_type[t], r->level != DIFF_BY_SLOT);
        json_push(list, row);
    }
    return list;
}

static json_t *slots_json(const struct diff_report *r)
{
    json_t *doc = json_object();
    json_t *list = json_array();
    struct error ignored = {0};
    struct buf text;

    buf_init(&text, (size_t)1 << 20);
    json_put_int(doc, "compared", r->slots_compared);
    json_put_int(doc, "same", r->slots_same);
    json_put_int(doc, "differ", (int64_t)slot_set_count(&r->slots_differing));
    json_put_int(doc, "only_deadlines", r->slots_deadlines);
    json_put_text(doc, "ranges",
                  slot_set_format(&r->slots_differing, 0, &text, &ignored) ? text.data : NULL);
    for (size_t i = 0; i < r->slot_count; i++) {
        json_t *row = json_object();

        json_put_int(row, "slot", r->slots[i].slot);
        json_put_flag(row, "only_deadlines", r->slots[i].deadlines_only);
        put_counts(row, &r->slots[i].counts, r->level == DIFF_BY_KEY);
        json_push(list, row);
    }
    json_put(doc, "list", list);
    buf_release(&text);
    return doc;
}

static json_t *keys_json(const struct diff_report *r)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->finding_count; i++) {
        const struct diff_finding *f = &r->findings[i];
        json_t *row = json_object();

        json_put_text(row, "verdict", diff_verdict_name(f->verdict));
        json_put_text(row, "key", f->key);
        json_put_int(row, "slot", f->slot);
        if (f->db != 0)
            json_put_int(row, "db", f->db);
        json_put_text(row, "type_a", type_word(f->type_a));
        json_put_text(row, "type_b", type_word(f->type_b));
        json_put_text(row, "detail", f->detail);
        json_push(list, row);
    }
    return list;
}

json_t *diff_report_json(const struct diff_report *r, const struct diff_side *a,
                         const struct diff_side *b, const struct diff_options *options)
{
    json_t *doc = json_object();
    json_t *notes = json_array();
    json_t *summary = json_object();
    bool verdicts = r->level != DIFF_BY_SLOT;

    json_put_text(doc, "kind", "diff");
    json_put_int(doc, "v", DIFF_VERSION);
    json_put_text(doc, "compared", "data");
    json_put_flag(doc, "equal", diff_report_findings(r) == 0);
    json_put(doc, "a", side_json(a));
    json_put(doc, "b", side_json(b));
    json_put_text(doc, "level", levels[r->level]);
    for (size_t i = 0; i < r->note_count; i++)
        json_push(notes, json_string(r->notes[i]));
    json_put(doc, "notes", notes);
    put_counts(summary, &r->total, verdicts);
    if (r->level == DIFF_BY_SAMPLE)
        json_put_int(summary, "sampled", (int64_t)r->sampled);
    json_put(doc, "summary", summary);
    json_put(doc, "types", types_json(r));
    json_put(doc, "prefixes", rows_json(r->prefixes, r->prefix_count, "prefix", verdicts));
    json_put(doc, "shards", rows_json(r->shards, r->shard_count, "shard", verdicts));
    json_put(doc, "slots", slots_json(r));
    json_put(doc, "facts", r->facts != NULL ? json_deep_copy(r->facts) : json_array());
    json_put_int(doc, "limit", (int64_t)options->limit);
    json_put_int(doc, "unnamed", (int64_t)r->unnamed);
    json_put(doc, "keys", keys_json(r));
    json_put_int(doc, "tolerance_ms", options->tolerance_ms);
    json_put_int(doc, "passes", r->passes);
    json_put_int(doc, "elapsed_ms", r->elapsed_ms);
    json_put_int(doc, "findings", (int64_t)diff_report_findings(r));
    return doc;
}
