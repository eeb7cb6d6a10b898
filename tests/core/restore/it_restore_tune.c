/*
 * it_restore_tune.c - settings of the servers are other ones while a restore with --tune runs, and
 * the old ones afterwards: at its end, after an error, a cancel, a failover; after kill -9 by the
 * next run or by doctor.
 */
#include "tests/engine/restore_kit.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/secret.h"
#include "core/restore/restore_tune.h"
#include "tests/harness/lab.h"
#include "tests/harness/proc.h"
#include "tests/harness/wait.h"

#define KEYS 3000
#define LONG_MS 60000

static struct lab *lab;
static const char *backup;

static const char *many_keys(void)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    const char *dir;

    assert_non_null(f);
    for (int i = 0; i < KEYS; i++)
        fprintf(f, "{\"key\":\"k:%d\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v\"}\n",
                i);
    assert_int_equal(fclose(f), 0);
    dir = kit_backup(text, len);
    free(text);
    return dir;
}

static bool setting_is(size_t node, const char *name, const char *value)
{
    char *said = lab_cli(lab, node, "CONFIG", "GET", name, NULL);
    const char *answer = said == NULL ? NULL : strchr(said, '\n');
    bool is = answer != NULL && strcmp(answer + 1, value) == 0;

    free(said);
    return is;
}

static void set(size_t node, const char *name, const char *value)
{
    char *said = lab_cli(lab, node, "CONFIG", "SET", name, value, NULL);

    assert_string_equal(said, "OK");
    free(said);
}

static bool all_are(const char *policy, const char *stop)
{
    for (size_t i = 0; i < lab_nodes(lab); i++)
        if (lab_pid(lab, i) != 0 && (!setting_is(i, "maxmemory-policy", policy) ||
                                     !setting_is(i, "stop-writes-on-bgsave-error", stop)))
            return false;
    return true;
}

static bool are_tuned(void *arg UNUSED)
{
    return all_are("noeviction", "no");
}

static bool are_old(void *arg UNUSED)
{
    return all_are("allkeys-lru", "yes");
}

static int start_lab(void **ctx UNUSED)
{
    backup = many_keys();
    lab = lab_start(&(struct lab_options){.kind = LAB_CLUSTER});
    return lab == NULL ? -1 : 0;
}

static int stop_lab(void **ctx UNUSED)
{
    lab_stop(lab);
    return 0;
}

static void begin(void)
{
    for (size_t i = 0; i < lab_nodes(lab); i++) {
        set(i, "maxmemory-policy", "allkeys-lru");
        set(i, "stop-writes-on-bgsave-error", "yes");
        if (lab_info_number(lab, i, "replication", "connected_slaves") > 0)
            free(lab_cli(lab, i, "FLUSHALL", NULL));
    }
}

static bool asked_to_stop(void *task)
{
    return task_cancelled(task);
}

static void start(struct kit_run *b, uint64_t rate)
{
    memset(b, 0, sizeof(*b));
    kit_open(&b->kit, backup, (uint16_t)lab_port(lab, 1));
    b->kit.target.outage_timeout_ms = 40000;
    b->kit.target.cancel = (struct cancel){.asked = asked_to_stop, .arg = b->kit.task};
    b->kit.options.policy = RESTORE_OVERWRITE;
    b->kit.options.rate = rate;
    b->kit.options.tune = true;
    kit_run_begin(b);
}

static void settings_change_for_the_run_on_every_node_and_come_back(void **ctx UNUSED)
{
    struct kit_run b;

    begin();
    start(&b, 1000);
    assert_true(wait_until(are_tuned, NULL, LONG_MS));
    kit_run_join(&b);
    if (!b.ok)
        fail_msg("%s", b.kit.err.text);
    assert_int_equal(b.kit.result.written, KEYS);
    assert_int_equal(b.kit.result.untuned, 0);
    assert_true(are_old(NULL));
    kit_close(&b.kit);
}

static void a_cancelled_run_puts_them_back(void **ctx UNUSED)
{
    struct kit_run b;

    begin();
    start(&b, 100);
    assert_true(wait_until(are_tuned, NULL, LONG_MS));
    task_cancel(b.kit.task);
    kit_run_join(&b);
    assert_false(b.ok);
    assert_int_equal(b.kit.err.code, ERROR_CANCELLED);
    assert_true(are_old(NULL));
    kit_close(&b.kit);
}

