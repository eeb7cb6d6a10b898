/* Records come out in order and once each, whether they fit into memory or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "core/base/file.h"
#include "core/base/rng.h"
#include "core/base/sorter.h"
#include "tests/harness/tmpdir.h"

static const char *dir;

static int make_dir(void **ctx UNUSED)
{
    dir = tmpdir_new();
    return dir == NULL;
}

static int remove_dir(void **ctx UNUSED)
{
    return tmpdir_remove(dir) ? 0 : 1;
}

static void add(struct sorter *s, struct str key, struct str data)
{
    struct error err = {0};

    if (!sorter_add(s, key, data, &err))
        fail_msg("%s", err.text);
}

static void sort(struct sorter *s, size_t keep)
{
    struct error err = {0};

    if (!sorter_sort(s, keep, &err))
        fail_msg("%s", err.text);
}

static bool take(struct sorter *s, struct str *key, struct str *data)
{
    struct error err = {0};
    bool end;

    if (!sorter_next(s, key, data, &end, &err))
        fail_msg("%s", err.text);
    return !end;
}

static void expect(struct sorter *s, const char *key, const char *data)
{
    struct str k;
    struct str d;

    assert_true(take(s, &k, &d));
    assert_true(str_is(k, key));
    assert_true(str_is(d, data));
}

static void keys_come_in_byte_order_shorter_first(void **ctx UNUSED)
{
    struct sorter *s = sorter_new(dir, 0);
    struct str k;
    struct str d;

    add(s, STR("b"), STR("2"));
    add(s, STR("a\0a"), STR("x"));
    add(s, STR(""), STR("none"));
    add(s, STR("\xff"), STR("last"));
    add(s, STR("a"), STR("1"));
    add(s, STR("abcdefghijkl"), STR("long"));
    add(s, STR("abcdefghijka"), STR("longer"));
    sort(s, SIZE_MAX);
    expect(s, "", "none");
    expect(s, "a", "1");
    assert_true(take(s, &k, &d));
    assert_int_equal(k.len, 3);
    expect(s, "abcdefghijka", "longer");
    expect(s, "abcdefghijkl", "long");
    expect(s, "b", "2");
    expect(s, "\xff", "last");
    assert_false(take(s, &k, &d));
    assert_false(take(s, &k, &d));
    assert_int_equal(sorter_spilled(s), 0);
    sorter_free(s);
}

static void the_record_added_last_replaces_the_others(void **ctx UNUSED)
{
    struct sorter *s = sorter_new(dir, 0);
    struct str k;
    struct str d;

    add(s, STR("a"), STR("old"));
    add(s, STR("b"), STR("only"));
    add(s, STR("a"), STR("older than the next"));
    add(s, STR("a"), STR("new"));
    assert_int_equal(sorter_count(s), 4);
    sort(s, SIZE_MAX);
    expect(s, "a", "new");
    expect(s, "b", "only");
    assert_false(take(s, &k, &d));
    sorter_clear(s);
    sort(s, SIZE_MAX);
    assert_false(take(s, &k, &d));
    sorter_free(s);
}

/* `count` records of which each key comes `times` times; the round is the data. */
static void run_many(size_t memory, size_t keep, uint32_t count, uint32_t times, bool spills)
{
    struct sorter *s = sorter_new(dir, memory);
    char before[24] = "";
    uint32_t seen = 0;
    struct str k;
    struct str d;

    for (uint32_t t = 0; t < times; t++) {
        struct rng rng = {7 + t};

        for (uint32_t i = 0; i < count; i++) {
            uint32_t n = (uint32_t)(((uint64_t)i * 7919u + rng_next(&rng) % 2 * count) % count);
            char key[24];
            char data[200];

            (void)snprintf(key, sizeof(key), "key-%08u", (unsigned)n);
            memset(data, 'd', sizeof(data));
            (void)snprintf(data, sizeof(data), "%u", (unsigned)t);
            add(s, str_from(key), (struct str){data, 100 + n % 100});
        }
    }
    sort(s, keep);
    assert_true((sorter_spilled(s) > 0) == spills);
    while (take(s, &k, &d)) {
        assert_true(str_compare(k, str_from(before)) > 0);
        assert_true(str_copy(k, before, sizeof(before)));
        assert_int_equal(strtoul(d.ptr, NULL, 10), times - 1);
        seen++;
    }
    assert_int_equal(seen, count);
    sorter_free(s);
}

static void what_does_not_fit_is_sorted_on_disk(void **ctx UNUSED)
{
    char **names;
    size_t count;
    struct error err = {0};

    run_many((size_t)64 << 20, SIZE_MAX, 5003, 2, false);
    run_many(SORTER_MEMORY_LEAST, SIZE_MAX, 5003, 3, true);
    run_many((size_t)64 << 20, 0, 5003, 2, true); /* nothing may stay in memory */
    assert_true(file_list(dir, &names, &count, &err));
    assert_int_equal(count, 0);
    file_list_free(names, count);
}

/* 64 KiB hold about 300 of these, so that is far more than 256 runs. */
static void very_many_runs_are_merged_in_between(void **ctx UNUSED)
{
    run_many(SORTER_MEMORY_LEAST, SIZE_MAX, 40009, 3, true);
}

