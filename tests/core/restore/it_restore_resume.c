/*
 * it_restore_resume.c - restores that are killed, stopped by full memory or overtaken by a
 * failover, and then go on: the end is that of a restore that ran through. The program itself runs;
 * what came of it is asked by the servers' own client, and by scripts in the servers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/attr.h"
#include "core/base/rng.h"
#include "core/redis/slot.h"
#include "tests/harness/lab.h"
#include "tests/harness/proc.h"
#include "tests/harness/tmpdir.h"
#include "tests/harness/wait.h"

#define SEEDED 700
#define KILLS 3
#define DEADLINE_MS 60000
#define RATE "400" /* keys a second: slow enough to be met on the way on a busy machine */

static struct lab *lab;
static const char *backup_dir; /* of the lab's sample data, in many parts */
static char whole[100];        /* print of the lab as it was backed up */
static long long keys;

/* ---- running the program ----------------------------------------------------------------------
 */

struct state {
    const char *dir;
    char env[300];
};

static struct state new_state(void)
{
    struct state s = {.dir = tmpdir_new()};

    (void)snprintf(s.env, sizeof(s.env), "RBCONSOLE_STATE_DIR=%s", s.dir);
    return s;
}

static const char *const *words(const char *const *more)
{
    static const char *argv[24];
    size_t n = 0;

    argv[n++] = proc_rbconsole();
    argv[n++] = "-c";
    argv[n++] = lab_config_file(lab);
    argv[n++] = "restore";
    while (*more != NULL)
        argv[n++] = *more++;
    argv[n] = NULL;
    return argv;
}
#define WORDS(...) words((const char *const[]){__VA_ARGS__, NULL})

static pid_t start(const struct state *s, const char *const *argv)
{
    const char *const env[] = {s->env, NULL};
    pid_t pid = proc_start(argv, &(struct proc_options){.env = env}, NULL);

    assert_int_not_equal(pid, 0);
    return pid;
}

static void run(const struct state *s, const char *const *argv, int status, const char *says)
{
    const char *const env[] = {s->env, NULL};
    struct proc_result r;

    assert_true(proc_run(argv, &(struct proc_options){.env = env, .timeout_ms = 120000}, &r));
    if (r.status != status || (strstr(r.out, says) == NULL && strstr(r.err, says) == NULL)) {
        print_message("%s%s\n", r.out, r.err);
        fail_msg("status %d, not %d, or not \"%s\"", r.status, status, says);
    }
    proc_result_release(&r);
}

/* ---- what the servers hold --------------------------------------------------------------------
 */

static size_t primary(size_t shard)
{
    int node = lab_primary_of(lab, shard);

    assert_true(node >= 0);
    return (size_t)node;
}

/* Every key with its content, in an order that does not depend on hash seeds; streams without the
 * times at which consumers were seen. */
static const char print_script[] =
    "local ks=redis.call('KEYS','*') table.sort(ks) local h='' for _,k in ipairs(ks) do "
    "local t=redis.call('TYPE',k)['ok'] local v "
    "if t=='set' then local m=redis.call('SMEMBERS',k) table.sort(m) v=table.concat(m,'\\0') "
    "elseif t=='hash' then local m=redis.call('HKEYS',k) table.sort(m) v='' "
    "for _,f in ipairs(m) do v=v..f..'\\0'..redis.call('HGET',k,f)..'\\0' end "
    "elseif t=='stream' then v=redis.call('XLEN',k)..'/'..#redis.call('XINFO','GROUPS',k) "
    "else v=redis.call('DUMP',k) end "
    "h=redis.sha1hex(h..'\\0'..k..'\\0'..t..'\\0'..v) end return h";

/* Of all shards together. False while a cluster under load has not settled. */
static bool prints_all(void *arg)
{
    char *out = arg;
    unsigned long long sum = 0;
    bool ok = true;

    for (size_t i = 0; i < lab_shards(lab) && ok; i++) {
        int node = lab_primary_of(lab, i);
        char *print = node < 0 ? NULL : lab_cli(lab, (size_t)node, "EVAL", print_script, "0", NULL);
        char part[17];

        ok = print != NULL && strlen(print) == 40;
        (void)snprintf(part, sizeof(part), "%.16s", ok ? print : "0");
        sum += strtoull(part, NULL, 16);
        free(print);
    }
    (void)snprintf(out, 100, "%llu", sum);
    return ok;
}

