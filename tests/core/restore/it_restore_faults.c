/*
 * it_restore_faults.c - restores through a proxy that cuts, stalls and garbles replies: whatever
 * happens, no key is ever half there, and the next run makes all of it good.
 */
#include "tests/engine/restore_kit.h"

#include <pthread.h>

#include "tests/harness/fault_proxy.h"
#include "tests/harness/lab.h"
#include "tests/harness/wait.h"

#define LISTS 8
#define ITEMS 6000
#define SMALL 300
#define STRINGS 300
#define RUNS 40
#define LINES 20000
#define LONG_MS 60000

static struct lab *lab;

/* Lists in two lines each, small lists, hashes, strings, a stream with groups. */
static const char *every_shape(void)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    const char *dir;

    assert_non_null(f);
    for (int i = 0; i < LISTS; i++)
        for (int half = 0; half < 2; half++) {
            fprintf(f,
                    "{\"key\":\"list:%d\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"x\"",
                    i);
            for (int k = 1; k < ITEMS / 2; k++)
                fprintf(f, ",\"%d\"", k);
            fprintf(f, "],\"chunk\":{\"seq\":%d,\"last\":%s", half, half ? "true" : "false");
            fprintf(f, half ? ",\"count\":%d}}\n" : "}}\n", ITEMS);
        }
    for (int i = 0; i < SMALL; i++)
        fprintf(
            f,
            "{\"key\":\"small:%d\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"a\",\"b\","
            "\"c\"]}\n",
            i);
    for (int i = 0; i < STRINGS; i++)
        fprintf(f,
                "{\"key\":\"str:%d\",\"type\":\"string\",\"ttl_millis\":900000,\"value\":\"v\"}\n",
                i);
    fprintf(f,
            "{\"key\":\"stream\",\"type\":\"stream\",\"ttl_millis\":null,\"value\":{\"entries\":"
            "[[\"1-1\",[\"f\",\"v\"]],[\"5-0\",[\"f\",\"w\"]]],\"last_id\":\"7-0\","
            "\"entries_added\":\"9\",\"max_deleted_id\":\"6-0\",\"groups\":[{\"name\":\"g\","
            "\"last_delivered_id\":\"5-0\",\"entries_read\":\"3\",\"consumers\":[{\"name\":\"c\"}],"
            "\"pending\":[[\"0-5\",\"c\",1755497196412,7],[\"1-1\",\"c\",1755497196412,1]]}]}}\n");
    assert_int_equal(fclose(f), 0);
    dir = kit_backup(text, len);
    free(text);
    return dir;
}

static void assert_number(const char *want, const char *script)
{
    char *got = lab_cli(lab, 0, "EVAL", script, "0", NULL);

    assert_string_equal(got, want);
    free(got);
}

static void assert_nothing_partial(void)
{
    assert_number("0", "local n=0 for _,k in ipairs(redis.call('KEYS','list:*')) do "
                       "if redis.call('LLEN',k) ~= 6000 then n=n+1 end end return n");
    assert_number("0", "local n=0 for _,k in ipairs(redis.call('KEYS','small:*')) do "
                       "if redis.call('LLEN',k) ~= 3 then n=n+1 end end return n");
    assert_number("0", "local n=0 for _,k in ipairs(redis.call('KEYS','str:*')) do "
                       "if redis.call('PTTL',k) < 0 then n=n+1 end end return n");
    assert_number("0", "if redis.call('EXISTS','stream') == 0 then return 0 end "
                       "if redis.call('XLEN','stream') ~= 2 then return 1 end "
                       "return 2 - redis.call('XPENDING','stream','g')[1]");
}

static void assert_all_there(void)
{
    assert_nothing_partial();
    assert_number("609", "return #redis.call('KEYS','*')");
    assert_number("0", "return #redis.call('KEYS','\\0rbc:*')");
}

/* A run through the proxy may fail, but not lie: what it says is written is there. */
static void one_faulty_run(const char *dir, uint16_t port, unsigned run)
{
    struct kit k;
    bool ok;

    kit_open(&k, dir, port);
    k.target.command_timeout_ms = 400;
    k.target.connect_timeout_ms = 400;
    k.target.outage_timeout_ms = 3000;
    k.options.policy = run % 2 == 0 ? RESTORE_OVERWRITE : RESTORE_SKIP_EXISTING;
    ok = kit_restore(&k);
    assert_nothing_partial();
    if (ok && restore_result_findings(&k.result) == 0)
        assert_number("0", "local n=0 for i=0,7 do n=n+1-redis.call('EXISTS','list:'..i) end "
                           "for i=0,299 do n=n+1-redis.call('EXISTS','small:'..i) end "
                           "for i=0,299 do n=n+1-redis.call('EXISTS','str:'..i) end "
                           "return n+1-redis.call('EXISTS','stream')");
    kit_close(&k);
}

