/* Uploads that a killed backup left in the bucket, and one that still runs. Fault test 23. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/s3/s3.h"
#include "tests/harness/cli_run.h"
#include "tests/harness/lab.h"
#include "tests/harness/proc.h"
#include "tests/harness/wait.h"

#define KEYS "1500" /* of 8 KiB each, nothing that gzip could shrink */
#define RATE "60"   /* keys a second: the upload takes 25 s, its first part is there after 12 */
#define WAIT_MS 90000

static struct lab *lab;
static struct s3 *s3;
static char config[300]; /* the lab's, with the smallest parts */

/* A tenth at a time: no script may run for long. */
static bool fill(void)
{
    bool ok = true;
    for (int tenth = 0; ok && tenth < 10; tenth++) {
        char script[400];
        (void)snprintf(script, sizeof(script),
                       "math.randomseed(%d) for i=1," KEYS "/10 do local t={} for j=1,8192 do "
                       "t[j]=string.char(math.random(0,255)) end "
                       "redis.call('SET','k%d.'..i,table.concat(t)) end return 'done'",
                       tenth, tenth);
        char *said = lab_cli(lab, 0, "EVAL", script, "0", NULL);
        ok = said != NULL && strcmp(said, "done") == 0;
        free(said);
    }
    return ok;
}

static pid_t start_backup(void)
{
    const char *argv[] = {proc_rbconsole(), "-c", config, "backup", "--stream", "--rate", RATE,
                          "--chunk-keys",   "50", "-q",   NULL};
    pid_t pid = proc_start(argv, NULL, NULL);
    assert_true(pid > 0);
    return pid;
}

static size_t count_uploads(char ids[][200], size_t max)
{
    struct s3_uploads uploads;
    struct error err = {.text = ""};
    if (!s3_list_uploads(s3, STR("backups/redis-backup-"), &uploads, &err))
        fail_msg("%s", err.text);
    size_t count = uploads.count;
    for (size_t i = 0; i < count && i < max; i++)
        str_copy(uploads.items[i].upload_id, ids[i], sizeof(ids[i]));
    s3_uploads_release(&uploads);
    return count;
}

static bool has_uploads(void *wanted)
{
    return count_uploads(NULL, 0) >= *(const size_t *)wanted;
}

static void doctor(struct proc_result *r, const char *option)
{
    cli_run(lab, NULL, r, "doctor", option, NULL);
}

static bool write_config(void)
{
    json_error_t why;
    json_t *doc = json_load_file(lab_config_file(lab), 0, &why);
    json_t *storage = json_object_get(doc, "storage");
    (void)snprintf(config, sizeof(config), "%s/small-parts.json", lab_dir(lab));
    bool ok = json_object_set_new(storage, "part_size_mb", json_integer(5)) == 0 &&
              json_dump_file(doc, config, 0) == 0;
    json_decref(doc);
    return ok;
}

static void a_killed_jobs_upload_is_aborted_and_a_living_ones_is_not(void **state)
{
    (void)state;
    struct proc_result r;
    char ids[4][200];
    char live[4][200];
    size_t two = 2;
    pid_t victim = start_backup();
    pid_t living = start_backup();
    assert_true(wait_until(has_uploads, &two, WAIT_MS));
    assert_int_equal(proc_stop(victim, SIGKILL), 128 + SIGKILL);
    doctor(&r, NULL);
    cli_expect(&r, 0, "was never finished", NULL);
    cli_expect(&r, 0, " (crashed)) and costs storage", NULL);
    cli_expect(&r, 0, " is being written by B-000", NULL);
    proc_result_release(&r);
    assert_int_equal(count_uploads(ids, 4), 2); /* looking aborts nothing */
    doctor(&r, "--fix");
    cli_expect(&r, 0, "aborted backups/redis-backup-", NULL);
    cli_expect(&r, 0, " is being written by B-000", NULL);
    proc_result_release(&r);
    assert_int_equal(count_uploads(live, 4), 1);
    assert_true(strcmp(live[0], ids[0]) == 0 || strcmp(live[0], ids[1]) == 0);
    assert_true(proc_alive(living));
    assert_int_equal(proc_wait(living, WAIT_MS), 0); /* and its backup is whole */
    cli_run(lab, NULL, &r, "list", "--s3", "--details", NULL);
    cli_expect(&r, 0, "complete\t1,500 keys", NULL);
    proc_result_release(&r);
    assert_int_equal(count_uploads(live, 4), 0);
}

/* SIGTERM is the polite way: nothing is left for doctor. */
static void a_cancelled_job_leaves_no_upload(void **state)
{
    (void)state;
    size_t one = 1;
    pid_t pid = start_backup();
    assert_true(wait_until(has_uploads, &one, WAIT_MS));
    assert_int_equal(proc_stop(pid, SIGTERM), 5);
    assert_int_equal(count_uploads(NULL, 0), 0);
}

static int start(void **state)
{
    const struct lab_options options = {.kind = LAB_SINGLE, .s3 = true};
    struct error err;
    (void)state;
    if (!s3_global_init(&err) || (lab = lab_start(&options)) == NULL)
        return -1;
    const struct lab_s3 *server = lab_s3(lab);
    const struct s3_options o = {.bucket = server->bucket,
                                 .endpoint_url = server->endpoint,
                                 .region = server->region,
                                 .access_key = server->access_key,
                                 .secret_key = server->secret_key};
    return fill() && write_config() && s3_new(&o, &s3, &err) ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    s3_free(s3);
    lab_stop(lab);
    s3_global_release();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_jobs_upload_is_aborted_and_a_living_ones_is_not),
        cmocka_unit_test(a_cancelled_job_leaves_no_upload),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