static void what_somebody_else_set_meanwhile_stays(void **ctx UNUSED)
{
    struct kit_run b;

    begin();
    start(&b, 1000);
    assert_true(wait_until(are_tuned, NULL, LONG_MS));
    set(1, "maxmemory-policy", "volatile-ttl");
    kit_run_join(&b);
    assert_true(b.ok);
    assert_true(setting_is(1, "maxmemory-policy", "volatile-ttl"));
    set(1, "maxmemory-policy", "allkeys-lru");
    assert_true(are_old(NULL));
    kit_close(&b.kit);
}

/* A replica that takes over has the same settings already, and gives them back as well. */
static void a_replica_that_takes_over_is_tuned_and_put_back(void **ctx UNUSED)
{
    struct kit_run b;

    begin();
    start(&b, 600);
    assert_true(wait_until(are_tuned, NULL, LONG_MS));
    assert_true(lab_kill(lab, 0));
    kit_run_join(&b);
    if (!b.ok)
        fail_msg("%s", b.kit.err.text);
    assert_true(are_old(NULL)); /* on those that live */
    assert_int_equal(b.kit.result.untuned, 2);
    assert_true(restore_result_findings(&b.kit.result) >= 2);
    kit_close(&b.kit);
    assert_true(lab_restart(lab, 0));
    assert_true(lab_wait_ok(lab, LONG_MS));
}

static void a_user_who_may_not_change_settings_changes_nothing(void **ctx UNUSED)
{
    struct secret password = {0};
    struct kit_run b;

    begin();
    for (size_t i = 0; i < lab_nodes(lab); i++)
        free(lab_cli(lab, i, "ACL", "SETUSER", "writer", "on", ">word", "~*", "+@all",
                     i == 1 ? "-config|set" : "+ping", NULL));
    memset(&b, 0, sizeof(b));
    kit_open(&b.kit, backup, (uint16_t)lab_port(lab, 0));
    secret_set(&password, STR("word"));
    b.kit.target.username = "writer";
    b.kit.target.password = &password;
    b.kit.options.tune = true;
    b.kit.options.policy = RESTORE_OVERWRITE;
    assert_false(kit_restore(&b.kit));
    assert_true(are_old(NULL));
    assert_int_equal(lab_keys(lab), 0);
    kit_close(&b.kit);
    secret_release(&password);
}

/* ---- the file of a run that was killed ------------------------------------------------------- */

static char *node_id(size_t node)
{
    return lab_cli(lab, node, "CLUSTER", "MYID", NULL);
}

static const char *left_file(const char *id, const char *now)
{
    const char *path = tmpdir_path(tmpdir_new(), RESTORE_TUNE_FILE);
    char text[400];
    int len = snprintf(text, sizeof(text),
                       "{\"v\":1,\"settings\":[{\"node\":\"%s\",\"addr\":\"127.0.0.1:1\","
                       "\"name\":\"maxmemory-policy\",\"old\":\"volatile-lfu\",\"now\":\"%s\"}]}",
                       id, now);

    tmpdir_write(path, text, (size_t)len);
    return path;
}

static struct restore_tune_end mend(const char *path, bool fix, bool ok)
{
    struct restore_tune_end end;
    struct kit k;

    kit_open(&k, backup, (uint16_t)lab_port(lab, 1));
    assert_int_equal(restore_tune_mend(path, &k.target, fix, &end, &k.err), ok);
    kit_close(&k);
    return end;
}

static void the_file_of_a_dead_run_is_enough_to_put_settings_back(void **ctx UNUSED)
{
    char *id = node_id(1);
    const char *path = left_file(id, "noeviction");
    struct restore_tune_end end;

    begin();
    set(1, "maxmemory-policy", "noeviction");
    end = mend(path, false, true);
    assert_int_equal(end.left, 1);
    assert_true(setting_is(1, "maxmemory-policy", "noeviction")); /* only looked */
    assert_true(file_exists(path));
    end = mend(path, true, true);
    assert_int_equal(end.put_back, 1);
    assert_true(setting_is(1, "maxmemory-policy", "volatile-lfu"));
    assert_false(file_exists(path));
    free(id);
}

