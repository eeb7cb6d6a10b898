/* What consoles use: spawn, watch, journal tail, prune. The test program itself plays the job when
 * it is started with `--as-job DIR`. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/jobs/job.h"
#include "core/jobs/journal.h"
#include "core/jobs/prune.h"
#include "core/jobs/spawn.h"
#include "core/jobs/watch.h"
#include "core/jobs/watch_scan.h"
#include "tests/harness/tmpdir.h"
#include "tests/harness/wait.h"

#define DEADLINE_MS 20000

/* ---- the job ----------------------------------------------------------------------------------
 */

static bool do_nothing(struct task *t, void *ctx, json_t *result, struct error *err)
{
    (void)t;
    (void)ctx;
    (void)result;
    (void)err;
    return true;
}

static bool work(struct task *t, void *ctx, json_t *result, struct error *err)
{
    (void)ctx;
    (void)result;
    int64_t end = clock_after(60000);
    for (uint64_t n = 0; clock_left_ms(end) > 0; n++) {
        task_row(t, 0, "A", n, 0);
        if (!task_checkpoint(t, err))
            return false;
        clock_sleep_ms(5);
    }
    return true;
}

static int as_job(int argc, char **argv)
{
    struct error err = {0};
    int fd = -1;
    const char *password = NULL;
    for (int i = 3; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--job-fd") == 0 && !str_to_int(str_from(argv[i + 1]), 3, 9, &fd))
            return 2;
        password = strcmp(argv[i], "--password-file") == 0 ? argv[i + 1] : password;
    }
    struct secret s = {0};
    bool loose = false;
    if (password != NULL &&
        (!secret_load(&s, password, &loose, &err) || !str_is(secret_reveal(&s), "open sesame"))) {
        secret_release(&s);
        (void)fprintf(stderr, "first line\nno secret \x1b[31mhere\n");
        return 4;
    }
    secret_release(&s);
    struct job_spec spec = {.kind = JOB_BACKUP, .state_dir = argv[2], .env = "local", .id_fd = fd};
    int status = job_run(&spec, work, NULL, NULL, &err);
    (void)printf("said at the end\n");
    (void)fflush(stdout);
    return status;
}

static void run_quick_job(const char *dir, enum job_kind kind)
{
    struct error err = {0};
    struct job_spec spec = {.kind = kind, .state_dir = dir, .env = "local", .id_fd = -1};
    assert_int_equal(job_run(&spec, do_nothing, NULL, NULL, &err), 0);
}

/* ---- spawn ------------------------------------------------------------------------------------
 */

struct phase_wanted {
    struct spawn *spawn;
    enum spawn_phase phase;
    struct error err;
};

static bool in_phase(void *ctx)
{
    struct phase_wanted *p = ctx;
    return spawn_poll(p->spawn, &p->err) == p->phase;
}

static struct error await_phase(struct spawn *s, enum spawn_phase phase)
{
    struct phase_wanted p = {.spawn = s, .phase = phase};
    if (!wait_until(in_phase, &p, DEADLINE_MS))
        fail_msg("phase %d never came: %s", phase, p.err.text);
    return p.err;
}

static struct spawn *start_job(const char *dir, const char *password)
{
    struct error err = {0};
    struct secret secret = {0};
    const char *const args[] = {"--as-job", dir, NULL};
    struct spawn_secret secrets[] = {{"--password-file", &secret}};
    if (password != NULL)
        secret_set(&secret, str_from(password));
    struct spawn_spec spec = {
        .args = args, .secrets = secrets, .secret_count = password != NULL ? 1 : 0};
    struct spawn *s = spawn_start(&spec, &err);
    secret_release(&secret);
    if (s == NULL)
        fail_msg("%s", err.text);
    return s;
}

