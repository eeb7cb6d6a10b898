/*
 * it_restore_replace.c - a large value that is replaced holds nobody up, and a slot that is half
 * moved is waited for: the restore goes on when the slot closes, or stops so that it can go on.
 */
#include "tests/engine/restore_kit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "core/base/clock.h"
#include "core/redis/slot.h"
#include "tests/harness/lab.h"
#include "tests/harness/wait.h"

#define FIELDS "600000"
#define SLOW_US "30000" /* freeing that many fields at once takes several times as long */
#define LONG_MS 60000

static struct lab *lab;

static int start_lab(void **ctx UNUSED)
{
    lab = lab_start(&(struct lab_options){.kind = LAB_CLUSTER, .replicas = -1});
    return lab == NULL ? -1 : 0;
}

static int stop_lab(void **ctx UNUSED)
{
    lab_stop(lab);
    return 0;
}

static size_t owner_of(const char *key)
{
    uint16_t slot = slot_of_key(str_from(key));

    return slot < 5461 ? 0 : slot < 10923 ? 1 : 2;
}

static void expect(size_t node, const char *want, const char *a, const char *b, const char *c,
                   const char *d, const char *e)
{
    char *said = lab_cli(lab, node, a, b, c, d, e, NULL);

    assert_non_null(said);
    assert_string_equal(said, want);
    free(said);
}

/* ---- a large old value ------------------------------------------------------------------------
 */

/* In steps, so that no client gives up on the server. */
static void make_large(const char *key)
{
    for (int i = 0; i < 6; i++) {
        char number[16];

        (void)snprintf(number, sizeof(number), "%d", i);
        free(lab_cli(lab, owner_of(key), "EVAL",
                     "for i=1,100000 do redis.call('HSET',KEYS[1],'field:'..ARGV[1]..':'..i,"
                     "'v'..i) end return 1",
                     "1", key, number, NULL));
    }
    expect(owner_of(key), FIELDS, "HLEN", key, NULL, NULL, NULL);
}

static const char *slowest(size_t node)
{
    static char text[400];
    char *said = lab_cli(lab, node, "SLOWLOG", "GET", "5", NULL);

    (void)snprintf(text, sizeof(text), "%.399s", said == NULL ? "" : said);
    free(said);
    return text;
}

static void replacing_a_large_value_holds_no_client_up(void **ctx UNUSED)
{
    static const char *const keys[] = {"old:string", "old:list", "old:stream"};
    static const char text[] =
        "{\"key\":\"old:string\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"new\"}\n"
        "{\"key\":\"old:list\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"a\",\"b\"]}\n"
        "{\"key\":\"old:stream\",\"type\":\"stream\",\"ttl_millis\":null,\"value\":{\"entries\":"
        "[[\"1-1\",[\"f\",\"v\"]]],\"last_id\":\"1-1\",\"entries_added\":\"1\","
        "\"max_deleted_id\":\"0-0\",\"groups\":[]}}\n";
    struct kit k;

    for (size_t i = 0; i < COUNT_OF(keys); i++)
        make_large(keys[i]);
    for (size_t i = 0; i < lab_nodes(lab); i++) {
        expect(i, "OK", "CONFIG", "SET", "slowlog-log-slower-than", SLOW_US, NULL);
        expect(i, "OK", "SLOWLOG", "RESET", NULL, NULL, NULL);
    }
    kit_open(&k, kit_backup(text, sizeof(text) - 1), (uint16_t)lab_port(lab, 0));
    k.options.policy = RESTORE_OVERWRITE;
    if (!kit_restore(&k))
        fail_msg("%s", k.err.text);
    assert_int_equal(k.result.written, 3);
    kit_close(&k);
    for (size_t i = 0; i < lab_nodes(lab); i++)
        assert_string_equal(slowest(i), "");
    expect(owner_of("old:string"), "new", "GET", "old:string", NULL, NULL, NULL);
    expect(owner_of("old:list"), "2", "LLEN", "old:list", NULL, NULL, NULL);
    expect(owner_of("old:stream"), "1", "XLEN", "old:stream", NULL, NULL, NULL);
    assert_int_equal(lab_keys(lab), 3);
    for (size_t i = 0; i < lab_nodes(lab); i++)
        free(lab_cli(lab, i, "FLUSHALL", NULL));
}

/* ---- a half-open slot -------------------------------------------------------------------------
 */

static const char half_open[] =
    "{\"key\":\"{x}list\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"a\",\"b\"]}\n"
    "{\"key\":\"{x}string\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v\"}\n"
    "{\"key\":\"{x}stream\",\"type\":\"stream\",\"ttl_millis\":null,\"value\":{\"entries\":"
    "[[\"1-1\",[\"f\",\"v\"]]],\"last_id\":\"1-1\",\"entries_added\":\"1\",\"max_deleted_id\":"
    "\"0-0\",\"groups\":[]}}\n"
    "{\"key\":\"{y}set\",\"type\":\"set\",\"ttl_millis\":null,\"value\":[\"a\"]}\n";

struct move {
    char slot[8];
    size_t from, to;
    char *from_id, *to_id;
    long long refused; /* TRYAGAIN so far */
};

struct background {
    struct kit kit;
    pthread_t thread;
    bool ok;
    _Atomic bool done;
};