static void another_value_is_not_touched_and_a_strange_node_stays_in_the_file(void **ctx UNUSED)
{
    char *id = node_id(1);
    const char *path = left_file(id, "noeviction");
    struct restore_tune_end end;

    begin();
    end = mend(path, true, true);
    assert_int_equal(end.kept, 1);
    assert_true(setting_is(1, "maxmemory-policy", "allkeys-lru"));
    assert_false(file_exists(path));
    path = left_file("0123456789012345678901234567890123456789", "noeviction");
    end = mend(path, true, true);
    assert_int_equal(end.left, 1);
    assert_true(file_exists(path));
    free(id);
}

static void a_damaged_file_is_refused_and_sets_nothing(void **ctx UNUSED)
{
    static const char *const bad[] = {
        "", "{}", "{\"settings\":[{\"node\":\"x\",\"name\":\"dir\",\"old\":\"/etc\"}]}",
        "{\"settings\":[{\"name\":\"maxmemory-policy\",\"old\":\"noeviction\"}]}"};

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const char *path = tmpdir_path(tmpdir_new(), RESTORE_TUNE_FILE);

        tmpdir_write(path, bad[i], strlen(bad[i]));
        (void)mend(path, true, false);
        assert_true(file_exists(path));
    }
}

/* ---- the program, killed ----------------------------------------------------------------------
 */

static int run_program(const char *state, char **said, const char *const *words)
{
    const char *argv[16] = {proc_rbconsole(), "-c", lab_config_file(lab), "--state-dir", state};
    struct proc_options how = {.timeout_ms = 120000};
    struct proc_result r;
    int status;

    for (size_t i = 0; words[i] != NULL; i++)
        argv[5 + i] = words[i];
    assert_true(proc_run(argv, &how, &r));
    status = r.status;
    assert_int_not_equal(asprintf(said, "%s%s", r.out, r.err), -1);
    proc_result_release(&r);
    return status;
}
#define PROGRAM(state, said, ...) run_program(state, said, (const char *const[]){__VA_ARGS__, NULL})

static void kill_a_tuned_restore(const char *state)
{
    const char *const argv[] = {proc_rbconsole(),
                                "-c",
                                lab_config_file(lab),
                                "--state-dir",
                                state,
                                "restore",
                                "-i",
                                backup,
                                "--overwrite",
                                "--tune",
                                "--rate",
                                "20",
                                NULL};
    struct proc_options how = {.timeout_ms = 120000};
    pid_t pid = proc_start(argv, &how, tmpdir_path(tmpdir_new(), "out"));

    assert_true(pid > 0);
    assert_true(wait_until(are_tuned, NULL, LONG_MS));
    (void)proc_stop(pid, SIGKILL);
    assert_true(are_tuned(NULL));
}

static void after_kill_9_doctor_names_the_settings_and_fix_puts_them_back(void **ctx UNUSED)
{
    const char *state = tmpdir_new();
    char *said;

    begin();
    kill_a_tuned_restore(state);
    assert_int_equal(PROGRAM(state, &said, "doctor"), 1);
    assert_non_null(strstr(said, "R-0001 (restore --tune) left 12 settings changed"));
    assert_true(are_tuned(NULL));
    free(said);
    assert_int_equal(PROGRAM(state, &said, "doctor", "--fix"), 0);
    assert_non_null(strstr(said, "put back 12 settings"));
    free(said);
    assert_true(are_old(NULL));
}

static void after_kill_9_the_next_restore_puts_them_back_first(void **ctx UNUSED)
{
    const char *state = tmpdir_new();
    char *said;

    begin();
    kill_a_tuned_restore(state);
    assert_int_equal(PROGRAM(state, &said, "restore", "-i", backup, "--overwrite"), 0);
    free(said);
    assert_true(are_old(NULL));
    begin();
    kill_a_tuned_restore(state);
    assert_int_equal(PROGRAM(state, &said, "restore", "--resume", "R-0003", "--rate", "none"), 0);
    free(said);
    assert_true(are_old(NULL));
}