static void spawned_job_tells_its_id_and_gets_its_secret(void **unused)
{
    (void)unused;
    const char *dir = tmpdir_new();
    struct spawn *s = start_job(dir, "open sesame");
    (void)await_phase(s, SPAWN_STARTED);
    assert_string_equal(spawn_id(s), "B-0001");
    assert_int_equal(spawn_fd(s), -1);
    assert_int_equal(getsid(spawn_pid(s)),
                     spawn_pid(s)); /* its own session: outlives our terminal */
    char line[64];
    (void)snprintf(line, sizeof(line), "/proc/%d/cmdline", spawn_pid(s));
    size_t len = 0;
    char *argv = tmpdir_read(line, &len);
    assert_null(memmem(argv, len, "sesame", 6));
    free(argv);
    assert_int_equal(kill(spawn_pid(s), SIGTERM), 0);
    (void)await_phase(s, SPAWN_ENDED);
    assert_int_equal(spawn_exit_status(s), 5);
    char *said = tmpdir_read(tmpdir_path(dir, "jobs/B-0001/output.log"), NULL);
    assert_string_equal(said, "said at the end\n");
    free(said);
    spawn_free(s);
}

static void failed_start_is_told_in_the_childs_last_words(void **unused)
{
    (void)unused;
    struct spawn *s = start_job(tmpdir_new(), "wrong");
    struct error err = await_phase(s, SPAWN_FAILED);
    assert_non_null(strstr(err.text, "no secret \\x1b[31mhere"));
    assert_null(strchr(err.text, '\x1b'));
    assert_int_equal(spawn_exit_status(s), 4);
    spawn_free(s);
}

static void program_that_is_not_there_is_an_error(void **unused)
{
    (void)unused;
    struct error err = {0};
    const char *const args[] = {NULL};
    struct spawn_spec spec = {.program = "/nonexistent/rbconsole", .args = args};
    assert_null(spawn_start(&spec, &err));
    assert_int_equal(err.code, ERROR_INTERNAL);
}

/* ---- watch ------------------------------------------------------------------------------------
 */

struct list_wanted {
    struct watch *watch;
    const char *id;
    enum job_state state;
};

static bool listed(void *ctx)
{
    struct list_wanted *l = ctx;
    struct watch_list *list = watch_latest(l->watch);
    bool found = false;
    for (size_t i = 0; i < list->jobs.count; i++) {
        const struct job_info *info = list->jobs.items[i];
        found |= strcmp(info->id, l->id) == 0 && info->state == l->state;
    }
    watch_list_unref(list);
    return found;
}

static void await_listed(struct watch *w, const char *id, enum job_state state)
{
    struct list_wanted l = {w, id, state};
    if (!wait_until(listed, &l, DEADLINE_MS))
        fail_msg("%s was never seen %s", id, job_state_name(state));
}

static bool followed(void *ctx)
{
    struct watch_line lines[8];
    return watch_lines(ctx, "B-0001", 0, lines, COUNT_OF(lines)) >= 1 &&
           strstr(lines[0].text, "backup started") != NULL;
}

static bool refused(void *ctx)
{
    char id[JOB_ID_MAX];
    struct error why;
    return watch_failure(ctx, id, &why) && strcmp(id, "B-0001") == 0 && why.code == ERROR_REFUSED;
}

static void two_consoles_see_and_steer_one_job(void **unused)
{
    (void)unused;
    struct error err = {0};
    const char *dir = tmpdir_new();
    struct watch *one = watch_start(dir, &err); /* before there is a jobs directory */
    assert_non_null(one);
    struct spawn *s = start_job(dir, NULL);
    await_listed(one, "B-0001", JOB_RUNNING);
    struct watch *two = watch_start(dir, &err);
    await_listed(two, "B-0001", JOB_RUNNING);
    watch_follow(one, "B-0001");
    assert_true(wait_until(followed, one, DEADLINE_MS));
    watch_send(one, "B-0001", CONTROL_PAUSE, 0, "one");
    await_listed(two, "B-0001", JOB_PAUSED);
    watch_send(two, "B-0001", CONTROL_RESUME, 0, "two");
    await_listed(one, "B-0001", JOB_RUNNING);
    assert_int_equal(kill(spawn_pid(s), SIGKILL), 0);
    await_listed(one, "B-0001", JOB_CRASHED);
    await_listed(two, "B-0001", JOB_CRASHED);
    watch_send(one, "B-0001", CONTROL_CANCEL, 0, "one");
    assert_true(wait_until(refused, one, DEADLINE_MS));
    watch_free(one);
    watch_free(two);
    (void)await_phase(s, SPAWN_ENDED);
    assert_int_equal(spawn_exit_status(s), 128 + SIGKILL);
    spawn_free(s);
}

