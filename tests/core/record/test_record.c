#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

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

static void expect_line(struct buf *out, const char *line)
{
    assert_string_equal(out->data, line);
    buf_clear(out);
}

static void parse_ok(struct record *r, struct buf *out)
{
    bool ok;

    assert_true(out->len > 0 && out->data[out->len - 1] == '\n');
    ok = record_parse(r, (struct str){out->data, out->len - 1}, &err);
    if (!ok)
        print_error("%s\n", err.text);
    assert_true(ok);
    buf_clear(out);
}

static void assert_str(struct str a, struct str b)
{
    assert_int_equal(a.len, b.len);
    if (a.len > 0)
        assert_memory_equal(a.ptr, b.ptr, a.len);
}

static void a_string_is_written_as_the_format_shows_it(void **state)
{
    struct record_head h = head_of(RECORD_STRING, S("user:1"));
    struct record_writer w;
    struct buf out;

    (void)state;
    buf_init(&out, RECORD_LINE_MAX);
    h.ttl_millis = 599321;
    h.expire_at_millis = 1755497196412;
    h.slot = slot_of_key(h.key);
    assert_true(record_begin(&w, &out, &h, false, &err));
    assert_true(record_put_string(&w, S("name-1"), &err));
    assert_true(record_end(&w, NULL, NULL, 0, &err));
    expect_line(&out, "{\"key\":\"user:1\",\"type\":\"string\",\"ttl_millis\":599321,"
                      "\"value\":\"name-1\",\"expire_at_millis\":1755497196412,"
                      "\"slot\":10778}\n");
    buf_release(&out);
}

static void text_is_escaped_and_read_back(void **state)
{
    const char every[] = "\x01\x1f quote\" slash\\ tab\t nl\n cr\r bs\b ff\f del\x7f "
                         "\xed\x95\x9c\xea\xb8\x80 \xf0\x9f\x98\x80 /";
    struct str value = {every, sizeof(every) - 1};
    struct record_head h = head_of(RECORD_STRING, S("k\"\n"));
    struct record_writer w;
    struct record *r = record_new();
    struct buf out;

    (void)state;
    buf_init(&out, RECORD_LINE_MAX);
    assert_true(record_begin(&w, &out, &h, false, &err));
    assert_true(record_put_string(&w, value, &err));
    assert_true(record_end(&w, NULL, NULL, 0, &err));
    for (size_t i = 0; i + 1 < out.len; i++)
        assert_true((unsigned char)out.data[i] >= 0x20);
    parse_ok(r, &out);
    assert_str(record_string(r), value);
    assert_str(record_head(r)->key, h.key);
    assert_true(record_head(r)->ttl_millis == RECORD_NO_TIME);
    record_free(r);
    buf_release(&out);
}

static void every_byte_string_comes_back_whatever_its_length(void **state)
{
    struct record *r = record_new();
    struct buf out;
    char bytes[300];

    (void)state;
    buf_init(&out, RECORD_LINE_MAX);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 7 + i / 256);
    for (size_t len = 0; len <= 280; len++) {
        struct str value = {bytes + len % 5, len};
        struct record_head h = head_of(RECORD_STRING, value);
        struct record_writer w;

        assert_true(record_begin(&w, &out, &h, !str_is_text(value), &err));
        assert_true(record_put_string(&w, value, &err));
        assert_true(record_end(&w, NULL, NULL, 0, &err));
        parse_ok(r, &out);
        assert_str(record_string(r), value);
        assert_str(record_head(r)->key, value);
    }
    record_free(r);
    buf_release(&out);
}

