#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/archive/manifest.h"
#include "core/base/alloc.h"
#include "core/record/fingerprints.h"

#define SHA "\"sha256\":\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\""
#define PART(name) "{\"name\":\"" name "\",\"bytes\":1," SHA "}"
/* A small manifest with more members behind. */
#define SMALL(more) \
    "{\"format_version\":1,\"complete\":true,\"cluster\":{\"names\":[]},\"totals\":{}" more "}"

static struct error err;

static struct manifest *parse(const char *text)
{
    struct manifest *m;

    if (!manifest_parse(str_from(text), &m, &err))
        fail_msg("%s: %s", text, err.text);
    return m;
}

static void what_is_written_reads_back(void **state)
{
    const char *names[] = {"node-1", "node-2"};
    struct manifest_part parts[] = {{.name = "keys/keys-part-0001.jsonl",
                                     .generation = 1,
                                     .shard = "127.0.0.1:7001",
                                     .continues = true,
                                     .keys = 5,
                                     .bytes = 600,
                                     .has_sha256 = true,
                                     .sha256 = {1, 2, 255},
                                     .has_range = true,
                                     .offset = (uint64_t)5 << 30,
                                     .length = 77}};
    struct manifest_slots slots[] = {{0, 5460, "node-1", 0}, {5461, 5461, "node-2", 1}};
    struct manifest *m = manifest_new();
    struct manifest *back;
    struct buf text;

    (void)state;
    buf_init(&text, MANIFEST_BYTES_MAX);
    m->backup_id = "redis-backup-local-20250818T060635Z-28e5";
    m->env = "local";
    m->reason = "slots moved";
    m->started_ms = 1755497195000;
    m->mode = "cluster";
    m->cluster = names;
    m->cluster_count = 2;
    m->totals.keys = 5;
    m->parts = parts;
    m->part_count = 1;
    m->slots = slots;
    m->slot_count = 2;
    assert_true(manifest_encode(m, &text, &err));
    back = parse(text.data);
    assert_string_equal(back->backup_id, m->backup_id);
    assert_false(back->complete);
    assert_string_equal(back->reason, "slots moved");
    assert_true(back->started_ms == m->started_ms);
    assert_int_equal(back->cluster_count, 2);
    assert_string_equal(back->cluster[1], "node-2");
    assert_int_equal(back->part_count, 1);
    assert_true(back->parts[0].offset == parts[0].offset && back->parts[0].length == 77);
    assert_true(back->parts[0].continues && back->parts[0].has_range);
    assert_memory_equal(back->parts[0].sha256, parts[0].sha256, 32);
    assert_int_equal(back->slots[0].last, 5460);
    assert_int_equal(back->slots[1].first, 5461);
    assert_int_equal(back->slots[1].generation, 1);
    manifest_free(back);
    manifest_free(m);
    buf_release(&text);
}

static void the_summary_stands_before_the_parts(void **state)
{
    static const char *const order[] = {
        "\"format_version\"", "\"backup_id\"", "\"env\"",          "\"complete\"",
        "\"filtered\"",       "\"tool\"",      "\"tool_version\"", "\"started_at\"",
        "\"finished_at\"",    "\"mode\"",      "\"cluster\"",      "\"servers\"",
        "\"options\"",        "\"totals\"",    "\"functions\"",    "\"topology_events\"",
        "\"warnings\"",       "\"slots\"",     "\"parts\""};
    struct manifest *m = manifest_new();
    const char *at;
    struct buf text;

    (void)state;
    buf_init(&text, MANIFEST_BYTES_MAX);
    assert_true(manifest_encode(m, &text, &err));
    at = text.data;
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        const char *found = strstr(at, order[i]);

        if (found == NULL)
            fail_msg("%s is not in its place", order[i]);
        at = found != NULL ? found : at;
    }
    manifest_free(m);
    buf_release(&text);
}

static void a_record_counts_only_in_its_slots_generation(void **state)
{
    struct manifest *m =
        parse(SMALL(",\"slots\":[{\"range\":\"0-9\",\"owner\":\"a\",\"generation\":0},"
                    "{\"range\":\"10\",\"owner\":\"b\",\"generation\":2}],\"parts\":[" PART(
                        "keys/a.jsonl") "]"));
    struct manifest_part zero = {.generation = 0};
    struct manifest_part two = {.generation = 2};

    (void)state;
    assert_true(manifest_counts(m, &zero, 0));
    assert_true(manifest_counts(m, &zero, 9));
    assert_false(manifest_counts(m, &zero, 10));
    assert_true(manifest_counts(m, &two, 10));
    assert_false(manifest_counts(m, &two, 9));
    assert_false(manifest_counts(m, &zero, 11)); /* nobody's slot */
    manifest_free(m);
}

static void without_slots_the_newest_generation_counts(void **state)
{
    struct manifest *m = manifest_new();
    struct manifest_part parts[] = {{.generation = 0}, {.generation = 3}, {.generation = 1}};

    (void)state;
    m->parts = parts;
    m->part_count = 3;
    assert_false(manifest_counts(m, &parts[0], SLOT_NONE));
    assert_true(manifest_counts(m, &parts[1], SLOT_NONE));
    manifest_free(m);
}