static void list_in_hand_outlives_the_watch(void **unused)
{
    (void)unused;
    struct error err = {0};
    const char *dir = tmpdir_new();
    run_quick_job(dir, JOB_VERIFY);
    struct watch *w = watch_start(dir, &err);
    await_listed(w, "V-0001", JOB_DONE);
    struct watch_list *list = watch_latest(w);
    watch_free(w);
    assert_int_equal(list->jobs.count, 1);
    assert_int_equal(list->live, 0);
    assert_string_equal(list->jobs.items[0]->env, "local");
    watch_list_unref(list);
}

static void old_jobs_are_read_once(void **unused)
{
    (void)unused;
    struct error err = {0};
    struct scan scan;
    bool changed = false;
    const char *dir = tmpdir_new();
    for (int i = 0; i < 5; i++)
        run_quick_job(dir, JOB_BACKUP);
    scan_init(&scan, dir);
    assert_true(scan_run(&scan, true, &changed, &err));
    assert_true(changed);
    assert_int_equal(scan.reads, 5);
    changed = false;
    for (int i = 0; i < 10; i++)
        assert_true(scan_run(&scan, true, &changed, &err));
    assert_false(changed);
    assert_int_equal(scan.reads, 5);
    run_quick_job(dir, JOB_BACKUP);
    assert_true(scan_run(&scan, true, &changed, &err));
    assert_true(changed);
    assert_int_equal(scan.reads, 6);
    assert_true(file_remove_tree(tmpdir_path(dir, "jobs/B-0002"), &err));
    changed = false;
    assert_true(scan_run(&scan, true, &changed, &err));
    assert_true(changed);
    struct job_list list;
    scan_list(&scan, &list);
    assert_int_equal(list.count, 5);
    assert_string_equal(list.items[0]->id, "B-0006");
    job_list_release(&list);
    scan_release(&scan);
}

/* ---- journal ----------------------------------------------------------------------------------
 */

static void tail_starts_late_and_follows(void **unused)
{
    (void)unused;
    struct error err = {0};
    struct journal_line line;
    const char *path = tmpdir_path(tmpdir_new(), "journal.jsonl");
    struct journal *j = journal_open(path, 2, &err);
    assert_non_null(j);
    assert_false(journal_next(j, &line)); /* not there yet */
    for (int i = 0; i < 5000; i++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "{\"level\":\"info\",\"text\":\"line %d\"}\n", i);
        assert_true(file_append(path, str_from(text), false, &err));
    }
    for (int i = 0; i < 5000; i++) {
        assert_true(journal_next(j, &line));
        journal_line_release(&line);
    }
    assert_false(journal_next(j, &line));
    journal_free(j);
    j = journal_open(path, 2, &err);
    assert_true(journal_next(j, &line));
    assert_string_equal(line.text, "line 4998");
    journal_line_release(&line);
    assert_true(journal_next(j, &line));
    journal_line_release(&line);
    assert_true(file_append(path, STR("{\"text\":\"ha"), false, &err));
    assert_false(journal_next(j, &line)); /* half a line is no line */
    assert_true(file_append(path, STR("lf\"}\n"), false, &err));
    assert_true(journal_next(j, &line));
    assert_string_equal(line.text, "half");
    journal_line_release(&line);
    journal_free(j);
}

static void steps_are_shown_with_what_is_not_zero(void **unused)
{
    (void)unused;
    struct error err = {0};
    struct journal_line line;
    const char *path = tmpdir_path(tmpdir_new(), "journal.jsonl");
    assert_true(
        file_append(path,
                    STR("{\"level\":\"step\",\"step\":\"parts\",\"run_id\":\"a\",\"written\":5000,"
                        "\"failed\":0,\"parts\":[1],\"node\":\"n\\u001b1\"}\n"),
                    false, &err));
    struct journal *j = journal_open(path, SIZE_MAX, &err);
    assert_true(journal_next(j, &line));
    assert_string_equal(line.text, "parts written=5000 node=n\\x1b1");
    journal_line_release(&line);
    journal_free(j);
}