static void a_hash_keeps_binary_fields_and_their_deadlines(void **state)
{
    struct record_head h = head_of(RECORD_HASH, S("h"));
    struct str fields[] = {{"a\0b", 3}, S("plain"), S("")};
    int64_t deadlines[] = {RECORD_NO_TIME, 1755497196412, 5};
    struct record_writer w;
    struct record *r = record_new();
    struct buf out;
    struct str field;
    struct str value;
    int64_t millis;

    (void)state;
    buf_init(&out, RECORD_LINE_MAX);
    assert_false(record_all_text(fields, 3));
    assert_true(record_begin(&w, &out, &h, true, &err));
    for (size_t i = 0; i < 3; i++)
        assert_true(record_put_field(&w, fields[i], fields[2 - i], &err));
    assert_true(record_end(&w, fields, deadlines, 3, &err));
    assert_string_equal(out.data,
                        "{\"key\":\"h\",\"type\":\"hash\",\"ttl_millis\":null,\"value_b64\":"
                        "{\"YQBi\":\"\",\"cGxhaW4=\":\"cGxhaW4=\",\"\":\"YQBi\"},"
                        "\"field_expire_at_millis\":{\"cGxhaW4=\":1755497196412,\"\":5}}\n");
    parse_ok(r, &out);
    assert_int_equal(record_count(r), 3);
    record_pair(r, 2, &field, &value);
    assert_str(field, fields[2]);
    assert_str(value, fields[0]);
    assert_int_equal(record_deadlines(r), 2);
    record_deadline(r, 0, &field, &millis);
    assert_str(field, S("plain"));
    assert_true(millis == 1755497196412);
    record_free(r);
    buf_release(&out);
}

static void scores_are_written_in_their_shortest_form(void **state)
{
    static const struct {
        const char *from;
        const char *into;
    } scores[] = {{"0.10000000000000001", "0.1"},
                  {"4.9406564584124654e-324", "5e-324"},
                  {"inf", "inf"},
                  {"-inf", "-inf"},
                  {"3", "3"},
                  {"-17", "-17"},
                  {"1.5", "1.5"}};
    struct record_head h = head_of(RECORD_ZSET, S("z"));
    struct record *r = record_new();
    struct record_writer w;
    struct buf out;

    (void)state;
    buf_init(&out, RECORD_LINE_MAX);
    assert_true(record_begin(&w, &out, &h, false, &err));
    for (size_t i = 0; i < COUNT_OF(scores); i++)
        assert_true(record_put_member(&w, S("m"), str_from(scores[i].from), &err));
    assert_true(record_end(&w, NULL, NULL, 0, &err));
    parse_ok(r, &out);
    assert_int_equal(record_count(r), COUNT_OF(scores));
    for (size_t i = 0; i < COUNT_OF(scores); i++) {
        struct str member;
        struct str score;
        double exact;

        record_pair(r, i, &member, &score);
        assert_str(score, str_from(scores[i].into));
        assert_true(str_to_double(str_from(scores[i].from), &exact));
        assert_memory_equal(&exact, &(double){record_score(r, i)}, sizeof(exact));
    }
    assert_true(record_begin(&w, &out, &h, false, &err));
    assert_false(record_put_member(&w, S("m"), S("nan"), &err));
    assert_int_equal(err.code, ERROR_CORRUPT);
    record_free(r);
    buf_release(&out);
}

