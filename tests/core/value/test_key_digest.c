/* rbc-digest-1: its definition by hand, its published vectors, and that nothing but the content
 * matters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <xxhash.h>

#include "core/base/attr.h"
#include "core/base/buf.h"
#include "core/value/key_digest.h"

static struct key_digest *digest;

static void start(const char *line, struct record *r)
{
    struct error err = {0};

    if (!record_parse(r, str_from(line), &err))
        fail_msg("%s: %s", err.text, line);
}

/* The digest of some lines of one key. */
static char *digest_of(const char *const *lines, size_t count, char out[KEY_DIGEST_TEXT])
{
    struct record *r = record_new();
    struct record *more = record_new();
    struct digest128 sum;
    struct error err = {0};
    uint64_t bytes;

    start(lines[0], r);
    key_digest_start(digest, record_head(r));
    for (size_t i = 0; i < count; i++) {
        start(lines[i], more);
        if (!key_digest_record(digest, more, &err))
            fail_msg("%s", err.text);
    }
    if (!key_digest_end(digest, &sum, &bytes, &err))
        fail_msg("%s", err.text);
    record_free(r);
    record_free(more);
    return digest128_format(out, sum);
}

static char *of_line(const char *line, char out[KEY_DIGEST_TEXT])
{
    return digest_of(&line, 1, out);
}

/* ---- the definition, without our code ---------------------------------------------------------
 */

static void put_u64(struct buf *b, uint64_t n)
{
    struct error err = {0};

    for (int i = 0; i < 8; i++)
        assert_true(buf_byte(b, (char)(unsigned char)(n >> (8 * i)), &err));
}

static void put(struct buf *b, const char *piece)
{
    struct error err = {0};

    put_u64(b, strlen(piece));
    assert_true(buf_text(b, piece, &err));
}

static char *by_hand(const char *type, const char *key, const struct buf *content,
                     char out[KEY_DIGEST_TEXT])
{
    XXH128_canonical_t text;
    XXH128_hash_t hash;
    struct error err = {0};
    struct buf all;

    buf_init(&all, 4096);
    put(&all, type);
    put(&all, key);
    put_u64(&all, content->len);
    XXH128_canonicalFromHash(&text, XXH3_128bits(content->data, content->len));
    assert_true(buf_append(&all, (struct str){(const char *)&text, sizeof(text)}, &err));
    hash = XXH3_128bits(all.data, all.len);
    buf_release(&all);
    return digest128_format(out, (struct digest128){hash.high64, hash.low64});
}

static void the_digest_is_what_the_definition_says(void **ctx UNUSED)
{
    char ours[KEY_DIGEST_TEXT];
    char theirs[KEY_DIGEST_TEXT];
    struct error err = {0};
    struct buf content;

    buf_init(&content, 4096);
    assert_true(buf_text(&content, "name-1", &err));
    assert_string_equal(
        of_line("{\"key\":\"user:1\",\"type\":\"string\",\"ttl_millis\":5,\"value\":\"name-1\","
                "\"expire_at_millis\":1755497196412,\"slot\":10778}",
                ours),
        by_hand("string", "user:1", &content, theirs));
    buf_clear(&content);
    put(&content, "a");
    put(&content, "1");
    put_u64(&content, UINT64_MAX);
    put(&content, "b");
    put(&content, "2");
    put_u64(&content, 1755497196412);
    assert_string_equal(of_line("{\"key\":\"h\",\"type\":\"hash\",\"ttl_millis\":null,\"value\":"
                                "{\"b\":\"2\",\"a\":\"1\"},"
                                "\"field_expire_at_millis\":{\"b\":1755497196412}}",
                                ours),
                        by_hand("hash", "h", &content, theirs));
    buf_clear(&content);
    put(&content, "m");
    put_u64(&content, 0x3ff8000000000000); /* 1.5 */
    assert_string_equal(of_line("{\"key\":\"z\",\"type\":\"zset\",\"ttl_millis\":null,\"value\":"
                                "[[\"m\",\"1.5\"]]}",
                                ours),
                        by_hand("zset", "z", &content, theirs));
    buf_release(&content);
}

/* ---- published vectors ------------------------------------------------------------------------
 */

#define HEAD(key, type) "{\"key\":\"" key "\",\"type\":\"" type "\",\"ttl_millis\":null,\"value\":"
#define STREAM                                                                              \
    "{\"entries\":[[\"1-1\",[\"f\",\"v\"]]],\"last_id\":\"2-0\",\"entries_added\":\"2\","   \
    "\"max_deleted_id\":\"2-0\",\"groups\":[{\"name\":\"g\",\"last_delivered_id\":\"1-1\"," \
    "\"entries_read\":\"1\",\"consumers\":[{\"name\":\"c\"},{\"name\":\"idle\"}],"          \
    "\"pending\":[[\"1-1\",\"c\",1755497196412,1]]}]}}"