static void wrong_manifests_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{\"format_version\":1}",
        "{\"format_version\":-1,\"complete\":true}",
        SMALL(",\"parts\":{}"),
        SMALL(",\"parts\":[{\"name\":\"keys/a.jsonl\",\"bytes\":1}]"),
        SMALL(",\"parts\":[" PART("../a.jsonl") "]"),
        SMALL(",\"parts\":[" PART("keys/../a.jsonl") "]"),
        SMALL(",\"parts\":[" PART("/keys/a.jsonl") "]"),
        SMALL(",\"parts\":[" PART("keys/a.sh") "]"),
        SMALL(",\"parts\":[" PART("keys/a.jsonl") "," PART("keys/a.jsonl") "]"),
        SMALL(",\"parts\":[{\"name\":\"keys/a.jsonl\",\"bytes\":-1," SHA "}]"),
        SMALL(",\"parts\":[{\"name\":\"keys/a.jsonl\",\"offset\":1,\"length\":0," SHA "}]"),
        SMALL(",\"parts\":[{\"name\":\"keys/a.jsonl\",\"offset\":9223372036854775807,"
              "\"length\":2," SHA "}]"),
        SMALL(",\"slots\":[{\"range\":\"5-4\"}]"),
        SMALL(",\"slots\":[{\"range\":\"0-16384\"}]"),
        SMALL(",\"slots\":[{\"range\":\"0-5\"},{\"range\":\"5\"}]"),
        SMALL(",\"functions\":{\"name\":\"evil.jsonl\"," SHA "}"),
        SMALL(",\"warnings\":[1]"),
        SMALL(",\"env\":\"a\\u0000b\""),
        SMALL(",\"complete\":true"),
    };
    struct manifest *m;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        err = (struct error){0};
        if (manifest_parse(str_from(bad[i]), &m, &err))
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(err.code, ERROR_CORRUPT);
        assert_null(m);
    }
    assert_false(manifest_parse(STR("{\"format_version\":2}"), &m, &err));
    assert_int_equal(err.code, ERROR_UNSUPPORTED);
}

static void an_older_tools_manifest_is_taken_as_it_is(void **state)
{
    struct manifest *m = parse("{\"backup_id\":\"x\",\"totals\":7,\"parts\":\"three\"}");

    (void)state;
    assert_int_equal(m->format_version, 0);
    assert_false(m->complete);
    assert_string_equal(m->backup_id, "x");
    manifest_free(m);
}

static void a_signature_fits_one_key_and_one_text(void **state)
{
    struct secret key = {0};
    struct secret other = {0};
    char hex[65];

    (void)state;
    secret_set(&key, STR("key"));
    secret_set(&other, STR("other"));
    manifest_sign(STR("text"), &key, hex);
    assert_true(manifest_check_sign(STR("text"), &key, str_from(hex), &err));
    assert_false(manifest_check_sign(STR("Text"), &key, str_from(hex), &err));
    assert_false(manifest_check_sign(STR("text"), &other, str_from(hex), &err));
    assert_false(manifest_check_sign(STR("text"), &key, STR("zz"), &err));
    secret_release(&key);
    secret_release(&other);
}

static void fingerprints_know_what_they_have_seen_until_they_are_full(void **state)
{
    struct fingerprints *f = fingerprints_new((size_t)1 << 20); /* 65,536 places, half used */
    char key[32];
    size_t new_again = 0;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct str s = {key, (size_t)snprintf(key, sizeof(key), "key:%d", i)};

        assert_true(fingerprints_add(f, s));
    }
    for (int i = 0; i < 20000; i++) {
        struct str s = {key, (size_t)snprintf(key, sizeof(key), "key:%d", i)};

        assert_false(fingerprints_add(f, s));
    }
    for (int i = 0; i < 100000; i++) {
        struct str s = {key, (size_t)snprintf(key, sizeof(key), "more:%d", i)};

        new_again += fingerprints_add(f, s);
    }
    assert_true(fingerprints_is_full(f));
    assert_int_equal(new_again, 100000);
    assert_false(fingerprints_add(f, STR("key:7"))); /* old ones stay known */
    assert_true(fingerprints_add(f, STR("")));
    fingerprints_clear(f);
    assert_true(fingerprints_add(f, STR("key:7")));
    fingerprints_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(the_summary_stands_before_the_parts),
        cmocka_unit_test(a_record_counts_only_in_its_slots_generation),
        cmocka_unit_test(without_slots_the_newest_generation_counts),
        cmocka_unit_test(wrong_manifests_are_refused),
        cmocka_unit_test(an_older_tools_manifest_is_taken_as_it_is),
        cmocka_unit_test(a_signature_fits_one_key_and_one_text),
        cmocka_unit_test(fingerprints_know_what_they_have_seen_until_they_are_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
