/* What a snapshot makes of readings: keys that came twice, slots that were read again, large keys
 * in pieces, whatever the memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/snapshot/snapshot_private.h"
#include "core/snapshot/snapshot_read.h"
#include "tests/harness/tmpdir.h"

struct setting {
    struct snapshot_options options;
    struct task *task;
    struct snapshot_run *run;
    struct fingerprints *seen;
    void *pass;
    struct error err;
};

static const struct sink_ops *sink = &snapshot_sink_ops;

static void begin(struct setting *s, bool full)
{
    s->task = task_new_plain();
    s->run = snapshot_run_new(&s->options, s->task);
    s->run->by_slot = true;
    s->seen = fingerprints_new(1);
    for (uint32_t i = 0; full && !fingerprints_is_full(s->seen); i++)
        (void)fingerprints_add(s->seen, (struct str){(const char *)&i, sizeof(i)});
}

static void open_pass(struct setting *s, uint32_t generation)
{
    struct sink_pass pass = {.node = "127.0.0.1:7001",
                             .node_id = "id",
                             .generation = generation,
                             .by_slot = true,
                             .workers = 1,
                             .seen = s->seen};

    s->pass = sink->open(s->run, &pass);
}

static void end(struct setting *s)
{
    fingerprints_free(s->seen);
    snapshot_run_free(s->run);
    task_free(s->task);
}

static struct record_head head_of(const char *key, enum record_type type)
{
    struct record_head head;

    record_head_init(&head);
    head.key = str_from(key);
    head.type = type;
    head.type_name = str_from(record_type_name(type));
    head.slot = slot_of_key(head.key);
    return head;
}

static enum value_outcome take(struct setting *s, const char *key, const char *value)
{
    struct record_head head = head_of(key, RECORD_STRING);
    struct reply r = {.type = REPLY_STRING, .str = str_from(value)};

    return sink->take(s->pass, &head, &r, &s->err);
}

static void read_key(struct setting *s, const char *key, const char *value)
{
    assert_int_equal(take(s, key, value), VALUE_WRITTEN);
    assert_true(sink->keep(s->pass, &s->err));
}

static void close_pass(struct setting *s, const char *slot_of)
{
    struct slot_set slots = {0};

    assert_true(sink->close(s->pass, true, &s->err));
    if (slot_of == NULL)
        slot_set_fill(&slots);
    else
        slot_set_add(&slots, slot_of_key(str_from(slot_of)));
    sink->counts(s->run, s->pass, &slots);
}

static uint64_t keys(const struct setting *s)
{
    return slot_sums_total(s->run->total.sums).keys;
}

static struct digest128 digest_of(const char *key, const char *value)
{
    struct key_digest *d = key_digest_new("/tmp", 0);
    struct record_head head = head_of(key, RECORD_STRING);
    struct digest128 sum;
    struct error err = {0};
    uint64_t bytes;

    key_digest_start(d, &head);
    assert_true(key_digest_bytes(d, str_from(value), &err));
    assert_true(key_digest_end(d, &sum, &bytes, &err));
    key_digest_free(d);
    return sum;
}

static void expect_content(const struct setting *s, const char *key, const char *value)
{
    const struct slot_sum *sum = slot_sums_at(s->run->total.sums, slot_of_key(str_from(key)));

    assert_int_equal(sum->keys, 1);
    assert_true(digest128_equal(sum->content, digest_of(key, value)));
}

static void a_reading_that_is_dropped_does_not_count(void **ctx UNUSED)
{
    struct setting s = {0};

    begin(&s, false);
    open_pass(&s, 0);
    assert_int_equal(take(&s, "a", "old"), VALUE_WRITTEN);
    sink->drop(s.pass);
    read_key(&s, "a", "new");
    close_pass(&s, NULL);
    assert_true(snapshot_add_up(s.run, &s.err));
    assert_int_equal(keys(&s), 1);
    expect_content(&s, "a", "new");
    end(&s);
}

/* A table that is resized gives keys twice; when they can no longer be remembered, the spool sorts
 * it out. */
static void a_key_that_comes_twice_counts_once(void **ctx UNUSED)
{
    struct setting s = {0};

    begin(&s, true);
    open_pass(&s, 0);
    read_key(&s, "a", "old");
    read_key(&s, "b", "b");
    read_key(&s, "a", "new");
    close_pass(&s, NULL);
    assert_true(snapshot_add_up(s.run, &s.err));
    assert_int_equal(keys(&s), 2);
    expect_content(&s, "a", "new");
    expect_content(&s, "b", "b");
    end(&s);
}

