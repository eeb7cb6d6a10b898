/*
 * it_verify.c - verification against a live cluster: it names exactly the keys that were changed
 * behind its back, sits out clients that write, and draws its samples fairly.
 */
#include "tests/engine/restore_kit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "core/base/clock.h"
#include "core/verify/verify_worker.h"
#include "tests/harness/lab.h"

#define KEYS 400 /* of each type: more than the smallest set of names holds */
#define ALL ((size_t)KEYS * 6 + 5)
#define LARGE 12000

static struct lab *lab;
static const char *backup;

/* ---- a backup of every type, restored ----------------------------------------------------------
 */

static const char stream_body[] =
    "\"type\":\"stream\",\"ttl_millis\":null,\"value\":{\"entries\":[[\"1-1\",[\"f\",\"v\"]]],"
    "\"last_id\":\"1-1\",\"entries_added\":\"1\",\"max_deleted_id\":\"0-0\",\"groups\":[{\"name\":"
    "\"g\",\"last_delivered_id\":\"1-1\",\"entries_read\":\"1\",\"consumers\":[{\"name\":\"c\"}],"
    "\"pending\":[[\"1-1\",\"c\",1755497196412,1]]}]}";
static const char *const bodies[] = {
    "\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v\"",
    "\"type\":\"hash\",\"ttl_millis\":null,\"value\":{\"a\":\"1\",\"b\":\"2\"}",
    "\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"a\",\"b\"]",
    "\"type\":\"set\",\"ttl_millis\":null,\"value\":[\"a\",\"b\"]",
    "\"type\":\"zset\",\"ttl_millis\":null,\"value\":[[\"a\",\"1\"],[\"b\",\"2\"]]",
    stream_body,
};
static const char *const types[] = {"string", "hash", "list", "set", "zset", "stream"};

static void put_large(FILE *f, const char *type, const char *open, const char *between,
                      const char *close, const char *separator)
{
    fprintf(f, "{\"key\":\"large:%s\",\"type\":\"%s\",\"ttl_millis\":null,\"value\":%s", type, type,
            open);
    for (int i = 0; i < LARGE; i++)
        fprintf(f, "%s%s\"%d\"%s", i == 0 ? "" : ",", between, i, separator);
    fprintf(f, "%s}\n", close);
}

static const char *make_backup(void)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    const char *dir;

    assert_non_null(f);
    for (size_t t = 0; t < COUNT_OF(types); t++)
        for (int i = 0; i < KEYS; i++)
            fprintf(f, "{\"key\":\"%s:%d\",%s}\n", types[t], i, bodies[t]);
    put_large(f, "list", "[", "", "]", "");
    put_large(f, "set", "[", "", "]", "");
    put_large(f, "hash", "{", "", "}", ":\"v\"");
    put_large(f, "zset", "[", "[", "]", ",\"1\"]");
    fprintf(f, "{\"key\":\"large:string\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"");
    for (int i = 0; i < 3 << 20; i++)
        fputc('a' + i % 26, f);
    fprintf(f, "\"}\n");
    assert_int_equal(fclose(f), 0);
    dir = kit_backup(text, len);
    free(text);
    return dir;
}

static void flush_all(void)
{
    for (size_t i = 0; i < lab_shards(lab); i++)
        free(lab_cli(lab, i, "FLUSHALL", NULL));
}

static void restore_all(void)
{
    struct kit k;

    kit_open(&k, backup, (uint16_t)lab_port(lab, 0));
    k.options.policy = RESTORE_OVERWRITE;
    if (!kit_restore(&k))
        fail_msg("%s", k.err.text);
    assert_int_equal(restore_result_findings(&k.result), 0);
    kit_close(&k);
}

static struct verify_options full(unsigned rounds)
{
    return (struct verify_options){
        .extent = VERIFY_FULL, .tolerance_ms = 30000, .rounds = rounds, .seed = 1};
}

static void verify(const struct verify_options *options, struct verify_report *out)
{
    struct kit k;

    kit_open(&k, backup, (uint16_t)lab_port(lab, 0));
    if (!verify_run(k.source, &k.target, options, k.task, out, &k.err))
        fail_msg("%s", k.err.text);
    kit_close(&k);
}