static void print_all(char out[100])
{
    assert_true(wait_until(prints_all, out, DEADLINE_MS));
}

static long long sum_of(const char *script)
{
    long long sum = 0;

    for (size_t i = 0; i < lab_shards(lab); i++) {
        char *n = lab_cli(lab, primary(i), "EVAL", script, "0", NULL);

        assert_non_null(n);
        sum += strtoll(n, NULL, 10);
        free(n);
    }
    return sum;
}

static void expect_whole(void)
{
    char now[100];

    assert_int_equal(sum_of("return #redis.call('KEYS','\\0rbc:*')"), 0);
    assert_int_equal(lab_keys(lab), keys);
    print_all(now);
    assert_string_equal(now, whole);
}

static void flush_all(void)
{
    for (size_t i = 0; i < lab_shards(lab); i++)
        free(lab_cli(lab, primary(i), "FLUSHALL", NULL));
}

struct growth {
    long long keys;
    pid_t pid;
};

static bool has_grown(void *arg)
{
    const struct growth *g = arg;

    return !proc_alive(g->pid) || lab_keys(lab) >= g->keys;
}

/* Ends a restore by SIGKILL once so many keys stand; false: it was done before. */
static bool kill_at(pid_t pid, long long at)
{
    struct growth g = {at, pid};

    assert_true(wait_until(has_grown, &g, DEADLINE_MS));
    return proc_stop(pid, SIGKILL) == 128 + SIGKILL;
}

#define EXPECT(text, ...)                                   \
    do {                                                    \
        char *got = lab_cli_routed(lab, __VA_ARGS__, NULL); \
        assert_string_equal(got, text);                     \
        free(got);                                          \
    } while (0)

/* ---- killed -----------------------------------------------------------------------------------
 */

static void kill_and_go_on(const char *policy, struct rng *rng)
{
    struct state s = new_state();
    char summary[64];
    long long at = 0;
    int killed = 0;

    flush_all();
    for (int i = 0; i < KILLS; i++) {
        const char *const *argv = i == 0 ? WORDS("-i", backup_dir, policy, "--rate", RATE)
                                         : WORDS("--resume", "R-0001", "--rate", RATE);

        at += 1 + (long long)(rng_next(rng) % (uint64_t)(keys * 3 / 4 / KILLS));
        killed += kill_at(start(&s, argv), at);
    }
    assert_int_equal(killed, KILLS);
    (void)snprintf(summary, sizeof(summary), "written=%lld existing=0 ", keys);
    run(&s, WORDS("--resume", "R-0001", "--rate", "none"), 0, summary);
    expect_whole();
    run(&s, WORDS("--resume", "R-0001"), 4, "there is nothing to resume");
}

/* Test 16 of the fault tests. */
static void a_restore_killed_several_times_ends_as_one_that_ran_through(void **ctx UNUSED)
{
    static const char *const policies[] = {"--fail-existing", "--skip-existing", "--overwrite"};
    const char *seed = getenv("SEED");
    struct rng rng = {seed != NULL ? strtoull(seed, NULL, 10) : 20261122};

    for (size_t i = 0; i < COUNT_OF(policies); i++)
        kill_and_go_on(policies[i], &rng);
}

static void what_clients_made_between_two_runs_is_not_taken_for_our_own(void **ctx UNUSED)
{
    struct state s = new_state();

    flush_all();
    assert_true(kill_at(start(&s, WORDS("-i", backup_dir, "--rate", RATE)), keys / 4));
    /* Keys of the backup, but not as the backup has them. */
    for (int i = 1; i <= SEEDED; i++) {
        char key[40];
        char *there;

        (void)snprintf(key, sizeof(key), "user:%d", i);
        there = lab_cli_routed(lab, "SET", key, "of a client", "NX", NULL);
        assert_non_null(there);
        if (strcmp(there, "OK") == 0) {
            free(there);
            run(&s, WORDS("--resume", "R-0001", "--rate", "none"), 1, "left alone: 1 keys");
            EXPECT("of a client", "GET", key);
            return;
        }
        free(there);
    }
    fail_msg("the restore had written all strings first");
}