static const struct {
    const char *line;
    const char *digest;
} vectors[] = {
    {HEAD("", "string") "\"\"}", "a38ec409fba8d8e0b02e85028867a9e7"},
    {HEAD("user:1", "string") "\"name-1\"}", "f1f94999f9f5f62f05a86cd491f755a1"},
    {HEAD("l", "list") "[\"a\",\"b\",\"a\"]}", "1e21801d5136d479c0b6757ba5549bd8"},
    {HEAD("s", "set") "[\"b\",\"a\"]}", "37db9c86b16e4821689093d6bb34d54f"},
    {HEAD("h", "hash") "{\"f\":\"v\"}}", "c7a24e50f4dca54713c37d827dd9e12c"},
    {HEAD("h", "hash") "{\"f\":\"v\"},\"field_expire_at_millis\":{\"f\":1755497196412}}",
     "83c767337cc392507fc2170481289d10"},
    {HEAD("z", "zset") "[[\"a\",\"-0\"],[\"b\",\"inf\"],[\"c\",\"0.1\"]]}",
     "b39fa3eb71ba571e842d5be9249067f5"},
    {HEAD("x", "stream") STREAM, "22b265744a26d9fd0f506350e3a7d141"},
    {HEAD("user:1", "string") "\"name-1\",\"db\":3}", "95f137e6444c7dcdbee70c4bc641f127"},
};

static void the_vectors_hold(void **ctx UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        char out[KEY_DIGEST_TEXT];

        assert_string_equal(of_line(vectors[i].line, out), vectors[i].digest);
    }
}

/* ---- what matters and what does not -----------------------------------------------------------
 */

static void assert_same(const char *a, const char *b)
{
    char x[KEY_DIGEST_TEXT];
    char y[KEY_DIGEST_TEXT];

    assert_string_equal(of_line(a, x), of_line(b, y));
}

static void assert_other(const char *a, const char *b)
{
    char x[KEY_DIGEST_TEXT];
    char y[KEY_DIGEST_TEXT];

    assert_string_not_equal(of_line(a, x), of_line(b, y));
}

static void order_matters_for_lists_only(void **ctx UNUSED)
{
    assert_same(HEAD("k", "set") "[\"a\",\"b\"]}", HEAD("k", "set") "[\"b\",\"a\"]}");
    assert_same(HEAD("k", "hash") "{\"a\":\"1\",\"b\":\"2\"}}",
                HEAD("k", "hash") "{\"b\":\"2\",\"a\":\"1\"}}");
    assert_same(HEAD("k", "zset") "[[\"a\",\"1\"],[\"b\",\"2\"]]}",
                HEAD("k", "zset") "[[\"b\",\"2\"],[\"a\",\"1\"]]}");
    assert_other(HEAD("k", "list") "[\"a\",\"b\"]}", HEAD("k", "list") "[\"b\",\"a\"]}");
}

static void every_part_matters(void **ctx UNUSED)
{
    assert_other(HEAD("k", "string") "\"a\"}", HEAD("k", "string") "\"b\"}");
    assert_other(HEAD("k", "string") "\"a\"}", HEAD("l", "string") "\"a\"}");
    assert_other(HEAD("k", "list") "[\"a\"]}", HEAD("k", "set") "[\"a\"]}");
    assert_other(HEAD("k", "list") "[\"ab\",\"\"]}", HEAD("k", "list") "[\"a\",\"b\"]}");
    assert_other(HEAD("k", "string") "\"a\"}", HEAD("k", "string") "\"a\",\"db\":1}");
    assert_other(HEAD("k", "zset") "[[\"a\",\"1\"]]}",
                 HEAD("k", "zset") "[[\"a\",\"1.0000000000000002\"]]}");
    assert_other(HEAD("k", "hash") "{\"f\":\"v\"}}",
                 HEAD("k", "hash") "{\"f\":\"v\"},\"field_expire_at_millis\":{\"f\":1}}");
}

static void scores_are_doubles_and_minus_zero_is_zero(void **ctx UNUSED)
{
    assert_same(HEAD("k", "zset") "[[\"a\",\"-0\"]]}", HEAD("k", "zset") "[[\"a\",\"0\"]]}");
    assert_same(HEAD("k", "zset") "[[\"a\",\"0.1\"]]}",
                HEAD("k", "zset") "[[\"a\",\"0.10000000000000001\"]]}");
    assert_other(HEAD("k", "zset") "[[\"a\",\"inf\"]]}", HEAD("k", "zset") "[[\"a\",\"-inf\"]]}");
}

