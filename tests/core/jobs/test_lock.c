/* The cluster lock and the audit log, with real second processes as holders. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/json.h"
#include "core/jobs/audit.h"
#include "core/jobs/lock.h"
#include "tests/harness/tmpdir.h"

static const char *const cluster_a[] = {"node-1", "node-2", "node-3"};
static const char *const cluster_a_later[] = {"node-3", "node-4"};
static const char *const cluster_b[] = {"node-7"};

static struct lock_claim claim_in(const char *dir, enum job_danger danger, const char *run)
{
    return (struct lock_claim){.state_dir = dir,
                               .identity = cluster_a,
                               .identity_count = COUNT_OF(cluster_a),
                               .danger = danger,
                               .job_id = danger == JOB_READS ? "B-0004" : "R-0003",
                               .run_id = run,
                               .env = "prd",
                               .user = "alice"};
}

static void writer_is_refused_and_the_holder_named(void **unused)
{
    (void)unused;
    struct error err = {0};
    struct lock_holder holder;
    const char *dir = tmpdir_new();
    struct lock_claim first = claim_in(dir, JOB_WRITES, "r1");
    struct lock_claim second = claim_in(dir, JOB_WRITES, "r2");
    second.identity = cluster_a_later; /* one node id in common is enough */
    second.identity_count = COUNT_OF(cluster_a_later);
    struct lock *held = lock_take(&first, NULL, &err);
    assert_non_null(held);
    assert_null(lock_take(&second, &holder, &err));
    assert_int_equal(err.code, ERROR_LOCKED);
    assert_non_null(strstr(err.text, "R-0003 (restore by alice on "));
    assert_int_equal(holder.pid, getpid());
    second.danger = JOB_READS;
    assert_null(lock_take(&second, NULL, &err));
    lock_release(held);
    held = lock_take(&second, NULL, &err);
    assert_non_null(held);
    lock_release(held);
}

static void readers_other_clusters_and_children_pass(void **unused)
{
    (void)unused;
    struct error err = {0};
    const char *dir = tmpdir_new();
    struct lock_claim reader = claim_in(dir, JOB_READS, "r1");
    struct lock_claim reader2 = claim_in(dir, JOB_READS, "r2");
    struct lock_claim other = claim_in(dir, JOB_WRITES, "r3");
    struct lock_claim child = claim_in(dir, JOB_WRITES, "r4");
    struct lock_claim harmless = claim_in(dir, JOB_HARMLESS, "r5");
    other.identity = cluster_b;
    other.identity_count = 1;
    struct lock *a = lock_take(&reader, NULL, &err);
    struct lock *b = lock_take(&reader2, NULL, &err);
    struct lock *c = lock_take(&other, NULL, &err);
    assert_true(a != NULL && b != NULL && c != NULL);
    assert_null(lock_take(&child, NULL, &err));
    lock_release(b);
    child.parent_run_id = "r1";
    struct lock *d = lock_take(&child, NULL, &err);
    struct lock *e = lock_take(&harmless, NULL, &err);
    assert_true(d != NULL && e != NULL);
    struct lock_holder *holders = NULL;
    size_t count = 0;
    size_t stale = 9;
    assert_true(lock_list(dir, &holders, &count, &stale, &err));
    assert_int_equal(count, 4);
    assert_int_equal(stale, 0);
    free(holders);
    lock_release(a);
    lock_release(c);
    lock_release(d);
    lock_release(e);
}

static void lock_of_a_killed_holder_is_swept(void **unused)
{
    (void)unused;
    struct error err = {0};
    int ready[2];
    char byte = 0;
    const char *dir = tmpdir_new();
    struct lock_claim claim = claim_in(dir, JOB_WRITES, "dead");
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct lock *held = lock_take(&claim, NULL, &err);
        (void)!write(ready[1], held != NULL ? "+" : "-", 1);
        for (;;)
            (void)pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, '+');
    struct lock_claim mine = claim_in(dir, JOB_WRITES, "mine");
    assert_null(lock_take(&mine, NULL, &err));
    int status = 0;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    struct lock *held = lock_take(&mine, NULL, &err);
    assert_non_null(held);
    lock_release(held);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

/* ---- audit ------------------------------------------------------------------------------------
 */

static void append(const char *dir, const char *action)
{
    struct error err = {0};
    struct audit_entry e = {.action = action,
                            .phase = "begin",
                            .env = "prd",
                            .who = {.user = "alice"},
                            .confirmed = "prd",
                            .duration_ms = -1};
    if (!audit_append(dir, &e, &err))
        fail_msg("%s", err.text);
}

static struct audit_check check(const char *dir)
{
    struct audit_check c;
    struct error err = {0};
    assert_true(audit_verify(dir, &c, &err));
    return c;
}

static void audit_chain_shows_a_changed_line(void **unused)
{
    (void)unused;
    struct stat st;
    const char *dir = tmpdir_new();
    assert_int_equal(check(dir).lines, 0);
    append(dir, "one");
    append(dir, "two");
    append(dir, "three");
    const char *path = tmpdir_path(dir, "audit.jsonl");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    struct audit_check c = check(dir);
    assert_int_equal(c.lines, 3);
    assert_int_equal(c.broken + c.torn, 0);
    size_t len = 0;
    char *text = tmpdir_read(path, &len);
    char *two = strstr(text, "\"two\"");
    assert_non_null(two);
    two[1] = 'T';
    tmpdir_write(path, text, len);
    free(text);
    c = check(dir);
    assert_int_equal(c.broken, 1);
    assert_int_equal(c.first_bad, 3);
}

static void audit_goes_on_after_a_torn_line(void **unused)
{
    (void)unused;
    const char *dir = tmpdir_new();
    append(dir, "one");
    append(dir, "two");
    const char *path = tmpdir_path(dir, "audit.jsonl");
    size_t len = 0;
    char *text = tmpdir_read(path, &len);
    tmpdir_write(path, text, len - 7);
    free(text);
    append(dir, "three");
    struct audit_check c = check(dir);
    assert_int_equal(c.lines, 3);
    assert_int_equal(c.torn, 1);
    assert_int_equal(c.broken, 0);
}

static void audit_from_many_processes_is_one_chain(void **unused)
{
    (void)unused;
    enum { WRITERS = 4, LINES = 10 };
    const char *dir = tmpdir_new();
    pid_t pids[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            for (int k = 0; k < LINES; k++)
                append(dir, "x");
            _exit(0);
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        int status = 0;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    struct audit_check c = check(dir);
    assert_int_equal(c.lines, WRITERS * LINES);
    assert_int_equal(c.broken + c.torn, 0);
}

static void audit_that_cannot_be_written_is_an_error(void **unused)
{
    (void)unused;
    struct error err = {0};
    const char *dir = tmpdir_new();
    assert_int_equal(mkdir(tmpdir_path(dir, "audit.jsonl"), 0700), 0);
    struct audit_entry e = {.action = "x", .phase = "begin", .duration_ms = -1};
    assert_false(audit_append(dir, &e, &err));
    assert_int_equal(err.code, ERROR_STORAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writer_is_refused_and_the_holder_named),
        cmocka_unit_test(readers_other_clusters_and_children_pass),
        cmocka_unit_test(lock_of_a_killed_holder_is_swept),
        cmocka_unit_test(audit_chain_shows_a_changed_line),
        cmocka_unit_test(audit_goes_on_after_a_torn_line),
        cmocka_unit_test(audit_from_many_processes_is_one_chain),
        cmocka_unit_test(audit_that_cannot_be_written_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