static void keys_that_were_there_before_stay_what_they_are(void **ctx UNUSED)
{
    struct state s = new_state();

    flush_all();
    free(lab_cli_routed(lab, "SET", "user:1", "before", NULL));
    free(lab_cli_routed(lab, "SET", "user:2", "before", NULL));
    assert_true(
        kill_at(start(&s, WORDS("-i", backup_dir, "--skip-existing", "--rate", RATE)), keys / 3));
    run(&s, WORDS("--resume", "R-0001", "--rate", "none"), 0, "existing=2 ");
    EXPECT("before", "GET", "user:1");
    EXPECT("before", "GET", "user:2");
    assert_int_equal(lab_keys(lab), keys);
}

/* ---- a primary that was replaced ---------------------------------------------------------------
 */

static bool is_primary(void *arg)
{
    const size_t *node = arg;
    char *role = lab_cli(lab, *node, "ROLE", NULL);
    bool yes = role != NULL && strncmp(role, "master", 6) == 0;

    free(role);
    return yes;
}

static void hand_over(size_t shard)
{
    size_t old = primary(shard);

    for (size_t i = 0; i < lab_nodes(lab); i++)
        if (lab_info_number(lab, i, "replication", "master_port") == lab_port(lab, old)) {
            char *said = lab_cli(lab, i, "CLUSTER", "FAILOVER", NULL);

            assert_string_equal(said, "OK");
            free(said);
            assert_true(wait_until(is_primary, &i, DEADLINE_MS));
            assert_true(lab_wait_ok(lab, DEADLINE_MS));
            return;
        }
    fail_msg("shard %zu has no replica", shard);
}

/* A string in the part that the journal first called finished: "user:…" into out. */
static void finished_key(const struct state *s, char out[40])
{
    char *journal = tmpdir_read(tmpdir_path(s->dir, "jobs/R-0001/journal.jsonl"), NULL);
    const char *list;
    char name[60];
    char *part;
    const char *key;

    assert_non_null(journal);
    list = strstr(journal, "\"parts\":[");
    assert_non_null(list);
    (void)snprintf(name, sizeof(name), "keys/keys-part-%04ld.jsonl",
                   strtol(list + strlen("\"parts\":["), NULL, 10) + 1);
    part = tmpdir_read(tmpdir_path(backup_dir, name), NULL);
    assert_non_null(part);
    key = strstr(part, "\"key\":\"user:");
    assert_non_null(key);
    assert_int_equal(sscanf(key, "\"key\":\"%39[^\"]", out), 1);
    free(journal);
    free(part);
}

/* What a failover took away of parts that were finished comes back, and nothing of a client's goes.
 */
static void finished_parts_are_looked_at_again_after_a_failover(void **ctx UNUSED)
{
    struct state s = new_state();
    char key[40];
    size_t shard;
    char *gone;
    uint16_t slot;

    flush_all();
    free(lab_cli_routed(lab, "SET", "edge:list", "old", NULL));
    assert_true(
        kill_at(start(&s, WORDS("-i", backup_dir, "--overwrite", "--rate", RATE)), keys * 6 / 10));
    finished_key(&s, key);
    slot = slot_of_key(str_from(key));
    shard = slot < 5461 ? 0 : slot < 10923 ? 1 : 2;
    hand_over(shard);
    gone = lab_cli(lab, primary(shard), "EVAL",
                   "local n=0 for i,k in ipairs(redis.call('KEYS','*')) do "
                   "if i%10==0 then n=n+redis.call('DEL',k) end end return n",
                   "0", NULL);
    assert_true(strtol(gone, NULL, 10) > 20);
    free(gone);
    free(lab_cli_routed(lab, "SET", key, "newer", NULL));
    run(&s, WORDS("--resume", "R-0001", "--rate", "none"), 1, "Written again after a failover: ");
    EXPECT("newer", "GET", key);
    assert_int_equal(lab_keys(lab), keys);
    EXPECT("list", "TYPE", "edge:list");
}

/* ---- full memory -------------------------------------------------------------------------------
 */

static void set_memory(const char *bytes)
{
    for (size_t i = 0; i < lab_nodes(lab); i++)
        free(lab_cli(lab, i, "CONFIG", "SET", "maxmemory", bytes, NULL));
}

