#include "core/verify/verify.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/format.h"
#include "core/base/json.h"

/* ---- the report ------------------------------------------------------------------------------ */

#define CONFIDENCE 0.95
#define ONE_SIDED 1.645 /* standard deviations, for that confidence */

void verify_report_release(struct verify_report *r)
{
    for (size_t i = 0; i < r->finding_count; i++)
        free(r->findings[i].key);
    free(r->findings);
    free(r->nodes);
    *r = (struct verify_report){0};
}

static uint64_t wrong_keys(const struct verify_report *r)
{
    return r->checked - r->verdicts[VERIFY_SAME] - r->verdicts[VERIFY_EXPIRED];
}

uint64_t verify_report_findings(const struct verify_report *r)
{
    return wrong_keys(r) + r->verdicts[VERIFY_EXTRA] + r->misplaced + r->stray;
}

/* ---- what a sample is worth --------------------------------------------------------------------
 */

#define EXACT_UP_TO 10000 /* wrong ones; with more the normal distribution is as good */

/* The chance to draw at most `wrong` wrong ones of `drawn` when the share p is wrong. */
static double chance_of_so_few(uint64_t wrong, uint64_t drawn, double p)
{
    double n = (double)drawn;
    double log_term = n * log1p(-p); /* of none */
    double sum = exp(log_term);

    for (uint64_t i = 1; i <= wrong; i++) {
        log_term += log(((n - (double)i) + 1) / (double)i) + log(p) - log1p(-p);
        sum += exp(log_term);
    }
    return sum;
}

double verify_upper_bound(uint64_t wrong, uint64_t drawn)
{
    double low;
    double high = 1;

    if (drawn == 0 || wrong >= drawn)
        return 1;
    if (wrong == 0)
        return 1 - pow(1 - CONFIDENCE, 1 / (double)drawn);
    low = (double)wrong / (double)drawn;
    if (wrong > EXACT_UP_TO)
        return low + ONE_SIDED * sqrt(low * (1 - low) / (double)drawn);
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;

        if (chance_of_so_few(wrong, drawn, middle) > 1 - CONFIDENCE)
            low = middle;
        else
            high = middle;
    }
    return high;
}

/* Rounded up, so that "fewer than" stays true: 0.2991 % is fewer than 0.30 %. */
static double percent_above(double share)
{
    return ceil(share * 10000) / 100;
}

static void sample_text(const struct verify_report *r, const struct verify_options *o, char *out,
                        size_t size)
{
    char drawn[32];
    char all[32];
    char wrong[32];

    format_count(drawn, sizeof(drawn), (int64_t)r->checked);
    format_count(all, sizeof(all), (int64_t)r->population);
    format_count(wrong, sizeof(wrong), (int64_t)wrong_keys(r));
    if (r->checked < o->sample || r->checked >= r->population)
        (void)snprintf(out, size, "%s of all %s keys are wrong: the sample is the whole backup",
                       wrong, drawn);
    else
        (void)snprintf(out, size,
                       "%s of %s keys drawn at random from %s (seed %" PRIu64
                       ") are wrong: with 95 %% confidence %s than %.2f %% of all are",
                       wrong, drawn, all, r->seed, wrong_keys(r) == 0 ? "fewer" : "no more",
                       percent_above(verify_upper_bound(wrong_keys(r), r->checked)));
}

static void coverage_text(const struct verify_report *r, const struct verify_options *o, char *out,
                          size_t size)
{
    char drawn[32];
    char wrong[32];

    if (o->extent == VERIFY_SAMPLE && !r->stopped) {
        sample_text(r, o, out, size);
        return;
    }
    format_count(drawn, sizeof(drawn), (int64_t)r->checked);
    format_count(wrong, sizeof(wrong), (int64_t)wrong_keys(r));
    if (r->stopped)
        (void)snprintf(out, size,
                       "%s of %s keys are wrong; the verification ended early, and the others were "
                       "not looked at",
                       wrong, drawn);
    else if (o->extent == VERIFY_FULL)
        (void)snprintf(out, size, "%s of %s keys are wrong; every key%s was looked at", wrong,
                       drawn, filter_is_open(&o->filter) ? "" : " that the filter lets through");
    else
        (void)snprintf(out, size,
                       "%s of %s keys are wrong; every key of %u of %d slots was looked at (%u of "
                       "%u runs)",
                       wrong, drawn, (SLOT_COUNT - o->subset) / o->subsets + 1, SLOT_COUNT,
                       o->subset, o->subsets);
}

