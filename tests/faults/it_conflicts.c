/*
 * it_conflicts.c - fault 15: keys that exist before a restore or are made while it runs, of every
 * type and under every policy. What another client made is never altered unless --overwrite says
 * so, and then a reader sees the old value or the new one, whole, and never a gap between.
 */
#include "tests/engine/restore_kit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "core/base/clock.h"
#include "tests/harness/lab.h"

#define EACH 60 /* keys of each type */
#define LARGE 7000
#define LARGE_KEYS 6

static struct lab *lab;
static const char *backup;

static const struct {
    const char *name;
    const char *body; /* of the record */
} types[] = {
    {"string", "\"type\":\"string\",\"ttl_millis\":null,\"value\":\"new\""},
    {"mortal", "\"type\":\"string\",\"ttl_millis\":900000,\"value\":\"new\""},
    {"hash", "\"type\":\"hash\",\"ttl_millis\":null,\"value\":{\"a\":\"new\",\"b\":\"2\"}"},
    {"list", "\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"new\",\"b\"]"},
    {"set", "\"type\":\"set\",\"ttl_millis\":null,\"value\":[\"new\",\"b\"]"},
    {"zset", "\"type\":\"zset\",\"ttl_millis\":null,\"value\":[[\"new\",\"1\"],[\"b\",\"2\"]]"},
    {"stream", "\"type\":\"stream\",\"ttl_millis\":null,\"value\":{\"entries\":[[\"1-1\",[\"f\","
               "\"new\"]],[\"2-1\",[\"f\",\"w\"]]],\"last_id\":\"2-1\",\"entries_added\":\"2\","
               "\"max_deleted_id\":\"0-0\",\"groups\":[]}"},
};

#define KEYS (COUNT_OF(types) * EACH + LARGE_KEYS)

static const char *write_backup(void)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    const char *dir;

    assert_non_null(f);
    for (int i = 0; i < EACH; i++)
        for (size_t t = 0; t < COUNT_OF(types); t++)
            fprintf(f, "{\"key\":\"%s:%d\",%s}\n", types[t].name, i, types[t].body);
    for (int i = 0; i < LARGE_KEYS; i++) {
        bool hash = i % 2 == 1;

        fprintf(f, "{\"key\":\"large:%d\",\"type\":\"%s\",\"ttl_millis\":null,\"value\":%s", i,
                hash ? "hash" : "list", hash ? "{\"0\":\"new\"" : "[\"new\"");
        for (int k = 1; k < LARGE; k++)
            fprintf(f, hash ? ",\"%d\":\"v\"" : ",\"%d\"", k);
        fprintf(f, hash ? "}}\n" : "]}\n");
    }
    assert_int_equal(fclose(f), 0);
    dir = kit_backup(text, len);
    free(text);
    return dir;
}

static long long ask(const char *script)
{
    char *said = lab_cli(lab, 0, "EVAL", script, "0", NULL);
    char *end;
    long long n = strtoll(said, &end, 10);

    if (end == said)
        fail_msg("%s", said);
    free(said);
    return n;
}

static void flush_all(void)
{
    free(lab_cli(lab, 0, "FLUSHALL", NULL));
}

/* A set in place of every second key, whatever its type is to be. */
#define MINE                                                                                 \
    "for _,k in ipairs({'string','mortal','hash','list','set','zset','stream','large'}) do " \
    "for i=0,59 do if k ~= 'large' or i < 6 then local n=k..':'..i "

static const char make_mine[] =
    MINE "if i%2 == 0 then redis.call('SADD',n,'mine') end end end end return 0";
/* How many of those are not what they were. */
static const char count_altered[] =
    "local bad=0 " MINE "if i%2 == 0 and (redis.call('TYPE',n).ok ~= 'set' or "
    "redis.call('SCARD',n) ~= 1 or redis.call('SISMEMBER',n,'mine') ~= 1 or "
    "redis.call('PTTL',n) ~= -1) then bad=bad+1 end end end end return bad";

static bool restore(enum restore_policy policy, struct restore_result *result)
{
    struct kit k;
    bool ok;

    kit_open(&k, backup, (uint16_t)lab_port(lab, 0));
    k.options.policy = policy;
    ok = kit_restore(&k);
    *result = k.result;
    kit_close(&k);
    return ok;
}

static void what_exists_is_left_alone_under_fail_and_skip(void **ctx UNUSED)
{
    struct restore_result r;

    flush_all();
    assert_int_equal(ask(make_mine), 0);
    assert_false(restore(RESTORE_FAIL_EXISTING, &r));
    assert_int_equal(ask(count_altered), 0);
    assert_int_equal(lab_keys(lab), KEYS / 2); /* and nothing was written beside them */
    assert_true(restore(RESTORE_SKIP_EXISTING, &r));
    assert_int_equal(r.existing, KEYS / 2);
    assert_int_equal(r.written, KEYS / 2);
    assert_int_equal(ask(count_altered), 0);
    assert_int_equal(lab_keys(lab), KEYS);
}

/* ---- beside another client --------------------------------------------------------------------
 */

static void start(struct kit_run *b, enum restore_policy policy, uint64_t rate)
{
    memset(b, 0, sizeof(*b));
    kit_open(&b->kit, backup, (uint16_t)lab_port(lab, 0));
    b->kit.target.command_timeout_ms = 20000;
    b->kit.options.policy = policy;
    b->kit.options.rate = rate;
    kit_run_begin(b);
}

