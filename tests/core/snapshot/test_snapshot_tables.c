/* The tables of a snapshot: sums per slot, prefixes, samples, keys in order, keys of an archive. */
#include "tests/engine/restore_kit.h"

#include "core/value/key_sample.h"
#include "core/value/prefixes.h"
#include "core/value/slot_sums.h"
#include "tests/core/snapshot/fixture_record_digest.h"

static struct key_facts facts(const char *key, uint64_t content, int64_t deadline)
{
    return (struct key_facts){.key = str_from(key),
                              .slot = slot_of_key(str_from(key)),
                              .type = RECORD_STRING,
                              .type_name = STR("string"),
                              .content = {content, UINT64_MAX},
                              .deadline = deadline,
                              .bytes = 10};
}

/* ---- sums -------------------------------------------------------------------------------------
 */

static void sums_do_not_depend_on_the_order(void **ctx UNUSED)
{
    struct slot_sums *a = slot_sums_new();
    struct slot_sums *b = slot_sums_new();
    struct key_facts one = facts("{x}1", 1, RECORD_NO_TIME);
    struct key_facts two = facts("{x}2", 2, 5);
    struct slot_set differ;

    slot_sums_add(a, &one);
    slot_sums_add(a, &two);
    slot_sums_add(b, &two);
    assert_int_equal(slot_sums_differ(a, b, &differ), 1);
    assert_true(slot_set_has(&differ, one.slot));
    slot_sums_add(b, &one);
    assert_int_equal(slot_sums_differ(a, b, NULL), 0);
    assert_int_equal(slot_sums_at(a, one.slot)->keys, 2);
    assert_int_equal(slot_sums_at(a, one.slot)->with_ttl, 1);
    assert_int_equal(slot_sums_at(a, one.slot)->content.high, 4); /* the carry */
    assert_int_equal(slot_sums_total(a).keys, 2);
    slot_sums_free(a);
    slot_sums_free(b);
}

static void a_slot_that_is_read_again_replaces_the_first_reading(void **ctx UNUSED)
{
    struct slot_sums *a = slot_sums_new();
    struct slot_sums *b = slot_sums_new();
    struct key_facts one = facts("one", 1, RECORD_NO_TIME);
    struct key_facts two = facts("two", 2, RECORD_NO_TIME);

    slot_sums_add(a, &one);
    slot_sums_add(a, &two);
    slot_sums_take(a, b, one.slot); /* now it is empty */
    assert_int_equal(slot_sums_at(a, one.slot)->keys, 0);
    assert_int_equal(slot_sums_total(a).keys, 1);
    slot_sums_add(b, &two);
    slot_sums_add(b, &two);
    slot_sums_take(a, b, two.slot);
    assert_int_equal(slot_sums_at(a, two.slot)->keys, 2);
    slot_sums_free(a);
    slot_sums_free(b);
}

/* ---- prefixes ---------------------------------------------------------------------------------
 */

static void expect_prefix(struct str key, const char *prefix)
{
    char out[PREFIX_BYTES];
    struct str got = prefix_of(key, out);

    if (!str_is(got, prefix))
        fail_msg("%.*s", (int)got.len, got.ptr);
}

static void a_prefix_ends_with_its_separator_and_has_no_digits(void **ctx UNUSED)
{
    expect_prefix(STR("user:1"), "user:");
    expect_prefix(STR("user:1:name"), "user:");
    expect_prefix(STR("cache/x"), "cache/");
    expect_prefix(STR("a.b"), "a.");
    expect_prefix(STR("order2025:7"), "order#:");
    expect_prefix(STR("{u17}:x"), "{u#}:");
    expect_prefix(STR("12345:x"), "#:");
    expect_prefix(STR(":x"), ":");
    expect_prefix(STR("plain"), "");
    expect_prefix(STR(""), "");
    expect_prefix(STR("0123456789012345678901234567890123456789012345678901234567890123:"), "");
}