static void a_stream_keeps_ids_groups_consumers_and_pending_entries(void **state)
{
    struct record_head h = head_of(RECORD_STREAM, S("s"));
    struct str names[] = {S("c"), {"\xff", 1}, S("")};
    struct stream_pending pending[] = {
        {{1, 1}, 0, 1755497196412, 1}, {{1, 2}, STREAM_UNOWNED, -1, 3}, {{2, 0}, 2, 7, UINT64_MAX}};
    struct stream_group groups[] = {{.name = S("g"),
                                     .last_delivered = {1, 1},
                                     .has_entries_read = true,
                                     .entries_read = 1,
                                     .consumers = names,
                                     .consumer_count = 3,
                                     .pending = pending,
                                     .pending_count = 3},
                                    {.name = {"\xfe", 1}, .last_delivered = {0, 0}}};
    struct stream_state last = {{UINT64_MAX, UINT64_MAX}, true, UINT64_MAX, {0, 0}};
    struct str fields[] = {S("f"), S("v")};
    struct record *r = record_new();
    struct record_writer w;
    struct record_entry e;
    struct buf out;
    const struct stream_group *g;
    size_t count;

    (void)state;
    buf_init(&out, RECORD_LINE_MAX);
    assert_true(record_begin(&w, &out, &h, false, &err));
    assert_true(record_put_entry(&w, (struct stream_id){1, 1}, fields, 2, &err));
    assert_true(record_put_entry(&w, (struct stream_id){1, 2}, fields, 2, &err));
    assert_true(record_put_state(&w, &last, &err));
    assert_true(record_put_groups(&w, groups, 2, &err));
    assert_true(record_end(&w, NULL, NULL, 0, &err));
    assert_string_equal(
        out.data,
        "{\"key\":\"s\",\"type\":\"stream\",\"ttl_millis\":null,\"value\":{\"entries\":[[\"1-1\","
        "[\"f\",\"v\"]],[\"1-2\",[\"f\",\"v\"]]],\"last_id\":\"18446744073709551615-"
        "18446744073709551615\",\"entries_added\":\"18446744073709551615\",\"max_deleted_id\":"
        "\"0-0\",\"groups\":[{\"name\":\"g\",\"last_delivered_id\":\"1-1\",\"entries_read\":\"1\","
        "\"consumers\":[{\"name\":\"c\"},{\"name\":{\"b64\":\"/w==\"}},{\"name\":\"\"}],"
        "\"pending\":[[\"1-1\",\"c\",1755497196412,1],[\"1-2\",null,-1,3],"
        "[\"2-0\",\"\",7,18446744073709551615]]},{\"name\":{\"b64\":\"/g==\"},"
        "\"last_delivered_id\":\"0-0\",\"consumers\":[],\"pending\":[]}]}}\n");
    parse_ok(r, &out);
    assert_int_equal(record_count(r), 2);
    record_entry(r, 1, &e);
    assert_int_equal(e.id.seq, 2);
    assert_int_equal(e.count, 2);
    assert_str(record_entry_item(r, &e, 1), S("v"));
    assert_true(record_has_state(r));
    assert_true(record_state(r).last_id.seq == UINT64_MAX && record_state(r).has_counters);
    g = record_groups(r, &count);
    assert_int_equal(count, 2);
    assert_int_equal(g[0].consumer_count, 3);
    assert_str(g[0].consumers[1], names[1]);
    assert_int_equal(g[0].pending_count, 3);
    assert_true(g[0].pending[1].consumer == STREAM_UNOWNED);
    assert_int_equal(g[0].pending[2].consumer, 2);
    assert_true(g[0].pending[2].deliveries == UINT64_MAX);
    assert_str(g[1].name, groups[1].name);
    assert_int_equal(g[1].pending_count, 0);
    record_free(r);
    buf_release(&out);
}

static void an_empty_stream_has_an_empty_list_of_entries(void **state)
{
    struct record_head h = head_of(RECORD_STREAM, S("s"));
    struct stream_state last = {.last_id = {0, 0}};
    struct record_writer w;
    struct buf out;

    (void)state;
    buf_init(&out, RECORD_LINE_MAX);
    assert_true(record_begin(&w, &out, &h, false, &err));
    assert_true(record_put_state(&w, &last, &err));
    assert_true(record_put_groups(&w, NULL, 0, &err));
    assert_true(record_end(&w, NULL, NULL, 0, &err));
    expect_line(&out, "{\"key\":\"s\",\"type\":\"stream\",\"ttl_millis\":null,\"value\":"
                      "{\"entries\":[],\"last_id\":\"0-0\",\"groups\":[]}}\n");
    buf_release(&out);
}

static void the_members_behind_the_value_come_back(void **state)
{
    struct record_head h = head_of(RECORD_LIST, S("l"));
    const struct record_head *got;
    struct record *r = record_new();
    struct record_writer w;
    struct buf out;

    (void)state;
    buf_init(&out, RECORD_LINE_MAX);
    h.db = 3;
    h.fuzzy = true;
    h.chunked = true;
    h.chunk_last = true;
    h.chunk_seq = 7;
    h.chunk_count = 123456789012;
    assert_true(record_begin(&w, &out, &h, false, &err));
    assert_true(record_end(&w, NULL, NULL, 0, &err));
    parse_ok(r, &out);
    got = record_head(r);
    assert_int_equal(record_count(r), 0);
    assert_int_equal(got->db, 3);
    assert_true(got->fuzzy && got->chunked && got->chunk_last);
    assert_int_equal(got->chunk_seq, 7);
    assert_true(got->chunk_count == 123456789012);
    record_free(r);
    buf_release(&out);
}