static struct conn *connect_client(void)
{
    struct address a = {.host = "127.0.0.1", .port = (uint16_t)lab_port(lab, 0)};
    struct conn *c = conn_new(&a, &(struct conn_options){.command_timeout_ms = 20000});
    struct error err = {0};

    if (!conn_open(c, &err))
        fail_msg("%s", err.text);
    return c;
}

static long long number(struct conn *c, struct command command)
{
    const struct reply *r;
    struct error err = {0};

    if (!conn_call(c, command, 0, &r, &err) || r->type != REPLY_INTEGER)
        fail_msg("%s", err.text[0] != '\0' ? err.text : "no number");
    return r->integer;
}

/* Makes keys from the last name to the first, each only where there is none yet; returns how many
 * it got. mine[i] remembers them. */
static size_t create_meanwhile(struct kit_run *b, bool *mine)
{
    struct conn *c = connect_client();
    size_t got = 0;

    for (size_t i = EACH * COUNT_OF(types); i-- > 0 && !atomic_load(&b->done);) {
        char key[40];

        (void)snprintf(key, sizeof(key), "%s:%zu", types[i % COUNT_OF(types)].name,
                       i / COUNT_OF(types));
        mine[i] = number(c, COMMAND(STR("SETNX"), str_from(key), STR("mine"))) == 1;
        got += mine[i];
        clock_sleep_ms(1);
    }
    conn_free(c);
    return got;
}

static void keys_made_meanwhile_are_never_altered(void **ctx UNUSED)
{
    static const enum restore_policy policies[] = {RESTORE_FAIL_EXISTING, RESTORE_SKIP_EXISTING};

    for (size_t p = 0; p < COUNT_OF(policies); p++) {
        static bool mine[EACH * COUNT_OF(types)];
        struct kit_run b;
        size_t got;

        memset(mine, 0, sizeof(mine));
        flush_all();
        start(&b, policies[p], 300);
        while (ask("return redis.call('DBSIZE')") < 20 && !atomic_load(&b.done))
            clock_sleep_ms(5);
        got = create_meanwhile(&b, mine);
        kit_run_join(&b);
        if (!b.ok)
            fail_msg("%s", b.kit.err.text);
        assert_in_range(got, 1, EACH * COUNT_OF(types) - 1);
        assert_int_equal(b.kit.result.existing, got);
        assert_int_equal(b.kit.result.written, KEYS - got);
        assert_int_equal(b.kit.result.conflicts, policies[p] == RESTORE_FAIL_EXISTING ? got : 0);
        assert_int_equal(restore_result_findings(&b.kit.result),
                         policies[p] == RESTORE_FAIL_EXISTING ? got : 0);
        kit_close(&b.kit);
        for (size_t i = 0; i < COUNT_OF(mine); i++) {
            char key[40];
            char *value;

            (void)snprintf(key, sizeof(key), "%s:%zu", types[i % COUNT_OF(types)].name,
                           i / COUNT_OF(types));
            value = mine[i] ? lab_cli(lab, 0, "GET", key, NULL) : NULL;
            if (mine[i])
                assert_string_equal(value, "mine");
            free(value);
        }
        assert_int_equal(lab_keys(lab), KEYS);
    }
}

/* ---- a reader beside --overwrite ----------------------------------------------------------------
 */

/* Of one key kind: neither the old set of one member nor the new value whole. */
static const char count_torn[] =
    "local bad=0 local c=redis.call "
    "local want={string=3,mortal=3,hash=2,list=2,set=2,zset=2,stream=2,large=7000} "
    "local "
    "by={string='STRLEN',hash='HLEN',list='LLEN',set='SCARD',zset='ZCARD',stream='XLEN'} " MINE
    "local t=c('TYPE',n).ok if t == 'none' then bad=bad+1 else local len=c(by[t],n) "
    "local old=t == 'set' and len == 1 and c('SISMEMBER',n,'mine') == 1 "
    "local new=len == want[k] and (k ~= 'mortal' or c('PTTL',n) > 0) "
    "if not old and not new then bad=bad+1 end end end end end return bad";

static void a_reader_sees_the_old_value_or_the_new_one(void **ctx UNUSED)
{
    static const char make_old[] = MINE "redis.call('SADD',n,'mine') end end end return 0";
    struct conn *c = connect_client();
    struct kit_run b;
    size_t looks = 0;

    flush_all();
    assert_int_equal(ask(make_old), 0);
    assert_int_equal(lab_keys(lab), KEYS);
    start(&b, RESTORE_OVERWRITE, 250);
    do {
        long long torn = number(c, COMMAND(STR("EVAL"), str_from(count_torn), STR("0")));

        if (torn != 0)
            fail_msg("%lld keys are neither old nor new", torn);
        looks++;
    } while (!atomic_load(&b.done));
    kit_run_join(&b);
    if (!b.ok)
        fail_msg("%s", b.kit.err.text);
    assert_int_equal(b.kit.result.written, KEYS);
    kit_close(&b.kit);
    conn_free(c);
    print_message("%zu looks\n", looks);
    assert_true(looks > 20);
    assert_int_equal(ask("return redis.call('SCARD','set:1')"), 2);
    assert_int_equal(lab_keys(lab), KEYS);
}

static int set_up(void **ctx UNUSED)
{
    lab = lab_start(&(struct lab_options){.kind = LAB_SINGLE, .replicas = -1});
    backup = write_backup();
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
        cmocka_unit_test(what_exists_is_left_alone_under_fail_and_skip),
        cmocka_unit_test(keys_made_meanwhile_are_never_altered),
        cmocka_unit_test(a_reader_sees_the_old_value_or_the_new_one),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
