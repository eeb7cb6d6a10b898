#include "core/diff/diff_findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/escape.h"
#include "core/base/json.h"
#include "core/base/map.h"
#include "core/diff/diff.h"
#include "core/verify/verify_rule.h"

enum change { APPEARED, GONE, CHANGED, STAYED, CHANGES };

static const char *const words[CHANGES] = {"appeared", "gone", "changed", "stayed"};

struct comparison {
    const json_t *side[2];
    json_t *notes;
    json_t *list;
    uint64_t counts[CHANGES];
    uint64_t limit;
};

bool diff_is_verification(const json_t *doc)
{
    return json_is_object(json_object_get(doc, "verdicts")) &&
           json_is_integer(json_object_get(doc, "checked"));
}

static void note(struct comparison *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void note(struct comparison *c, const char *fmt, ...)
{
    char text[500];
    char shown[500];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    json_push(c->notes, json_string(escape_text(shown, sizeof(shown), str_from(text))));
}

/* ---- what the two looked at ------------------------------------------------------------------ */

static int64_t verdict_count(const json_t *report, int v)
{
    int64_t n = json_int(json_object_get(report, "verdicts"),
                         verify_verdict_name((enum verify_verdict)v), 0);

    return n > 0 ? n : 0;
}

static bool is_finding(int v)
{
    return v != VERIFY_SAME && v != VERIFY_EXPIRED;
}

static int64_t finding_count(const json_t *report)
{
    int64_t n = 0;

    for (int v = 0; v < VERIFY_VERDICTS; v++)
        if (is_finding(v) && n < INT64_MAX - verdict_count(report, v))
            n += verdict_count(report, v);
    return n;
}

/* Both looked at the same keys, not at keys drawn at random. */
static bool same_extent(const struct comparison *c)
{
    const json_t *a = json_object_get(c->side[0], "coverage");
    const json_t *b = json_object_get(c->side[1], "coverage");
    const char *extent = json_text(c->side[0], "extent", "");

    if (strcmp(extent, json_text(c->side[1], "extent", "")) != 0)
        return false;
    if (strcmp(extent, "subset") == 0)
        return json_int(a, "subset", -1) == json_int(b, "subset", -2) &&
               json_int(a, "subsets", -1) == json_int(b, "subsets", -2);
    return strcmp(extent, "full") == 0;
}

static void note_extent(struct comparison *c)
{
    const char *a = json_text(c->side[0], "extent", "");
    const char *b = json_text(c->side[1], "extent", "");

    if (strcmp(json_text(c->side[0], "backup_id", ""), json_text(c->side[1], "backup_id", "")) != 0)
        note(c, "they verified two different backups: %s and %s",
             json_text(c->side[0], "backup_id", "?"), json_text(c->side[1], "backup_id", "?"));
    if (!same_extent(c))
        note(c,
             "A looked at %lld keys (%s), B at %lld (%s), not all of them the same ones: a "
             "finding that appeared or is gone may only not have been looked at",
             (long long)json_int(c->side[0], "checked", 0), a[0] != '\0' ? a : "?",
             (long long)json_int(c->side[1], "checked", 0), b[0] != '\0' ? b : "?");
    if (json_flag(c->side[0], "extra", false) != json_flag(c->side[1], "extra", false))
        note(c, "only %s looked for extra keys", json_flag(c->side[0], "extra", false) ? "A" : "B");
}

static void note_unnamed(struct comparison *c, int side)
{
    size_t named = json_array_size(json_object_get(c->side[side], "keys"));
    int64_t all = json_int(c->side[side], "found", finding_count(c->side[side]));

    if ((int64_t)named < all)
        note(c, "%s names %zu of its %lld findings: the others cannot be compared",
             side == 0 ? "A" : "B", named, (long long)all);
}

/* ---- key by key ------------------------------------------------------------------------------ */

static const char *key_of(const json_t *finding)
{
    return json_text(finding, "key", NULL);
}

/* By name, and by database where it is not 0. */
static char *identity_of(const json_t *finding)
{
    return mem_format("%lld %s", (long long)json_int(finding, "db", 0), key_of(finding));
}

static struct map *index_of(json_t *keys)
{
    struct map *index = map_new();
    size_t i;
    json_t *one;

    json_array_foreach(keys, i, one)
    {
        char *id;

        if (key_of(one) == NULL)
            continue;
        id = identity_of(one);
        (void)map_put(index, str_from(id), one);
        free(id);
    }
    return index;
}

static void put_side(json_t *row, const char *letter, const json_t *finding)
{
    char name[16];

    (void)snprintf(name, sizeof(name), "verdict_%s", letter);
    json_put_text(row, name, finding != NULL ? json_text(finding, "verdict", "?") : NULL);
    (void)snprintf(name, sizeof(name), "detail_%s", letter);
    json_put_text(row, name, finding != NULL ? json_text(finding, "detail", "") : NULL);
}

static void add(struct comparison *c, enum change change, const json_t *a, const json_t *b)
{
    const json_t *any = a != NULL ? a : b;
    json_t *row;

    if (c->counts[change]++ >= c->limit)
        return;
    row = json_object();
    json_put_text(row, "change", words[change]);
    json_put_text(row, "key", key_of(any));
    if (json_int(any, "db", 0) != 0)
        json_put_int(row, "db", json_int(any, "db", 0));
    json_put_text(row, "type", json_text(any, "type", "?"));
    put_side(row, "a", a);
    put_side(row, "b", b);
    json_push(c->list, row);
}

static bool same_verdict(const json_t *a, const json_t *b)
{
    return strcmp(json_text(a, "verdict", ""), json_text(b, "verdict", "")) == 0;
}

static void compare_keys(struct comparison *c)
{
    struct map *a = index_of(json_object_get(c->side[0], "keys"));
    struct map *b = index_of(json_object_get(c->side[1], "keys"));
    struct str id;
    void *found;

    for (size_t at = 0; map_next(a, &at, &id, &found);) {
        const json_t *other = map_get(b, id);

        if (other == NULL)
            add(c, GONE, found, NULL);
        else
            add(c, same_verdict(found, other) ? STAYED : CHANGED, found, other);
    }
    for (size_t at = 0; map_next(b, &at, &id, &found);)
        if (map_get(a, id) == NULL)
            add(c, APPEARED, NULL, found);
    map_free(a, NULL);
    map_free(b, NULL);
}

/* ---- the document ---------------------------------------------------------------------------- */

static json_t *side_json(const json_t *report, const char *name)
{
    json_t *doc = json_object();

    json_put_text(doc, "what", "verification");
    json_put_text(doc, "name", name);
    json_put_text(doc, "id", json_text(report, "backup_id", ""));
    json_put_text(doc, "extent", json_text(report, "extent", "?"));
    json_put_int(doc, "checked", json_int(report, "checked", 0));
    return doc;
}

static json_t *verdicts_json(const struct comparison *c, uint64_t *differing)
{
    json_t *list = json_array();

    for (int v = 0; v < VERIFY_VERDICTS; v++) {
        json_t *row = json_object();
        int64_t a = verdict_count(c->side[0], v);
        int64_t b = verdict_count(c->side[1], v);

        json_put_text(row, "verdict", verify_verdict_name((enum verify_verdict)v));
        json_put_int(row, "a", a);
        json_put_int(row, "b", b);
        json_push(list, row);
        *differing += is_finding(v) && a != b;
    }
    return list;
}

static json_t *summary_json(const struct comparison *c)
{
    json_t *doc = json_object();

    json_put_int(doc, "a", finding_count(c->side[0]));
    json_put_int(doc, "b", finding_count(c->side[1]));
    for (int i = 0; i < CHANGES; i++)
        json_put_int(doc, words[i], (int64_t)c->counts[i]);
    return doc;
}

static uint64_t unnamed(const struct comparison *c)
{
    uint64_t n = 0;

    for (int i = 0; i < CHANGES; i++)
        n += c->counts[i] > c->limit ? c->counts[i] - c->limit : 0;
    return n;
}

json_t *diff_verifications(const json_t *a, const char *name_a, const json_t *b, const char *name_b,
                           uint64_t limit, struct error *err)
{
    struct comparison c = {.side = {a, b}, .limit = limit};
    uint64_t differing = 0;
    json_t *verdicts;
    json_t *doc;

    if (!diff_is_verification(a) || !diff_is_verification(b)) {
        (void)error_set(err, ERROR_CORRUPT, 0, "%s is no verification's report",
                        diff_is_verification(a) ? name_b : name_a);
        return NULL;
    }
    c.notes = json_array();
    c.list = json_array();
    note_extent(&c);
    note_unnamed(&c, 0);
    note_unnamed(&c, 1);
    compare_keys(&c);
    verdicts = verdicts_json(&c, &differing);
    differing += c.counts[APPEARED] + c.counts[GONE] + c.counts[CHANGED];
    doc = json_object();
    json_put_text(doc, "kind", "diff");
    json_put_int(doc, "v", DIFF_VERSION);
    json_put_text(doc, "compared", "verifications");
    json_put_flag(doc, "equal", differing == 0);
    json_put(doc, "a", side_json(a, name_a));
    json_put(doc, "b", side_json(b, name_b));
    json_put_text(doc, "level", "findings");
    json_put(doc, "notes", c.notes);
    json_put(doc, "summary", summary_json(&c));
    json_put(doc, "verdicts", verdicts);
    json_put_int(doc, "limit", (int64_t)limit);
    json_put_int(doc, "unnamed", (int64_t)unnamed(&c));
    json_put(doc, "keys", c.list);
    json_put_int(doc, "findings", (int64_t)differing);
    return doc;
}
