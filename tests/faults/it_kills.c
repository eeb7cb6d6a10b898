/*
 * it_kills.c - fault 16 at full size: a restore of 100,000 keys and a few very large ones, killed
 * by SIGKILL again and again, at any moment and in the middle of a large key, and each time told to
 * go on. What stands in the end is what one that ran through would have left: by the servers' own
 * digests, with no temporary key, and with no list longer than it was. 24 kills for each policy
 * with FAULTS=full; else 6, one policy, 15,000 keys. SEED= chooses the moments.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/attr.h"
#include "core/base/clock.h"
#include "core/base/rng.h"
#include "core/redis/conn.h"
#include "core/redis/slot.h"
#include "tests/faults/fixture_whole.h"
#include "tests/harness/proc.h"
#include "tests/harness/wait.h"

#define KILLS_FULL 24
#define KILLS_SHORT 6
#define SEED_USUAL 20261122
#define PRIMARIES 3

static struct whole whole;
static struct conn *conns[PRIMARIES];
static char rate[24]; /* about ten seconds for all keys */

static size_t owner_of(const char *key)
{
    uint16_t slot = slot_of_key(str_from(key));

    return slot < 5461 ? 0 : slot < 10923 ? 1 : 2;
}

/* The script on the key's owner. On a busy machine the nodes may lose sight of each other for a
 * moment: CLUSTERDOWN is waited out. The reply lives until the next question to that node. */
static const struct reply *eval(const char *key, const char *script, const char *arg)
{
    struct conn *c = conns[owner_of(key)];
    int64_t deadline = clock_after(30000);

    for (;;) {
        struct error err = {0};
        const struct reply *r;

        if (!conn_call(
                c, COMMAND(STR("EVAL"), str_from(script), STR("1"), str_from(key), str_from(arg)),
                0, &r, &err))
            fail_msg("%s", err.text);
        if (r->type != REPLY_ERROR)
            return r;
        if (!str_starts(r->str, "CLUSTERDOWN") || clock_left_ms(deadline) <= 0)
            fail_msg("%s: %.*s", key, (int)r->str.len, r->str.ptr);
        clock_sleep_ms(100);
    }
}

static int kills(void)
{
    return faults_full() ? KILLS_FULL : KILLS_SHORT;
}

/* ---- large keys ---------------------------------------------------------------------------------
 */

/* The ARGV[1]th piece: so small that no server is silent for long. */
static const char *const large[][2] = {
    {"large:list", "local t={} for k=1,1000 do t[k]=ARGV[1]*1000+k end "
                   "redis.call('RPUSH',KEYS[1],unpack(t))"},
    {"large:hash", "for i=1,300 do redis.call('HSET',KEYS[1],ARGV[1]..' '..i,'value '..i) end"},
    {"large:zset", "for i=1,300 do redis.call('ZADD',KEYS[1],i*0.1,ARGV[1]..' '..i) end"},
    {"large:set", "for i=1,300 do redis.call('SADD',KEYS[1],ARGV[1]..' '..i) end"},
    {"large:stream", "for i=1,100 do redis.call('XADD',KEYS[1],ARGV[1]+1 ..'-'..i,'f',i) end "
                     "if ARGV[1]=='0' then redis.call('XGROUP','CREATE',KEYS[1],'g','0') end "
                     "redis.call('XREADGROUP','GROUP','g','c','COUNT',50,'STREAMS',KEYS[1],'>')"},
    {"large:string", "redis.call('APPEND',KEYS[1],string.rep('v',65536))"},
};

static int pieces(void)
{
    return faults_full() ? 1000 : 100;
}

static void make_large(const char *key, const char *script)
{
    for (int i = 0; i < pieces(); i++) {
        char number[12];

        (void)snprintf(number, sizeof(number), "%d", i);
        (void)eval(key, script, number);
    }
}

static void expect_number(const char *key, const char *expression, long long wanted)
{
    char *script = mem_format("return redis.call(%s)", expression);
    const struct reply *r = eval(key, script, "");

    assert_int_equal(r->type == REPLY_ARRAY ? r->elements[0].integer : r->integer, wanted);
    free(script);
}

static void expect_lengths(void)
{
    long long n = pieces();

    expect_number("large:list", "'LLEN',KEYS[1]", n * 1000);
    expect_number("large:hash", "'HLEN',KEYS[1]", n * 300);
    expect_number("large:zset", "'ZCARD',KEYS[1]", n * 300);
    expect_number("large:set", "'SCARD',KEYS[1]", n * 300);
    expect_number("large:stream", "'XLEN',KEYS[1]", n * 100);
    expect_number("large:stream", "'XPENDING',KEYS[1],'g'", n * 50);
    expect_number("large:string", "'STRLEN',KEYS[1]", n * 65536);
}

