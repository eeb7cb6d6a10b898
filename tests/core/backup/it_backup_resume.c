#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/attr.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "tests/engine/fixture_checkpoint.h"
#include "tests/harness/cli_run.h"
#include "tests/harness/lab.h"
#include "tests/harness/proc.h"
#include "tests/harness/tmpdir.h"
#include "tests/harness/wait.h"

#define ARGS_MAX 32
#define SEEDED 2000

/* One backup of the running lab, begun by one process and ended by another. */
struct story {
    const char *state;
    const char *dir;
    pid_t pid;
};

static struct lab *lab;

/* ---- the program ------------------------------------------------------------------------------
 */

static void build_argv(const struct story *s, const char *argv[ARGS_MAX],
                       const char *const *options)
{
    size_t n = 0;

    argv[n++] = proc_rbconsole();
    argv[n++] = "-c";
    argv[n++] = lab_config_file(lab);
    argv[n++] = "--state-dir";
    argv[n++] = s->state;
    for (; *options != NULL; options++) {
        assert_true(n + 1 < ARGS_MAX);
        argv[n++] = *options;
    }
    argv[n] = NULL;
}

static void begin(struct story *s, const char *const *more)
{
    const char *options[ARGS_MAX] = {"backup", "--no-upload", "--backup-dir", NULL,
                                     "--rate", "2500",        "--chunk-keys", "150"};
    const char *argv[ARGS_MAX];
    size_t n = 8;

    *s = (struct story){.state = tmpdir_new(), .dir = tmpdir_new()};
    options[3] = s->dir;
    for (; more != NULL && *more != NULL; more++)
        options[n++] = *more;
    build_argv(s, argv, options);
    s->pid = proc_start(argv, &(struct proc_options){0}, tmpdir_path(s->state, "said"));
    assert_true(s->pid > 0);
}

/* Both outputs, malloc-ed; the status must be that. */
static char *run(const struct story *s, int status, const char *const *options)
{
    const char *argv[ARGS_MAX];

    build_argv(s, argv, options);
    return cli_said(argv, 240000, status);
}
#define RUN(s, status, ...) run(s, status, (const char *const[]){__VA_ARGS__, NULL})

static char *resume(const struct story *s, int status)
{
    return RUN(s, status, "backup", "--resume", "B-0001");
}

/* ---- its checkpoint ---------------------------------------------------------------------------
 */

struct until {
    const struct story *story;
    const char *kind;
    size_t count;
};

static bool has_lines(void *context)
{
    const struct until *u = context;

    return checkpoint_lines(u->story->state, u->kind, false, NULL) >= u->count;
}

static void wait_for_lines(const struct story *s, const char *kind, size_t count)
{
    assert_true(wait_until(has_lines, &(struct until){s, kind, count}, 60000));
}

static bool has_solid_marks(void *context)
{
    const struct until *u = context;

    return checkpoint_solid_marks(u->story->state) >= u->count;
}

static void kill_now(const struct story *s)
{
    assert_true(proc_alive(s->pid));
    assert_int_equal(proc_stop(s->pid, SIGKILL), 128 + SIGKILL);
}

static void kill_at(const struct story *s, const char *kind, size_t count)
{
    wait_for_lines(s, kind, count);
    kill_now(s);
}

static void kill_at_solid_marks(const struct story *s, size_t count)
{
    assert_true(wait_until(has_solid_marks, &(struct until){s, NULL, count}, 60000));
    kill_now(s);
}

/* ---- what is on disk --------------------------------------------------------------------------
 */

/* The path of the only entry that ends so, or NULL; to be freed. */
static char *entry(const struct story *s, const char *suffix)
{
    struct error err;
    char **names;
    size_t count;
    char *found = NULL;

    assert_true(file_list(s->dir, &names, &count, &err));
    for (size_t i = 0; i < count; i++)
        if (str_ends(str_from(names[i]), suffix) && found == NULL)
            found = file_join(s->dir, names[i]);
    file_list_free(names, count);
    return found;
}

static void expect_nothing_finished(const struct story *s)
{
    struct error err;
    char **names;
    size_t count;
    char *listed = RUN(s, 0, "list", "--local", "--backup-dir", s->dir);

    assert_null(strstr(listed, "redis-backup-"));
    free(listed);
    assert_true(file_list(s->dir, &names, &count, &err));
    for (size_t i = 0; i < count; i++)
        assert_true(str_ends(str_from(names[i]), ".partial"));
    file_list_free(names, count);
}

static json_t *manifest(const struct story *s)
{
    char *archive = entry(s, ".tar.gz");
    char *path;
    struct error err = {0};
    json_t *doc;

    assert_non_null(archive);
    archive[strlen(archive) - strlen(".tar.gz")] = '\0';
    path = file_join(archive, "metadata.json");
    doc = json_read_file(path, (size_t)64 << 20, &err);
    assert_non_null(doc);
    free(path);
    free(archive);
    return doc;
}

