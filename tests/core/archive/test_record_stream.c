#include "tests/engine/restore_kit.h"

#include "core/archive/record_stream.h"
#include "core/codec/digest.h"

#define LINE(key, value) \
    "{\"key\":\"" key "\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"" value "\"}\n"

static struct source *source;
static struct part_group *groups;
static size_t group_count;
static struct error err;

/* A directory with these parts and this manifest, opened. */
static void open_parts(const char *const *parts, size_t count, const char *manifest)
{
    const char *dir = tmpdir_path(tmpdir_new(), "redis-backup-local-20260101T000000Z-00aa");
    const char *keys = tmpdir_path(dir, "keys");

    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(mkdir(keys, 0700), 0);
    for (size_t i = 0; i < count; i++) {
        char name[40];

        (void)snprintf(name, sizeof(name), "keys-part-%04zu.jsonl", i + 1);
        tmpdir_write(tmpdir_path(keys, name), parts[i], strlen(parts[i]));
    }
    tmpdir_write(tmpdir_path(dir, "metadata.json"), manifest, strlen(manifest));
    if (!source_open(&(struct source_options){.path = dir}, &source, &err))
        fail_msg("%s", err.text);
    groups = part_groups(source_manifest(source), &group_count);
}

static int close_parts(void **ctx UNUSED)
{
    part_groups_free(groups, group_count);
    source_close(source);
    groups = NULL;
    source = NULL;
    group_count = 0;
    return 0;
}

static const char *next_key(struct record_stream *s)
{
    static char key[64];
    const struct record *r;

    if (!record_stream_next(s, &r, &err))
        fail_msg("%s", err.text);
    if (r == NULL)
        return NULL;
    assert_true(str_copy(record_head(r)->key, key, sizeof(key)));
    return key;
}

static void expect_keys(struct record_stream *s, const char *keys)
{
    char seen[256] = "";
    size_t used = 0;
    const char *key;

    while ((key = next_key(s)) != NULL) {
        used += (size_t)snprintf(seen + used, sizeof(seen) - used, "%s ", key);
        assert_true(used < sizeof(seen));
    }
    assert_string_equal(seen, keys);
}

static void records_come_in_order_through_all_parts(void **ctx UNUSED)
{
    static const char *const parts[] = {LINE("a", "1") LINE("b", "2"), "", "\n" LINE("c", "3")};
    struct record_stream *s;

    open_parts(parts, 3, "{\"env\":\"local\"}");
    assert_int_equal(group_count, 1);
    s = record_stream_new(source, &groups[0], NULL);
    expect_keys(s, "a b c ");
    assert_null(next_key(s)); /* the end stays the end */
    record_stream_free(s);
}

static void a_position_is_gone_back_to_within_and_across_parts(void **ctx UNUSED)
{
    static const char *const parts[] = {LINE("a", "1") LINE("b", "2"), LINE("c", "3")};
    struct record_position first;
    struct record_position second;
    struct record_stream *s;

    open_parts(parts, 2, "{\"env\":\"local\"}");
    s = record_stream_new(source, &groups[0], NULL);
    assert_string_equal(next_key(s), "a");
    first = record_stream_position(s);
    assert_string_equal(next_key(s), "b");
    second = record_stream_position(s);
    record_stream_seek(s, first);
    expect_keys(s, "a b c ");
    record_stream_seek(s, second); /* from behind the end, another part */
    expect_keys(s, "b c ");
    record_stream_seek(s, first);
    record_stream_seek(s, second); /* the later seek counts */
    assert_string_equal(next_key(s), "b");
    record_stream_free(s);
}

static void a_filter_lets_through_what_it_should_and_counts_the_rest(void **ctx UNUSED)
{
    static const char *const match[] = {"user:*"};
    static const char *const parts[] = {LINE("user:1", "1") LINE("other", "2") LINE(
        "user:2", "3") "{\"key\":\"big\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"1\"],"
                       "\"chunk\":{\"seq\":0,\"last\":false}}\n"
                       "{\"key\":\"big\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"1\"],"
                       "\"chunk\":{\"seq\":1,\"last\":true,\"count\":2}}\n"};
    struct filter filter = {.match = match, .match_count = 1};
    struct record_stream *s;

    open_parts(parts, 1, "{\"env\":\"local\"}");
    s = record_stream_new(source, &groups[0], &filter);
    expect_keys(s, "user:1 user:2 ");
    assert_int_equal(record_stream_left_out(s), 2); /* a key of many lines counts once */
    record_stream_free(s);
}

