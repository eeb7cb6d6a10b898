/*
 * test_diff.c - two backups written by hand, compared: every kind of change is named as what it is,
 * and what a side has not read is never called removed.
 */
#include "tests/engine/diff_kit.h"

#include "core/diff/diff_text.h"

/* ---- the same ---------------------------------------------------------------------------------
 */

static void equal_data_in_another_order_and_other_parts_is_equal(void **ctx UNUSED)
{
    compare_made(A(STRING("a", "1") KEY("hash", "h", "{\"x\":\"1\",\"y\":\"2\"}"),
                   KEY("set", "s", "[\"a\",\"b\"]") KEY("zset", "z", "[[\"m\",\"0\"]]")),
                 B(KEY("zset", "z", "[[\"m\",\"-0\"]]"), KEY("set", "s", "[\"b\",\"a\"]"),
                   STRING("a", "1"), KEY("hash", "h", "{\"y\":\"2\",\"x\":\"1\"}")));
    expect_counts(4, 4, 4, 0);
    assert_string_equal(named(), "");
    assert_int_equal(report.slots_same, SLOT_COUNT);
    assert_int_equal(report.passes, 1);
}

static void two_empty_backups_are_equal(void **ctx UNUSED)
{
    compare_made(A(""), B(""));
    expect_counts(0, 0, 0, 0);
}

/* ---- what changed -----------------------------------------------------------------------------
 */

