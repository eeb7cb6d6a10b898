/*
 * it_verify_fields.c - verification of hashes whose fields have deadlines, on servers that know
 * them, and of keys in numbered databases.
 */
#include "tests/engine/restore_kit.h"

#include "core/base/clock.h"
#include "core/verify/verify.h"
#include "tests/harness/lab.h"

#define FIELDS 12000 /* more than are kept one by one */

static struct lab *lab;

static void begin(const char *flavor)
{
    lab = lab_start(&(struct lab_options){.kind = LAB_SINGLE, .flavor = flavor, .replicas = -1});
}

static int end(void **ctx UNUSED)
{
    lab_stop(lab);
    lab = NULL;
    return 0;
}

static void restore(const char *dir, enum restore_ttl ttl)
{
    struct kit k;

    kit_open(&k, dir, (uint16_t)lab_port(lab, 0));
    k.options.policy = RESTORE_OVERWRITE;
    k.options.ttl = ttl;
    if (!kit_restore(&k))
        fail_msg("%s", k.err.text);
    assert_int_equal(restore_result_findings(&k.result), 0);
    kit_close(&k);
}

static struct verify_report verify(const char *dir, const struct verify_options *options)
{
    struct verify_report r;
    struct kit k;

    kit_open(&k, dir, (uint16_t)lab_port(lab, 0));
    if (!verify_run(k.source, &k.target, options, k.task, &r, &k.err))
        fail_msg("%s", k.err.text);
    kit_close(&k);
    return r;
}

static void ask(const char *want, const char *const *argv)
{
    char *said = lab_cli_argv(lab, 0, argv);

    assert_non_null(said);
    if (want != NULL)
        assert_string_equal(said, want);
    free(said);
}
#define ASK(want, ...) ask(want, (const char *const[10]){__VA_ARGS__})

static const struct verify_finding *named(const struct verify_report *r, const char *key)
{
    for (size_t i = 0; i < r->finding_count; i++)
        if (strcmp(r->findings[i].key, key) == 0)
            return &r->findings[i];
    return NULL;
}

static void expect_named(const struct verify_report *r, const char *key, enum verify_verdict v)
{
    const struct verify_finding *f = named(r, key);

    if (f == NULL)
        fail_msg("%s is not named", key);
    else if (f->verdict != v)
        fail_msg("%s is %s: %s", key, verify_verdict_name(f->verdict), f->detail);
}

/* ---- deadlines of fields -----------------------------------------------------------------------
 */

/* In `soon` ms all fields of dying:* but b of dying:half are gone. */
static const char *make_fields(int64_t soon, int64_t late)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    const char *dir;
    static const char *const keys[] = {"kept", "moved", "added", "taken"};

    assert_non_null(f);
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        fprintf(
            f,
            "{\"key\":\"%s\",\"type\":\"hash\",\"ttl_millis\":null,\"value\":{\"a\":\"1\",\"b\":"
            "\"2\"},\"field_expire_at_millis\":{\"a\":%lld}}\n",
            keys[i], (long long)late);
    fprintf(f,
            "{\"key\":\"plain\",\"type\":\"hash\",\"ttl_millis\":null,\"value\":{\"a\":\"1\"}}\n");
    fprintf(f,
            "{\"key\":\"dying:half\",\"type\":\"hash\",\"ttl_millis\":null,\"value\":{\"a\":\"1\","
            "\"b\":\"2\"},\"field_expire_at_millis\":{\"a\":%lld}}\n",
            (long long)soon);
    fprintf(f,
            "{\"key\":\"dying:all\",\"type\":\"hash\",\"ttl_millis\":null,\"value\":{\"a\":\"1\","
            "\"b\":\"2\"},\"field_expire_at_millis\":{\"a\":%lld,\"b\":%lld}}\n",
            (long long)soon, (long long)soon);
    fprintf(f, "{\"key\":\"large\",\"type\":\"hash\",\"ttl_millis\":null,\"value\":{\"f\":\"v\"");
    for (int i = 0; i < FIELDS; i++)
        fprintf(f, ",\"%d\":\"v\"", i);
    fprintf(f, "},\"field_expire_at_millis\":{\"f\":%lld", (long long)soon);
    for (int i = 0; i < FIELDS; i += 2)
        fprintf(f, ",\"%d\":%lld", i, (long long)late);
    fprintf(f, "}}\n");
    assert_int_equal(fclose(f), 0);
    dir = kit_backup(text, len);
    free(text);
    return dir;
}

static bool is_gone(const char *key)
{
    char *said = lab_cli(lab, 0, "HLEN", key, NULL);
    char *all = lab_cli(lab, 0, "HGETALL", key, NULL);
    bool gone = all != NULL && all[0] == '\0';

    free(said);
    free(all);
    return gone;
}

