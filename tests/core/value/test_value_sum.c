#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/attr.h"
#include "core/value/value_sum.h"

static struct value_sum *saved;
static struct value_sum *live;

#define HEAD(type) "{\"key\":\"k\",\"type\":\"" type "\",\"ttl_millis\":null,\"value\":"
#define FIRST ",\"chunk\":{\"seq\":0,\"last\":false}}"

static void add(struct value_sum *s, const char *line, bool groups)
{
    struct record *r = record_new();
    struct error err = {0};

    if (!record_parse(r, str_from(line), &err))
        fail_msg("%s: %s", err.text, line);
    value_sum_add(s, r, groups);
    record_free(r);
}

static struct value_difference compare(const char *a, const char *b)
{
    value_sum_clear(saved);
    value_sum_clear(live);
    add(saved, a, true);
    add(live, b, true);
    return value_sum_compare(saved, live, 0, 0);
}

static void assert_same(const char *a, const char *b)
{
    struct value_difference d = compare(a, b);

    if (!d.same)
        fail_msg("%s: %s %s", d.what, a, b);
}

static void assert_differ(const char *a, const char *b, const char *what)
{
    struct value_difference d = compare(a, b);

    if (d.same)
        fail_msg("the same: %s %s", a, b);
    assert_string_equal(d.what, what);
}

static void order_matters_for_lists_only(void **ctx UNUSED)
{
    assert_same(HEAD("set") "[\"a\",\"b\"]}", HEAD("set") "[\"b\",\"a\"]}");
    assert_same(HEAD("hash") "{\"a\":\"1\",\"b\":\"2\"}}",
                HEAD("hash") "{\"b\":\"2\",\"a\":\"1\"}}");
    assert_same(HEAD("zset") "[[\"a\",\"1\"],[\"b\",\"2\"]]}",
                HEAD("zset") "[[\"b\",\"2\"],[\"a\",\"1\"]]}");
    assert_same(HEAD("list") "[\"a\",\"b\"]}", HEAD("list") "[\"a\",\"b\"]}");
    assert_differ(HEAD("list") "[\"a\",\"b\"]}", HEAD("list") "[\"b\",\"a\"]}",
                  "the elements differ");
}

static void what_differs_is_counted(void **ctx UNUSED)
{
    assert_differ(HEAD("hash") "{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}}",
                  HEAD("hash") "{\"a\":\"1\",\"b\":\"x\",\"d\":\"4\"}}",
                  "3 fields saved: 1 differ, 1 missing, 1 added");
    assert_differ(HEAD("set") "[\"a\"]}", HEAD("set") "[\"b\",\"c\"]}",
                  "1 members saved: 0 differ, 1 missing, 2 added");
    assert_differ(HEAD("list") "[\"a\"]}", HEAD("list") "[\"a\",\"a\"]}",
                  "1 elements saved, 2 there");
    assert_differ(HEAD("string") "\"abc\"}", HEAD("string") "\"abd\"}", "the bytes differ");
    assert_differ(HEAD("string") "\"abc\"}", HEAD("list") "[\"abc\"]}",
                  "type string saved, list there");
}

/* Values may not slide from a name to its content, or from one element into the next. */
static void borders_between_pieces_count(void **ctx UNUSED)
{
    assert_false(compare(HEAD("hash") "{\"ab\":\"c\"}}", HEAD("hash") "{\"a\":\"bc\"}}").same);
    assert_false(compare(HEAD("list") "[\"ab\",\"c\"]}", HEAD("list") "[\"a\",\"bc\"]}").same);
    assert_false(compare(HEAD("list") "[\"\",\"a\"]}", HEAD("list") "[\"a\",\"\"]}").same);
}

static void scores_compare_as_numbers(void **ctx UNUSED)
{
    assert_same(HEAD("zset") "[[\"a\",\"0.1\"]]}",
                HEAD("zset") "[[\"a\",\"0.10000000000000001\"]]}");
    assert_same(HEAD("zset") "[[\"a\",\"-0\"]]}", HEAD("zset") "[[\"a\",\"0\"]]}");
    assert_same(HEAD("zset") "[[\"a\",\"1e3\"]]}", HEAD("zset") "[[\"a\",\"1000\"]]}");
    assert_same(HEAD("zset") "[[\"a\",\"inf\"]]}", HEAD("zset") "[[\"a\",\"inf\"]]}");
    assert_false(
        compare(HEAD("zset") "[[\"a\",\"inf\"]]}", HEAD("zset") "[[\"a\",\"-inf\"]]}").same);
    assert_false(
        compare(HEAD("zset") "[[\"a\",\"1\"]]}", HEAD("zset") "[[\"a\",\"1.0000000000000002\"]]}")
            .same);
}

