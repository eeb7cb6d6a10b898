/*
 * test_diff_bounds.c - the comparison of two backups in very little memory: more passes, the same
 * result.
 */
#include "tests/engine/diff_kit.h"

#include <sys/resource.h>

#define MANY 6000

/* Keys 0 … MANY: of A those that 7 does not divide, of B those that 11 does not; every 13th
 * differs, every 17th has another expiry. */
static char *many(bool b)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    assert_non_null(f);
    for (int n = 0; n < MANY; n++) {
        int i = b ? MANY - 1 - n : n;

        if (i % (b ? 11 : 7) == 0)
            continue;
        fprintf(f, "{\"key\":\"%s:%d\",\"type\":\"string\",\"ttl_millis\":%s,\"value\":\"%d\"",
                i % 3 == 0 ? "x" : "y", i, i % 17 == 0 ? "1000" : "null",
                b && i % 13 == 0 ? -i : i);
        if (i % 17 == 0)
            fprintf(f, ",\"expire_at_millis\":%" PRId64, NOON + (b ? 90 : 80) * MINUTE);
        fprintf(f, "}\n");
    }
    assert_int_equal(fclose(f), 0);
    return text;
}

static void expect_many(void)
{
    uint64_t want[DIFF_VERDICTS] = {0};

    for (int i = 1; i < MANY; i++) {
        if (i % 7 == 0 && i % 11 == 0)
            continue;
        want[i % 7 == 0    ? DIFF_ADDED
             : i % 11 == 0 ? DIFF_REMOVED
             : i % 13 == 0 ? DIFF_DIFFERS
             : i % 17 == 0 ? DIFF_TTL
                           : DIFF_SAME]++;
    }
    for (int v = 0; v < DIFF_VERDICTS; v++)
        assert_int_equal(report.total.verdicts[v], want[v]);
    assert_int_equal(report.prefix_count, 2);
    for (int v = 0; v < DIFF_VERDICTS; v++)
        assert_int_equal(
            report.prefixes[0].counts.verdicts[v] + report.prefixes[1].counts.verdicts[v], want[v]);
}

static void the_result_does_not_hang_on_the_memory(void **ctx UNUSED)
{
    static const uint64_t memory[] = {64 << 20, 200000, 20000};
    char *texts[2] = {many(false), many(true)};
    struct made a = A(texts[0]);
    struct made b = B(texts[1]);
    char *first = NULL;

    b.end_ms = NOON + 10 * MINUTE;
    for (size_t i = 0; i < COUNT_OF(memory); i++) {
        struct diff_options o = {.tolerance_ms = 1000, .limit = 20, .max_memory = memory[i]};

        compare_with(&a, &b, &o);
        expect_many();
        assert_true(i == 0 ? report.passes == 1 : report.passes > 3 * i);
        assert_int_equal(report.finding_count, 4 * 20);
        if (first == NULL)
            first = mem_copy_text(named());
        assert_string_equal(first, named()); /* the same keys are named each time */
    }
    free(first);
    free(texts[0]);
    free(texts[1]);
}

static void one_slot_with_more_keys_than_fit_is_compared_in_pieces(void **ctx UNUSED)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    struct diff_options o = {.limit = 5, .max_memory = 10000};

    assert_non_null(f);
    for (int i = 0; i < 2000; i++)
        fprintf(f, STRING("{tag}:%d", "1"), i);
    assert_int_equal(fclose(f), 0);
    compare_with(&A(text), &B(STRING("{tag}:7", "1") STRING("{tag}:8", "2")), &o);
    expect_counts(2000, 2, 1, 1999);
    assert_int_equal(report.total.verdicts[DIFF_REMOVED], 1998);
    assert_int_equal(report.unnamed, 1998 - 5);
    assert_int_equal(slot_set_count(&report.slots_differing), 1);
    free(text);
}

static void a_value_too_large_for_the_memory_is_told_by_its_size(void **ctx UNUSED)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    struct diff_options o = {.limit = 5, .max_memory = 20000};

    assert_non_null(f);
    fprintf(f, "{\"key\":\"h\",\"type\":\"hash\",\"ttl_millis\":null,\"value\":{\"0\":\"v\"");
    for (int i = 1; i < 3000; i++)
        fprintf(f, ",\"%d\":\"v\"", i);
    fprintf(f, "}}\n");
    assert_int_equal(fclose(f), 0);
    compare_with(&A(text), &B(KEY("hash", "h", "{\"0\":\"w\"}")), &o);
    assert_string_equal(named(), "differs h: 3000 fields in A, 1 in B: too large to say more\n");
    free(text);
}

/* ---- many keys ------------------------------------------------------------------------------- */

#define LOTS 300000

static char *lots(int part, bool b)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    assert_non_null(f);
    for (int i = part; i < LOTS; i += 4)
        fprintf(f,
                "{\"key\":\"session:%d\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"%d\"}"
                "\n",
                i, b && i % 30000 == 0 ? -i - 1 : i);
    assert_int_equal(fclose(f), 0);
    return text;
}

static long peak_kib(void)
{
    struct rusage usage;

    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

static void many_keys_take_no_more_memory_than_given(void **ctx UNUSED)
{
    struct diff_options o = {.tolerance_ms = 1000, .limit = 100, .max_memory = 8 << 20};
    struct made made[2] = {{.parts = {NULL}}, {.parts = {NULL}}};
    long before;

    for (int i = 0; i < 4; i++) {
        made[0].parts[i] = lots(i, false);
        made[1].parts[i] = lots(i, true);
    }
    before = peak_kib();
    compare_with(&made[0], &made[1], &o);
    expect_counts(LOTS, LOTS, LOTS - 10, 10);
    assert_int_equal(report.finding_count, 10);
    assert_int_equal(report.passes, 2); /* the sums of all slots, then those that differ */
    /* A part is 5 MiB, the tables of slots 12; nothing else grows with the keys. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(peak_kib() - before < 48L * 1024);
#endif
    (void)before;
    for (int i = 0; i < 4; i++) {
        free(mem_unconst(made[0].parts[i]));
        free(mem_unconst(made[1].parts[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_result_does_not_hang_on_the_memory),
        TEST(one_slot_with_more_keys_than_fit_is_compared_in_pieces),
        TEST(a_value_too_large_for_the_memory_is_told_by_its_size),
        TEST(many_keys_take_no_more_memory_than_given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