/* The plan refuses what has no room from the start: here the room goes while keys are written. */
static void full_memory_stops_a_restore_that_then_goes_on(void **ctx UNUSED)
{
    struct state s = new_state();
    const char *const env[] = {s.env, NULL};
    const char *said = tmpdir_path(tmpdir_new(), "said");
    struct growth g = {keys / 4, 0};
    char *text;

    flush_all();
    g.pid = proc_start(WORDS("-i", backup_dir, "--rate", RATE), &(struct proc_options){.env = env},
                       said);
    assert_true(wait_until(has_grown, &g, DEADLINE_MS));
    set_memory("1000");
    assert_int_equal(proc_wait(g.pid, DEADLINE_MS), 6);
    set_memory("0");
    text = tmpdir_read(said, NULL);
    assert_non_null(text);
    assert_non_null(strstr(text, "restore --resume R-0001"));
    free(text);
    run(&s, WORDS("--resume", "R-0001", "--rate", "none"), 0, "failed=0");
    expect_whole();
}

/* ---- what is refused ---------------------------------------------------------------------------
 */

static void a_resumed_restore_is_the_same_restore(void **ctx UNUSED)
{
    struct state s = new_state();
    const char *copy = tmpdir_path(tmpdir_new(), "redis-backup-local-20260101T000000Z-00aa");
    const char *cp[] = {"cp", "-r", backup_dir, copy, NULL};
    struct proc_result r;
    char *manifest;
    size_t len;

    assert_true(proc_run(cp, NULL, &r));
    proc_result_release(&r);
    flush_all();
    assert_true(kill_at(start(&s, WORDS("-i", copy, "--rate", RATE)), keys / 5));
    run(&s, WORDS("--resume", "R-0001", "--overwrite"), 2, "--overwrite cannot be given with");
    run(&s, WORDS("--resume", "R-0007"), 1, "there is no job");
    run(&s, WORDS("--resume", "B-0001"), 1, "there is no job");
    manifest = tmpdir_read(tmpdir_path(copy, "metadata.json"), &len);
    assert_non_null(manifest);
    tmpdir_write(tmpdir_path(copy, "metadata.json"), " ", 1);
    run(&s, WORDS("--resume", "R-0001"), 1, "metadata.json");
    manifest[len - 1] = ' '; /* the same, but for a byte that says nothing */
    tmpdir_write(tmpdir_path(copy, "metadata.json"), manifest, len);
    run(&s, WORDS("--resume", "R-0001"), 4, "is another backup, or has changed");
    manifest[len - 1] = '\n';
    tmpdir_write(tmpdir_path(copy, "metadata.json"), manifest, len);
    free(manifest);
    run(&s, WORDS("--resume", "R-0001", "--rate", "none"), 0, "failed=0");
    expect_whole();
}

/* ---- the lab ------------------------------------------------------------------------------------
 */

static const char *only_directory(const char *dir)
{
    DIR *d = opendir(dir);
    const char *found = NULL;
    struct dirent *e;

    assert_non_null(d);
    while ((e = readdir(d)) != NULL)
        if (e->d_type == DT_DIR && e->d_name[0] != '.')
            found = tmpdir_path(dir, e->d_name);
    (void)closedir(d);
    assert_non_null(found);
    return found;
}

static int set_up(void **ctx UNUSED)
{
    const char *dir = tmpdir_new();
    const char *argv[] = {NULL, "-c",          NULL,           "backup", "--backup-dir",
                          dir,  "--no-upload", "--chunk-keys", "60",     NULL};
    struct proc_result r;

    lab = lab_start(&(struct lab_options){0});
    if (lab == NULL)
        return -1;
    /* Failovers only where a test asks for one, however busy the machine is. */
    for (size_t i = 0; i < lab_nodes(lab); i++)
        free(lab_cli(lab, i, "CONFIG", "SET", "cluster-node-timeout", "60000", NULL));
    if (!lab_wait_ok(lab, DEADLINE_MS) || !lab_seed(lab, SEEDED))
        return -1;
    argv[0] = proc_rbconsole();
    argv[2] = lab_config_file(lab);
    if (!proc_run(argv, NULL, &r) || r.status != 0)
        return -1;
    proc_result_release(&r);
    backup_dir = only_directory(dir);
    keys = lab_keys(lab);
    print_all(whole);
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
        cmocka_unit_test(a_restore_killed_several_times_ends_as_one_that_ran_through),
        cmocka_unit_test(what_clients_made_between_two_runs_is_not_taken_for_our_own),
        cmocka_unit_test(keys_that_were_there_before_stay_what_they_are),
        cmocka_unit_test(full_memory_stops_a_restore_that_then_goes_on),
        cmocka_unit_test(a_resumed_restore_is_the_same_restore),
        cmocka_unit_test(finished_parts_are_looked_at_again_after_a_failover),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