static void fields_are_judged_by_their_deadlines(const char *flavor)
{
    struct verify_options o = {.extent = VERIFY_FULL,
                               .rounds = 1,
                               .restored = {.known = true, .ttl = RESTORE_TTL_ABSOLUTE}};
    int64_t soon = clock_real_ms() + 8000;
    int64_t late = clock_real_ms() + 86400000;
    const char *dir = make_fields(soon, late);
    char later[24];
    struct verify_report r;

    begin(flavor);
    if (lab == NULL) {
        print_message("no server of flavour %s here\n", flavor);
        skip();
    }
    restore(dir, RESTORE_TTL_ABSOLUTE);
    (void)snprintf(later, sizeof(later), "%lld", (long long)late + 5000);
    ASK("1", "HPEXPIREAT", "moved", later, "FIELDS", "1", "a");
    ASK("1", "HPEXPIREAT", "added", later, "FIELDS", "1", "b");
    ASK("1", "HPERSIST", "taken", "FIELDS", "1", "a");
    ASK("1", "HPEXPIREAT", "plain", later, "FIELDS", "1", "a");
    ASK("1", "HPEXPIREAT", "large", later, "FIELDS", "1", "100");
    while (!is_gone("dying:all") || clock_real_ms() < soon)
        clock_sleep_ms(50);
    r = verify(dir, &o);
    expect_named(&r, "moved", VERIFY_TTL);
    expect_named(&r, "added", VERIFY_TTL);
    expect_named(&r, "taken", VERIFY_TTL);
    expect_named(&r, "plain", VERIFY_TTL);
    expect_named(&r, "large", VERIFY_TTL);
    assert_string_equal(named(&r, "large")->detail, "1 fields expire at another time");
    assert_int_equal(r.found, 5);
    assert_int_equal(r.verdicts[VERIFY_SAME], 2);    /* kept, dying:half */
    assert_int_equal(r.verdicts[VERIFY_EXPIRED], 1); /* dying:all */
    assert_int_equal(r.expired_fields, 1);
    assert_int_equal(r.looked_closer, 1);
    verify_report_release(&r);
    o.tolerance_ms = 6000; /* five seconds are in it; a deadline that should not be there is not */
    r = verify(dir, &o);
    expect_named(&r, "added", VERIFY_TTL);
    expect_named(&r, "taken", VERIFY_TTL);
    expect_named(&r, "plain", VERIFY_TTL);
    assert_int_equal(r.found, 3);
    verify_report_release(&r);
}

static void fields_are_judged_by_their_deadlines_on_redis_8(void **ctx UNUSED)
{
    fields_are_judged_by_their_deadlines("redis8");
}

static void fields_are_judged_by_their_deadlines_on_valkey_9(void **ctx UNUSED)
{
    fields_are_judged_by_their_deadlines("valkey9");
}

/* In a cluster keys are counted by slot, after they were compared. A hash that dies in between
 * makes room in the count for a key that the backup lacks: its slot must be listed. */
static void a_hash_that_dies_meanwhile_hides_no_extra_key(void **ctx UNUSED)
{
    struct verify_options o = {.extent = VERIFY_FULL,
                               .rounds = 7, /* with a second between any two */
                               .extra = true,
                               .restored = {.known = true, .ttl = RESTORE_TTL_ABSOLUTE}};
    int64_t soon;
    char text[600];
    int len;
    const char *dir;
    struct verify_report r;

    lab =
        lab_start(&(struct lab_options){.kind = LAB_CLUSTER, .flavor = "valkey9", .replicas = -1});
    if (lab == NULL) {
        print_message("no server of flavour valkey9 here\n");
        skip();
    }
    soon = clock_real_ms() + 4000;
    len = snprintf(
        text, sizeof(text),
        "{\"key\":\"{t}dying\",\"type\":\"hash\",\"ttl_millis\":null,\"value\":{\"a\":\"1\","
        "\"b\":\"2\"},\"field_expire_at_millis\":{\"a\":%lld,\"b\":%lld}}\n"
        "{\"key\":\"other\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v\"}\n",
        (long long)soon, (long long)soon - 500);
    dir = kit_backup(text, (size_t)len);
    restore(dir, RESTORE_TTL_ABSOLUTE);
    ASK("OK", "-c", "SET", "{t}extra", "v");
    ASK("OK", "-c", "SET", "other", "changed"); /* so that there are further rounds */
    r = verify(dir, &o);
    assert_int_equal(r.verdicts[VERIFY_SAME] + r.verdicts[VERIFY_EXPIRED], 1);
    assert_int_equal(r.search, VERIFY_SEARCH_COUNTS);
    expect_named(&r, "other", VERIFY_DIFFERS);
    expect_named(&r, "{t}extra", VERIFY_EXTRA);
    verify_report_release(&r);
}

/* ---- databases ---------------------------------------------------------------------------------
 */

static void extra_keys_are_found_in_every_database(void **ctx UNUSED)
{
    static const char text[] =
        "{\"key\":\"k\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v\"}\n"
        "{\"key\":\"k\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v\",\"db\":3}\n";
    struct verify_options o = {.extent = VERIFY_FULL, .rounds = 1, .extra = true};
    const char *dir = kit_backup(text, sizeof(text) - 1);
    struct verify_report r;

    begin("redis");
    assert_non_null(lab);
    restore(dir, RESTORE_TTL_REMAINING);
    r = verify(dir, &o);
    assert_int_equal(r.verdicts[VERIFY_SAME], 2);
    assert_int_equal(verify_report_findings(&r), 0);
    assert_int_equal(r.search, VERIFY_SEARCH_SCAN);
    verify_report_release(&r);
    ASK("OK", "-n", "3", "SET", "other", "v");
    ASK("OK", "-n", "7", "SET", "k", "v"); /* the same name, but not in this one */
    r = verify(dir, &o);
    expect_named(&r, "other", VERIFY_EXTRA);
    assert_string_equal(named(&r, "other")->detail, "the backup has no such key in database 3");
    expect_named(&r, "k", VERIFY_EXTRA);
    assert_string_equal(named(&r, "k")->detail, "the backup has no such key in database 7");
    assert_int_equal(r.found, 2);
    verify_report_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(fields_are_judged_by_their_deadlines_on_redis_8, end),
        cmocka_unit_test_teardown(fields_are_judged_by_their_deadlines_on_valkey_9, end),
        cmocka_unit_test_teardown(a_hash_that_dies_meanwhile_hides_no_extra_key, end),
        cmocka_unit_test_teardown(extra_keys_are_found_in_every_database, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
