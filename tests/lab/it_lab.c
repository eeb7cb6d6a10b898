#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "tests/harness/lab.h"
#include "tests/harness/proc.h"
#include "tests/harness/wait.h"

struct moved {
    struct lab *lab;
    size_t shard;
    int from;
};

static bool has_moved(void *context)
{
    struct moved *m = context;
    int now = lab_primary_of(m->lab, m->shard);
    return now >= 0 && now != m->from;
}

static void assert_answer(char *answer, const char *expected)
{
    assert_non_null(answer);
    assert_string_equal(answer, expected);
    free(answer);
}

static void cluster_survives_a_killed_primary(void **state)
{
    struct lab *lab = lab_start(&(struct lab_options){.password = true});
    (void)state;
    assert_non_null(lab);
    assert_int_equal(lab_nodes(lab), 6);
    assert_int_equal(lab_info_number(lab, 5, "CLUSTER INFO", "cluster_known_nodes"), 6);
    assert_true(lab_seed(lab, 100));
    long long keys = lab_keys(lab);
    assert_true(keys > 500);
    assert_int_equal(lab_primary_of(lab, 1), 1);
    assert_true(lab_kill(lab, 1));
    assert_int_equal(lab_pid(lab, 1), 0);
    struct moved m = {lab, 1, 1};
    assert_true(wait_until(has_moved, &m, 30000));
    assert_true(lab_restart(lab, 1));
    assert_true(lab_wait_ok(lab, 30000));
    assert_int_equal(lab_primary_of(lab, 1), 4);
    assert_true(keys - lab_keys(lab) < 3); /* the replica had everything, but time goes on */
    lab_stop(lab);
}

static void cluster_with_tls_and_roles_answers_only_the_known(void **state)
{
    struct lab *lab =
        lab_start(&(struct lab_options){.flavor = "valkey", .tls = true, .acl = true});
    (void)state;
    assert_non_null(lab);
    assert_non_null(lab_ca_file(lab));
    assert_answer(lab_cli_routed(lab, "SET", "user:1", "a b", NULL), "OK");
    assert_answer(lab_cli_routed(lab, "GET", "user:1", NULL), "a b");
    assert_answer(lab_cli(lab, 0, "AUTH", "backup", lab_user_password(lab), NULL), "OK");
    char *answer = lab_cli(lab, 0, "AUTH", "backup", "wrong", NULL);
    assert_non_null(strstr(answer, "WRONGPASS"));
    free(answer);
    lab_stop(lab);
}

static void paused_node_comes_back(void **state)
{
    struct lab *lab = lab_start(&(struct lab_options){.kind = LAB_SINGLE});
    (void)state;
    assert_non_null(lab);
    pid_t pid = lab_pid(lab, 0);
    assert_true(lab_pause(lab, 0));
    assert_int_equal(lab_pid(lab, 0), pid);
    assert_true(lab_resume(lab, 0));
    assert_answer(lab_cli(lab, 0, "PING", NULL), "PONG");
    lab_stop(lab);
}

static void sentinels_fail_over(void **state)
{
    struct lab *lab = lab_start(&(struct lab_options){.kind = LAB_SENTINEL});
    (void)state;
    assert_non_null(lab);
    assert_int_equal(lab_sentinels(lab), 3);
    assert_answer(lab_cli(lab, 3, "SENTINEL", "CKQUORUM", "mymaster", NULL),
                  "OK 3 usable Sentinels. Quorum and failover authorization can be reached");
    assert_true(lab_kill(lab, 0));
    struct moved m = {lab, 0, 0};
    assert_true(wait_until(has_moved, &m, 30000));
    lab_stop(lab);
}

static bool is_dead(void *context)
{
    return !proc_alive(*(pid_t *)context);
}

static bool is_removed(void *context)
{
    return access(context, F_OK) != 0;
}

static void lab_dies_with_a_killed_test(void **state)
{
    struct {
        pid_t server;
        char dir[LAB_PATH];
    } seen = {0};
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        struct lab *lab = lab_start(&(struct lab_options){.kind = LAB_SINGLE});
        if (lab) {
            seen.server = lab_pid(lab, 0);
            memcpy(seen.dir, lab_dir(lab), strlen(lab_dir(lab)) + 1);
        }
        if (write(ends[1], &seen, sizeof(seen)) != (ssize_t)sizeof(seen))
            abort();
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(proc_wait(child, 60000), 128 + SIGKILL);
    assert_int_equal(read(ends[0], &seen, sizeof(seen)), sizeof(seen));
    assert_true(seen.server > 0);
    assert_true(wait_until(is_dead, &seen.server, 15000));
    assert_true(wait_until(is_removed, seen.dir, 15000));
    close(ends[0]);
    close(ends[1]);
}

static void s3_server_is_ready_with_its_bucket(void **state)
{
    struct lab *lab = lab_start(&(struct lab_options){.kind = LAB_S3_ONLY});
    struct proc_result r;
    (void)state;
    assert_non_null(lab);
    const struct lab_s3 *s3 = lab_s3(lab);
    char user[256], url[256];
    snprintf(user, sizeof(user), "%s:%s", s3->access_key, s3->secret_key);
    snprintf(url, sizeof(url), "%s/%s?list-type=2", s3->endpoint_tls, s3->bucket);
    const char *argv[] = {"curl",        "-s",
                          "--cacert",    s3->ca_file,
                          "--aws-sigv4", "aws:amz:us-east-1:s3",
                          "-H",          "x-amz-content-sha256: UNSIGNED-PAYLOAD",
                          "--user",      user,
                          url,           NULL};
    assert_true(proc_run(argv, NULL, &r));
    assert_non_null(strstr(r.out, "<ListBucketResult"));
    proc_result_release(&r);
    lab_stop(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cluster_survives_a_killed_primary),
        cmocka_unit_test(cluster_with_tls_and_roles_answers_only_the_known),
        cmocka_unit_test(paused_node_comes_back),
        cmocka_unit_test(sentinels_fail_over),
        cmocka_unit_test(lab_dies_with_a_killed_test),
        cmocka_unit_test(s3_server_is_ready_with_its_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
