#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/record/record.h"

#define S(literal) STR(literal)

static struct error err;

static struct record_head head_of(enum record_type type, struct str key)
{
    struct record_head h;

    record_head_init(&h);
    h.key = key;
    h.type = type;
    h.type_name = str_from(record_type_name(type));
    return h;
}

static void hostile_lines_are_refused_with_a_reason(void **state)
{
#define HEAD "{\"key\":\"a\",\"type\":"
    static const char *const lines[] = {
        "",
        "{",
        "{}",
        "[]",
        "null",
        HEAD "\"string\"}",
        HEAD "\"string\",\"value\":\"x\"",
        HEAD "\"string\",\"value\":\"x\"} ,",
        HEAD "\"string\",\"value\":\"x\"}{}",
        HEAD "\"string\",\"value\":\"x\",}",
        HEAD "\"string\",\"value\":\"x",
        HEAD "\"string\",\"value\":\"\\x\"}",
        HEAD "\"string\",\"value\":\"\\ud800\"}",
        HEAD "\"string\",\"value\":\"\\udc00\"}",
        HEAD "\"string\",\"value\":\"\\u12\"}",
        HEAD "\"string\",\"value\":\"\xff\"}",
        HEAD "\"string\",\"value\":\"\xc0\x80\"}",
        HEAD "\"string\",\"value\":\"\x01\"}",
        HEAD "\"string\",\"value\":1}",
        HEAD "\"string\",\"value\":\"x\",\"value\":\"y\"}",
        HEAD "\"string\",\"value\":\"x\",\"value_b64\":\"eQ==\"}",
        HEAD "\"string\",\"value\":\"x\",\"key_b64\":\"YQ==\"}",
        HEAD "\"string\",\"value_b64\":\"eQ=\"}",
        HEAD "\"string\",\"value_b64\":\"eQ\"}",
        HEAD "\"string\",\"value_b64\":\"eR==\"}",
        HEAD "\"string\",\"value_b64\":\"e===\"}",
        HEAD "\"string\",\"value_b64\":\"====\"}",
        HEAD "\"string\",\"value_b64\":\"ey-=\"}",
        HEAD "\"string\",\"value_b64\":\"eQ==eQ==\"}",
        HEAD "\"string\",\"dump_b64\":\"eQ==\"}",
        HEAD "\"\",\"dump_b64\":\"eQ==\"}",
        HEAD "\"thing\",\"value\":\"x\"}",
        HEAD "\"string\",\"value\":\"x\",\"ttl_millis\":-5}",
        HEAD "\"string\",\"value\":\"x\",\"ttl_millis\":1.5}",
        HEAD "\"string\",\"value\":\"x\",\"ttl_millis\":01}",
        HEAD "\"string\",\"value\":\"x\",\"ttl_millis\":9223372036854775808}",
        HEAD "\"string\",\"value\":\"x\",\"expire_at_millis\":5}",
        HEAD "\"string\",\"value\":\"x\",\"slot\":1}",
        HEAD "\"string\",\"value\":\"x\",\"slot\":16384}",
        HEAD "\"string\",\"value\":\"x\",\"db\":-1}",
        HEAD "\"list\",\"value\":[],\"subtype\":\"hyperloglog\"}",
        HEAD "\"string\",\"value\":\"x\",\"consistency\":\"perhaps\"}",
        HEAD "\"string\",\"value\":\"x\",\"chunk\":{\"seq\":0}}",
        HEAD "\"string\",\"value\":\"x\",\"chunk\":{\"seq\":0,\"last\":true}}",
        HEAD "\"string\",\"value\":\"x\",\"chunk\":{\"seq\":0,\"seq\":1,\"last\":false}}",
        HEAD "\"list\",\"value\":[\"a\" \"b\"]}",
        HEAD "\"list\",\"value\":[\"a\",]}",
        HEAD "\"list\",\"value\":{\"a\":\"b\"}}",
        HEAD "\"hash\",\"value\":[\"a\",\"b\"]}",
        HEAD "\"hash\",\"value\":{\"a\"}}",
        HEAD "\"hash\",\"value\":{\"a\":\"b\"},\"field_expire_at_millis\":{\"a\":\"1\"}}",
        HEAD "\"set\",\"value\":[],\"field_expire_at_millis\":{}}",
        HEAD "\"zset\",\"value\":[[\"a\",\"nan\"]]}",
        HEAD "\"zset\",\"value\":[[\"a\",\"\"]]}",
        HEAD "\"zset\",\"value\":[[\"a\"]]}",
        HEAD "\"zset\",\"value\":[[\"a\",\"1\",\"2\"]]}",
        HEAD "\"stream\",\"value\":{\"entries\":[[\"1-1\",[\"f\"]]]}}",
        HEAD "\"stream\",\"value\":{\"entries\":[[\"1-1\",[]],[\"1-1\",[]]]}}",
        HEAD "\"stream\",\"value\":{\"entries\":[[\"x\",[]]]}}",
        HEAD "\"stream\",\"value\":{\"entries\":[],\"entries\":[]}}",
        HEAD "\"stream\",\"value\":{\"groups\":[{\"name\":\"g\"}]}}",
        HEAD "\"stream\",\"value\":{\"groups\":[{\"name\":\"g\",\"last_delivered_id\":\"0-0\"},"
             "{\"name\":\"g\",\"last_delivered_id\":\"0-0\"}]}}",
        HEAD "\"stream\",\"value\":{\"groups\":[{\"name\":\"g\",\"last_delivered_id\":\"0-0\","
             "\"consumers\":[{\"name\":\"c\"},{\"name\":\"c\"}]}]}}",
        HEAD "\"stream\",\"value\":{\"groups\":[{\"name\":\"g\",\"last_delivered_id\":\"0-0\","
             "\"pending\":[[\"2-0\",\"c\",1,1],[\"1-0\",\"c\",1,1]]}]}}",
        HEAD "\"string\",\"value\":\"x\",\"new\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"
             "]]]]]]]]]]]]]]]]]}",
        HEAD "\"string\",\"value\":\"x\",\"new\":tru}",
        HEAD "\"string\",\"value\":\"x\",\"new\":-}",
        HEAD "\"string\",\"value\":\"x\",\"new\":1.}",
        HEAD "\"string\",\"value\":\"x\",\"new\":1e}",
    };
#undef HEAD
    struct record *r = record_new();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        err = (struct error){0};
        if (record_parse(r, str_from(lines[i]), &err))
            fail_msg("accepted: %s", lines[i]);
        assert_int_equal(err.code, ERROR_CORRUPT);
        assert_true(strlen(err.text) > 0);
        assert_int_equal(record_count(r), 0);
    }
    assert_false(record_parse(r, (struct str){"{\"key\":\"a\0", 10}, &err));
    record_free(r);
}