static void faults_leave_whole_keys_and_the_next_run_mends_all(void **ctx UNUSED)
{
    const char *dir = every_shape();

    for (unsigned run = 0; run < RUNS; run++) {
        struct fault_options faults = {FAULT_ANY, 1000 + run, run % 3 == 0 ? 60000 : 3000, 0};
        struct fault_proxy *proxy =
            fault_proxy_start("127.0.0.1", (uint16_t)lab_port(lab, 0), &faults);
        struct kit k;

        assert_non_null(proxy);
        if (run % 4 == 0)
            free(lab_cli(lab, 0, "FLUSHALL", NULL));
        one_faulty_run(dir, fault_proxy_port(proxy), run);
        fault_proxy_stop(proxy);
        if (run % 5 != 4)
            continue;
        kit_open(&k, dir, (uint16_t)lab_port(lab, 0));
        k.options.policy = RESTORE_OVERWRITE;
        if (!kit_restore(&k))
            fail_msg("%s", k.err.text);
        assert_int_equal(restore_result_findings(&k.result), 0);
        kit_close(&k);
        assert_all_there();
    }
}

static void a_lost_reply_does_not_make_our_own_keys_somebody_elses(void **ctx UNUSED)
{
    const char *dir = every_shape();
    uint64_t lost = 0;

    for (unsigned run = 0; run < 10; run++) {
        /* One connection at a time is cut in the middle of the replies. */
        struct fault_options faults = {FAULT_CUT, 77 + run, 40000, 0};
        struct fault_proxy *proxy =
            fault_proxy_start("127.0.0.1", (uint16_t)lab_port(lab, 0), &faults);
        struct kit k;

        assert_non_null(proxy);
        free(lab_cli(lab, 0, "FLUSHALL", NULL));
        kit_open(&k, dir, fault_proxy_port(proxy));
        if (!kit_restore(&k))
            fail_msg("%s", k.err.text);
        assert_int_equal(k.result.existing, 0);
        assert_int_equal(k.result.unsure, 0);
        assert_int_equal(k.result.failed, 0);
        assert_int_equal(k.result.written, LISTS + SMALL + STRINGS + 1);
        lost += fault_proxy_connections(proxy);
        kit_close(&k);
        fault_proxy_stop(proxy);
        assert_nothing_partial();
    }
    assert_true(lost > 30); /* connections were cut and made again */
}

static int set_up(void **ctx UNUSED)
{
    lab = lab_start(&(struct lab_options){.kind = LAB_SINGLE});
    return lab == NULL ? -1 : 0;
}

static int tear_down(void **ctx UNUSED)
{
    lab_stop(lab);
    return 0;
}

/* ---- a temporary key that goes while it is built ------------------------------------------------
 */

/* One key in so many lines that there is time to take its beginning away. */
static const char *long_key(const char *type, const char *before, const char *after)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    const char *dir;

    assert_non_null(f);
    for (int i = 0; i < LINES; i++) {
        fprintf(f, "{\"key\":\"long\",\"type\":\"%s\",\"ttl_millis\":null,\"value\":", type);
        fprintf(f, "%s%d%s", before, i, after);
        fprintf(f, ",\"chunk\":{\"seq\":%d,\"last\":%s", i, i + 1 == LINES ? "true" : "false");
        fprintf(f, i + 1 == LINES ? ",\"count\":%d}}\n" : "}}\n", LINES);
    }
    assert_int_equal(fclose(f), 0);
    dir = kit_backup(text, len);
    free(text);
    return dir;
}

/* As its expiry during a long pause, or an eviction, does. */
static bool took_it_away(void *arg UNUSED)
{
    char *n = lab_cli(lab, 0, "EVAL",
                      "local n=0 for _,k in ipairs(redis.call('KEYS','*rbc:*')) do "
                      "n=n+redis.call('UNLINK',k) end return n",
                      "0", NULL);
    bool any = n != NULL && strcmp(n, "1") == 0;

    free(n);
    return any;
}

static void *run_kit(void *arg)
{
    struct kit *k = arg;

    return kit_restore(k) ? k : NULL;
}

static void a_key_whose_beginning_was_lost_is_never_put_in_place(void **ctx UNUSED)
{
    static const struct {
        const char *type;
        const char *before;
        const char *after;
    } shapes[] = {
        {"hash", "{\"f", "\":\"v\"}"}, {"set", "[\"m", "\"]"}, {"zset", "[[\"m", "\",\"1\"]]"}};

    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        struct kit k;
        pthread_t thread;
        void *ok = NULL;

        free(lab_cli(lab, 0, "FLUSHALL", NULL));
        kit_open(&k, long_key(shapes[i].type, shapes[i].before, shapes[i].after),
                 (uint16_t)lab_port(lab, 0));
        k.options.policy = RESTORE_OVERWRITE;
        assert_int_equal(pthread_create(&thread, NULL, run_kit, &k), 0);
        assert_true(wait_until(took_it_away, NULL, LONG_MS));
        assert_int_equal(pthread_join(thread, &ok), 0);
        if (ok == NULL)
            fail_msg("%s", k.err.text);
        assert_int_equal(k.result.written, 0);
        assert_int_equal(k.result.failed, 1);
        assert_number("0", "return #redis.call('KEYS','*')");
        kit_close(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_leave_whole_keys_and_the_next_run_mends_all),
        cmocka_unit_test(a_lost_reply_does_not_make_our_own_keys_somebody_elses),
        cmocka_unit_test(a_key_whose_beginning_was_lost_is_never_put_in_place),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
