/*
 * diff_kit.h - backups written by hand, as a test needs them, and compared; the document that comes
 * out must fit its schema. Part of one test program each.
 */
#ifndef TESTS_ENGINE_DIFF_KIT_H
#define TESTS_ENGINE_DIFF_KIT_H

#include "tests/engine/restore_kit.h"

#include <inttypes.h>

#include "core/base/alloc.h"
#include "core/base/json.h"
#include "core/codec/digest.h"
#include "core/diff/diff.h"
#include "tests/harness/schema.h"

#define MINUTE INT64_C(60000)
#define NOON INT64_C(1755518400000) /* when A was read to its end; B ten minutes later */

/* ---- backups ----------------------------------------------------------------------------------
 */

struct made {
    const char *parts[4];
    const char *functions;
    const char *reason; /* not complete */
    const char *match;
    const char *slots;
    int64_t end_ms; /* 0: NOON */
    const struct manifest_slots *ranges;
    size_t range_count;
};

static inline struct manifest_part *add_part(struct manifest *m, const char *dir, size_t i,
                                             const char *text)
{
    struct manifest_part *p = &m->parts[m->part_count++];
    char name[40];

    (void)snprintf(name, sizeof(name), "keys/keys-part-%04zu.jsonl", i + 1);
    *p = (struct manifest_part){.name = arena_text(&m->arena, str_from(name)),
                                .shard = i % 2 == 0 ? "127.0.0.1:7001" : "127.0.0.1:7002",
                                .bytes = strlen(text),
                                .has_sha256 = true};
    sha256_of(str_from(text), p->sha256);
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        p->keys++;
    tmpdir_write(tmpdir_path(dir, name), text, strlen(text));
    return p;
}

static inline void put_functions(struct manifest *m, const char *dir, const char *text)
{
    m->functions = true;
    m->function_part = (struct manifest_part){
        .name = "functions.jsonl", .bytes = strlen(text), .has_sha256 = true};
    sha256_of(str_from(text), m->function_part.sha256);
    tmpdir_write(tmpdir_path(dir, "functions.jsonl"), text, strlen(text));
}

static inline struct source *make(const struct made *b)
{
    const char *dir = tmpdir_path(tmpdir_new(), "redis-backup-local-20260101T000000Z-00aa");
    struct manifest *m = manifest_new();
    struct source *source;
    struct error err;
    struct buf text;

    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(mkdir(tmpdir_path(dir, "keys"), 0700), 0);
    m->format_version = MANIFEST_VERSION;
    m->backup_id = "redis-backup-local-20260101T000000Z-00aa";
    m->env = "local";
    m->complete = b->reason == NULL;
    m->reason = b->reason != NULL ? b->reason : "";
    m->filtered = b->match != NULL || b->slots != NULL;
    m->tool = "rbconsole";
    m->mode = "cluster";
    m->finished_ms = b->end_ms != 0 ? b->end_ms : NOON;
    m->started_ms = m->finished_ms - MINUTE;
    m->parts = arena_array(&m->arena, COUNT_OF(b->parts), sizeof(*m->parts));
    for (size_t i = 0; i < COUNT_OF(b->parts) && b->parts[i] != NULL; i++)
        m->totals.keys += add_part(m, dir, i, b->parts[i])->keys;
    if (b->functions != NULL)
        put_functions(m, dir, b->functions);
    if (b->match != NULL) {
        m->options.match = arena_array(&m->arena, 1, sizeof(*m->options.match));
        m->options.match[0] = b->match;
        m->options.match_count = 1;
    }
    if (b->slots != NULL)
        m->options.slots = b->slots;
    m->slots = arena_array(&m->arena, b->range_count + 1, sizeof(*m->slots));
    for (size_t i = 0; i < b->range_count; i++)
        m->slots[m->slot_count++] = b->ranges[i];
    buf_init(&text, MANIFEST_BYTES_MAX);
    if (!manifest_encode(m, &text, &err))
        fail_msg("%s", err.text);
    tmpdir_write(tmpdir_path(dir, MANIFEST_NAME), text.data, text.len);
    buf_release(&text);
    manifest_free(m);
    if (!source_open(&(struct source_options){.path = dir}, &source, &err))
        fail_msg("%s", err.text);
    return source;
}