static void a_change_of_each_type_is_named_as_what_it_is(void **ctx UNUSED)
{
    compare_made(A(STRING("str", "1") KEY("hash", "h", "{\"x\":\"1\",\"y\":\"2\",\"z\":\"3\"}")
                       KEY("list", "l", "[\"a\",\"b\"]") KEY("set", "s", "[\"a\",\"b\"]")
                           KEY("zset", "z", "[[\"m\",\"1\"],[\"n\",\"2\"]]") STREAM("1-1", GROUP)
                               STRING("gone", "1") STRING("kept", "1") STRING("other", "1")),
                 B(STRING("str", "2") KEY("hash", "h", "{\"x\":\"1\",\"y\":\"9\",\"w\":\"3\"}")
                       KEY("list", "l", "[\"b\",\"a\"]") KEY("set", "s", "[\"a\",\"c\"]") KEY(
                           "zset", "z", "[[\"m\",\"1\"],[\"n\",\"2.5\"]]") STREAM("1-1", "")
                           STRING("new", "1") STRING("kept", "1") KEY("list", "other", "[\"1\"]")));
    expect_counts(9, 9, 1, 9);
    assert_int_equal(report.finding_count, 9);
    static const char *const lines[] = {
        "differs str: the bytes differ\n",
        "differs h: 3 fields in A: 1 differ, 1 removed, 1 added\n",
        "differs l: the elements differ\n",
        "differs s: 2 members in A: 0 differ, 1 removed, 1 added\n",
        "differs z: 2 members in A: 1 differ, 0 removed, 0 added\n",
        "differs st: 1 consumer groups in A, 0 in B\n",
        "differs other: string in A, list in B\n",
        "removed gone\n",
        "added new\n",
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        if (strstr(named(), lines[i]) == NULL)
            fail_msg("no %s in\n%s", lines[i], named());
    assert_int_equal(report.by_type[RECORD_STRING].a, 4);
    assert_int_equal(report.by_type[RECORD_STRING].b, 3);
    assert_int_equal(report.by_type[RECORD_STRING].verdicts[DIFF_DIFFERS], 2);
    assert_int_equal(report.by_type[RECORD_STRING].verdicts[DIFF_SAME], 1);
    assert_int_equal(slot_set_count(&report.slots_differing), 9);
}

static void expiries_are_apart_from_contents(void **ctx UNUSED)
{
    compare_made(A(UNTIL("within", "1755529200000") UNTIL("moved", "1755529200000")
                       UNTIL("never", "1755529200000") STRING("soon", "v")),
                 B(UNTIL("within", "1755529200900") UNTIL("moved", "1755529260000")
                       STRING("never", "v") UNTIL("soon", "1755529200000")));
    expect_counts(4, 4, 1, 3);
    assert_int_equal(report.total.verdicts[DIFF_TTL], 3);
    assert_int_equal(report.slots_deadlines, 3);
    assert_non_null(strstr(named(), "ttl moved: expires 1m 00s later in B\n"));
    assert_non_null(strstr(named(), "ttl never: expires 2025-08-18T15:00:00Z in A, never in B\n"));
    assert_non_null(strstr(named(), "ttl soon: never expires in A, 2025-08-18T15:00:00Z in B\n"));
}

static void a_key_whose_time_had_come_is_expired_not_removed(void **ctx UNUSED)
{
    /* B ends at 12:10: one deadline before, one behind that. */
    compare_made(A(UNTIL("past", "1755518700000") UNTIL("future", "1755519300000")), B(""));
    assert_int_equal(report.total.verdicts[DIFF_EXPIRED], 1);
    assert_int_equal(report.total.verdicts[DIFF_REMOVED], 1);
    expect_counts(2, 0, 0, 1);
    assert_string_equal(named(),
                        "removed future\nexpired past: 5m 00s before B was read to its end\n");
}

static void the_order_of_time_counts_not_the_order_of_the_words(void **ctx UNUSED)
{
    struct made younger = A("");

    younger.end_ms = NOON + 10 * MINUTE;
    compare_with(&younger, &(struct made){.parts = {UNTIL("past", "1755518700000")}}, &usual);
    assert_int_equal(report.total.verdicts[DIFF_EXPIRED], 1);
    expect_counts(0, 1, 0, 0);
    assert_true(has_note("A is newer than B"));
}

static void other_function_libraries_make_them_differ(void **ctx UNUSED)
{
    struct made a = A(STRING("a", "1"));
    struct made b = B(STRING("a", "1"));

    a.functions = "{\"name\":\"lib\",\"engine\":\"LUA\",\"code\":\"one\"}\n";
    b.functions = "{\"name\":\"lib\",\"engine\":\"LUA\",\"code\":\"two\"}\n";
    compare_made(a, b);
    expect_counts(1, 1, 1, 1);
    assert_string_equal(json_text(json_array_get(report.facts, 0), "fact", ""), "function lib");
    b.functions = a.functions;
    compare_made(a, b);
    expect_counts(1, 1, 1, 0);
}

/* ---- what was not read ------------------------------------------------------------------------
 */

static void a_key_that_an_incomplete_side_lacks_is_unsure(void **ctx UNUSED)
{
    struct made b = B(STRING("a", "1"));

    b.reason = "the primary did not answer";
    compare_made(A(STRING("a", "1") STRING("b", "1")), b);
    assert_int_equal(report.total.verdicts[DIFF_UNSURE], 1);
    assert_int_equal(report.total.verdicts[DIFF_REMOVED], 0);
    assert_string_equal(named(), "unsure b: not in B, which is incomplete\n");
    assert_true(has_note("B is incomplete (the primary did not answer)"));
    expect_counts(2, 1, 1, 1);
}

static void slots_that_one_side_never_read_are_not_compared(void **ctx UNUSED)
{
    static const struct manifest_slots low = {.first = 0, .last = 8000, .owner = "x"};
    struct made b = B("");

    /* a: 15495, b: 3300, foo: 12182 */
    b.ranges = &low;
    b.range_count = 1;
    compare_made(A(STRING("a", "1") STRING("b", "1") STRING("foo", "1")), b);
    expect_counts(1, 0, 0, 1);
    assert_string_equal(named(), "removed b\n");
    assert_true(has_note("8383 slots were not read by both and are not compared: 8001-16383"));
    assert_int_equal(report.slots_compared, 8001);
    b.ranges = NULL;
    b.range_count = 0;
    b.slots = "3300";
    compare_made(A(STRING("a", "1") STRING("b", "1") STRING("foo", "1")), b);
    expect_counts(1, 0, 0, 1);
}

/* Why these two cannot be compared. */
static const char *refused(const struct made *a, const struct made *b)
{
    static struct error err;
    struct source *sources[2] = {make(a), make(b)};
    struct diff_side *sides[2] = {diff_side_backup(sources[0], "a"),
                                  diff_side_backup(sources[1], "b")};
    struct task *task = task_new_plain();
    struct diff_report none;

    err = (struct error){0};
    assert_false(diff_run(sides[0], sides[1], &usual, task, &none, &err));
    assert_int_equal(err.code, ERROR_USAGE);
    diff_report_release(&none);
    task_free(task);
    for (int i = 0; i < 2; i++) {
        diff_side_free(sides[i]);
        source_close(sources[i]);
    }
    return err.text;
}

/* Not equal: nobody looked at the same thing twice. */
static void sides_with_nothing_in_common_are_refused(void **ctx UNUSED)
{
    struct made a = A(STRING("a", "1"));
    struct made b = B(STRING("b", "1"));

    a.slots = "15495";
    b.slots = "3300";
    assert_non_null(strstr(refused(&a, &b), "there is no slot that both A and B have read"));
    a.slots = b.slots = NULL;
    a.match = "a*";
    b.match = "b*";
    assert_non_null(strstr(refused(&a, &b), "no key in common"));
}

static void what_one_side_was_filtered_by_is_put_on_the_other(void **ctx UNUSED)
{
    struct made b = B(STRING("user:1", "1"));

    b.match = "user:*";
    compare_made(A(STRING("user:1", "1") STRING("other", "1")), b);
    expect_counts(1, 1, 1, 0);
    assert_true(has_note("B holds only part of the keys"));
}

static void the_operators_filter_narrows_it_further(void **ctx UNUSED)
{
    static const char *const match[] = {"user:*"};
    static const char *const types[] = {"string"};
    struct diff_options o = usual;

    o.filter = (struct filter){.match = match, .match_count = 1, .types = types, .type_count = 1};
    compare_with(&A(STRING("user:1", "1") STRING("x", "1") KEY("list", "user:2", "[\"1\"]")),
                 &B(STRING("user:1", "2") STRING("y", "1")), &o);
    expect_counts(1, 1, 0, 1);
}

static void our_own_temporary_keys_are_passed_over(void **ctx UNUSED)
{
    compare_made(
        A("{\"key_b64\":\"AHJiYzox\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"1\"}\n"),
        B(""));
    expect_counts(0, 0, 0, 0);
}

/* ---- records as they may come -----------------------------------------------------------------
 */

static void of_a_key_that_stands_there_twice_the_later_counts(void **ctx UNUSED)
{
    compare_made(A(STRING("a", "1") STRING("a", "2") STRING("b", "1")),
                 B(STRING("a", "2") STRING("b", "2") STRING("b", "1")));
    expect_counts(2, 2, 2, 0);
    compare_made(A(STRING("a", "2") STRING("a", "1")), B(STRING("a", "2")));
    expect_counts(1, 1, 0, 1);
}

#define CHUNK(value, seq, last)                                                                \
    "{\"key\":\"big\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[" value "],\"chunk\":{" \
    "\"seq\":" seq ",\"last\":" last "}}\n"

static void a_key_of_many_lines_is_one_key_and_a_void_run_is_none(void **ctx UNUSED)
{
    compare_made(A(CHUNK("\"x\"", "0", "false") CHUNK("\"a\"", "0", "false")
                       CHUNK("\"b\"", "1", "true,\"count\":2") STRING("s", "1")),
                 B(KEY("list", "big", "[\"a\",\"b\"]") STRING("s", "1")));
    assert_string_equal(named(), "");
    expect_counts(2, 2, 2, 0);
    compare_made(A(CHUNK("\"a\"", "0", "false")), B(STRING("s", "1")));
    assert_string_equal(named(), "added s\n");
}

static void a_name_from_hell_comes_out_tame_everywhere(void **ctx UNUSED)
{
    struct buf text;

    compare_made(A("{\"key_b64\":\"G10xMzM3OwB8YHg=\",\"type\":\"string\",\"ttl_millis\":null,"
                   "\"value\":\"1\"}\n"),
                 B(""));
    for (int style = DIFF_PLAIN; style <= DIFF_MARKDOWN; style++) {
        buf_init(&text, 1 << 20);
        diff_text(document, (enum diff_style)style, &text);
        for (size_t i = 0; i < text.len; i++)
            assert_true(text.data[i] == '\n' || (unsigned char)text.data[i] >= 0x20);
        assert_non_null(strstr(text.data, style == DIFF_MARKDOWN ? "\\|\\`x" : "|`x"));
        buf_release(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(equal_data_in_another_order_and_other_parts_is_equal),
        TEST(two_empty_backups_are_equal),
        TEST(a_change_of_each_type_is_named_as_what_it_is),
        TEST(expiries_are_apart_from_contents),
        TEST(a_key_whose_time_had_come_is_expired_not_removed),
        TEST(the_order_of_time_counts_not_the_order_of_the_words),
        TEST(other_function_libraries_make_them_differ),
        TEST(a_key_that_an_incomplete_side_lacks_is_unsure),
        TEST(slots_that_one_side_never_read_are_not_compared),
        TEST(sides_with_nothing_in_common_are_refused),
        TEST(what_one_side_was_filtered_by_is_put_on_the_other),
        TEST(the_operators_filter_narrows_it_further),
        TEST(our_own_temporary_keys_are_passed_over),
        TEST(of_a_key_that_stands_there_twice_the_later_counts),
        TEST(a_key_of_many_lines_is_one_key_and_a_void_run_is_none),
        TEST(a_name_from_hell_comes_out_tame_everywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