char *verify_report_coverage(const struct verify_report *r, const struct verify_options *o,
                             char *out, size_t size)
{
    uint64_t extra = r->verdicts[VERIFY_EXTRA];
    char more[32];
    size_t len;

    coverage_text(r, o, out, size);
    len = strlen(out);
    if (extra > 0)
        (void)snprintf(out + len, size - len, "; %s %s there that the backup lacks",
                       format_count(more, sizeof(more), (int64_t)extra),
                       extra == 1 ? "key is" : "keys are");
    return out;
}

/* ---- text and JSON ----------------------------------------------------------------------------
 */

/* The order of the line and of every table. */
static const enum verify_verdict order[] = {VERIFY_SAME,      VERIFY_DIFFERS, VERIFY_MISSING,
                                            VERIFY_EXTRA,     VERIFY_EXPIRED, VERIFY_TTL,
                                            VERIFY_UNREADABLE};

char *verify_report_line(const struct verify_report *r, char *out, size_t size)
{
    size_t at;

    (void)snprintf(out, size, "checked=%" PRIu64, r->checked);
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        at = strlen(out);
        (void)snprintf(out + at, size - at, " %s=%" PRIu64, verify_verdict_name(order[i]),
                       r->verdicts[order[i]]);
    }
    return out;
}

static json_t *verdicts_json(const uint64_t *verdicts)
{
    json_t *doc = json_object();

    for (size_t i = 0; i < COUNT_OF(order); i++)
        json_put_int(doc, verify_verdict_name(order[i]), (int64_t)verdicts[order[i]]);
    return doc;
}

static const char *type_word(enum record_type type)
{
    const char *name = record_type_name(type);

    return name == NULL ? "other" : name;
}

static json_t *findings_json(const struct verify_report *r)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->finding_count; i++) {
        json_t *one = json_object();

        json_put_text(one, "key", r->findings[i].key);
        json_put_text(one, "type", type_word(r->findings[i].type));
        json_put_text(one, "verdict", verify_verdict_name(r->findings[i].verdict));
        json_put_text(one, "detail", r->findings[i].detail);
        json_push(list, one);
    }
    return list;
}

static json_t *nodes_json(const struct verify_report *r)
{
    json_t *doc = json_object();

    for (size_t i = 0; i < r->node_count; i++) {
        json_t *one = verdicts_json(r->nodes[i].verdicts);

        json_put_int(one, "misplaced", (int64_t)r->nodes[i].verdicts[VERIFY_MISPLACED]);
        json_put(doc, r->nodes[i].address, one);
    }
    return doc;
}

static const char *const extents[] = {"sample", "subset", "full"};
static const char *const searches[] = {"none", "counts", "scan"};

static json_t *coverage_json(const struct verify_report *r, const struct verify_options *o)
{
    json_t *doc = json_object();
    char text[300];

    json_put_text(doc, "text", verify_report_coverage(r, o, text, sizeof(text)));
    if (r->population > 0)
        json_put_int(doc, "population", (int64_t)r->population);
    if (o->extent == VERIFY_SAMPLE && r->checked < r->population && !r->stopped) {
        json_put(doc, "confidence", json_real(CONFIDENCE));
        json_put(doc, "wrong_share_at_most",
                 json_real(verify_upper_bound(wrong_keys(r), r->checked)));
    }
    if (o->extent == VERIFY_SUBSET) {
        json_put_int(doc, "subset", o->subset);
        json_put_int(doc, "subsets", o->subsets);
    }
    return doc;
}