static void our_own_temporary_keys_never_come_out(void **ctx UNUSED)
{
    static const char *const parts[] = {
        "{\"key_b64\":\"AHJiYzpydW46ezF9OjI=\",\"type\":\"string\",\"ttl_millis\":null,"
        "\"value\":\"x\"}\n" LINE("a", "1")};
    struct filter filter = {0};
    struct record_stream *s;

    open_parts(parts, 1, "{\"env\":\"local\"}");
    s = record_stream_new(source, &groups[0], &filter);
    expect_keys(s, "a ");
    record_stream_free(s);
}

static void a_broken_line_names_its_part(void **ctx UNUSED)
{
    static const char *const parts[] = {LINE("a", "1") "{\"key\":\"b\"\n"};
    const struct record *r;
    struct record_stream *s;

    open_parts(parts, 1, "{\"env\":\"local\"}");
    s = record_stream_new(source, &groups[0], NULL);
    assert_string_equal(next_key(s), "a");
    assert_false(record_stream_next(s, &r, &err));
    assert_int_equal(err.code, ERROR_CORRUPT);
    assert_non_null(strstr(err.text, "keys-part-0001.jsonl"));
    record_stream_free(s);
}

/* The member of one part in a manifest of ours. */
static int put_part(char *out, size_t size, int number, const char *text, int generation,
                    const char *shard)
{
    unsigned char sum[32];
    char hex[65];

    sha256_of(str_from(text), sum);
    for (size_t i = 0; i < sizeof(sum); i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", (unsigned)sum[i]);
    return snprintf(out, size,
                    "{\"name\":\"keys/keys-part-%04d.jsonl\",\"generation\":%d,\"shard\":\"%s\","
                    "\"keys\":1,\"bytes\":%zu,\"sha256\":\"%s\"}",
                    number, generation, shard, strlen(text), hex);
}

#define IN_SLOT(key, slot, value)                                                     \
    "{\"key\":\"" key "\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"" value \
    "\",\"slot\":" slot "}\n"

/* bar is in slot 5061, foo in 12182 (Redis cluster tutorial). Slot 12182 was read a second time. */
static void a_later_reading_of_a_slot_replaces_the_earlier_one(void **ctx UNUSED)
{
    static const char *const parts[] = {IN_SLOT("foo", "12182", "old") IN_SLOT("bar", "5061", "1"),
                                        IN_SLOT("foo", "12182", "new"),
                                        IN_SLOT("foo", "12182", "other shard, old")};
    char manifest[4000];
    char p[3][400];
    struct record_stream *s;
    const struct record *r;

    (void)put_part(p[0], sizeof(p[0]), 1, parts[0], 0, "127.0.0.1:1");
    (void)put_part(p[1], sizeof(p[1]), 2, parts[1], 1, "127.0.0.1:1");
    (void)put_part(p[2], sizeof(p[2]), 3, parts[2], 0, "127.0.0.1:2");
    (void)snprintf(manifest, sizeof(manifest),
                   "{\"format_version\":1,\"complete\":true,\"cluster\":{\"names\":[]},"
                   "\"totals\":{},\"slots\":[{\"range\":\"0-12181\",\"owner\":\"a\","
                   "\"generation\":0},{\"range\":\"12182\",\"owner\":\"a\",\"generation\":1},"
                   "{\"range\":\"12183-16383\",\"owner\":\"a\",\"generation\":0}],"
                   "\"parts\":[%s,%s,%s]}",
                   p[0], p[1], p[2]);
    open_parts(parts, 3, manifest);
    assert_int_equal(group_count, 2);
    assert_int_equal(groups[0].count, 2);
    s = record_stream_new(source, &groups[0], NULL);
    assert_string_equal(next_key(s), "bar");
    assert_true(record_stream_next(s, &r, &err));
    assert_true(str_is(record_string(r), "new"));
    assert_null(next_key(s));
    assert_int_equal(record_stream_left_out(s), 1);
    record_stream_free(s);
    s = record_stream_new(source, &groups[1], NULL);
    assert_null(next_key(s));
    assert_int_equal(record_stream_left_out(s), 1);
    record_stream_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(records_come_in_order_through_all_parts, close_parts),
        cmocka_unit_test_teardown(a_position_is_gone_back_to_within_and_across_parts, close_parts),
        cmocka_unit_test_teardown(a_filter_lets_through_what_it_should_and_counts_the_rest,
                                  close_parts),
        cmocka_unit_test_teardown(our_own_temporary_keys_never_come_out, close_parts),
        cmocka_unit_test_teardown(a_later_reading_of_a_slot_replaces_the_earlier_one, close_parts),
        cmocka_unit_test_teardown(a_broken_line_names_its_part, close_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