static void change(const char *const *argv)
{
    char *said =
        lab_cli_routed(lab, argv[0], argv[1], argv[2], argv[3], argv[4], argv[5], argv[6], NULL);

    assert_non_null(said);
    if (strstr(said, "ERR") != NULL || strstr(said, "WRONGTYPE") != NULL)
        fail_msg("%s %s: %s", argv[0], argv[1], said);
    free(said);
}
#define CHANGE(...) change((const char *const[8]){__VA_ARGS__})

/* ---- exactly what was changed ------------------------------------------------------------------
 */

struct expected {
    const char *key;
    enum verify_verdict verdict;
    bool seen;
};

static void expect_findings(const struct verify_report *r, struct expected *rows, size_t count)
{
    for (size_t i = 0; i < r->finding_count; i++) {
        bool known = false;

        for (size_t k = 0; k < count; k++)
            if (strcmp(rows[k].key, r->findings[i].key) == 0 && !rows[k].seen) {
                assert_int_equal(r->findings[i].verdict, rows[k].verdict);
                rows[k].seen = true;
                known = true;
            }
        if (!known)
            fail_msg("%s is named: %s", r->findings[i].key, r->findings[i].detail);
    }
    for (size_t k = 0; k < count; k++)
        if (!rows[k].seen)
            fail_msg("%s is not named", rows[k].key);
}

static void an_untouched_cluster_has_no_findings(void **ctx UNUSED)
{
    struct verify_options o = full(1);
    struct verify_report r;

    restore_all();
    verify(&o, &r);
    for (size_t i = 0; i < r.finding_count; i++)
        print_error("%s %s\n", r.findings[i].key, r.findings[i].detail);
    assert_int_equal(verify_report_findings(&r), 0);
    assert_int_equal(r.verdicts[VERIFY_SAME], ALL);
    verify_report_release(&r);
}

static void the_changed_keys_of_every_type_are_named_and_no_others(void **ctx UNUSED)
{
    struct expected rows[] = {
        {"string:1", VERIFY_DIFFERS, false},     {"hash:1", VERIFY_DIFFERS, false},
        {"list:1", VERIFY_DIFFERS, false},       {"set:1", VERIFY_DIFFERS, false},
        {"zset:1", VERIFY_DIFFERS, false},       {"stream:1", VERIFY_DIFFERS, false},
        {"stream:2", VERIFY_DIFFERS, false},     {"string:3", VERIFY_DIFFERS, false},
        {"string:4", VERIFY_MISSING, false},     {"hash:4", VERIFY_MISSING, false},
        {"list:4", VERIFY_MISSING, false},       {"set:4", VERIFY_MISSING, false},
        {"zset:4", VERIFY_MISSING, false},       {"stream:4", VERIFY_MISSING, false},
        {"string:5", VERIFY_TTL, false},         {"hash:5", VERIFY_TTL, false},
        {"list:5", VERIFY_TTL, false},           {"set:5", VERIFY_TTL, false},
        {"zset:5", VERIFY_TTL, false},           {"stream:5", VERIFY_TTL, false},
        {"large:list", VERIFY_DIFFERS, false},   {"large:set", VERIFY_DIFFERS, false},
        {"large:hash", VERIFY_DIFFERS, false},   {"large:zset", VERIFY_DIFFERS, false},
        {"large:string", VERIFY_DIFFERS, false},
    };
    struct verify_options o = full(2);
    struct verify_report r;

    restore_all();
    CHANGE("SET", "string:1", "w");
    CHANGE("HSET", "hash:1", "a", "9");
    CHANGE("LSET", "list:1", "1", "x");
    CHANGE("SADD", "set:1", "c");
    CHANGE("ZADD", "zset:1", "1.0000000000000002", "a");
    CHANGE("XADD", "stream:1", "2-1", "f", "v");
    CHANGE("XACK", "stream:2", "g", "1-1");
    CHANGE("DEL", "string:3");
    CHANGE("RPUSH", "string:3", "v");
    for (size_t t = 0; t < COUNT_OF(types); t++) {
        char key[20];

        (void)snprintf(key, sizeof(key), "%s:4", types[t]);
        CHANGE("DEL", key);
        (void)snprintf(key, sizeof(key), "%s:5", types[t]);
        CHANGE("PEXPIRE", key, "86400000");
    }
    CHANGE("LSET", "large:list", "11999", "x");
    CHANGE("SREM", "large:set", "6000");
    CHANGE("HSET", "large:hash", "6000", "w");
    CHANGE("ZADD", "large:zset", "2", "6000");
    CHANGE("SETRANGE", "large:string", "3000000", "!");
    verify(&o, &r);
    assert_int_equal(r.rounds, 2);
    expect_findings(&r, rows, COUNT_OF(rows));
    assert_int_equal(verify_report_findings(&r), COUNT_OF(rows));
    assert_int_equal(r.checked, ALL);
    verify_report_release(&r);
}