static void deadlines_of_keys_and_delivery_times_are_left_out(void **ctx UNUSED)
{
    assert_same("{\"key\":\"k\",\"type\":\"string\",\"ttl_millis\":1,\"value\":\"a\","
                "\"expire_at_millis\":1755497196412}",
                HEAD("k", "string") "\"a\"}");
    assert_same(HEAD("x", "stream") "{\"entries\":[],\"last_id\":\"1-1\",\"groups\":[{\"name\":"
                                    "\"g\",\"last_delivered_id\":\"1-1\",\"consumers\":[{\"name\":"
                                    "\"c\"}],\"pending\":[[\"1-1\",\"c\",5,1]]}]}}",
                HEAD("x", "stream") "{\"entries\":[],\"last_id\":\"1-1\",\"groups\":[{\"name\":"
                                    "\"g\",\"last_delivered_id\":\"1-1\",\"consumers\":[{\"name\":"
                                    "\"c\"}],\"pending\":[[\"1-1\",\"c\",9,1]]}]}}");
    assert_other(HEAD("x", "stream") "{\"entries\":[],\"last_id\":\"1-1\",\"groups\":[{\"name\":"
                                     "\"g\",\"last_delivered_id\":\"1-1\",\"consumers\":[{\"name\":"
                                     "\"c\"}],\"pending\":[[\"1-1\",\"c\",5,1]]}]}}",
                 HEAD("x", "stream") "{\"entries\":[],\"last_id\":\"1-1\",\"groups\":[{\"name\":"
                                     "\"g\",\"last_delivered_id\":\"1-1\",\"consumers\":[{\"name\":"
                                     "\"c\"}],\"pending\":[[\"1-1\",\"c\",5,2]]}]}}");
}

/* ---- pieces -----------------------------------------------------------------------------------
 */

#define CHUNK(seq, last) ",\"chunk\":{\"seq\":" seq ",\"last\":" last "}}"
#define LAST(seq, count) ",\"chunk\":{\"seq\":" seq ",\"last\":true,\"count\":" count "}}"

static void assert_pieces(const char *const *lines, size_t count, const char *whole)
{
    char x[KEY_DIGEST_TEXT];
    char y[KEY_DIGEST_TEXT];

    assert_string_equal(digest_of(lines, count, x), of_line(whole, y));
}

static void a_key_in_pieces_has_the_digest_of_the_whole(void **ctx UNUSED)
{
    const char *const string[] = {HEAD("k", "string") "\"ab\"" CHUNK("0", "false"),
                                  HEAD("k", "string") "\"c\"" CHUNK("1", "false"),
                                  HEAD("k", "string") "\"\"" LAST("2", "3")};
    const char *const hash[] = {HEAD("k", "hash") "{\"b\":\"2\",\"a\":\"0\"}" CHUNK("0", "false"),
                                HEAD("k", "hash") "{\"a\":\"1\"}" CHUNK("1", "false"),
                                HEAD("k", "hash") "{}" LAST("2", "3")};
    const char *const stream[] = {
        HEAD("x", "stream") "{\"groups\":[{\"name\":\"g\",\"last_delivered_id\":\"1-1\","
                            "\"entries_read\":\"1\",\"consumers\":[{\"name\":\"c\"},{\"name\":"
                            "\"idle\"}],\"pending\":[[\"1-1\",\"c\",1755497196412,1]]}]}" CHUNK(
                                "0", "false"),
        HEAD("x", "stream") "{\"entries\":[[\"1-1\",[\"f\",\"v\"]]]}" CHUNK("1", "false"),
        HEAD("x", "stream") "{\"last_id\":\"2-0\",\"entries_added\":\"2\",\"max_deleted_id\":"
                            "\"2-0\"}" LAST("2", "1")};

    assert_pieces(string, COUNT_OF(string), HEAD("k", "string") "\"abc\"}");
    assert_pieces(hash, COUNT_OF(hash), HEAD("k", "hash") "{\"a\":\"1\",\"b\":\"2\"}}");
    assert_pieces(stream, COUNT_OF(stream), HEAD("x", "stream") STREAM);
}

static char *of_bytes(const char *value, size_t len, size_t piece, char out[KEY_DIGEST_TEXT])
{
    struct record_head head;
    struct digest128 sum;
    struct error err = {0};
    uint64_t bytes;

    record_head_init(&head);
    head.key = STR("k");
    head.type = RECORD_STRING;
    key_digest_start(digest, &head);
    for (size_t at = 0; at < len; at += piece)
        assert_true(key_digest_bytes(
            digest, (struct str){value + at, at + piece < len ? piece : len - at}, &err));
    assert_true(key_digest_end(digest, &sum, &bytes, &err));
    assert_int_equal(bytes, len);
    return digest128_format(out, sum);
}

