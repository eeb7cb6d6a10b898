/*
 * it_wire.c - fault 19: backup, verify and restore over a line that is cut, reset, slow, stuck,
 * late, garbled or says things twice, at every place of the protocol, by seed. No run may outlast
 * its deadline, crash, or give one key the reply that was meant for another; what it says must be
 * true. FAULTS=full: 1,000 seeds; SEED= repeats one, RUNS= sets their number.
 */
#include "tests/engine/restore_kit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/verify/verify.h"
#include "tests/engine/fixture_backup.h"
#include "tests/faults/fixture_records.h"
#include "tests/harness/fault_proxy.h"
#include "tests/harness/wait.h"

#define RUNS_SHORT 40
#define RUNS_FULL 1000
#define PROCESSES 4
#define PATIENCE_MS 100 /* for a reply; six times as long for a large one */
#define OUTAGE_MS 400
#define DEADLINE_MS 30000
#define NAMES_MAX 200
#define KEYS_PER_LIE 2 /* it strikes at one place */

static struct lab *lab;
static const char *clean;  /* a backup made without any fault */
static struct map *wanted; /* key -> what its record says there */
static char *digest;       /* of the whole server */
static char *names[NAMES_MAX];
static char *name_digests; /* DEBUG DIGEST-VALUE of all names, one a line */
static size_t name_count;
static unsigned long long seed_now;
static char hung_text[80]; /* what to say when a seed takes too long */
static size_t hung_len;

/* ---- the data ----------------------------------------------------------------------------------
 */

static const char make_data[] =
    "local c=redis.call for i=1,12 do c('SET','string:'..i,'value of '..i) "
    "c('SET','mortal:'..i,'dies '..i) c('PEXPIREAT','mortal:'..i,4000000000000+i) "
    "c('HSET','hash:'..i,'field','of '..i,'other',i) c('RPUSH','list:'..i,'head '..i,'b','tail') "
    "c('SADD','set:'..i,'member '..i,'x'..i) c('ZADD','zset:'..i,i,'low '..i,'inf','top') end "
    "for i=1,6000 do c('RPUSH','large:list',i) c('HSET','large:hash','f'..i,i) end "
    "for i=1,3 do local s='stream:'..i for k=1,5 do c('XADD',s,k..'-'..i,'f','v'..k) end "
    "c('XGROUP','CREATE',s,'g','0') c('XREADGROUP','GROUP','g','c','COUNT','3','STREAMS',s,'>') "
    "c('XDEL',s,'2-'..i) end c('PFADD','hll','a','b','c') return c('DBSIZE')";

static void set_options(struct setting *s, const struct fault_proxy *proxy)
{
    static const char *dir; /* of all runs: a program may have only a few */

    if (dir == NULL)
        dir = tmpdir_new();
    *s = (struct setting){.lab = lab, .dir = proxy != NULL ? tmpdir_path(dir, "run") : dir};
    (void)mkdir(s->dir, 0700);
    s->seeds[0] = (struct address){.host = "127.0.0.1", .port = (uint16_t)lab_port(lab, 0)};
    if (proxy != NULL)
        s->seeds[0].port = fault_proxy_port(proxy);
    s->redis = (struct redis_options){.seeds = s->seeds, .seed_count = 1};
    s->backup = (struct backup_options){
        .env = "local", .archive = {.id = ID, .dir = s->dir, .tree = true, .file = true}};
    s->redis.command_timeout_ms = wait_scale(PATIENCE_MS);
    s->redis.connect_timeout_ms = wait_scale(PATIENCE_MS);
    s->redis.outage_timeout_ms = wait_scale(OUTAGE_MS);
    s->backup.outage_timeout_ms = wait_scale(OUTAGE_MS);
}

static void learn_names(const struct setting *s, const struct manifest *m)
{
    struct map *lines = read_lines(s, m);
    const char *argv[NAMES_MAX + 2] = {"DEBUG", "DIGEST-VALUE"};
    struct str key;
    void *value;

    wanted = records_new(lines);
    for (size_t at = 0; map_next(lines, &at, &key, &value);) {
        assert_true(name_count < NAMES_MAX);
        names[name_count] = mem_format("%.*s", (int)key.len, key.ptr);
        argv[2 + name_count] = names[name_count];
        name_count++;
    }
    name_digests = lab_cli_argv(lab, 0, argv);
    map_free(lines, free_lines);
}

