/*
 * test_diff_findings.c - two verifications compared by their reports, honest ones and those that
 * somebody has bent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/json.h"
#include "core/diff/diff_findings.h"
#include "core/diff/diff_text.h"
#include "tests/harness/schema.h"

#define SCHEMA "docs/schema/diff.schema.json"

static json_t *diff;

static json_t *parse(const char *text)
{
    struct error err;
    json_t *doc = json_parse(str_from(text), "report", &err);

    if (doc == NULL)
        fail_msg("%s", err.text);
    return doc;
}

static void compare(const char *a, const char *b, uint64_t limit)
{
    struct error err;
    json_t *docs[2] = {parse(a), parse(b)};

    json_decref(diff);
    diff = diff_verifications(docs[0], "a.json", docs[1], "b.json", limit, &err);
    if (diff == NULL)
        fail_msg("%s", err.text);
    schema_expect(SCHEMA, diff);
    json_decref(docs[0]);
    json_decref(docs[1]);
}

static int forget(void **ctx UNUSED)
{
    json_decref(diff);
    diff = NULL;
    return 0;
}

#define REPORT(extent, counts, keys)                                                 \
    "{\"backup_id\":\"x\",\"extent\":\"" extent "\",\"checked\":10,\"extra\":false," \
    "\"verdicts\":{" counts "},\"keys\":[" keys "]}"
#define KEY(key, verdict) \
    "{\"key\":\"" key "\",\"type\":\"hash\",\"verdict\":\"" verdict "\",\"detail\":\"d\"}"

static const char *change_of(const char *key)
{
    size_t i;
    const json_t *one;

    json_array_foreach(json_object_get(diff, "keys"), i, one)
    {
        if (strcmp(json_text(one, "key", ""), key) == 0)
            return json_text(one, "change", "");
    }
    return "not named";
}

static bool has_note(const char *part)
{
    size_t i;
    const json_t *note;

    json_array_foreach(json_object_get(diff, "notes"), i, note)
    {
        if (strstr(json_string_value(note), part) != NULL)
            return true;
    }
    return false;
}

static void findings_appear_go_stay_and_change(void **ctx UNUSED)
{
    char line[200];

    compare(REPORT("full", "\"same\":7,\"differs\":2,\"missing\":1",
                   KEY("stays", "differs") "," KEY("goes", "differs") "," KEY("turns", "missing")),
            REPORT("full", "\"same\":7,\"differs\":2,\"ttl\":1",
                   KEY("turns", "differs") "," KEY("comes", "ttl") "," KEY("stays", "differs")),
            100);
    assert_string_equal(change_of("stays"), "stayed");
    assert_string_equal(change_of("goes"), "gone");
    assert_string_equal(change_of("turns"), "changed");
    assert_string_equal(change_of("comes"), "appeared");
    assert_false(json_flag(diff, "equal", true));
    assert_string_equal(diff_text_line(diff, line, sizeof(line)),
                        "a=3 b=3 appeared=1 gone=1 changed=1 stayed=1");
    assert_int_equal(json_array_size(json_object_get(diff, "notes")), 0);
}

static void the_same_findings_are_equal(void **ctx UNUSED)
{
    compare(REPORT("full", "\"same\":9,\"differs\":1", KEY("k", "differs")),
            REPORT("full", "\"same\":8,\"differs\":1,\"expired\":1", KEY("k", "differs")), 100);
    assert_true(json_flag(diff, "equal", false));
    assert_int_equal(json_int(diff, "findings", -1), 0);
}

static void counts_differ_even_where_no_key_is_named(void **ctx UNUSED)
{
    compare(REPORT("full", "\"differs\":5", ""), REPORT("full", "\"differs\":6", ""), 100);
    assert_false(json_flag(diff, "equal", true));
    assert_true(has_note("A names 0 of its 5 findings"));
    assert_true(has_note("B names 0 of its 6 findings"));
}

static void keys_drawn_at_random_are_said_to_be_so(void **ctx UNUSED)
{
    compare(REPORT("sample", "\"same\":10", ""), REPORT("full", "\"same\":10", ""), 100);
    assert_true(has_note("may only not have been looked at"));
    compare(REPORT("sample", "\"same\":10", ""), REPORT("sample", "\"same\":10", ""), 100);
    assert_true(has_note("may only not have been looked at"));
    compare(REPORT("full", "\"same\":10", ""), REPORT("full", "\"same\":10", ""), 100);
    assert_false(has_note("may only not have been looked at"));
}

static void a_limit_names_fewer_and_says_how_many_are_left(void **ctx UNUSED)
{
    compare(REPORT("full", "\"differs\":3",
                   KEY("a", "differs") "," KEY("b", "differs") "," KEY("c", "differs")),
            REPORT("full", "\"same\":3", ""), 2);
    assert_int_equal(json_array_size(json_object_get(diff, "keys")), 2);
    assert_int_equal(json_int(diff, "unnamed", 0), 1);
    assert_int_equal(json_int(json_object_get(diff, "summary"), "gone", 0), 3);
}

#define HOSTILE                                                                             \
    "{\"checked\":1,\"verdicts\":{},\"keys\":[{\"key\":\"\\u001b]52;c;x\\u0007\\u0085|`\"," \
    "\"detail\":\"\\u202e\",\"verdict\":\"\\n\"}]}"

static void a_bent_report_does_no_harm(void **ctx UNUSED)
{
    static const char *const bent[] = {
        REPORT("full",
               "\"same\":-5,\"differs\":9223372036854775807,\"missing\":9223372036854775807", ""),
        REPORT("full", "\"same\":\"x\",\"differs\":null",
               "1,null,[],{},{\"key\":5},{\"key\":\"\"},{\"key\":\"k\",\"verdict\":7,\"type\":[]},"
               "{\"key\":\"k\"}"),
        "{\"checked\":1,\"verdicts\":{},\"keys\":\"none\",\"extent\":5,\"coverage\":[]}",
        HOSTILE,
    };

    for (size_t i = 0; i < COUNT_OF(bent); i++)
        for (size_t k = 0; k < COUNT_OF(bent); k++) {
            struct buf text;

            compare(bent[i], bent[k], 10);
            buf_init(&text, 1 << 20);
            diff_text(diff, i % 2 == 0 ? DIFF_PLAIN : DIFF_MARKDOWN, &text);
            for (size_t at = 0; at < text.len; at++)
                assert_true(text.data[at] == '\n' || (unsigned char)text.data[at] >= 0x20);
            assert_null(strstr(text.data, "\xc2\x85"));
            assert_null(strstr(text.data, "\xe2\x80\xae"));
            buf_release(&text);
        }
}

static void what_is_no_verification_is_refused_by_name(void **ctx UNUSED)
{
    struct error err = {0};
    json_t *good = parse(REPORT("full", "", ""));
    json_t *bad = parse("{\"kind\":\"snapshot\",\"checked\":\"many\",\"verdicts\":{}}");

    assert_null(diff_verifications(good, "good", bad, "bad", 10, &err));
    assert_int_equal(err.code, ERROR_CORRUPT);
    assert_string_equal(err.text, "bad is no verification's report");
    assert_null(diff_verifications(bad, "bad", good, "good", 10, &err));
    assert_string_equal(err.text, "bad is no verification's report");
    json_decref(good);
    json_decref(bad);
}

#define TEST(f) cmocka_unit_test_teardown(f, forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(findings_appear_go_stay_and_change),
        TEST(the_same_findings_are_equal),
        TEST(counts_differ_even_where_no_key_is_named),
        TEST(keys_drawn_at_random_are_said_to_be_so),
        TEST(a_limit_names_fewer_and_says_how_many_are_left),
        TEST(a_bent_report_does_no_harm),
        TEST(what_is_no_verification_is_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