/* ---- keys that the backup lacks ----------------------------------------------------------------
 */

static void keys_that_the_backup_lacks_are_named_when_asked_for(void **ctx UNUSED)
{
    static const char *const match[] = {"extra:1*"};
    static const size_t memories[] = {0,
                                      (size_t)16 * 128}; /* the smaller one needs several passes */
    struct verify_options o = full(1);
    struct verify_report r;

    restore_all();
    CHANGE("SET", "extra:1", "v");
    CHANGE("HSET", "extra:2", "f", "v");
    CHANGE("DEL", "string:9"); /* as many keys as before: counting alone would not tell */
    CHANGE("DEL", "string:8");
    CHANGE("EVAL", "return redis.call('SET', KEYS[1], 'v')", "1", "x:{b}");
    CHANGE("EVAL", "return redis.call('SET', '\\0rbc:run:{b}:1', 'v')", "1", "{b}");
    for (size_t i = 0; i < COUNT_OF(memories); i++) {
        struct expected rows[] = {{"extra:1", VERIFY_EXTRA, false},
                                  {"extra:2", VERIFY_EXTRA, false},
                                  {"x:{b}", VERIFY_EXTRA, false},
                                  {"string:8", VERIFY_MISSING, false},
                                  {"string:9", VERIFY_MISSING, false}};

        o.extra = true;
        o.extra_memory = memories[i];
        verify(&o, &r);
        expect_findings(&r, rows, COUNT_OF(rows));
        assert_int_equal(r.verdicts[VERIFY_EXTRA], 3);
        assert_int_equal(r.by_type[RECORD_HASH][VERIFY_EXTRA], 1);
        assert_int_equal(verify_report_findings(&r), 5);
        assert_int_equal(r.checked, ALL);
        verify_report_release(&r);
    }
    o.filter = (struct filter){.match = match, .match_count = 1};
    verify(&o, &r);
    assert_int_equal(verify_report_findings(&r), 1);
    assert_int_equal(r.verdicts[VERIFY_EXTRA], 1);
    verify_report_release(&r);
    o = full(1);
    verify(&o, &r);
    assert_int_equal(r.verdicts[VERIFY_EXTRA], 0);
    verify_report_release(&r);
    flush_all();
}

/* ---- clients that write ------------------------------------------------------------------------
 */

/* Changes keys and puts them right again, all the time. */
static void *restless(void *arg)
{
    _Atomic bool *stop = arg;

    while (!atomic_load(stop))
        for (int i = 0; i < 10; i++) {
            char key[20];

            (void)snprintf(key, sizeof(key), "string:%d", i);
            CHANGE("SET", key, "w");
            CHANGE("SET", key, "v");
        }
    return NULL;
}

