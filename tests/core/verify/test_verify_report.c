#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/attr.h"
#include "core/base/json.h"
#include "core/verify/verify.h"

/* ---- what a sample is worth --------------------------------------------------------------------
 */

static void the_bound_is_the_one_of_clopper_and_pearson(void **ctx UNUSED)
{
    /* One-sided 95 %, from tables of the beta distribution. */
    static const struct {
        uint64_t wrong, drawn;
        double bound;
    } cases[] = {{0, 1, 0.95},        {0, 10, 0.258866},    {0, 1000, 0.0029912},
                 {1, 10, 0.394163},   {5, 10, 0.777559},    {1, 1000, 0.0047347},
                 {10, 100, 0.163982}, {500, 1000, 0.526464}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        double bound = verify_upper_bound(cases[i].wrong, cases[i].drawn);

        if (bound < cases[i].bound - 0.0005 || bound > cases[i].bound + 0.0005)
            fail_msg("%d of %d: %f", (int)cases[i].wrong, (int)cases[i].drawn, bound);
    }
    assert_true(verify_upper_bound(0, 0) >= 1);
    assert_true(verify_upper_bound(7, 7) >= 1);
}

static void the_bound_of_many_wrong_ones_is_a_little_above_their_share(void **ctx UNUSED)
{
    double bound = verify_upper_bound(20000, 1000000);

    assert_true(bound > 0.0202 && bound < 0.0204);
}

/* ---- texts -------------------------------------------------------------------------------------
 */

static const char *coverage(const struct verify_report *r, const struct verify_options *o)
{
    static char text[300];

    return verify_report_coverage(r, o, text, sizeof(text));
}

static void a_sample_says_how_sure_it_is(void **ctx UNUSED)
{
    struct verify_options o = {.extent = VERIFY_SAMPLE, .sample = 1000};
    struct verify_report r = {.checked = 1000, .population = 250000, .seed = 42};

    r.verdicts[VERIFY_SAME] = 1000;
    assert_string_equal(coverage(&r, &o),
                        "0 of 1,000 keys drawn at random from 250,000 (seed 42) are wrong: with "
                        "95 % confidence fewer than 0.30 % of all are");
    r.verdicts[VERIFY_SAME] = 998;
    r.verdicts[VERIFY_MISSING] = 1;
    r.verdicts[VERIFY_EXPIRED] = 1; /* as it should be */
    assert_string_equal(coverage(&r, &o),
                        "1 of 1,000 keys drawn at random from 250,000 (seed 42) are wrong: with "
                        "95 % confidence no more than 0.48 % of all are");
    r.checked = 10;
    r.verdicts[VERIFY_SAME] = 9;
    r.verdicts[VERIFY_EXPIRED] = 1;
    r.verdicts[VERIFY_MISSING] = 0;
    r.population = 10;
    assert_string_equal(coverage(&r, &o),
                        "0 of all 10 keys are wrong: the sample is the whole backup");
}

static void a_subset_says_how_many_slots_it_covers(void **ctx UNUSED)
{
    struct verify_options o = {.extent = VERIFY_SUBSET, .subset = 3, .subsets = 10};
    struct verify_report r = {.checked = 5};

    r.verdicts[VERIFY_SAME] = 5;
    assert_string_equal(coverage(&r, &o), "0 of 5 keys are wrong; every key of 1639 of 16384 slots "
                                          "was looked at (3 of 10 runs)");
    o.subset = 10;
    assert_string_equal(coverage(&r, &o), "0 of 5 keys are wrong; every key of 1638 of 16384 slots "
                                          "was looked at (10 of 10 runs)");
}

/* "0 are wrong" alone would sound as if all were well. */
static void extra_keys_are_told_beside_the_wrong_ones(void **ctx UNUSED)
{
    struct verify_options o = {.extent = VERIFY_FULL, .extra = true};
    struct verify_report r = {.checked = 5};

    r.verdicts[VERIFY_SAME] = 5;
    r.verdicts[VERIFY_EXTRA] = 1200;
    assert_string_equal(coverage(&r, &o), "0 of 5 keys are wrong; every key was looked at; 1,200 "
                                          "keys are there that the backup lacks");
    r.verdicts[VERIFY_EXTRA] = 1;
    assert_string_equal(coverage(&r, &o),
                        "0 of 5 keys are wrong; every key was looked at; 1 key is "
                        "there that the backup lacks");
}

static void what_ended_early_claims_no_more_than_it_saw(void **ctx UNUSED)
{
    static const enum verify_extent extents[] = {VERIFY_SAMPLE, VERIFY_SUBSET, VERIFY_FULL};
    struct verify_options o = {.sample = 1000, .subset = 3, .subsets = 10};
    struct verify_report r = {.checked = 50, .population = 250000, .stopped = true};
    struct manifest m = {.backup_id = "x"};
    json_t *doc;

    r.verdicts[VERIFY_SAME] = 49;
    for (size_t i = 0; i < COUNT_OF(extents); i++) {
        o.extent = extents[i];
        assert_string_equal(coverage(&r, &o), "1 of 50 keys are wrong; the verification ended "
                                              "early, and the others were not looked at");
        doc = verify_report_json(&r, &o, &m);
        assert_null(json_object_get(json_object_get(doc, "coverage"), "confidence"));
        json_decref(doc);
    }
}