static void hostile_journal_lines_are_skipped_and_escaped(void **unused)
{
    (void)unused;
    struct error err = {0};
    struct journal_line line;
    const char *path = tmpdir_path(tmpdir_new(), "journal.jsonl");
    assert_true(file_append(path, STR("garbage\n[1]\n\n\x00\xff\n"), false, &err));
    char *long_line = malloc(300000);
    memset(long_line, 'x', 300000);
    long_line[299999] = '\n';
    assert_true(file_append(path, (struct str){long_line, 300000}, false, &err));
    free(long_line);
    assert_true(file_append(path, STR("{\"text\":\"\\u001b[31mred\",\"level\":7}\n"), false, &err));
    struct journal *j = journal_open(path, SIZE_MAX, &err);
    assert_true(journal_next(j, &line));
    assert_string_equal(line.text, "\\x1b[31mred");
    assert_string_equal(line.level, "info");
    journal_line_release(&line);
    assert_false(journal_next(j, &line));
    assert_int_equal(journal_skipped(j), 4);
    journal_free(j);
}

/* ---- prune ------------------------------------------------------------------------------------
 */

static void prune_keeps_the_newest_the_young_and_the_living(void **unused)
{
    (void)unused;
    struct error err = {0};
    json_t *gone = NULL;
    const char *dir = tmpdir_new();
    struct spawn *s = start_job(dir, NULL); /* B-0001 lives */
    (void)await_phase(s, SPAWN_STARTED);
    for (int i = 0; i < 3; i++)
        run_quick_job(dir, JOB_BACKUP);
    run_quick_job(dir, JOB_VERIFY);
    assert_int_equal(mkdir(tmpdir_path(dir, "jobs/.new-dead"), 0700), 0);
    tmpdir_write(tmpdir_path(dir, "jobs/.new-dead/lock"), "", 0);
    struct prune_spec spec = {.state_dir = dir, .keep = 1, .now_ms = clock_real_ms()};
    spec.keep_ms = 3600000;
    assert_true(prune_jobs(&spec, &gone, &err));
    assert_int_equal(json_array_size(gone), 0); /* all young */
    json_decref(gone);
    spec.keep_ms = 0;
    spec.dry_run = true;
    assert_true(prune_jobs(&spec, &gone, &err));
    assert_int_equal(json_array_size(gone), 2);
    json_decref(gone);
    assert_true(file_exists(tmpdir_path(dir, "jobs/B-0002")));
    spec.dry_run = false;
    assert_true(prune_jobs(&spec, &gone, &err));
    assert_int_equal(json_array_size(gone), 2); /* B-0002, B-0003 */
    json_decref(gone);
    assert_false(file_exists(tmpdir_path(dir, "jobs/B-0002")));
    assert_true(file_exists(tmpdir_path(dir, "jobs/B-0001")));
    assert_true(file_exists(tmpdir_path(dir, "jobs/B-0004")));
    assert_true(file_exists(tmpdir_path(dir, "jobs/V-0001")));
    assert_false(file_exists(tmpdir_path(dir, "jobs/.new-dead")));
    spec.only = "B-0001";
    assert_false(prune_jobs(&spec, &gone, &err));
    json_decref(gone);
    assert_int_equal(err.code, ERROR_REFUSED);
    assert_int_equal(kill(spawn_pid(s), SIGTERM), 0);
    (void)await_phase(s, SPAWN_ENDED);
    spawn_free(s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spawned_job_tells_its_id_and_gets_its_secret),
        cmocka_unit_test(failed_start_is_told_in_the_childs_last_words),
        cmocka_unit_test(program_that_is_not_there_is_an_error),
        cmocka_unit_test(two_consoles_see_and_steer_one_job),
        cmocka_unit_test(list_in_hand_outlives_the_watch),
        cmocka_unit_test(old_jobs_are_read_once),
        cmocka_unit_test(tail_starts_late_and_follows),
        cmocka_unit_test(steps_are_shown_with_what_is_not_zero),
        cmocka_unit_test(hostile_journal_lines_are_skipped_and_escaped),
        cmocka_unit_test(prune_keeps_the_newest_the_young_and_the_living),
    };
    if (argc > 2 && strcmp(argv[1], "--as-job") == 0)
        return as_job(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