static void keys_that_clients_touch_meanwhile_settle_over_the_rounds(void **ctx UNUSED)
{
    struct verify_options o = full(30);
    struct verify_report r;
    _Atomic bool stop = false;
    pthread_t thread;

    restore_all();
    assert_int_equal(pthread_create(&thread, NULL, restless, &stop), 0);
    verify(&o, &r);
    atomic_store(&stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(verify_report_findings(&r), 0);
    verify_report_release(&r);
}

/* ---- samples and subsets -----------------------------------------------------------------------
 */

static void the_subsets_cover_every_key_exactly_once(void **ctx UNUSED)
{
    uint64_t sum = 0;

    restore_all();
    for (uint32_t n = 1; n <= 4; n++) {
        struct verify_options o = {
            .extent = VERIFY_SUBSET, .subset = n, .subsets = 4, .tolerance_ms = 30000, .rounds = 1};
        struct verify_report r;

        verify(&o, &r);
        assert_int_equal(verify_report_findings(&r), 0);
        assert_in_range(r.checked, 1, ALL - 1);
        sum += r.checked;
        verify_report_release(&r);
    }
    assert_int_equal(sum, ALL);
}

static void a_sample_has_the_size_that_was_asked_for(void **ctx UNUSED)
{
    static const uint64_t sizes[][2] = {{1, 1}, {40, 40}, {ALL, ALL}, {100000, ALL}};

    restore_all();
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct verify_options o = {
            .extent = VERIFY_SAMPLE, .sample = sizes[i][0], .tolerance_ms = 30000, .rounds = 1};
        struct verify_report r;

        verify(&o, &r);
        assert_int_equal(r.checked, sizes[i][1]);
        assert_int_equal(verify_report_findings(&r), 0);
        verify_report_release(&r);
    }
}

/* 20 of 100 keys, 2000 times: each is drawn about 400 times. Chi-square with 99 degrees of freedom
 * (drawing without putting back makes it smaller) passes 148 once in a thousand. */
static void every_key_has_the_same_chance_to_be_drawn(void **ctx UNUSED)
{
    unsigned drawn[100] = {0};
    double chi = 0;

    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct verify_shared s = {.draw_left = 100, .draw_needs = 20};
        unsigned taken = 0;

        s.rng.state = seed;
        pthread_mutex_init(&s.lock, NULL);
        for (size_t i = 0; i < 100; i++)
            if (verify_draw(&s)) {
                drawn[i]++;
                taken++;
            }
        pthread_mutex_destroy(&s.lock);
        assert_int_equal(taken, 20);
    }
    for (size_t i = 0; i < 100; i++)
        chi += ((double)drawn[i] - 400) * ((double)drawn[i] - 400) / 400;
    assert_true(chi < 148);
    assert_true(chi > 30); /* nor is it a pattern */
}

static void a_cancelled_verification_ends_within_a_second(void **ctx UNUSED)
{
    struct verify_options o = full(3);
    struct verify_report r;
    struct kit k;
    int64_t started;

    restore_all();
    CHANGE("SET", "string:7", "w"); /* so that there is another round, with a pause before it */
    kit_open(&k, backup, (uint16_t)lab_port(lab, 0));
    task_cancel(k.task);
    started = clock_mono_ms();
    assert_false(verify_run(k.source, &k.target, &o, k.task, &r, &k.err));
    assert_int_equal(k.err.code, ERROR_CANCELLED);
    assert_true(clock_mono_ms() - started < 1000);
    verify_report_release(&r);
    kit_close(&k);
}

static int set_up(void **ctx UNUSED)
{
    lab = lab_start(&(struct lab_options){.replicas = -1});
    if (lab == NULL)
        return -1;
    backup = make_backup();
    return 0;
}

static int tear_down(void **ctx UNUSED)
{
    lab_stop(lab);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_untouched_cluster_has_no_findings),
        cmocka_unit_test(the_changed_keys_of_every_type_are_named_and_no_others),
        cmocka_unit_test(keys_that_the_backup_lacks_are_named_when_asked_for),
        cmocka_unit_test(keys_that_clients_touch_meanwhile_settle_over_the_rounds),
        cmocka_unit_test(the_subsets_cover_every_key_exactly_once),
        cmocka_unit_test(a_sample_has_the_size_that_was_asked_for),
        cmocka_unit_test(every_key_has_the_same_chance_to_be_drawn),
        cmocka_unit_test(a_cancelled_verification_ends_within_a_second),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
