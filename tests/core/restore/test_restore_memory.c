/*
 * test_restore_memory.c - what a restore remembers from one run to the next, and of keys that come
 * more than once: names, histories of servers, shards of a manifest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/archive/manifest.h"
#include "core/base/attr.h"
#include "core/base/json.h"
#include "core/record/key_bloom.h"
#include "core/restore/restore_again.h"
#include "core/restore/restore_repeat.h"
#include "tests/harness/tmpdir.h"

#define KEYS 20000

static struct str numbered(char out[32], int i)
{
    int len = snprintf(out, 32, "key:%d", i);

    return (struct str){out, (size_t)len};
}

/* ---- names -------------------------------------------------------------------------------------
 */

static void no_name_that_was_added_is_missed_and_few_others_are_met(void **ctx UNUSED)
{
    struct key_bloom *b = key_bloom_new(KEYS);
    char text[32];
    int wrong = 0;

    for (int i = 0; i < KEYS; i++)
        (void)key_bloom_add(b, 0, numbered(text, i));
    for (int i = 0; i < KEYS; i++)
        assert_true(key_bloom_has(b, 0, numbered(text, i)));
    for (int i = KEYS; i < 2 * KEYS; i++)
        wrong += key_bloom_has(b, 0, numbered(text, i));
    for (int i = 0; i < KEYS; i++)
        wrong += key_bloom_has(b, 1, numbered(text, i)); /* of another database */
    assert_in_range(wrong, 0, KEYS / 50);
    key_bloom_free(b);
}