static int set_up(void **ctx UNUSED)
{
    struct task *task = task_new_plain();
    struct backup_result done;
    struct setting s;
    char *keys;

    lab = lab_start(&(struct lab_options){.shards = 1, .replicas = -1});
    if (lab == NULL)
        return -1;
    keys = lab_cli(lab, 0, "EVAL", make_data, "0", NULL);
    set_options(&s, NULL);
    setting_run(&s, task, &done);
    assert_true(done.manifest->complete);
    assert_int_equal(done.findings, 0);
    clean = tmpdir_path(s.dir, ID);
    learn_names(&s, done.manifest);
    assert_int_equal(strtoul(keys, NULL, 10), name_count);
    digest = lab_cli(lab, 0, "DEBUG", "DIGEST", NULL);
    free(keys);
    backup_result_release(&done);
    task_free(task);
    return 0;
}

static int tear_down(void **ctx UNUSED)
{
    for (size_t i = 0; i < name_count; i++)
        free(names[i]);
    records_free(wanted);
    free(name_digests);
    free(digest);
    lab_stop(lab);
    return 0;
}

/* ---- the faults ---------------------------------------------------------------------------------
 */

struct faults {
    struct fault_proxy *proxy;
    struct address_map *map;
    int64_t started_ms;
};

static void hung(int number UNUSED)
{
    (void)!write(STDERR_FILENO, hung_text, hung_len);
    abort();
}

/* From a few bytes, which is the greeting, to all of the replies. */
static void faults_start(struct faults *f, unsigned step)
{
    static const size_t within[] = {200, 2000, 20000, 100000};
    struct fault_options o = {.kind = FAULT_ANY,
                              .seed = seed_now * 3 + step,
                              .within = within[seed_now % COUNT_OF(within)],
                              .delay_ms = wait_scale(PATIENCE_MS / 3)};
    struct error err = {0};
    char to[32];

    f->proxy = fault_proxy_start("127.0.0.1", (uint16_t)lab_port(lab, 0), &o);
    assert_non_null(f->proxy);
    f->map = address_map_new();
    (void)snprintf(to, sizeof(to), "127.0.0.1:%u", (unsigned)fault_proxy_port(f->proxy));
    assert_true(address_map_add(f->map, str_from(lab_address(lab, 0)), str_from(to), &err));
    f->started_ms = wait_now_ms();
    hung_len = (size_t)snprintf(hung_text, sizeof(hung_text), "seed %llu hangs\n", seed_now);
    (void)signal(SIGALRM, hung);
    (void)alarm((unsigned)(wait_scale(2 * DEADLINE_MS) / 1000));
}

/* Returns how many keys the line itself may have lied about: what it changed or said twice. */
static size_t faults_stop(struct faults *f)
{
    size_t falsified = fault_proxy_falsified(f->proxy);

    (void)alarm(0);
    if (wait_now_ms() - f->started_ms > wait_scale(DEADLINE_MS))
        fail_msg("seed %llu took %lld ms", seed_now, (long long)(wait_now_ms() - f->started_ms));
    fault_proxy_stop(f->proxy);
    address_map_free(f->map);
    return falsified;
}

/* ---- backup -------------------------------------------------------------------------------------
 */

/* Whatever the line did: each line is a record, and says what the server holds but for the bytes
 * that the line changed; no value is another key's, or moved along. */
static void check_records(const struct setting *s, const struct manifest *m, size_t lies, bool all)
{
    struct map *lines = read_lines_loosely(s, m);
    size_t missing = 0;
    size_t differing = 0;

    for (size_t i = 0; i < name_count; i++) {
        const json_t *record = map_get(lines, str_from(names[i]));
        bool differs = false;
        const char *wrong = NULL;

        if (record == NULL)
            missing++;
        else
            wrong = record_judge(wanted, names[i], record, lies, &differs);
        if (wrong != NULL)
            fail_msg("seed %llu, %zu lies: %s: %s: %s", seed_now, lies, names[i], wrong,
                     json_dumps(record, JSON_COMPACT));
        differing += differs;
    }
    if (differing > KEYS_PER_LIE * lies)
        fail_msg("seed %llu: %zu keys differ after %zu lies", seed_now, differing, lies);
    if (all && lies == 0 && missing > 0)
        fail_msg("seed %llu: complete, but %zu keys are missing", seed_now, missing);
    map_free(lines, free_lines);
}

