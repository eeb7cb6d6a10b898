/*
 * it_restore_cuts.c - one connection of a restore is cut, each in turn and in several places: the
 * restore goes on, whatever it was doing with that connection, and what it says is true.
 */
#include "tests/engine/restore_kit.h"

#include "tests/harness/fault_proxy.h"
#include "tests/harness/lab.h"

#define KEYS 7
#define FIRST 3 /* the two connections before find the server: that is tried once, by design */
#define LAST 7

static struct lab *lab;

/* Two databases, so that each step has to choose one; a list in two lines, which is built. */
static const char *few_keys(void)
{
    static const char text[] =
        "{\"key\":\"a\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"1\"}\n"
        "{\"key\":\"b\",\"type\":\"string\",\"ttl_millis\":900000,\"value\":\"2\"}\n"
        "{\"key\":\"c\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"x\",\"y\"]}\n"
        "{\"key\":\"d\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"x\"],"
        "\"chunk\":{\"seq\":0,\"last\":false}}\n"
        "{\"key\":\"d\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"y\"],"
        "\"chunk\":{\"seq\":1,\"last\":true,\"count\":2}}\n"
        "{\"key\":\"a\",\"db\":3,\"type\":\"string\",\"ttl_millis\":null,\"value\":\"3\"}\n"
        "{\"key\":\"e\",\"db\":3,\"type\":\"hash\",\"ttl_millis\":null,\"value\":{\"f\":\"v\"}}\n"
        "{\"key\":\"f\",\"db\":3,\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"x\"],"
        "\"chunk\":{\"seq\":0,\"last\":true,\"count\":1}}\n";

    return kit_backup(text, sizeof(text) - 1);
}

/* Left-overs of a run that died, in both databases. */
static void leave_temporary_keys(void)
{
    free(lab_cli(lab, 0, "FLUSHALL", NULL));
    free(lab_cli(lab, 0, "EVAL",
                 "for _,d in ipairs({0,3}) do redis.call('SELECT',d) for i=1,5 do "
                 "redis.call('SET','\\0rbc:dead:'..i,'x') end end",
                 "0", NULL));
}

static void assert_only_the_backup_is_there(size_t number, size_t at)
{
    char *n = lab_cli(lab, 0, "EVAL",
                      "local n=#redis.call('KEYS','*') redis.call('SELECT',3) "
                      "return n+10*#redis.call('KEYS','*')",
                      "0", NULL);

    if (strcmp(n, "34") != 0)
        fail_msg("connection %zu cut at byte %zu: %s keys, not 4 + 10 * 3", number, at, n);
    free(n);
}

static void one_cut(const char *dir, size_t number, size_t at, size_t *struck)
{
    struct fault_options cut = {.kind = FAULT_CUT, .only = number, .at = at};
    struct fault_proxy *proxy = fault_proxy_start("127.0.0.1", (uint16_t)lab_port(lab, 0), &cut);
    struct kit k;

    assert_non_null(proxy);
    leave_temporary_keys();
    kit_open(&k, dir, fault_proxy_port(proxy));
    k.options.flush_first = at % 2 == 1;
    if (!kit_restore(&k))
        fail_msg("connection %zu cut at byte %zu: %s", number, at, k.err.text);
    assert_int_equal(k.result.written, KEYS);
    assert_int_equal(restore_result_findings(&k.result), 0);
    kit_close(&k);
    *struck += fault_proxy_struck(proxy);
    fault_proxy_stop(proxy);
    assert_only_the_backup_is_there(number, at);
}

static void no_single_cut_ends_a_restore(void **ctx UNUSED)
{
    static const size_t places[] = {0, 5, 27, 61, 113, 160, 300, 3001};
    const char *dir = few_keys();
    size_t struck = 0;

    for (size_t number = FIRST; number <= LAST; number++)
        for (size_t i = 0; i < COUNT_OF(places); i++)
            one_cut(dir, number, places[i], &struck);
    assert_true(struck > 12);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_single_cut_ends_a_restore),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