static json_t *placement_json(const struct verify_report *r)
{
    json_t *doc = json_object();

    json_put_flag(doc, "looked_at", r->placement);
    json_put_int(doc, "records_misplaced", (int64_t)r->misplaced);
    json_put_int(doc, "stray", (int64_t)r->stray);
    return doc;
}

static json_t *extra_json(const struct verify_report *r)
{
    json_t *doc = json_object();

    json_put_text(doc, "search", searches[r->search]);
    json_put_int(doc, "slots_counted", (int64_t)r->slots_counted);
    json_put_int(doc, "slots_listed", (int64_t)r->slots_listed);
    return doc;
}

static json_t *deadlines_json(const struct verify_report *r)
{
    json_t *doc = json_object();

    json_put_int(doc, "none", (int64_t)r->deadlines[VERIFY_DEADLINE_NONE]);
    json_put_int(doc, "original", (int64_t)r->deadlines[VERIFY_DEADLINE_ORIGINAL]);
    json_put_int(doc, "moved", (int64_t)r->deadlines[VERIFY_DEADLINE_MOVED]);
    json_put_int(doc, "expired_fields", (int64_t)r->expired_fields);
    return doc;
}

static void put_how(json_t *doc, const struct verify_report *r, const struct verify_options *o)
{
    json_put_int(doc, "misplaced", (int64_t)r->misplaced);
    json_put(doc, "placement", placement_json(r));
    json_put(doc, "extra_search", extra_json(r));
    json_put_int(doc, "streams_partly_compared", (int64_t)r->partly);
    json_put_int(doc, "seed", (int64_t)r->seed);
    json_put_int(doc, "rounds", (int64_t)r->rounds);
    json_put_int(doc, "looked_again", (int64_t)r->looked_again);
    json_put_int(doc, "looked_closer", (int64_t)r->looked_closer);
    json_put_int(doc, "changing", (int64_t)r->changing);
    json_put_int(doc, "tolerance_ms", o->tolerance_ms);
    json_put_int(doc, "started_ms", r->started_ms);
    json_put_int(doc, "elapsed_ms", r->elapsed_ms);
}

json_t *verify_report_json(const struct verify_report *r, const struct verify_options *options,
                           const struct manifest *m)
{
    json_t *doc = json_object();
    json_t *types = json_object();

    json_put_text(doc, "backup_id", m->backup_id);
    json_put_text(doc, "extent", extents[options->extent]);
    json_put_int(doc, "checked", (int64_t)r->checked);
    json_put_flag(doc, "extra", options->extra);
    json_put(doc, "verdicts", verdicts_json(r->verdicts));
    json_put(doc, "coverage", coverage_json(r, options));
    for (int t = 0; t < RECORD_TYPES; t++)
        json_put(types, type_word((enum record_type)t), verdicts_json(r->by_type[t]));
    json_put(doc, "by_type", types);
    json_put(doc, "by_node", nodes_json(r));
    json_put(doc, "deadlines", deadlines_json(r));
    put_how(doc, r, options);
    json_put_int(doc, "found", (int64_t)r->found);
    json_put(doc, "keys", findings_json(r));
    return doc;
}

/* ---- Markdown ---------------------------------------------------------------------------------
 */

/* A key in a table cell: '|' would end it. */
static void put_cell(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++)
        buf_put(out, *text == '|' || *text == '`' ? "\\%c" : "%c", *text);
}

static void put_head(struct buf *out, const char *first)
{
    buf_put(out, "\n| %s |", first);
    for (size_t i = 0; i < COUNT_OF(order); i++)
        buf_put(out, " %s |", verify_verdict_name(order[i]));
    buf_put(out, " misplaced |\n|---|");
    for (size_t i = 0; i < COUNT_OF(order); i++)
        buf_put(out, "---:|");
    buf_put(out, "---:|\n");
}