static void few_prefixes_are_counted_exactly(void **ctx UNUSED)
{
    struct prefixes *all = prefixes_new();
    struct prefixes *pass = prefixes_new();
    struct prefix_row rows[4];
    struct prefix_count other;
    struct key_facts k[3] = {facts("a:1", 0, 5), facts("a:2", 0, RECORD_NO_TIME),
                             facts("b:1", 0, RECORD_NO_TIME)};

    for (size_t i = 0; i < 3; i++)
        prefixes_add(pass, &k[i]);
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        if (slot != k[1].slot) /* was read again, and is empty now */
            prefixes_take(all, pass, (uint16_t)slot);
    assert_int_equal(prefixes_list(all, rows, 4, &other), 2);
    assert_true(str_is(rows[0].name, "a:"));
    assert_int_equal(rows[0].count.keys, 1);
    assert_int_equal(rows[0].count.with_ttl, 1);
    assert_int_equal(rows[0].count.bytes, 10);
    assert_false(rows[0].at_least);
    assert_int_equal(other.keys, 0);
    assert_int_equal(prefixes_list(all, rows, 1, &other), 1);
    assert_int_equal(other.keys, 1);
    prefixes_free(all);
    prefixes_free(pass);
}

/* Thousands of names that are a prefix each, among them two that matter. */
static void the_large_prefixes_are_kept_however_many_there_are(void **ctx UNUSED)
{
    struct prefixes *p = prefixes_new();
    struct prefix_row rows[2];
    struct prefix_count other;
    uint64_t keys = 0;

    for (uint32_t i = 0; i < 30000; i++) {
        char key[40];
        struct key_facts k;

        if (i % 3 == 0)
            (void)snprintf(key, sizeof(key), "%c%c%c%c:x", (int)('a' + i % 26),
                           (int)('a' + i / 26 % 26), (int)('a' + i / 676 % 26),
                           (int)('a' + i / 17576));
        else
            (void)snprintf(key, sizeof(key), "%s:%u", i % 3 == 1 ? "large" : "too", (unsigned)i);
        k = facts(key, 0, RECORD_NO_TIME);
        prefixes_add(p, &k);
        keys++;
    }
    assert_int_equal(prefixes_list(p, rows, 2, &other), 2);
    assert_true(str_is(rows[0].name, "large:"));
    assert_true(str_is(rows[1].name, "too:"));
    assert_int_equal(rows[0].count.keys, 10000);
    assert_int_equal(rows[1].count.keys, 10000);
    assert_false(rows[0].at_least);
    assert_int_equal(other.keys, keys - 20000);
    prefixes_free(p);
}

/* ---- samples ----------------------------------------------------------------------------------
 */

static void offer(struct key_sample *s, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        char key[24];
        struct key_facts k;

        (void)snprintf(key, sizeof(key), "k%u", (unsigned)i);
        k = facts(key, i, RECORD_NO_TIME);
        key_sample_offer(s, &k);
    }
}

static void the_same_keys_are_chosen_whatever_the_order(void **ctx UNUSED)
{
    struct key_sample *a = key_sample_new(20);
    struct key_sample *b = key_sample_new(20);

    offer(a, 0, 1000);
    offer(b, 500, 1000);
    offer(b, 0, 500);
    key_sample_sort(a);
    key_sample_sort(b);
    assert_int_equal(key_sample_count(a), 20);
    assert_int_equal(key_sample_below(a), key_sample_below(b));
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(key_facts_compare(key_sample_at(a, i), key_sample_at(b, i)), 0);
        assert_true(key_digest_rank(key_sample_at(a, i)->key, 0) < key_sample_below(a));
        assert_true(i == 0 || key_facts_compare(key_sample_at(a, i - 1), key_sample_at(a, i)) < 0);
    }
    key_sample_free(a);
    key_sample_free(b);
}

static void a_sample_of_fewer_keys_than_asked_for_holds_them_all(void **ctx UNUSED)
{
    struct key_sample *s = key_sample_new(20);

    offer(s, 0, 5);
    assert_int_equal(key_sample_count(s), 5);
    assert_int_equal(key_sample_below(s), UINT64_MAX);
    key_sample_limit(s, 0);
    assert_int_equal(key_sample_count(s), 0);
    offer(s, 5, 10);
    assert_int_equal(key_sample_count(s), 0);
    key_sample_free(s);
}

/* ---- spool ------------------------------------------------------------------------------------
 */