static void lines_of_a_run_are_as_good_as_the_whole(void **ctx UNUSED)
{
    static const char *const runs[][3] = {
        {HEAD("string") "\"abc\"" FIRST,
         HEAD("string") "\"de\",\"chunk\":{\"seq\":1,\"last\":true,\"count\":5}}",
         HEAD("string") "\"abcde\"}"},
        {HEAD("list") "[\"a\",\"b\"]" FIRST,
         HEAD("list") "[\"a\"],\"chunk\":{\"seq\":1,\"last\":true,\"count\":3}}",
         HEAD("list") "[\"a\",\"b\",\"a\"]}"},
        /* Members that were read twice: the later value wins. */
        {HEAD("hash") "{\"a\":\"old\",\"b\":\"2\"}" FIRST,
         HEAD("hash") "{\"a\":\"1\"},\"chunk\":{\"seq\":1,\"last\":true,\"count\":3}}",
         HEAD("hash") "{\"b\":\"2\",\"a\":\"1\"}}"},
        {HEAD("set") "[\"a\",\"b\"]" FIRST,
         HEAD("set") "[\"b\",\"c\"],\"chunk\":{\"seq\":1,\"last\":true,\"count\":4}}",
         HEAD("set") "[\"a\",\"b\",\"c\"]}"},
        {HEAD("zset") "[[\"a\",\"1\"]]" FIRST,
         HEAD("zset") "[[\"a\",\"2\"]],\"chunk\":{\"seq\":1,\"last\":true,\"count\":2}}",
         HEAD("zset") "[[\"a\",\"2\"]]}"},
    };

    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        value_sum_clear(saved);
        value_sum_clear(live);
        add(saved, runs[i][0], true);
        add(saved, runs[i][1], true);
        add(live, runs[i][2], true);
        if (!value_sum_compare(saved, live, 0, 0).same)
            fail_msg("run %zu differs from its whole", i);
    }
}

static void a_hyperloglog_is_compared_without_its_cached_count(void **ctx UNUSED)
{
    char one[64] = "HYLL\1\0\0\0AAAAAAAA registers";
    char two[64] = "HYLL\1\0\0\0BBBBBBBB registers";
    size_t len = 26;

    value_sum_clear(saved);
    value_sum_clear(live);
    value_sum_start(saved, RECORD_STRING);
    value_sum_start(live, RECORD_STRING);
    value_sum_bytes(saved, (struct str){one, len}, true);
    value_sum_bytes(live, (struct str){two, len}, true);
    assert_true(value_sum_compare(saved, live, 0, 0).same);
    two[16] = 'X'; /* right behind the cached count */
    value_sum_clear(live);
    value_sum_start(live, RECORD_STRING);
    value_sum_bytes(live, (struct str){two, len}, true);
    assert_false(value_sum_compare(saved, live, 0, 0).same);
    /* The same bytes in a plain string count. */
    two[16] = one[16];
    value_sum_clear(saved);
    value_sum_clear(live);
    value_sum_start(saved, RECORD_STRING);
    value_sum_start(live, RECORD_STRING);
    value_sum_bytes(saved, (struct str){one, len}, false);
    value_sum_bytes(live, (struct str){two, len}, false);
    assert_false(value_sum_compare(saved, live, 0, 0).same);
}

#define STREAM(groups, state) \
    HEAD("stream")            \
    "{\"entries\":[[\"1-1\",[\"f\",\"v\"]]],\"last_id\":" state ",\"groups\":[" groups "]}}"
#define STATE "\"5-0\",\"entries_added\":\"3\",\"max_deleted_id\":\"2-0\""
#define GROUP(last, pending)                                                    \
    "{\"name\":\"g\",\"last_delivered_id\":\"" last "\",\"entries_read\":null," \
    "\"consumers\":[{\"name\":\"c\"},{\"name\":\"d\"}],\"pending\":[" pending "]}"

static void a_stream_is_its_entries_ids_groups_and_pending_entries(void **ctx UNUSED)
{
    static const char *const others[] = {
        STREAM(GROUP("1-1", "[\"1-1\",\"d\",99,2]"), STATE), /* another owner */
        STREAM(GROUP("1-1", "[\"1-1\",\"c\",99,3]"), STATE), /* delivered once more */
        STREAM(GROUP("1-1", "[\"0-1\",\"c\",99,2]"), STATE), /* another entry */
        STREAM(GROUP("1-1", ""), STATE),                     /* acknowledged */
        STREAM(GROUP("0-1", "[\"1-1\",\"c\",99,2]"), STATE), /* another position */
        STREAM("", STATE),                                   /* no group */
        STREAM(GROUP("1-1", "[\"1-1\",\"c\",99,2]"),
               "\"6-0\",\"entries_added\":\"3\",\"max_deleted_id\":\"2-0\""),
        STREAM(GROUP("1-1", "[\"1-1\",\"c\",99,2]"),
               "\"5-0\",\"entries_added\":\"4\",\"max_deleted_id\":\"2-0\""),
        STREAM(GROUP("1-1", "[\"1-1\",\"c\",99,2]"),
               "\"5-0\",\"entries_added\":\"3\",\"max_deleted_id\":\"3-0\""),
    };
    const char *whole = STREAM(GROUP("1-1", "[\"1-1\",\"c\",99,2]"), STATE);

    assert_same(whole, whole);
    /* Delivery times are not compared: a claim cannot set them in the future. */
    assert_same(whole, STREAM(GROUP("1-1", "[\"1-1\",\"c\",12345,2]"), STATE));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (compare(whole, others[i]).same)
            fail_msg("stream %zu is not told apart", i);
}