static void a_record_larger_than_the_memory_is_held_alone(void **ctx UNUSED)
{
    struct sorter *s = sorter_new(dir, 0);
    size_t size = (size_t)1 << 20;
    char *large = calloc(1, size);
    struct str k;
    struct str d;

    assert_non_null(large);
    add(s, STR("b"), (struct str){large, size});
    add(s, STR("a"), STR("small"));
    add(s, STR("c"), (struct str){large, size});
    sort(s, SIZE_MAX);
    assert_true(sorter_spilled(s) > size);
    expect(s, "a", "small");
    assert_true(take(s, &k, &d));
    assert_true(str_is(k, "b"));
    assert_int_equal(d.len, size);
    assert_true(take(s, &k, &d));
    assert_true(str_is(k, "c"));
    assert_false(take(s, &k, &d));
    sorter_free(s);
    free(large);
}

/* ---- large records ----------------------------------------------------------------------------
 */

#define LARGE ((size_t)256 << 10)
#define LARGE_COUNT 300
#define LARGE_MOST_KIB (24L * 1024) /* far below all of them, which take 75 MiB */

static long peak_kib(void)
{
    struct rusage usage;

    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

static void expect_modest(long before)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(peak_kib() - before < LARGE_MOST_KIB);
#endif
    (void)before;
}

/* Each is a run of its own; only one of them may be in memory at a time. */
static void sort_large_records(size_t memory)
{
    struct sorter *s = sorter_new(dir, memory);
    char *large = malloc(LARGE);
    long before = peak_kib();
    struct str k;
    struct str d;

    assert_non_null(large);
    for (unsigned i = 0; i < LARGE_COUNT; i++) {
        char key[8];

        (void)snprintf(key, sizeof(key), "%04u", i * 7 % LARGE_COUNT);
        memset(large, (int)('a' + i * 7 % LARGE_COUNT % 23), LARGE);
        add(s, str_from(key), (struct str){large, LARGE - i});
        add(s, str_from(key), STR("replaced"));
        add(s, str_from(key), (struct str){large, LARGE - i});
    }
    sort(s, SIZE_MAX);
    for (unsigned i = 0; i < LARGE_COUNT; i++) {
        char key[8];

        (void)snprintf(key, sizeof(key), "%04u", i);
        assert_true(take(s, &k, &d));
        assert_true(str_is(k, key));
        assert_true(d.len > LARGE - LARGE_COUNT);
        assert_int_equal(d.ptr[0], 'a' + i % 23);
        assert_int_equal(d.ptr[d.len - 1], 'a' + i % 23);
    }
    assert_false(take(s, &k, &d));
    expect_modest(before);
    sorter_free(s);
    free(large);
}

static void many_large_records_take_the_memory_of_one(void **ctx UNUSED)
{
    sort_large_records(LARGE / 2);
    sort_large_records(2 * LARGE);
}

/* Names that differ in their last bytes only are told apart without holding them all. */
static void large_names_come_in_order_too(void **ctx UNUSED)
{
    struct sorter *s = sorter_new(dir, LARGE / 2);
    char *name = calloc(1, LARGE);
    long before = peak_kib();
    struct str k;
    struct str d;

    assert_non_null(name);
    for (unsigned i = 0; i < LARGE_COUNT / 2; i++) {
        unsigned n = i * 11 % (LARGE_COUNT / 2);

        name[LARGE - 2] = (char)n;
        add(s, (struct str){name, LARGE - n % 2}, STR("first"));
        add(s, (struct str){name, LARGE - n % 2}, STR("last"));
    }
    sort(s, SIZE_MAX);
    for (unsigned n = 0; n < LARGE_COUNT / 2; n++) {
        assert_true(take(s, &k, &d));
        assert_int_equal((unsigned char)k.ptr[LARGE - 2], n);
        assert_int_equal(k.len, LARGE - n % 2);
        assert_true(str_is(d, "last"));
    }
    assert_false(take(s, &k, &d));
    expect_modest(before);
    sorter_free(s);
    free(name);
}

static void a_directory_that_cannot_be_written_is_an_error(void **ctx UNUSED)
{
    struct sorter *s = sorter_new("/nonexistent/directory", 0);
    struct error err = {0};

    add(s, STR("a"), STR("1"));
    assert_false(sorter_sort(s, 0, &err));
    assert_int_equal(err.code, ERROR_STORAGE);
    assert_non_null(strstr(err.text, "/nonexistent/directory"));
    sorter_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_come_in_byte_order_shorter_first),
        cmocka_unit_test(the_record_added_last_replaces_the_others),
        cmocka_unit_test(what_does_not_fit_is_sorted_on_disk),
        cmocka_unit_test(very_many_runs_are_merged_in_between),
        cmocka_unit_test(a_record_larger_than_the_memory_is_held_alone),
        cmocka_unit_test(many_large_records_take_the_memory_of_one),
        cmocka_unit_test(large_names_come_in_order_too),
        cmocka_unit_test(a_directory_that_cannot_be_written_is_an_error),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