/* Complete, of the same id, every key there as the servers hold it, nothing left over. */
static json_t *expect_whole(const struct story *s)
{
    json_t *m = manifest(s);
    char *archive = entry(s, ".tar.gz");
    char *partial = entry(s, ".partial");
    char *tree = mem_copy_str(str_slice(str_from(archive), 0, strlen(archive) - 7));

    assert_true(json_flag(m, "complete", false));
    assert_int_equal(json_int(json_object_get(m, "totals"), "keys", 0), lab_keys(lab));
    free(RUN(s, 0, "verify", "-i", archive, "--full"));
    free(RUN(s, 0, "verify", "-i", tree, "--full"));
    assert_null(partial);
    assert_non_null(strstr(archive, json_text(m, "backup_id", "?")));
    free(tree);
    free(archive);
    return m;
}

static bool says(const json_t *m, const char *list, const char *words)
{
    const json_t *texts = json_object_get(m, list);

    for (size_t i = 0; i < json_array_size(texts); i++)
        if (strstr(json_string_value(json_array_get(texts, i)), words) != NULL)
            return true;
    return false;
}

/* ---- stories ----------------------------------------------------------------------------------
 */

static void start(const char *flavor)
{
    lab = lab_start(&(struct lab_options){.flavor = flavor, .replicas = -1});
    assert_non_null(lab);
    assert_true(lab_seed(lab, SEEDED));
    assert_true(lab_wait_ok(lab, 20000));
}

static int stop(void **state UNUSED)
{
    lab_stop(lab);
    lab = NULL;
    return 0;
}

static void killed_in_the_middle_it_reads_only_the_rest(void)
{
    struct story s;
    int64_t rest;
    json_t *m;

    begin(&s, NULL);
    kill_at(&s, "mark", 6);
    expect_nothing_finished(&s);
    free(resume(&s, 0));
    m = expect_whole(&s);
    (void)checkpoint_lines(s.state, "part", true, &rest);
    assert_true(rest > 0 && rest < lab_keys(lab) * 9 / 10);
    assert_true(says(m, "warnings", "resumed after a run that began"));
    json_decref(m);
    free(RUN(&s, 4, "backup", "--resume", "B-0001")); /* it is done */
}

static void killed_twice_it_still_ends_well(void)
{
    struct story s;
    const char *argv[ARGS_MAX];

    begin(&s, NULL);
    kill_at(&s, "part", 6);
    build_argv(&s, argv, (const char *const[]){"backup", "--resume", "B-0001", NULL});
    s.pid = proc_start(argv, &(struct proc_options){0}, NULL);
    wait_for_lines(&s, "run", 2);
    kill_at(&s, "part", checkpoint_lines(s.state, "part", false, NULL) + 6);
    free(resume(&s, 0));
    json_decref(expect_whole(&s));
}