/* ---- comparing them ---------------------------------------------------------------------------
 */

static const struct diff_options usual = {
    .tolerance_ms = 1000, .limit = 100, .max_memory = (uint64_t)64 << 20};
static struct diff_report report;
static json_t *document;

static inline void compare_with(const struct made *a, const struct made *b,
                                const struct diff_options *o)
{
    struct source *sources[2] = {make(a), make(b)};
    struct diff_side *sides[2] = {diff_side_backup(sources[0], "a"),
                                  diff_side_backup(sources[1], "b")};
    struct task *task = task_new_plain();
    struct error err;

    json_decref(document);
    diff_report_release(&report);
    if (!diff_run(sides[0], sides[1], o, task, &report, &err))
        fail_msg("%s", err.text);
    document = diff_report_json(&report, sides[0], sides[1], o);
    schema_expect("docs/schema/diff.schema.json", document);
    task_free(task);
    for (int i = 0; i < 2; i++) {
        diff_side_free(sides[i]);
        source_close(sources[i]);
    }
}

/* B is ten minutes younger unless it says otherwise. */
static inline void compare_made(struct made a, struct made b)
{
    if (b.end_ms == 0)
        b.end_ms = NOON + 10 * MINUTE;
    compare_with(&a, &b, &usual);
}

#define A(...)                   \
    (struct made)                \
    {                            \
        .parts = { __VA_ARGS__ } \
    }
#define B A

static inline int forget(void **ctx UNUSED)
{
    json_decref(document);
    document = NULL;
    diff_report_release(&report);
    return 0;
}

/* "differs a: 1 of 2", one line for each key, in the order of the report. */
static inline const char *named(void)
{
    static char text[4000];
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < report.finding_count; i++)
        used += (size_t)snprintf(
            text + used, sizeof(text) - used, "%s %s%s%s\n",
            diff_verdict_name(report.findings[i].verdict), report.findings[i].key,
            report.findings[i].detail[0] != '\0' ? ": " : "", report.findings[i].detail);
    return text;
}

static inline void expect_counts(uint64_t a, uint64_t b, uint64_t same, uint64_t not_same)
{
    assert_int_equal(report.total.a, a);
    assert_int_equal(report.total.b, b);
    assert_int_equal(report.total.verdicts[DIFF_SAME], same);
    assert_int_equal(diff_report_findings(&report), not_same);
    assert_int_equal(json_flag(document, "equal", false), not_same == 0);
}

static inline bool has_note(const char *part)
{
    for (size_t i = 0; i < report.note_count; i++)
        if (strstr(report.notes[i], part) != NULL)
            return true;
    return false;
}

#define KEY(type, key, value) \
    "{\"key\":\"" key "\",\"type\":\"" type "\",\"ttl_millis\":null,\"value\":" value "}\n"
#define STRING(key, value) KEY("string", key, "\"" value "\"")
#define UNTIL(key, ms)                                                              \
    "{\"key\":\"" key "\",\"type\":\"string\",\"ttl_millis\":1000,\"value\":\"v\"," \
    "\"expire_at_millis\":" ms "}\n"
#define STREAM(id, groups)                                         \
    KEY("stream", "st",                                            \
        "{\"entries\":[[\"1-1\",[\"f\",\"v\"]]],\"last_id\":\"" id \
        "\",\"entries_added\":\"1\",\"max_deleted_id\":\"0-0\",\"groups\":[" groups "]}")
#define GROUP                                                                              \
    "{\"name\":\"g\",\"last_delivered_id\":\"1-1\",\"entries_read\":\"1\",\"consumers\":[" \
    "{\"name\":\"c\"}],\"pending\":[]}"

#define TEST(f) cmocka_unit_test_teardown(f, forget)

#endif