static struct verify_report example(struct verify_finding *finding, struct verify_node *node)
{
    struct verify_report r = {.checked = 3,
                              .nodes = node,
                              .node_count = 1,
                              .findings = finding,
                              .finding_count = 1,
                              .found = 2,
                              .placement = true,
                              .stray = 1,
                              .partly = 4,
                              .search = VERIFY_SEARCH_COUNTS,
                              .slots_listed = 6,
                              .rounds = 2,
                              .expired_fields = 8};

    r.verdicts[VERIFY_SAME] = 2;
    r.verdicts[VERIFY_DIFFERS] = 1;
    r.verdicts[VERIFY_MISPLACED] = 1;
    r.by_type[RECORD_HASH][VERIFY_DIFFERS] = 1;
    return r;
}

static void strays_are_findings(void **ctx UNUSED)
{
    struct verify_finding finding = {.key = NULL};
    struct verify_node node = {"127.0.0.1:7001", {0}};
    struct verify_report r = example(&finding, &node);

    assert_int_equal(verify_report_findings(&r), 2);
}

static void the_page_has_tables_by_type_and_node_and_the_findings(void **ctx UNUSED)
{
    static const char *const wanted[] = {
        "# Verification of redis-backup-x",
        "checked=3 same=2 differs=1 missing=0 extra=0 expired=0 ttl=0 unreadable=0",
        "- 1 of 3 keys are wrong; every key was looked at.",
        "2 rounds",
        "8 fields of hashes have expired since",
        "Of 4 streams counters were not compared: one side does not have them",
        "1 keys lie on a node that does not own their slot",
        "by counting all slots; 6 had room",
        "| hash | 0 | 1 | 0 | 0 | 0 | 0 | 0 | 0 |",
        "| 127.0.0.1:7001 | 2 | 1 | 0 | 0 | 0 | 0 | 0 | 1 |",
        "| a\\|b | hash | differs | 1 of 2 |",
        "1 of 2 findings; the job's failed.jsonl has all",
    };
    char key[] = "a|b";
    struct verify_finding finding = {
        .key = key, .type = RECORD_HASH, .verdict = VERIFY_DIFFERS, .detail = "1 of 2"};
    struct verify_node node = {"127.0.0.1:7001", {0}};
    struct verify_options o = {.extent = VERIFY_FULL};
    struct manifest m = {.backup_id = "redis-backup-x"};
    struct verify_report r = example(&finding, &node);
    struct buf out;

    node.verdicts[VERIFY_SAME] = 2;
    node.verdicts[VERIFY_DIFFERS] = 1;
    node.verdicts[VERIFY_MISPLACED] = 1;
    buf_init(&out, (size_t)1 << 20);
    verify_report_markdown(&r, &o, &m, &out);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (strstr(buf_str(&out).ptr, wanted[i]) == NULL)
            fail_msg("not there: %s\n%s", wanted[i], buf_str(&out).ptr);
    buf_release(&out);
}

static void the_document_says_the_same(void **ctx UNUSED)
{
    char key[] = "k";
    struct verify_finding finding = {.key = key, .verdict = VERIFY_MISPLACED};
    struct verify_node node = {"127.0.0.1:7001", {0}};
    struct verify_options o = {.extent = VERIFY_SAMPLE, .sample = 3};
    struct manifest m = {.backup_id = "redis-backup-x"};
    struct verify_report r = example(&finding, &node);
    const json_t *coverage_doc;
    json_t *doc;

    r.population = 100;
    node.verdicts[VERIFY_MISPLACED] = 1;
    doc = verify_report_json(&r, &o, &m);
    coverage_doc = json_object_get(doc, "coverage");
    assert_int_equal(json_int(json_object_get(doc, "placement"), "stray", 0), 1);
    assert_int_equal(json_int(json_object_get(doc, "extra_search"), "slots_listed", 0), 6);
    assert_int_equal(json_int(coverage_doc, "population", 0), 100);
    assert_true(json_real_value(json_object_get(coverage_doc, "wrong_share_at_most")) > 0.8);
    assert_int_equal(json_int(json_object_get(json_object_get(doc, "by_node"), "127.0.0.1:7001"),
                              "misplaced", 0),
                     1);
    assert_string_equal(json_text(json_array_get(json_object_get(doc, "keys"), 0), "verdict", ""),
                        "misplaced");
    json_decref(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bound_is_the_one_of_clopper_and_pearson),
        cmocka_unit_test(the_bound_of_many_wrong_ones_is_a_little_above_their_share),
        cmocka_unit_test(a_sample_says_how_sure_it_is),
        cmocka_unit_test(a_subset_says_how_many_slots_it_covers),
        cmocka_unit_test(extra_keys_are_told_beside_the_wrong_ones),
        cmocka_unit_test(what_ended_early_claims_no_more_than_it_saw),
        cmocka_unit_test(strays_are_findings),
        cmocka_unit_test(the_page_has_tables_by_type_and_node_and_the_findings),
        cmocka_unit_test(the_document_says_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