static void groups_left_out_are_no_difference(void **ctx UNUSED)
{
    value_sum_clear(saved);
    value_sum_clear(live);
    add(saved, STREAM(GROUP("1-1", "[\"1-1\",\"c\",99,2]"), STATE), false);
    add(live, STREAM("", STATE), false);
    assert_true(value_sum_compare(saved, live, 0, 0).same);
}

static void a_group_in_pieces_is_the_same_group(void **ctx UNUSED)
{
    struct str consumers[] = {STR("c"), STR("d")};
    struct stream_pending all[] = {
        {.id = {1, 1}, .consumer = 0, .delivered_ms = 5, .deliveries = 2},
        {.id = {2, 1}, .consumer = 1, .delivered_ms = 6, .deliveries = 1}};
    struct stream_group whole = {.name = STR("g"),
                                 .last_delivered = {2, 1},
                                 .consumers = consumers,
                                 .consumer_count = 2,
                                 .pending = all,
                                 .pending_count = 2};
    struct stream_group piece = whole;

    value_sum_clear(saved);
    value_sum_clear(live);
    value_sum_start(saved, RECORD_STREAM);
    value_sum_start(live, RECORD_STREAM);
    value_sum_group(saved, &whole);
    piece.pending_count = 1;
    value_sum_group(live, &piece);
    piece.pending = &all[1];
    value_sum_group(live, &piece);
    assert_true(value_sum_compare(saved, live, 0, 0).same);
    value_sum_group(live, &piece); /* one entry twice is not the same */
    assert_false(value_sum_compare(saved, live, 0, 0).same);
}

static void deadlines_of_fields_may_move_as_far_as_said(void **ctx UNUSED)
{
    static const struct {
        int64_t at;
        uint64_t wrong;
    } cases[] = {{10000, 0}, {9900, 0}, {9899, 1}, {10600, 0}, {10601, 1}, {RECORD_NO_TIME, 1}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct value_difference d;

        value_sum_clear(saved);
        value_sum_clear(live);
        add(saved,
            HEAD("hash") "{\"x\":\"0\",\"f\":\"v\"},\"field_expire_at_millis\":{\"f\":10000}}",
            true);
        value_sum_start(live, RECORD_HASH);
        value_sum_pair_until(live, STR("f"), STR("v"), cases[i].at);
        value_sum_pair(live, STR("x"), STR("0"));
        d = value_sum_compare(saved, live, 500, 100);
        assert_true(d.same);
        assert_int_equal(d.deadlines, cases[i].wrong);
    }
}

static void a_deadline_that_was_added_is_seen(void **ctx UNUSED)
{
    struct value_difference d;

    value_sum_clear(saved);
    value_sum_clear(live);
    add(saved, HEAD("hash") "{\"f\":\"v\"}}", true);
    value_sum_start(live, RECORD_HASH);
    value_sum_pair_until(live, STR("f"), STR("v"), 5000);
    d = value_sum_compare(saved, live, 1000000, 1000000);
    assert_true(d.same);
    assert_int_equal(d.deadlines, 1);
}

static int set_up(void **ctx UNUSED)
{
    saved = value_sum_new();
    live = value_sum_new();
    return 0;
}

static int tear_down(void **ctx UNUSED)
{
    value_sum_free(saved);
    value_sum_free(live);
    value_sum_free(NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_matters_for_lists_only),
        cmocka_unit_test(what_differs_is_counted),
        cmocka_unit_test(borders_between_pieces_count),
        cmocka_unit_test(scores_compare_as_numbers),
        cmocka_unit_test(lines_of_a_run_are_as_good_as_the_whole),
        cmocka_unit_test(a_hyperloglog_is_compared_without_its_cached_count),
        cmocka_unit_test(a_stream_is_its_entries_ids_groups_and_pending_entries),
        cmocka_unit_test(groups_left_out_are_no_difference),
        cmocka_unit_test(a_group_in_pieces_is_the_same_group),
        cmocka_unit_test(deadlines_of_fields_may_move_as_far_as_said),
        cmocka_unit_test(a_deadline_that_was_added_is_seen),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