static void one_backup(size_t *good)
{
    struct task *task = task_new_plain();
    struct backup_result done = {0};
    struct error err = {0};
    struct faults f;
    struct setting s;
    struct cluster *c;
    size_t lies;
    bool ok;

    faults_start(&f, 0);
    set_options(&s, f.proxy);
    s.redis.map = f.map;
    c = cluster_new(&s.redis);
    ok = cluster_connect(c, true, &err) && backup_run(c, &s.backup, task, &done, &err);
    cluster_free(c);
    lies = faults_stop(&f);
    if (ok) {
        bool all = done.manifest->complete && done.findings == 0;

        check_records(&s, done.manifest, lies, all && done.manifest->totals.vanished == 0);
        if (all && lies == 0 && done.manifest->totals.keys != name_count)
            fail_msg("seed %llu: %llu keys are said to be there", seed_now,
                     (unsigned long long)done.manifest->totals.keys);
        *good += all;
    } else if (err.code == ERROR_NONE || err.text[0] == '\0') {
        fail_msg("seed %llu: it failed without a reason", seed_now);
    }
    backup_result_release(&done);
    task_free(task);
    (void)tmpdir_remove(s.dir);
}

/* ---- verify -------------------------------------------------------------------------------------
 */

static void kit_through(struct kit *k, const struct faults *f)
{
    kit_open(k, clean, f == NULL ? (uint16_t)lab_port(lab, 0) : fault_proxy_port(f->proxy));
    k->target.map = f == NULL ? NULL : f->map;
    k->target.command_timeout_ms = wait_scale(f == NULL ? 10000 : PATIENCE_MS);
    k->target.connect_timeout_ms = wait_scale(f == NULL ? 10000 : PATIENCE_MS);
    k->target.outage_timeout_ms = wait_scale(f == NULL ? 60000 : OUTAGE_MS);
}

/* Half of the time one key is really wrong: that may not be called right. */
static void one_verify(size_t *good)
{
    struct verify_options o = {
        .extent = VERIFY_FULL, .tolerance_ms = 30000, .rounds = 2, .seed = 1, .extra = true};
    bool spoilt = seed_now % 2 == 1;
    struct verify_report r = {0};
    struct faults f;
    struct kit k;
    uint64_t wrong;
    size_t lies;
    bool ok;

    if (spoilt)
        free(lab_cli(lab, 0, "SET", "string:7", "spoilt", NULL));
    faults_start(&f, 1);
    kit_through(&k, &f);
    ok = verify_run(k.source, &k.target, &o, k.task, &r, &k.err);
    lies = faults_stop(&f);
    wrong = verify_report_findings(&r) - r.verdicts[VERIFY_UNREADABLE];
    if (ok && lies == 0 && wrong > spoilt)
        fail_msg("seed %llu: %llu keys are called wrong", seed_now, (unsigned long long)wrong);
    if (ok && lies == 0 && spoilt && verify_report_findings(&r) == 0)
        fail_msg("seed %llu: a wrong key is called right", seed_now);
    if (ok && wrong > spoilt + 4 * lies) {
        char line[200];

        fail_msg("seed %llu: for %zu lies: %s misplaced=%llu stray=%llu", seed_now, lies,
                 verify_report_line(&r, line, sizeof(line)), (unsigned long long)r.misplaced,
                 (unsigned long long)r.stray);
    }
    *good += ok && wrong == spoilt && r.verdicts[VERIFY_UNREADABLE] == 0;
    verify_report_release(&r);
    kit_close(&k);
    if (spoilt)
        free(lab_cli(lab, 0, "SET", "string:7", "value of 7", NULL));
}

/* ---- restore ------------------------------------------------------------------------------------
 */

/* Each key as it was, or not there at all. */
static void check_whole_or_absent(void)
{
    const char *argv[NAMES_MAX + 2] = {"DEBUG", "DIGEST-VALUE"};
    char *now;

    for (size_t i = 0; i < name_count; i++)
        argv[2 + i] = names[i];
    now = lab_cli_argv(lab, 0, argv);
    for (size_t i = 0; i < name_count; i++) {
        const char *is = now + i * 41;

        if (memcmp(is, name_digests + i * 41, 40) != 0 && strspn(is, "0") < 40)
            fail_msg("seed %llu: %s is neither whole nor absent", seed_now, names[i]);
    }
    free(now);
}