static long long refusals(size_t node)
{
    char *said = lab_cli(lab, node, "INFO", "errorstats", NULL);
    const char *at = said == NULL ? NULL : strstr(said, "errorstat_TRYAGAIN:count=");
    long long n = at == NULL ? 0 : strtoll(strchr(at, '=') + 1, NULL, 10);

    free(said);
    return n;
}

static void open_slot(struct move *m)
{
    m->from = owner_of("{x}");
    m->to = (m->from + 1) % 3;
    (void)snprintf(m->slot, sizeof(m->slot), "%u", (unsigned)slot_of_key(STR("{x}")));
    m->from_id = lab_cli(lab, m->from, "CLUSTER", "MYID", NULL);
    m->to_id = lab_cli(lab, m->to, "CLUSTER", "MYID", NULL);
    m->refused = refusals(m->to);
    expect(m->to, "OK", "CLUSTER", "SETSLOT", m->slot, "IMPORTING", m->from_id);
    expect(m->from, "OK", "CLUSTER", "SETSLOT", m->slot, "MIGRATING", m->to_id);
}

/* As a tool that moves slots ends it: the new owner first. */
static void close_slot(struct move *m)
{
    for (size_t i = 0; i < 3; i++)
        expect((m->to + i) % 3, "OK", "CLUSTER", "SETSLOT", m->slot, "NODE", m->to_id);
}

static void undo_slot(struct move *m)
{
    for (size_t i = 0; i < 3; i++)
        expect((m->from + i) % 3, "OK", "CLUSTER", "SETSLOT", m->slot, "NODE", m->from_id);
    free(m->from_id);
    free(m->to_id);
}

static bool was_refused(void *arg)
{
    const struct move *m = arg;

    return refusals(m->to) >= m->refused + 2;
}

static void *run_thread(void *arg)
{
    struct background *b = arg;
    struct kit *k = &b->kit;

    b->ok = restore_run(k->source, &k->target, &k->options, k->plan, k->task, &k->result, &k->err);
    atomic_store(&b->done, true);
    return NULL;
}

/* The plan refuses open slots, so this one opens after it. */
static void start(struct background *b, struct move *m, int outage_ms)
{
    struct kit *k = &b->kit;

    memset(b, 0, sizeof(*b));
    kit_open(k, kit_backup(half_open, sizeof(half_open) - 1), (uint16_t)lab_port(lab, 0));
    k->target.outage_timeout_ms = outage_ms;
    k->options.policy = RESTORE_SKIP_EXISTING;
    if (!restore_survey(k->source, &k->target, &k->options, k->task, &k->plan, &k->err))
        fail_msg("%s", k->err.text);
    open_slot(m);
    assert_int_equal(pthread_create(&b->thread, NULL, run_thread, b), 0);
}

static void a_half_open_slot_is_waited_for_until_it_closes(void **ctx UNUSED)
{
    struct move m = {0};
    struct background b;

    start(&b, &m, LONG_MS);
    assert_true(wait_until(was_refused, &m, LONG_MS));
    assert_false(atomic_load(&b.done));
    close_slot(&m);
    assert_int_equal(pthread_join(b.thread, NULL), 0);
    if (!b.ok)
        fail_msg("%s", b.kit.err.text);
    assert_int_equal(b.kit.result.written, 4);
    assert_int_equal(restore_result_findings(&b.kit.result), 0);
    kit_close(&b.kit);
    expect(m.to, "2", "LLEN", "{x}list", NULL, NULL, NULL);
    expect(m.to, "1", "XLEN", "{x}stream", NULL, NULL, NULL);
    assert_int_equal(lab_keys(lab), 4);
    for (size_t i = 0; i < lab_nodes(lab); i++)
        free(lab_cli(lab, i, "FLUSHALL", NULL));
    undo_slot(&m);
}

static void a_slot_that_stays_open_stops_the_restore_and_the_next_run_ends_it(void **ctx UNUSED)
{
    struct move m = {0};
    struct background b;
    struct kit k;

    start(&b, &m, 1500);
    assert_int_equal(pthread_join(b.thread, NULL), 0);
    assert_false(b.ok);
    assert_int_equal(b.kit.err.code, ERROR_UNREACHABLE); /* exit 3: to be resumed */
    assert_int_equal(error_exit_status(b.kit.err.code), 3);
    assert_non_null(strstr(b.kit.err.text, "TRYAGAIN"));
    kit_close(&b.kit);
    close_slot(&m);
    kit_open(&k, kit_backup(half_open, sizeof(half_open) - 1), (uint16_t)lab_port(lab, 0));
    k.options.policy = RESTORE_SKIP_EXISTING;
    if (!kit_restore(&k))
        fail_msg("%s", k.err.text);
    assert_int_equal(k.result.written + k.result.existing, 4);
    kit_close(&k);
    expect(m.to, "2", "LLEN", "{x}list", NULL, NULL, NULL);
    assert_int_equal(lab_keys(lab), 4);
    for (size_t i = 0; i < lab_nodes(lab); i++)
        free(lab_cli(lab, i, "FLUSHALL", NULL));
    undo_slot(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replacing_a_large_value_holds_no_client_up),
        cmocka_unit_test(a_half_open_slot_is_waited_for_until_it_closes),
        cmocka_unit_test(a_slot_that_stays_open_stops_the_restore_and_the_next_run_ends_it),
    };

    return cmocka_run_group_tests(tests, start_lab, stop_lab);
}
