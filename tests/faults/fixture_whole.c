#include "tests/faults/fixture_whole.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/attr.h"
#include "tests/harness/proc.h"
#include "tests/harness/tmpdir.h"
#include "tests/harness/wait.h"

#define SETTLE_MS 60000
#define RUN_MS 300000
#define WORDS_MAX 24

bool faults_full(void)
{
    const char *size = getenv("FAULTS");

    return size != NULL && strcmp(size, "full") == 0;
}

/* ---- what the servers hold ----------------------------------------------------------------------
 */

static bool add_digest(struct lab *lab, size_t node, unsigned char sum[WHOLE_DIGEST])
{
    char *hex = lab_cli(lab, node, "DEBUG", "DIGEST", NULL);
    bool ok = hex != NULL && strlen(hex) == 2 * WHOLE_DIGEST;

    for (size_t i = 0; i < WHOLE_DIGEST && ok; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

        sum[i] = (unsigned char)(sum[i] ^ strtoul(two, NULL, 16));
    }
    free(hex);
    return ok;
}

static bool try_digest(struct lab *lab, unsigned char sum[WHOLE_DIGEST])
{
    bool ok = true;

    memset(sum, 0, WHOLE_DIGEST);
    for (size_t i = 0; i < lab_shards(lab) && ok; i++) {
        int node = lab_primary_of(lab, i);

        ok = node >= 0 && add_digest(lab, (size_t)node, sum);
    }
    return ok;
}

void whole_digest(struct lab *lab, unsigned char sum[WHOLE_DIGEST])
{
    assert_true(try_digest(lab, sum));
}

static bool is_whole(void *arg)
{
    const struct whole *w = arg;
    unsigned char now[WHOLE_DIGEST];

    return lab_keys(w->lab) == w->keys && try_digest(w->lab, now) &&
           memcmp(now, w->digest, WHOLE_DIGEST) == 0;
}

void whole_expect(const struct whole *w)
{
    struct whole now = *w;

    assert_true(lab_wait_ok(w->lab, SETTLE_MS));
    assert_int_equal(lab_eval_sum(w->lab, "return #redis.call('KEYS','\\0rbc:*')"), 0);
    if (!wait_until(is_whole, &now, 10000))
        fail_msg("%lld keys, not %lld, or other contents", lab_keys(w->lab), w->keys);
}

void whole_flush(const struct whole *w)
{
    assert_true(lab_wait_ok(w->lab, SETTLE_MS));
    assert_int_not_equal(lab_eval_sum(w->lab, "redis.call('FLUSHALL') return 0"), -1);
}

/* ---- the cluster --------------------------------------------------------------------------------
 */

bool whole_start(struct whole *w, const struct lab_options *options)
{
    *w = (struct whole){.lab = lab_start(options)};
    if (w->lab == NULL || !lab_seed(w->lab, faults_full() ? 20000 : 3000))
        return false;
    for (size_t i = 0; i < lab_nodes(w->lab); i++)
        free(lab_cli(w->lab, i, "CONFIG", "SET", "cluster-replica-no-failover", "yes", NULL));
    assert_true(lab_wait_ok(w->lab, SETTLE_MS));
    /* Nothing may expire while the tests run. */
    assert_int_not_equal(
        lab_eval_sum(
            w->lab,
            "for _,k in ipairs(redis.call('KEYS','*')) do redis.call('PERSIST',k) end return 0"),
        -1);
    whole_back_up(w);
    assert_true(w->keys > (faults_full() ? 100000 : 15000));
    return true;
}

void whole_back_up(struct whole *w)
{
    static const char label[] = "Backup written: ";
    struct program p = program_new(w);
    const char *dir = tmpdir_new();
    pid_t pid =
        program_start(&p, (const char *const[]){"backup", "--backup-dir", dir, "--no-upload",
                                                "--chunk-keys", "300", NULL});
    char *said;
    char *path;

    program_expect(&p, pid, 0, label);
    said = tmpdir_read(p.said, NULL);
    path = strstr(said, label);
    assert_non_null(path);
    path += strlen(label);
    path[strcspn(path, "\n")] = '\0';
    w->backup = tmpdir_path(path, "");
    free(said);
    w->keys = lab_keys(w->lab);
    whole_digest(w->lab, w->digest);
}

/* ---- the program --------------------------------------------------------------------------------
 */

struct program program_new(const struct whole *w)
{
    return (struct program){.whole = w, .state = tmpdir_new()};
}

pid_t program_start(struct program *p, const char *const *words)
{
    const char *argv[WORDS_MAX] = {proc_rbconsole(), "-c", lab_config_file(p->whole->lab),
                                   "--state-dir", p->state};
    size_t n = 5;
    char name[24];
    pid_t pid;

    (void)snprintf(name, sizeof(name), "said-%zu", ++p->runs);
    p->said = tmpdir_path(p->state, name);
    while (n < WORDS_MAX - 1 && *words != NULL)
        argv[n++] = *words++;
    pid = proc_start(argv, &(struct proc_options){0}, p->said);
    assert_true(pid > 0);
    return pid;
}

void program_expect(const struct program *p, pid_t pid, int status, const char *part)
{
    int ended = proc_wait(pid, wait_scale(RUN_MS));
    char *said = tmpdir_read(p->said, NULL);

    if (ended == -1)
        (void)proc_stop(pid, 9);
    if (ended != status || said == NULL || (part != NULL && strstr(said, part) == NULL))
        fail_msg("status %d, not %d, or not \"%s\":\n%s", ended, status, part != NULL ? part : "",
                 said);
    free(said);
}

struct growth {
    const struct whole *whole;
    long long keys;
    pid_t pid;
};

static bool has_grown(void *arg)
{
    const struct growth *g = arg;

    return !proc_alive(g->pid) || lab_keys(g->whole->lab) >= g->keys;
}

bool program_reaches(const struct whole *w, pid_t pid, long long keys)
{
    struct growth g = {w, keys, pid};

    return wait_until(has_grown, &g, RUN_MS) && proc_alive(pid);
}