static void check_all(const char *when)
{
    char *now = lab_cli(lab, 0, "DEBUG", "DIGEST", NULL);
    char *size = lab_cli(lab, 0, "DBSIZE", NULL);

    if (strcmp(now, digest) != 0)
        fail_msg("seed %llu: %s the data is another (%s keys)", seed_now, when, size);
    free(now);
    free(size);
}

static void mend(void)
{
    struct kit k;

    kit_through(&k, NULL);
    k.options.policy = RESTORE_OVERWRITE;
    k.options.ttl = RESTORE_TTL_ABSOLUTE;
    if (!kit_restore(&k))
        fail_msg("seed %llu: %s", seed_now, k.err.text);
    assert_int_equal(restore_result_findings(&k.result), 0);
    kit_close(&k);
    check_all("after a restore over a good line");
}

static void one_restore(size_t *good)
{
    static const enum restore_policy policies[] = {RESTORE_OVERWRITE, RESTORE_FAIL_EXISTING,
                                                   RESTORE_SKIP_EXISTING};
    enum restore_policy policy = policies[seed_now % 3];
    struct faults f;
    struct kit k;
    bool ok;

    if (policy != RESTORE_OVERWRITE || seed_now % 2 == 0)
        free(lab_cli(lab, 0, "FLUSHALL", NULL));
    faults_start(&f, 2);
    kit_through(&k, &f);
    k.options.policy = policy;
    k.options.ttl = RESTORE_TTL_ABSOLUTE;
    ok = kit_restore(&k);
    (void)faults_stop(&f);
    check_whole_or_absent();
    if (ok && restore_result_findings(&k.result) == 0) {
        if (k.result.written + k.result.existing == name_count)
            check_all("all is said to be written, but");
        (*good)++;
    }
    kit_close(&k);
    mend();
}

/* ---- seeds --------------------------------------------------------------------------------------
 */

static unsigned long long number_of(const char *name, unsigned long long otherwise)
{
    const char *text = getenv(name);

    return text != NULL && text[0] != '\0' ? strtoull(text, NULL, 10) : otherwise;
}

/* Which seeds: from `first` on every `step`-th. */
static struct {
    unsigned long long first, runs, step;
} share;

static void a_bad_line_leads_to_the_truth_or_to_an_error(void **ctx UNUSED)
{
    static void (*const steps[])(size_t *) = {one_backup, one_verify, one_restore};
    size_t good[COUNT_OF(steps)] = {0};
    int64_t took[COUNT_OF(steps)] = {0};

    seed_now = share.first;
    for (unsigned long long run = 0; run < share.runs; run++, seed_now += share.step)
        for (size_t i = 0; i < COUNT_OF(steps); i++) {
            int64_t started = wait_now_ms();

            steps[i](&good[i]);
            took[i] += wait_now_ms() - started;
        }
    print_message("%llu seeds; without a finding: %zu backups, %zu verifications, %zu restores; "
                  "%lld, %lld, %lld s\n",
                  share.runs, good[0], good[1], good[2], (long long)took[0] / 1000,
                  (long long)took[1] / 1000, (long long)took[2] / 1000);
    for (size_t i = 0; share.runs >= RUNS_SHORT && i < COUNT_OF(steps); i++)
        assert_in_range(good[i], 1, share.runs - 1); /* faults strike, and much survives them */
}

static int run_share(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_line_leads_to_the_truth_or_to_an_error),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* Most of the time is waiting: many seeds are shared out to processes with a server each. */
int main(void)
{
    const char *size = getenv("FAULTS");
    unsigned long long seed = number_of("SEED", 0);
    bool full = size != NULL && strcmp(size, "full") == 0;
    unsigned long long runs = number_of("RUNS", seed != 0 ? 1 : full ? RUNS_FULL : RUNS_SHORT);
    unsigned long long step = runs > 2ULL * RUNS_SHORT ? PROCESSES : 1;
    pid_t children[PROCESSES] = {0};
    int failed = 0;

    for (unsigned long long i = 1; i < step; i++) {
        children[i] = fork();
        share.first = (seed != 0 ? seed : 1) + i;
        share.runs = (runs - i + step - 1) / step;
        share.step = step;
        if (children[i] == 0)
            return run_share();
    }
    share.first = seed != 0 ? seed : 1;
    share.runs = (runs + step - 1) / step;
    share.step = step;
    failed = run_share();
    for (unsigned long long i = 1; i < step; i++) {
        int status = 1;

        failed += waitpid(children[i], &status, 0) < 0 || status != 0;
    }
    return failed;
}