/* ---- killed -------------------------------------------------------------------------------------
 */

/* Asked directly, many times a second: a process for each question would miss the building. */
static long long ask(struct str script)
{
    long long sum = 0;

    for (size_t i = 0; i < PRIMARIES; i++) {
        struct error err = {0};
        const struct reply *r;

        if (!conn_call(conns[i], COMMAND(STR("EVAL"), script, STR("0")), 0, &r, &err))
            fail_msg("%s", err.text);
        assert_int_equal(r->type, REPLY_INTEGER);
        sum += r->integer;
    }
    return sum;
}

struct moment {
    pid_t pid;
    long long keys;    /* that stand by then, or … */
    bool in_large_key; /* … as soon as one is being built */
    bool seen;         /* one was */
};

static bool has_come(void *arg)
{
    struct moment *m = arg;

    m->seen = m->in_large_key && ask(STR("return #redis.call('KEYS','\\0rbc:*')")) > 0;
    return m->seen || !proc_alive(m->pid) || ask(STR("return redis.call('DBSIZE')")) >= m->keys;
}

/* Every second one in a large key if one is met on the way. */
static void choose(struct moment *m, int i, struct rng *rng)
{
    long long step = whole.keys / 2 / kills();

    m->in_large_key = i % 2 == 0;
    m->keys = ask(STR("return redis.call('DBSIZE')")) + 1;
    m->keys += m->in_large_key ? 2 * step : (long long)(rng_next(rng) % (uint64_t)step);
}

static void kill_and_go_on(const char *policy, struct rng *rng)
{
    struct program p = program_new(&whole);
    int in_large_keys = 0;

    whole_flush(&whole);
    for (int i = 0; i < kills(); i++) {
        struct moment m = {0};

        choose(&m, i, rng);
        m.pid = i == 0 ? program_start(&p, (const char *const[]){"restore", "-i", whole.backup,
                                                                 policy, "--rate", rate, NULL})
                       : program_start(&p, (const char *const[]){"restore", "--resume", "R-0001",
                                                                 "--rate", rate, NULL});
        assert_true(wait_until(has_come, &m, 120000));
        assert_int_equal(proc_stop(m.pid, SIGKILL), 128 + SIGKILL);
        in_large_keys += m.seen;
    }
    print_message("%s: %d kills, %d of them in a large key\n", policy, kills(), in_large_keys);
    assert_true(in_large_keys > 0);
    program_expect(&p,
                   program_start(&p, (const char *const[]){"restore", "--resume", "R-0001", NULL}),
                   0, "failed=0");
    whole_expect(&whole);
    expect_lengths();
}

static void a_restore_killed_at_many_points_ends_as_one_that_ran_through(void **ctx UNUSED)
{
    static const char *const policies[] = {"--fail-existing", "--skip-existing", "--overwrite"};
    const char *seed = getenv("SEED");
    struct rng rng = {seed != NULL ? strtoull(seed, NULL, 10) : SEED_USUAL};

    for (size_t i = 0; i < (faults_full() ? COUNT_OF(policies) : 1); i++)
        kill_and_go_on(policies[i], &rng);
}

/* ---- the lab ------------------------------------------------------------------------------------
 */

static int set_up(void **ctx UNUSED)
{
    if (!whole_start(&whole, &(struct lab_options){.replicas = -1}))
        return -1;
    for (size_t i = 0; i < PRIMARIES; i++) {
        struct address a = {.host = "127.0.0.1", .port = (uint16_t)lab_port(whole.lab, i)};
        struct error err = {0};

        conns[i] = conn_new(&a, &(struct conn_options){.command_timeout_ms = 60000});
        if (!conn_open(conns[i], &err))
            return -1;
    }
    for (size_t i = 0; i < COUNT_OF(large); i++)
        make_large(large[i][0], large[i][1]);
    expect_lengths();
    whole_back_up(&whole);
    (void)snprintf(rate, sizeof(rate), "%lld", whole.keys / 10);
    return 0;
}

static int tear_down(void **ctx UNUSED)
{
    for (size_t i = 0; i < PRIMARIES; i++)
        conn_free(conns[i]);
    lab_stop(whole.lab);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_restore_killed_at_many_points_ends_as_one_that_ran_through),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