static void an_unknown_type_carries_its_dump(void **state)
{
    struct record_head h = head_of(RECORD_STRING, S("v"));
    struct str payload = {"\x00\x01\xff", 3};
    struct record *r = record_new();
    struct record_writer w;
    struct buf out;

    (void)state;
    buf_init(&out, RECORD_LINE_MAX);
    h.type_name = S("vectorset");
    h.type = record_type_of(h.type_name);
    h.rdb_version = 12;
    assert_int_equal(h.type, RECORD_OPAQUE);
    assert_true(record_begin(&w, &out, &h, false, &err));
    assert_true(record_put_dump(&w, payload, &err));
    assert_true(record_end(&w, NULL, NULL, 0, &err));
    assert_string_equal(out.data, "{\"key\":\"v\",\"type\":\"vectorset\",\"ttl_millis\":null,"
                                  "\"dump_b64\":\"AAH/\",\"rdb_version\":12}\n");
    parse_ok(r, &out);
    assert_str(record_dump(r), payload);
    assert_int_equal(record_head(r)->rdb_version, 12);
    record_free(r);
    buf_release(&out);
}

static void other_tools_spacing_and_order_are_read(void **state)
{
    static const char *const lines[] = {
        "{\"key\": \"a\", \"type\": \"set\", \"ttl_millis\": -1, \"value\": [\"x\", \"y\"]}",
        ("{\"value\":[\"\\u0078\",\"\\u0079\"],\"type\":\"set\",\"later\":{\"a\":[1,2.5e-3,null,"
         "true,\"\\\\\\\"\"]},\"key\":\"a\"}"),
        "{\"type\":\"set\",\"value_b64\":[\"eA==\",\"eQ==\"],\"key_b64\":\"YQ==\"}",
    };
    struct record *r = record_new();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        assert_true(record_parse(r, str_from(lines[i]), &err));
        assert_str(record_head(r)->key, S("a"));
        assert_true(record_head(r)->ttl_millis == RECORD_NO_TIME);
        assert_int_equal(record_count(r), 2);
        assert_str(record_item(r, 0), S("x"));
        assert_str(record_item(r, 1), S("y"));
    }
    record_free(r);
}

static void surrogate_pairs_become_utf8(void **state)
{
    struct record *r = record_new();

    (void)state;
    assert_true(record_parse(r,
                             S("{\"key\":\"a\",\"type\":\"string\",\"value\":\"\\ud83d\\ude00"
                               "\\u00e9\\u0000\\/\"}"),
                             &err));
    assert_str(record_string(r), S("\xf0\x9f\x98\x80\xc3\xa9\0/"));
    record_free(r);
}

static void our_temporary_keys_are_known_by_their_prefix(void **state)
{
    (void)state;
    assert_true(record_is_temp((struct str){"\0rbc:x", 6}));
    assert_true(record_is_temp((struct str){"\0rbc:", 5}));
    assert_false(record_is_temp((struct str){"\0rbc", 4}));
    assert_false(record_is_temp(S("rbc:x")));
    assert_false(record_is_temp((struct str){NULL, 0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_string_is_written_as_the_format_shows_it),
        cmocka_unit_test(text_is_escaped_and_read_back),
        cmocka_unit_test(every_byte_string_comes_back_whatever_its_length),
        cmocka_unit_test(a_hash_keeps_binary_fields_and_their_deadlines),
        cmocka_unit_test(scores_are_written_in_their_shortest_form),
        cmocka_unit_test(a_stream_keeps_ids_groups_consumers_and_pending_entries),
        cmocka_unit_test(an_empty_stream_has_an_empty_list_of_entries),
        cmocka_unit_test(the_members_behind_the_value_come_back),
        cmocka_unit_test(an_unknown_type_carries_its_dump),
        cmocka_unit_test(other_tools_spacing_and_order_are_read),
        cmocka_unit_test(surrogate_pairs_become_utf8),
        cmocka_unit_test(our_temporary_keys_are_known_by_their_prefix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
