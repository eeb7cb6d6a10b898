#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "core/base/attr.h"
#include "tests/harness/lab.h"
#include "tests/harness/proc.h"
#include "tests/harness/tmpdir.h"

struct world {
    struct lab *lab;
    const char *dir;
    const char *state;
    const char *config; /* prd, protected, on the lab's first node */
    const char *other;  /* knows nothing of prd; same state directory */
};

static void write_config(const struct world *w, const char *path, const char *name, bool protected)
{
    char text[1200];
    snprintf(text, sizeof(text),
             "{\"redis_nodes\":{\"%s\":{\"nodes\":[\"%s\"],\"protected\":%s,"
             "\"password_file\":\"%s\"}},\"state_dir\":\"%s\"}",
             name, lab_address(w->lab, 0), protected ? "true" : "false", lab_password_file(w->lab),
             w->state);
    tmpdir_write(path, text, strlen(text));
}

static int setup(void **state)
{
    static struct world w;
    struct lab_options options = {.replicas = -1, .password = true};
    w.lab = lab_start(&options);
    w.dir = tmpdir_new();
    w.state = tmpdir_path(w.dir, "state");
    w.config = tmpdir_path(w.dir, "prd.json");
    w.other = tmpdir_path(w.dir, "other.json");
    if (w.lab == NULL)
        return -1;
    write_config(&w, w.config, "prd", true);
    write_config(&w, w.other, "local", false);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    const struct world *w = *state;
    lab_stop(w->lab);
    return 0;
}

/* Run doctor; the caller releases *r. */
static void doctor(struct proc_result *r, const char *config, const char *a, const char *b)
{
    const char *argv[] = {proc_rbconsole(), "-c", config, "doctor", a, b, NULL};
    assert_true(proc_run(argv, NULL, r));
}

static void a_healthy_environment_passes_and_is_remembered_without_its_password(void **state)
{
    const struct world *w = *state;
    struct proc_result r;
    char *memory;
    doctor(&r, w->config, NULL, NULL);
    assert_int_equal(r.status, 0);
    assert_string_equal(r.err, "");
    assert_non_null(strstr(r.out, "cluster, 3 primaries, 0 replicas"));
    assert_null(strstr(r.out, lab_password(w->lab)));
    proc_result_release(&r);
    doctor(&r, w->config, "--json", NULL);
    assert_int_equal(r.status, 0);
    assert_non_null(strstr(r.out, "\"ok\": true"));
    assert_null(strstr(r.out, lab_password(w->lab)));
    proc_result_release(&r);
    memory = tmpdir_read(tmpdir_path(w->state, "identities.json"), NULL);
    assert_non_null(strstr(memory, "\"prd\""));
    assert_null(strstr(memory, lab_password(w->lab)));
    free(memory);
}

static void another_name_for_the_protected_cluster_is_recognised(void **state)
{
    const struct world *w = *state;
    struct proc_result r;
    doctor(&r, w->other, NULL, NULL);
    assert_int_equal(r.status, 0);
    assert_non_null(strstr(r.out, "the protected cluster known as \"prd\""));
    proc_result_release(&r);
}

/* The first hex digit of every remembered id becomes another one: a different cluster. */
static void falsify_memory(const struct world *w)
{
    const char *path = tmpdir_path(w->state, "identities.json");
    size_t len = 0;
    char *text = tmpdir_read(path, &len);
    char *at = strstr(text, "\"prd\"");
    assert_non_null(at);
    for (at = strstr(at, "\"ids\""); at != NULL && *at != ']'; at++)
        if (*at >= '0' && *at <= '9')
            *at = (char)('0' + (*at - '0' + 1) % 10);
    tmpdir_write(path, text, len);
    free(text);
}

static void another_cluster_under_a_protected_name_fails_until_it_is_accepted(void **state)
{
    const struct world *w = *state;
    struct proc_result r;
    falsify_memory(w);
    doctor(&r, w->config, NULL, NULL);
    assert_int_equal(r.status, 1);
    assert_non_null(strstr(r.out, "are another cluster than before"));
    proc_result_release(&r);
    doctor(&r, w->config, NULL, NULL); /* looking does not accept */
    assert_int_equal(r.status, 1);
    proc_result_release(&r);
    doctor(&r, w->config, "--fix", NULL);
    assert_int_equal(r.status, 0);
    assert_non_null(strstr(r.out, "accepted: prd is this cluster from now on"));
    proc_result_release(&r);
    doctor(&r, w->config, NULL, NULL);
    assert_int_equal(r.status, 0);
    proc_result_release(&r);
}

static void a_wrong_password_and_a_dead_port_are_one_clear_line(void **state)
{
    const struct world *w = *state;
    const char *file = tmpdir_path(w->dir, "wrong");
    const char *wrong[] = {proc_rbconsole(), "-c", w->config, "--password-file", file,
                           "doctor",         NULL};
    const char *dead[] = {proc_rbconsole(), "-c", w->config, "-n", "127.0.0.1:1", "doctor", NULL};
    struct proc_result r;
    tmpdir_write(file, "hunter2\n", 8);
    chmod(file, 0600);
    assert_true(proc_run(wrong, NULL, &r));
    assert_int_equal(r.status, 1);
    assert_non_null(strstr(r.out, "refused the password"));
    assert_null(strstr(r.out, "hunter2"));
    proc_result_release(&r);
    assert_true(proc_run(dead, NULL, &r));
    assert_int_equal(r.status, 1);
    assert_non_null(strstr(r.out, "127.0.0.1:1: Connection refused"));
    proc_result_release(&r);
}

static void errors_before_the_verb_are_one_line_or_one_json_object(void **state)
{
    const struct world *w = *state;
    const char *text[] = {proc_rbconsole(), "-c", w->config, "-e", "stage", "list", NULL};
    const char *json[] = {proc_rbconsole(), "--json", "-c", "/nowhere/config.json", "list", NULL};
    struct proc_result r;
    assert_true(proc_run(text, NULL, &r));
    assert_int_equal(r.status, 2);
    assert_string_equal(r.out, "");
    assert_non_null(strstr(r.err, "no environment \"stage\" in prd.json; choose one of: prd\n"));
    proc_result_release(&r);
    assert_true(proc_run(json, NULL, &r));
    assert_int_equal(r.status, 2);
    assert_string_equal(r.out, "");
    assert_non_null(strstr(r.err, "{\"error\":{\"code\":\"config\",\"message\":\""));
    assert_non_null(strstr(r.err, "\"exit\":2}}\n"));
    proc_result_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_healthy_environment_passes_and_is_remembered_without_its_password),
        cmocka_unit_test(another_name_for_the_protected_cluster_is_recognised),
        cmocka_unit_test(another_cluster_under_a_protected_name_fails_until_it_is_accepted),
        cmocka_unit_test(a_wrong_password_and_a_dead_port_are_one_clear_line),
        cmocka_unit_test(errors_before_the_verb_are_one_line_or_one_json_object),
    };
    return cmocka_run_group_tests_name("doctor", tests, setup, teardown);
}