static void flip_a_byte(const char *path, long at)
{
    FILE *file = fopen(path, "r+");
    int byte;

    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    byte = fgetc(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_int_not_equal(fputc(byte ^ 1, file), EOF);
    assert_int_equal(fclose(file), 0);
}

static void a_part_damaged_meanwhile_is_read_again(void)
{
    struct story s;
    char *file;
    char *part;
    char *journal;

    begin(&s, NULL);
    kill_at(&s, "mark", 6);
    file = entry(&s, ".tar.gz.partial");
    part = mem_format("%.*s.partial/keys/keys-part-0002.jsonl",
                      (int)(strlen(file) - strlen(".tar.gz.partial")), file);
    flip_a_byte(part, 20);
    assert_int_equal(truncate(file, 1), 0); /* else the tree's copy would be mended from it */
    free(resume(&s, 0));
    journal = tmpdir_read(tmpdir_path(s.state, "jobs/B-0001/journal.jsonl"), NULL);
    assert_non_null(strstr(journal, "keys/keys-part-0002.jsonl: its size or SHA-256"));
    json_decref(expect_whole(&s));
    free(journal);
    free(part);
    free(file);
}

static void a_cancelled_one_can_be_resumed(void)
{
    struct story s;

    begin(&s, NULL);
    wait_for_lines(&s, "part", 8);
    assert_int_equal(proc_stop(s.pid, SIGTERM), 5);
    expect_nothing_finished(&s);
    free(resume(&s, 0));
    json_decref(expect_whole(&s));
}

static void an_outage_over_its_budget_stops_and_can_be_resumed(void)
{
    struct story s;
    char *said;

    begin(&s, (const char *const[]){"--outage-timeout", "2", NULL});
    wait_for_lines(&s, "part", 8);
    assert_true(lab_pause(lab, 1));
    assert_int_equal(proc_wait(s.pid, 120000), 3);
    assert_true(lab_resume(lab, 1));
    assert_true(lab_wait_ok(lab, 60000));
    said = tmpdir_read(tmpdir_path(s.state, "said"), NULL);
    assert_non_null(strstr(said, "rbconsole -e local backup --resume B-0001"));
    free(said);
    expect_nothing_finished(&s);
    free(resume(&s, 0));
    json_decref(expect_whole(&s));
}

static void other_options_are_refused(void)
{
    struct story s;
    char *said;

    begin(&s, NULL);
    kill_at(&s, "part", 2);
    said = RUN(&s, 2, "backup", "--resume", "B-0001", "--stream");
    assert_non_null(strstr(said, "--stream cannot be given with --resume"));
    free(said);
    free(RUN(&s, 2, "backup", "--resume", "B-0001", "--match", "x*"));
    free(RUN(&s, 2, "backup", "--resume", "nonsense"));
    free(RUN(&s, 1, "backup", "--resume", "B-0009"));
    free(resume(&s, 0));
    json_decref(expect_whole(&s));
}

static void on_slots_in_order(void **state UNUSED)
{
    start("valkey");
    killed_in_the_middle_it_reads_only_the_rest();
    killed_twice_it_still_ends_well();
    a_part_damaged_meanwhile_is_read_again();
    a_cancelled_one_can_be_resumed();
    an_outage_over_its_budget_stops_and_can_be_resumed();
}

/* Few slots of two shards: these are finished soon, and kept. */
static void a_finished_shard_is_kept(void)
{
    struct story s;
    int64_t rest;
    json_t *m;

    begin(&s, (const char *const[]){"--slots", "0-5460,5461-5900,11000-11400", NULL});
    kill_at_solid_marks(&s, 1);
    expect_nothing_finished(&s);
    free(resume(&s, 0));
    m = manifest(&s);
    assert_true(json_flag(m, "complete", false));
    (void)checkpoint_lines(s.state, "part", true, &rest);
    assert_true(rest > 0 && rest < json_int(json_object_get(m, "totals"), "keys", 0));
    json_decref(m);
}

/* An empty slot between 5461 and 5900, which only its owner lets go. */
static void give_empty_slot_away(const char *id)
{
    char slot[8];
    char *keys = NULL;

    for (unsigned i = 5461; i <= 5900 && (keys == NULL || strcmp(keys, "0") != 0); i++) {
        free(keys);
        (void)snprintf(slot, sizeof(slot), "%u", i);
        keys = lab_cli(lab, 1, "CLUSTER", "COUNTKEYSINSLOT", slot, NULL);
    }
    assert_string_equal(keys, "0");
    free(keys);
    for (size_t i = 0; i < 3; i++) {
        char *said = lab_cli(lab, i, "CLUSTER", "SETSLOT", slot, "NODE", id, NULL);

        assert_string_equal(said, "OK");
        free(said);
    }
}

/* What was read of a slot is of the time of another owner. */
static void slots_that_moved_between_the_runs_are_read_again(void)
{
    struct story s;
    char *id;
    json_t *m;

    begin(&s, (const char *const[]){"--slots", "0-5460,5461-5900,11000-11400", NULL});
    kill_at_solid_marks(&s, 2);
    id = lab_cli(lab, 0, "CLUSTER", "MYID", NULL);
    give_empty_slot_away(id);
    free(id);
    assert_true(lab_wait_ok(lab, 20000));
    free(resume(&s, 0));
    m = manifest(&s);
    assert_true(json_flag(m, "complete", false));
    assert_true(says(m, "topology_events", "before the backup was resumed"));
    json_decref(m);
}

static void run_doctor(const struct story *s, const char *words, bool fix)
{
    struct proc_options how = {.timeout_ms = 60000};
    const char *argv[ARGS_MAX];
    struct proc_result r;

    build_argv(s, argv, (const char *const[]){"doctor", "--offline", fix ? "--fix" : NULL, NULL});
    assert_true(proc_run(argv, &how, &r));
    if (strstr(r.out, words) == NULL)
        fail_msg("doctor: %s", r.out);
    proc_result_release(&r);
}

static void make_old(const char *path)
{
    const struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};

    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void what_nobody_wants_any_more_is_removed_by_doctor(void)
{
    struct story s;
    char *file;
    char *tree;

    begin(&s, NULL);
    kill_at(&s, "part", 4);
    file = entry(&s, ".tar.gz.partial");
    tree = mem_format("%.*s.partial", (int)(strlen(file) - strlen(".tar.gz.partial")), file);
    run_doctor(&s, "go on with rbconsole -e local backup --resume B-0001", false);
    run_doctor(&s, "go on with", true); /* not a day old */
    make_old(file);
    make_old(tree);
    run_doctor(&s, "was removed", true);
    assert_false(file_exists(file) || file_exists(tree));
    free(resume(&s, 0)); /* then there is nothing to keep, and it reads all */
    json_decref(expect_whole(&s));
    free(tree);
    free(file);
}

static void on_slots_in_any_order(void **state UNUSED)
{
    start("redis");
    a_finished_shard_is_kept();
    killed_twice_it_still_ends_well();
    other_options_are_refused();
    what_nobody_wants_any_more_is_removed_by_doctor();
    slots_that_moved_between_the_runs_are_read_again();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(on_slots_in_order, stop),
        cmocka_unit_test_teardown(on_slots_in_any_order, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