static void a_slot_that_is_read_again(bool full, const char *keys_path)
{
    struct setting s = {.options = {.keys_path = keys_path, .sample = 10}};
    struct prefix_row rows[3];
    struct prefix_count other;

    begin(&s, full);
    open_pass(&s, 0);
    read_key(&s, "a:1", "old");
    read_key(&s, "c:1", "kept");
    close_pass(&s, NULL);
    open_pass(&s, 1);
    read_key(&s, "{a:1}b:1", "in the same slot");
    close_pass(&s, "a:1"); /* where a:1 is no more */
    assert_true(snapshot_add_up(s.run, &s.err));
    assert_int_equal(keys(&s), 2);
    expect_content(&s, "c:1", "kept");
    expect_content(&s, "{a:1}b:1", "in the same slot");
    assert_int_equal(prefixes_list(s.run->total.prefixes, rows, 3, &other), 2);
    assert_true(str_is(rows[0].name, "c:"));
    assert_true(str_is(rows[1].name, "{a:"));
    assert_int_equal(key_sample_count(s.run->total.sample), 2);
    end(&s);
}

static void a_slot_that_is_read_again_counts_once(void **ctx UNUSED)
{
    const char *path = tmpdir_path(tmpdir_new(), "k.jsonl");
    struct snapshot_keys *file;
    struct key_facts k;
    struct error err = {0};
    bool over = false;
    int count = 0;

    a_slot_that_is_read_again(false, NULL);
    a_slot_that_is_read_again(true, NULL);
    a_slot_that_is_read_again(false, path);
    assert_true(snapshot_keys_open(path, NULL, &file, &err));
    for (; !over; count += !over)
        assert_true(snapshot_keys_next(file, &k, &over, &err));
    assert_int_equal(count, 2);
    snapshot_keys_free(file);
}

static void a_slot_whose_node_never_answered_again_has_no_keys(void **ctx UNUSED)
{
    struct setting s = {0};
    struct slot_set slots = {0};

    begin(&s, false);
    open_pass(&s, 0);
    read_key(&s, "a", "old");
    close_pass(&s, NULL);
    slot_set_add(&slots, slot_of_key(STR("a")));
    sink->counts(s.run, NULL, &slots);
    assert_true(snapshot_add_up(s.run, &s.err));
    assert_int_equal(keys(&s), 0);
    end(&s);
}

/* ---- pieces -----------------------------------------------------------------------------------
 */

static enum sink_result piece(struct setting *s, uint64_t seq, bool last, const char *bytes)
{
    struct record_head head = head_of("big", RECORD_STRING);
    struct sink_piece p = {.head = &head, .bytes = str_from(bytes)};

    head.chunked = true;
    head.chunk_seq = seq;
    head.chunk_last = last;
    return sink->piece(s->pass, &p, &s->err);
}

static void only_a_run_that_ends_counts(void **ctx UNUSED)
{
    struct setting s = {0};

    begin(&s, false);
    open_pass(&s, 0);
    assert_int_equal(piece(&s, 0, false, "it changed"), SINK_OK);
    assert_int_equal(piece(&s, 0, false, "abc"), SINK_OK);
    assert_int_equal(piece(&s, 1, false, "def"), SINK_OK);
    assert_int_equal(piece(&s, 2, true, ""), SINK_OK);
    read_key(&s, "a", "small");
    assert_int_equal(piece(&s, 0, false, "never ends"), SINK_OK);
    close_pass(&s, NULL);
    assert_true(snapshot_add_up(s.run, &s.err));
    assert_int_equal(keys(&s), 2);
    expect_content(&s, "big", "abcdef");
    expect_content(&s, "a", "small");
    end(&s);
}

/* ---- what a server should not say --------------------------------------------------------------
 */

static void odd_replies_are_no_values(void **ctx UNUSED)
{
    struct reply element = {.type = REPLY_INTEGER};
    struct reply odd[] = {
        {.type = REPLY_INTEGER},
        {.type = REPLY_STATUS, .str = STR("OK")},
        {.type = REPLY_ARRAY, .elements = &element, .count = 1},
    };
    struct setting s = {0};

    begin(&s, false);
    open_pass(&s, 0);
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        for (int type = RECORD_STRING; type <= RECORD_STREAM; type++) {
            struct record_head head = head_of("a", (enum record_type)type);

            assert_int_equal(sink->take(s.pass, &head, &odd[i], &s.err), VALUE_BAD);
        }
    }
    odd[0].type = REPLY_NIL;
    odd[2].count = 0;
    for (size_t i = 0; i < COUNT_OF(odd); i += 2) {
        struct record_head head = head_of("a", RECORD_HASH);

        assert_int_equal(sink->take(s.pass, &head, &odd[i], &s.err), VALUE_GONE);
    }
    close_pass(&s, NULL);
    assert_true(snapshot_add_up(s.run, &s.err));
    assert_int_equal(keys(&s), 0);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reading_that_is_dropped_does_not_count),
        cmocka_unit_test(a_key_that_comes_twice_counts_once),
        cmocka_unit_test(a_slot_that_is_read_again_counts_once),
        cmocka_unit_test(a_slot_whose_node_never_answered_again_has_no_keys),
        cmocka_unit_test(only_a_run_that_ends_counts),
        cmocka_unit_test(odd_replies_are_no_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