static void put_row(struct buf *out, const char *name, const uint64_t *verdicts)
{
    buf_put(out, "| %s |", name);
    for (size_t i = 0; i < COUNT_OF(order); i++)
        buf_put(out, " %" PRIu64 " |", verdicts[order[i]]);
    buf_put(out, " %" PRIu64 " |\n", verdicts[VERIFY_MISPLACED]);
}

static void put_facts(struct buf *out, const struct verify_report *r,
                      const struct verify_options *o, const struct manifest *m)
{
    char when[40];
    char took[24];
    char text[300];

    buf_put(out, "# Verification of %s\n\n", m->backup_id);
    buf_put(out, "%s\n\n", verify_report_line(r, text, sizeof(text)));
    buf_put(out, "- %s.\n", verify_report_coverage(r, o, text, sizeof(text)));
    buf_put(out, "- Begun %s, took %s, %u round%s; %" PRIu64 " keys were looked at again.\n",
            format_rfc3339(when, sizeof(when), r->started_ms),
            format_duration(took, sizeof(took), r->elapsed_ms), r->rounds,
            r->rounds == 1 ? "" : "s", r->looked_again);
    if (r->changing > 0)
        buf_put(out, "- %" PRIu64 " findings changed between rounds: clients write those keys.\n",
                r->changing);
    buf_put(out,
            "- Deadlines of the keys that are the same: %" PRIu64 " have none, %" PRIu64
            " their original one, %" PRIu64 " one that a restore gave; tolerance %lld ms.\n",
            r->deadlines[VERIFY_DEADLINE_NONE], r->deadlines[VERIFY_DEADLINE_ORIGINAL],
            r->deadlines[VERIFY_DEADLINE_MOVED], (long long)o->tolerance_ms);
    if (r->expired_fields > 0)
        buf_put(out, "- %" PRIu64 " fields of hashes have expired since, as they should.\n",
                r->expired_fields);
    if (r->partly > 0)
        buf_put(out,
                "- Of %" PRIu64
                " streams counters were not compared: one side does not have them.\n",
                r->partly);
}

static void put_places(struct buf *out, const struct verify_report *r)
{
    if (r->placement)
        buf_put(out,
                "- Slots: %" PRIu64 " keys lie on a node that does not own their slot, %" PRIu64
                " records name a wrong slot.\n",
                r->stray, r->misplaced);
    if (r->search == VERIFY_SEARCH_COUNTS)
        buf_put(out,
                "- Keys that the backup lacks were looked for by counting all slots; %" PRIu64
                " had room for some and were listed.\n",
                r->slots_listed);
    else if (r->search == VERIFY_SEARCH_SCAN)
        buf_put(out, "- Keys that the backup lacks were looked for by scanning every primary.\n");
    else
        buf_put(out, "- Keys that the backup lacks were not looked for (--extra does).\n");
}

void verify_report_markdown(const struct verify_report *r, const struct verify_options *options,
                            const struct manifest *m, struct buf *out)
{
    put_facts(out, r, options, m);
    put_places(out, r);
    put_head(out, "type");
    for (int t = 0; t < RECORD_TYPES; t++)
        put_row(out, type_word((enum record_type)t), r->by_type[t]);
    put_head(out, "node");
    for (size_t i = 0; i < r->node_count; i++)
        put_row(out, r->nodes[i].address, r->nodes[i].verdicts);
    if (r->finding_count == 0)
        return;
    buf_put(out, "\n| key | type | verdict | detail |\n|---|---|---|---|\n");
    for (size_t i = 0; i < r->finding_count; i++) {
        buf_put(out, "| ");
        put_cell(out, r->findings[i].key);
        buf_put(out, " | %s | %s | ", type_word(r->findings[i].type),
                verify_verdict_name(r->findings[i].verdict));
        put_cell(out, r->findings[i].detail);
        buf_put(out, " |\n");
    }
    if (r->found > r->finding_count)
        buf_put(out, "\n%" PRIu64 " of %" PRIu64 " findings; the job's failed.jsonl has all.\n",
                (uint64_t)r->finding_count, r->found);
}