static void every_cut_of_a_line_is_refused(void **state)
{
    static const char line[] =
        "{\"key\":\"a\",\"type\":\"stream\",\"ttl_millis\":5,\"value_b64\":{\"entries\":[[\"1-1\","
        "[\"Zg==\",\"dg==\"]]],\"last_id\":\"1-1\",\"entries_added\":\"1\",\"max_deleted_id\":"
        "\"0-0\",\"groups\":[{\"name\":\"g\",\"last_delivered_id\":\"1-1\",\"entries_read\":\"1\","
        "\"consumers\":[{\"name\":\"c\"}],\"pending\":[[\"1-1\",\"c\",1,1]]}]},"
        "\"expire_at_millis\":9,\"slot\":15495}";
    struct record *r = record_new();

    (void)state;
    assert_true(record_parse(r, str_from(line), &err));
    for (size_t n = 0; n < sizeof(line) - 1; n++) {
        char *cut = mem_copy_str((struct str){line, n}); /* so that a sanitizer sees its end */

        assert_false(record_parse(r, (struct str){cut, n}, &err));
        free(cut);
    }
    record_free(r);
}

/* Text is read eight bytes at a time: a byte is judged wherever it stands, and no byte behind the
 * quote says anything about the text. */
static void a_byte_is_judged_wherever_it_stands(void **state)
{
    static const char head[] = "{\"key\":\"k\",\"type\":\"string\",\"value\":\"";
    static const char tail[] = "\",\"ttl_millis\":null,\"more\":\"\xc3\xa9\"}";
    struct record *r = record_new();

    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        bool fits = byte >= 0x20 && byte < 0x80 && byte != '"';

        for (size_t at = 0; at < 20 && byte != '\\'; at++) {
            char text[21] = "abcdefghijklmnopqrst";
            char line[120];
            int len;

            text[at] = (char)byte;
            len = snprintf(line, sizeof(line), "%s%s%s", head, text, tail);
            assert_int_equal(record_parse(r, (struct str){line, (size_t)len}, &err), fits);
            if (fits)
                assert_true(str_equal(record_string(r), str_from(text)));
        }
    }
    record_free(r);
}

static void an_oversize_line_or_element_is_refused(void **state)
{
    size_t size = RECORD_LINE_MAX + 1;
    char *big = mem_alloc(size);
    struct record *r = record_new();
    struct record_head h = head_of(RECORD_STRING, S("k"));
    struct record_writer w;
    struct buf out;

    (void)state;
    memset(big, '"', size);
    assert_false(record_parse(r, (struct str){big, size}, &err));
    assert_int_equal(err.code, ERROR_LIMIT);
    buf_init(&out, 4 * RECORD_LINE_MAX);
    assert_true(record_begin(&w, &out, &h, false, &err));
    assert_false(record_put_string(&w, (struct str){big, RECORD_ELEMENT_MAX + 1}, &err));
    assert_int_equal(err.code, ERROR_LIMIT);
    buf_clear(&out);
    assert_true(record_begin(&w, &out, &h, false, &err)); /* escapes make it too long */
    assert_true(record_put_string(&w, (struct str){big, RECORD_ELEMENT_MAX}, &err));
    assert_false(record_end(&w, NULL, NULL, 0, &err));
    assert_int_equal(err.code, ERROR_LIMIT);
    buf_release(&out);
    record_free(r);
    free(big);
}

/* TYPE may answer anything on a bad line, and one such record would make its part unreadable. */
static void a_type_that_is_no_text_is_not_written(void **state)
{
    const struct str names[] = {S("str\xffng"), S("\xc0\x80"), S("hash\0"), S("\xed\xa0\x80")};
    struct record_writer w;
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct record_head h = head_of(RECORD_OPAQUE, S("a"));

        h.type_name = names[i];
        err = (struct error){0};
        assert_false(record_begin(&w, &out, &h, false, &err));
        assert_int_equal(err.code, ERROR_CORRUPT);
    }
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_lines_are_refused_with_a_reason),
        cmocka_unit_test(a_type_that_is_no_text_is_not_written),
        cmocka_unit_test(every_cut_of_a_line_is_refused),
        cmocka_unit_test(a_byte_is_judged_wherever_it_stands),
        cmocka_unit_test(an_oversize_line_or_element_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