/* Two settings of a node that is gone, before those of the run that was killed. */
static const char *add_strangers(const char *state)
{
    const char *path =
        tmpdir_path(tmpdir_path(tmpdir_path(state, "jobs"), "R-0001"), RESTORE_TUNE_FILE);
    struct error err = {0};
    json_t *doc = json_read_file(path, (size_t)1 << 20, &err);
    json_t *list = json_object_get(doc, "settings");

    assert_non_null(list);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            json_array_insert_new(
                list, 0,
                json_pack("{s:s, s:s, s:s, s:s, s:s}", "node",
                          "0123456789012345678901234567890123456789", "addr", "127.0.0.1:1", "name",
                          i == 0 ? "maxmemory-policy" : "stop-writes-on-bgsave-error", "old",
                          i == 0 ? "allkeys-lru" : "yes", "now", i == 0 ? "noeviction" : "no")),
            0);
    assert_true(json_write_file(path, doc, true, &err));
    json_decref(doc);
    return path;
}

static void a_node_that_is_gone_stops_no_later_run_and_is_not_forgotten(void **ctx UNUSED)
{
    const char *state = tmpdir_new();
    struct error err = {0};
    const char *path;
    json_t *left;
    char *said;

    begin();
    kill_a_tuned_restore(state);
    path = add_strangers(state);
    assert_int_equal(PROGRAM(state, &said, "restore", "--resume", "R-0001", "--rate", "none"),
                     1); /* a finding */
    free(said);
    assert_true(are_old(NULL));
    left = json_read_file(path, (size_t)1 << 20, &err);
    assert_int_equal(json_array_size(json_object_get(left, "settings")), 2);
    json_decref(left);
}

static size_t replica_of(size_t node)
{
    for (size_t i = 0; i < lab_nodes(lab); i++)
        if (i != node &&
            lab_info_number(lab, i, "replication", "master_port") == lab_port(lab, node))
            return i;
    fail_msg("node %zu has no replica", node);
    return 0;
}

struct pair {
    size_t primary, away;
};

static bool is_old_there(void *arg)
{
    const struct pair *p = arg;

    return setting_is(p->primary, "maxmemory-policy", "allkeys-lru") &&
           setting_is(p->primary, "stop-writes-on-bgsave-error", "yes");
}

/* All is written, settings are being put back (a replica is waited for), and servers may evict
 * again: then a primary dies, and nobody can say what it did. That is no success. */
static void a_primary_that_dies_before_it_told_of_evictions_is_a_finding(void **ctx UNUSED)
{
    struct pair p = {.primary = 1};
    struct kit_run b;

    begin();
    p.primary = (size_t)lab_primary_of(lab, 1);
    p.away = replica_of((size_t)lab_primary_of(lab, 0));
    start(&b, 2000);
    assert_true(wait_until(are_tuned, NULL, LONG_MS));
    assert_true(lab_pause(lab, p.away));
    assert_true(wait_until(is_old_there, &p, LONG_MS));
    assert_false(atomic_load(&b.done));
    assert_true(lab_kill(lab, p.primary));
    kit_run_join(&b);
    if (!b.ok)
        fail_msg("%s", b.kit.err.text);
    assert_int_equal(b.kit.result.written, KEYS);
    assert_true(restore_result_findings(&b.kit.result) > b.kit.result.untuned);
    kit_close(&b.kit);
    assert_true(lab_resume(lab, p.away));
    assert_true(lab_restart(lab, p.primary));
    assert_true(lab_wait_ok(lab, LONG_MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_change_for_the_run_on_every_node_and_come_back),
        cmocka_unit_test(a_cancelled_run_puts_them_back),
        cmocka_unit_test(what_somebody_else_set_meanwhile_stays),
        cmocka_unit_test(a_user_who_may_not_change_settings_changes_nothing),
        cmocka_unit_test(the_file_of_a_dead_run_is_enough_to_put_settings_back),
        cmocka_unit_test(another_value_is_not_touched_and_a_strange_node_stays_in_the_file),
        cmocka_unit_test(a_damaged_file_is_refused_and_sets_nothing),
        cmocka_unit_test(after_kill_9_doctor_names_the_settings_and_fix_puts_them_back),
        cmocka_unit_test(after_kill_9_the_next_restore_puts_them_back_first),
        cmocka_unit_test(a_node_that_is_gone_stops_no_later_run_and_is_not_forgotten),
        cmocka_unit_test(a_replica_that_takes_over_is_tuned_and_put_back),
        cmocka_unit_test(a_primary_that_dies_before_it_told_of_evictions_is_a_finding),
    };

    return cmocka_run_group_tests(tests, start_lab, stop_lab);
}