static void names_outlive_the_process_but_not_a_damaged_file(void **ctx UNUSED)
{
    const char *path = tmpdir_path(tmpdir_new(), "existed.keys");
    struct key_bloom *b = key_bloom_new(10);
    struct key_bloom *again = NULL;
    struct error err = {0};
    char *file;
    size_t len;

    (void)key_bloom_add(b, 3, STR("\xff\x00key"));
    assert_true(key_bloom_save(b, path, &err));
    assert_true(key_bloom_load(path, &again, &err));
    assert_true(key_bloom_has(again, 3, STR("\xff\x00key")));
    assert_false(key_bloom_has(again, 0, STR("\xff\x00key")));
    key_bloom_free(again);
    key_bloom_free(b);
    file = tmpdir_read(path, &len);
    assert_non_null(file);
    for (size_t cut = 0; cut < len; cut += 613) {
        tmpdir_write(path, file, cut);
        assert_false(key_bloom_load(path, &again, &err));
        assert_int_equal(err.code, ERROR_CORRUPT);
    }
    file[len - 1] ^= 1;
    tmpdir_write(path, file, len);
    assert_false(key_bloom_load(path, &again, &err));
    free(file);
    assert_false(key_bloom_load("/nonexistent/existed.keys", &again, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

static void a_key_that_came_twice_may_repeat_and_is_ours_once_written(void **ctx UNUSED)
{
    struct restore_repeat *r = restore_repeat_new(KEYS);
    char text[32];
    int suspected = 0;

    for (int i = 0; i < KEYS; i++)
        restore_repeat_note(r, 0, numbered(text, i));
    restore_repeat_note(r, 0, STR("key:7"));
    restore_repeat_note(r, 1, STR("key:8"));
    assert_true(restore_repeat_may(r, 0, STR("key:7")));
    for (int i = 0; i < KEYS; i++)
        suspected += restore_repeat_may(r, 0, numbered(text, i));
    assert_in_range(suspected, 1, KEYS / 50);
    assert_false(restore_repeat_is_ours(r, 0, STR("key:7")));
    restore_repeat_wrote(r, 0, STR("key:7"));
    assert_true(restore_repeat_is_ours(r, 0, STR("key:7")));
    assert_false(restore_repeat_is_ours(r, 2, STR("key:7")));
    assert_true(restore_repeat_is_whole(r));
    restore_repeat_free(r);
}

struct adding {
    struct key_bloom *bloom;
    struct restore_repeat *repeat;
    int fresh; /* names that were not there */
};

static void *add_all(void *arg)
{
    struct adding *a = arg;
    char text[32];

    for (int i = 0; i < KEYS; i++) {
        a->fresh += !key_bloom_add(a->bloom, 0, numbered(text, i));
        restore_repeat_note(a->repeat, 0, numbered(text, i));
    }
    return NULL;
}

static void of_threads_that_add_one_name_all_but_one_find_it(void **ctx UNUSED)
{
    struct key_bloom *bloom = key_bloom_new(KEYS);
    struct restore_repeat *repeat = restore_repeat_new(KEYS);
    struct adding adding[4];
    pthread_t threads[COUNT_OF(adding)];
    char text[32];
    int fresh = 0;

    for (size_t i = 0; i < COUNT_OF(adding); i++) {
        adding[i] = (struct adding){bloom, repeat, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, add_all, &adding[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(adding); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        fresh += adding[i].fresh;
    }
    assert_in_range(fresh, KEYS - KEYS / 50, KEYS);
    for (int i = 0; i < KEYS; i++)
        assert_true(restore_repeat_may(repeat, 0, numbered(text, i)));
    restore_repeat_free(repeat);
    key_bloom_free(bloom);
}

/* ---- histories ---------------------------------------------------------------------------------
 */

static void add(struct restore_history *h, const char *node, const char *run, int evicted,
                const char *slots)
{
    struct error err = {0};
    json_t *doc = json_object();

    json_put_text(doc, "node", node);
    json_put_text(doc, "history", "h");
    json_put_text(doc, "server_run", run);
    json_put_int(doc, "evicted", evicted);
    json_put_text(doc, "slots", slots);
    assert_true(restore_history_add(h, doc, &err));
    json_decref(doc);
}

static struct restore_history *through_the_journal(struct restore_history *h)
{
    struct restore_history *copy = restore_history_new();
    json_t *docs = restore_history_docs(h);
    struct error err = {0};

    for (size_t i = 0; i < json_array_size(docs); i++)
        assert_true(restore_history_add(copy, json_array_get(docs, i), &err));
    json_decref(docs);
    restore_history_free(h);
    return copy;
}

static void slots_of_a_replaced_or_evicting_server_are_in_doubt_and_no_others(void **ctx UNUSED)
{
    struct restore_history *before = restore_history_new();
    struct restore_history *now = restore_history_new();
    struct slot_set doubt = {0};

    add(before, "a", "1", 0, "0-99,200-299");
    add(before, "b", "2", 5, "100-199");
    add(before, "c", "3", 5, "300-16383");
    before = through_the_journal(before);
    assert_false(restore_history_differs(before, before, &doubt));
    assert_false(restore_history_evicted(before, before, &doubt));
    add(now, "a", "1", 0, "0-99,250-299"); /* lost some slots */
    add(now, "b", "9", 0, "100-199");      /* started again */
    add(now, "c", "3", 6, "300-16383");    /* evicted a key */
    add(now, "d", "4", 0, "200-249");
    assert_true(restore_history_differs(before, now, &doubt));
    assert_int_equal(slot_set_count(&doubt), 150);
    assert_true(slot_set_has(&doubt, 100) && slot_set_has(&doubt, 249));
    assert_false(slot_set_has(&doubt, 250));
    doubt = (struct slot_set){0};
    assert_true(restore_history_evicted(before, now, &doubt));
    assert_int_equal(slot_set_count(&doubt), 16084);
    restore_history_free(before);
    restore_history_free(now);
}

/* Looks follow one another; the second one is what the third one is compared with. */
static void a_server_that_does_not_tell_of_evictions_counts_once(void **ctx UNUSED)
{
    struct restore_history *looks[3];
    struct restore_evicted sum = {0};

    for (int i = 0; i < 3; i++) {
        looks[i] = restore_history_new();
        add(looks[i], "a", "1", -1, "0-99"); /* has no such counter */
        add(looks[i], "b", "2", i == 0 ? 5 : 2 * i,
            "100-199"); /* was reset between the first two */
        add(looks[i], "c", "3", i, "200-16383");
    }
    restore_history_add_evicted(looks[0], looks[1], &sum);
    assert_int_equal(sum.untold, 2);
    assert_int_equal(sum.keys, 1);
    restore_history_add_evicted(looks[1], looks[2], &sum);
    assert_int_equal(sum.untold, 2);
    assert_int_equal(sum.keys, 4);
    for (int i = 0; i < 3; i++)
        restore_history_free(looks[i]);
}

static void a_server_with_scattered_slots_fits_the_journal(void **ctx UNUSED)
{
    struct restore_history *before = restore_history_new();
    struct restore_history *after;
    struct slot_set doubt = {0};
    struct slot_set odd = {0};
    struct error err = {0};
    struct buf text;
    json_t *docs;

    for (uint16_t slot = 1; slot < SLOT_COUNT; slot = (uint16_t)(slot + 2))
        slot_set_add(&odd, slot);
    buf_init(&text, 1 << 20);
    assert_true(slot_set_format(&odd, 0, &text, &err) && buf_byte(&text, '\0', &err));
    add(before, "a", "1", 0, (const char *)text.data);
    docs = restore_history_docs(before);
    assert_true(json_array_size(docs) > 1);
    for (size_t i = 0; i < json_array_size(docs); i++) {
        buf_clear(&text);
        assert_true(json_print(json_array_get(docs, i), false, &text, &err));
        assert_true(text.len < 60000); /* below a line's limit, with time and run id */
    }
    json_decref(docs);
    buf_release(&text);
    after = through_the_journal(before);
    before = restore_history_new();
    assert_true(restore_history_differs(before, after, &doubt));
    assert_true(slot_set_equal(&doubt, &odd));
    restore_history_free(before);
    restore_history_free(after);
}

static void a_damaged_note_of_a_node_is_refused(void **ctx UNUSED)
{
    static const char *const docs[] = {"{}", "{\"node\":\"a\"}", "{\"node\":\"a\",\"slots\":\"x\"}",
                                       "{\"node\":\"a\",\"slots\":\"0-20000\"}",
                                       "{\"node\":7,\"slots\":\"1\"}"};

    for (size_t i = 0; i < COUNT_OF(docs); i++) {
        struct restore_history *h = restore_history_new();
        struct error err = {0};
        json_t *doc = json_parse(str_from(docs[i]), "note", &err);

        assert_non_null(doc);
        assert_false(restore_history_add(h, doc, &err));
        assert_int_equal(err.code, ERROR_CORRUPT);
        json_decref(doc);
        restore_history_free(h);
    }
}

/* ---- shards ------------------------------------------------------------------------------------
 */

static void shards_are_numbered_by_their_first_slot(void **ctx UNUSED)
{
    struct manifest_slots slots[] = {
        {0, 99, "x", 0}, {100, 199, "y", 0}, {200, 299, "x", 1}, {300, 16383, "z", 0}};
    struct manifest m = {.slots = slots, .slot_count = 4};
    struct manifest none = {.slot_count = 0};
    struct slot_set set;
    struct error err = {0};
    char shown[100];

    assert_true(manifest_shard(&m, 1, &set, shown, sizeof(shown), &err));
    assert_string_equal(shown, "0-99,200-299");
    assert_int_equal(slot_set_count(&set), 200);
    assert_true(manifest_shard(&m, 3, &set, shown, sizeof(shown), &err));
    assert_string_equal(shown, "300-16383");
    assert_false(manifest_shard(&m, 4, &set, shown, sizeof(shown), &err));
    assert_int_equal(err.code, ERROR_USAGE);
    assert_false(manifest_shard(&none, 1, &set, shown, sizeof(shown), &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_name_that_was_added_is_missed_and_few_others_are_met),
        cmocka_unit_test(names_outlive_the_process_but_not_a_damaged_file),
        cmocka_unit_test(a_key_that_came_twice_may_repeat_and_is_ours_once_written),
        cmocka_unit_test(of_threads_that_add_one_name_all_but_one_find_it),
        cmocka_unit_test(slots_of_a_replaced_or_evicting_server_are_in_doubt_and_no_others),
        cmocka_unit_test(a_server_that_does_not_tell_of_evictions_counts_once),
        cmocka_unit_test(a_server_with_scattered_slots_fits_the_journal),
        cmocka_unit_test(a_damaged_note_of_a_node_is_refused),
        cmocka_unit_test(shards_are_numbered_by_their_first_slot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