static void keys_come_by_slot_and_the_later_reading_wins(void **ctx UNUSED)
{
    struct key_spool *s = key_spool_new(tmpdir_new(), 0);
    struct key_facts before = {0};
    char text[24] = "";
    struct error err = {0};
    uint32_t seen = 0;
    bool end = false;

    for (uint32_t i = 0; i < 6000; i++) {
        char key[24];
        struct key_facts k;

        (void)snprintf(key, sizeof(key), "k%u", (unsigned)(i % 4000));
        k = facts(key, i, i);
        k.fuzzy = i % 2 == 0;
        assert_true(key_spool_add(s, &k, &err));
    }
    assert_int_equal(key_spool_count(s), 6000);
    assert_true(key_spool_sort(s, 0, &err));
    for (;;) {
        struct key_facts k;

        assert_true(key_spool_next(s, &k, &end, &err));
        if (end)
            break;
        assert_true(seen == 0 || key_facts_compare(&before, &k) < 0);
        assert_true(k.deadline >= 2000); /* not the first reading of those that came twice */
        assert_true(k.fuzzy == (k.deadline % 2 == 0));
        assert_true(str_is(k.type_name, "string"));
        assert_true(str_copy(k.key, text, sizeof(text)));
        assert_int_equal(k.deadline % 4000, strtoul(text + 1, NULL, 10));
        before = k;
        before.key = str_from(text);
        seen++;
    }
    assert_int_equal(seen, 4000);
    key_spool_free(s);
}

/* ---- archives ---------------------------------------------------------------------------------
 */

static void runs_that_were_taken_back_are_no_keys(void **ctx UNUSED)
{
    static const char part[] =
        "{\"key\":\"l\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"a\"],"
        "\"chunk\":{\"seq\":7,\"last\":false}}\n" /* no beginning */
        "{\"key\":\"l\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"x\"],"
        "\"chunk\":{\"seq\":0,\"last\":false}}\n" /* taken back */
        "{\"key\":\"l\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"a\"],"
        "\"chunk\":{\"seq\":0,\"last\":false}}\n"
        "{\"key\":\"l\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"b\"],"
        "\"chunk\":{\"seq\":1,\"last\":true,\"count\":2}}\n"
        "{\"key\":\"s\",\"type\":\"string\",\"ttl_millis\":5,\"value\":\"v\","
        "\"expire_at_millis\":99}\n"
        "{\"key\":\"m\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"x\"],"
        "\"chunk\":{\"seq\":0,\"last\":false}}\n"; /* never finished */
    struct record_digest *d;
    struct record_stream *stream;
    struct part_group *groups;
    struct key_facts k;
    struct kit kit;
    size_t count;
    bool end;

    kit_open(&kit, kit_backup(part, sizeof(part) - 1), 1);
    groups = part_groups(source_manifest(kit.source), &count);
    assert_int_equal(count, 1);
    stream = record_stream_new(kit.source, &groups[0], NULL);
    d = record_digest_new(stream, "/tmp", 0);
    if (!record_digest_next(d, &k, &end, &kit.err))
        fail_msg("%s", kit.err.text);
    assert_true(!end && str_is(k.key, "l"));
    assert_int_equal(k.bytes, 3);
    assert_true(record_digest_next(d, &k, &end, &kit.err));
    assert_true(!end && str_is(k.key, "s"));
    assert_int_equal(k.deadline, 99);
    assert_true(record_digest_next(d, &k, &end, &kit.err));
    assert_true(end);
    record_digest_free(d);
    record_stream_free(stream);
    part_groups_free(groups, count);
    source_close(kit.source);
    task_free(kit.task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_do_not_depend_on_the_order),
        cmocka_unit_test(a_slot_that_is_read_again_replaces_the_first_reading),
        cmocka_unit_test(a_prefix_ends_with_its_separator_and_has_no_digits),
        cmocka_unit_test(few_prefixes_are_counted_exactly),
        cmocka_unit_test(the_large_prefixes_are_kept_however_many_there_are),
        cmocka_unit_test(the_same_keys_are_chosen_whatever_the_order),
        cmocka_unit_test(a_sample_of_fewer_keys_than_asked_for_holds_them_all),
        cmocka_unit_test(keys_come_by_slot_and_the_later_reading_wins),
        cmocka_unit_test(runs_that_were_taken_back_are_no_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