/* Bytes 8 to 15 differ between the two; what kind of value is it? */
static void compare_counts(size_t len, char encoding, bool hyperloglog)
{
    static const size_t pieces[] = {1, 7, 4096, 1 << 20};
    static char value[100000];
    char x[KEY_DIGEST_TEXT];
    char y[KEY_DIGEST_TEXT];

    memset(value, 'r', sizeof(value));
    memcpy(value, "HYLL", 4);
    value[4] = encoding;
    (void)of_bytes(value, len, len, x);
    assert_true(key_digest_is_hyperloglog(digest) == hyperloglog);
    for (size_t i = 0; i < COUNT_OF(pieces); i++)
        assert_string_equal(of_bytes(value, len, pieces[i], y), x);
    if (len > 15)
        value[15] = 'x';
    assert_true((strcmp(of_bytes(value, len, len, y), x) == 0) == (hyperloglog || len <= 15));
}

static void the_cached_count_of_a_hyperloglog_is_left_out(void **ctx UNUSED)
{
    compare_counts(12304, 0, true);
    compare_counts(12303, 0, false); /* it only looks like one */
    compare_counts(12305, 0, false);
    compare_counts(16, 1, true);
    compare_counts(100000, 1, true);
    compare_counts(15, 1, false);
    compare_counts(100, 'x', false);
    compare_counts(100000, 'x', false);
}

/* More members than the memory holds: they are sorted on disk, and nobody can tell. */
static void many_members_give_the_same_digest(void **ctx UNUSED)
{
    struct key_digest *small = key_digest_new("/tmp", 0);
    struct record_head head;
    struct digest128 sums[2];
    struct error err = {0};
    uint64_t bytes[2];

    record_head_init(&head);
    head.key = STR("k");
    head.type = RECORD_HASH;
    key_digest_start(digest, &head);
    key_digest_start(small, &head);
    for (uint32_t i = 0; i < 30000; i++) {
        uint32_t other = 29999 - i;
        char field[32];
        int len = snprintf(field, sizeof(field), "field-%u", (unsigned)i);

        assert_true(key_digest_field(digest, (struct str){field, (size_t)len}, STR("v"), 5, &err));
        len = snprintf(field, sizeof(field), "field-%u", (unsigned)other);
        assert_true(key_digest_field(small, (struct str){field, (size_t)len}, STR("v"), 5, &err));
        if (i % 3 == 0)
            assert_true(
                key_digest_field(small, (struct str){field, (size_t)len}, STR("v"), 5, &err));
    }
    assert_true(key_digest_end(digest, &sums[0], &bytes[0], &err));
    assert_true(key_digest_end(small, &sums[1], &bytes[1], &err));
    assert_true(digest128_equal(sums[0], sums[1]));
    assert_int_equal(bytes[0], bytes[1]);
    key_digest_free(small);
}

static void sums_wrap_and_texts_read_back(void **ctx UNUSED)
{
    struct digest128 most = {UINT64_MAX, UINT64_MAX};
    struct digest128 one = {0, 1};
    struct digest128 sum = digest128_add(most, one);
    char text[KEY_DIGEST_TEXT];

    assert_true(digest128_equal(sum, (struct digest128){0, 0}));
    assert_true(digest128_equal(digest128_subtract(sum, one), most));
    assert_string_equal(digest128_format(text, (struct digest128){1, 2}),
                        "00000000000000010000000000000002");
    assert_true(digest128_parse(str_from(text), &sum));
    assert_true(digest128_equal(sum, (struct digest128){1, 2}));
    assert_false(digest128_parse(STR("00"), &sum));
    assert_false(digest128_parse(STR("0000000000000001000000000000000x"), &sum));
}

static int make(void **ctx UNUSED)
{
    digest = key_digest_new("/tmp", (size_t)16 << 20);
    return 0;
}

static int drop(void **ctx UNUSED)
{
    key_digest_free(digest);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_digest_is_what_the_definition_says),
        cmocka_unit_test(the_vectors_hold),
        cmocka_unit_test(order_matters_for_lists_only),
        cmocka_unit_test(every_part_matters),
        cmocka_unit_test(scores_are_doubles_and_minus_zero_is_zero),
        cmocka_unit_test(deadlines_of_keys_and_delivery_times_are_left_out),
        cmocka_unit_test(a_key_in_pieces_has_the_digest_of_the_whole),
        cmocka_unit_test(the_cached_count_of_a_hyperloglog_is_left_out),
        cmocka_unit_test(many_members_give_the_same_digest),
        cmocka_unit_test(sums_wrap_and_texts_read_back),
    };

    return cmocka_run_group_tests(tests, make, drop);
}
