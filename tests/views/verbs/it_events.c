/* events and the --follow forms on a real cluster: told once however many watch, kept, limited. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/harness/lab.h"
#include "tests/harness/tmpdir.h"
#include "tests/harness/wait.h"
#include "tests/views/verbs/fixture_verb.h"

struct world {
    struct lab *lab;
    const char *config;
    const char *dir;
    /* what a condition looks for */
    const char *file;
    const char *text;
    size_t count;
};

static int setup(void **state)
{
    static struct world w;

    w.lab = lab_start(&(struct lab_options){0});
    if (w.lab == NULL)
        return -1;
    w.config = lab_config_file(w.lab);
    w.dir = tmpdir_new();
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    const struct world *w = *state;

    lab_stop(w->lab);
    return 0;
}

static size_t lines_in(const char *path)
{
    char *text = tmpdir_read(path, NULL);
    size_t count = 0;

    for (const char *at = text; at != NULL && (at = strchr(at, '\n')) != NULL; at++)
        count++;
    free(text);
    return count;
}

static bool holds(const char *path, const char *what)
{
    char *text = tmpdir_read(path, NULL);
    bool found = text != NULL && strstr(text, what) != NULL;

    free(text);
    return found;
}

static bool file_holds(void *context)
{
    const struct world *w = context;

    return holds(w->file, w->text);
}

static bool file_has_lines(void *context)
{
    const struct world *w = context;

    return lines_in(w->file) >= w->count;
}

static void await(struct world *w, const char *file, const char *text)
{
    w->file = file;
    w->text = text;
    if (!wait_until(file_holds, w, 30000)) {
        char *said = tmpdir_read(file, NULL);

        print_message("%s\n", said == NULL ? "(nothing)" : said);
        fail_msg("%s never said %s", file, text);
    }
}

static pid_t follow(const struct world *w, const char *verb, const char *out)
{
    const char *argv[] = {proc_rbconsole(), "--json", "-c", w->config, verb, "--follow", NULL};
    pid_t pid = proc_start(argv, NULL, out);

    assert_true(pid > 0);
    return pid;
}

static const char *text_or_none(const json_t *doc, const char *name)
{
    const char *text = json_string_value(json_object_get(doc, name));

    return text == NULL ? "" : text;
}

/* Each line is one JSON object, and no event is in the file twice. */
static void check_lines(const char *path)
{
    char *text = tmpdir_read(path, NULL);
    json_t *seen = json_object();
    char *rest = text;
    char *line;

    while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
        json_error_t why;
        json_t *e = json_loads(line, 0, &why);
        char key[400];

        if (e == NULL)
            fail_msg("%s: %s", why.text, line);
        (void)snprintf(key, sizeof(key), "%s %s %s %.200s", verb_text(e, "kind"),
                       verb_text(e, "level"), text_or_none(e, "node"),
                       strcmp(verb_text(e, "kind"), "role") == 0 ? verb_text(e, "text") : "");
        if (json_object_get(seen, key) != NULL)
            fail_msg("told twice: %s", line);
        json_object_set_new(seen, key, e);
    }
    json_decref(seen);
    free(text);
}

static void two_followers_tell_a_failover_and_it_is_kept_once(void **state)
{
    struct world *w = *state;
    const char *log = tmpdir_path(lab_dir(w->lab), "state/events/local.jsonl");
    const char *lock = tmpdir_path(lab_dir(w->lab), "state/events/local.jsonl.lock");
    const char *first = tmpdir_path(w->dir, "first");
    const char *second = tmpdir_path(w->dir, "second");
    const char *status = tmpdir_path(w->dir, "status");
    pid_t one = follow(w, "events", first);
    pid_t two = follow(w, "events", second);
    pid_t three = follow(w, "status", status);
    struct world third = {.file = status, .count = 3};

    await(w, lock, "\n");
    assert_true(wait_until(file_has_lines, &third, 20000));
    assert_true(lab_kill(w->lab, 0));
    await(w, first, "\"kind\":\"failover\"");
    await(w, second, "\"kind\":\"failover\"");
    await(w, first, "\"kind\":\"covered\"");
    await(w, second, "\"kind\":\"covered\"");
    /* The writer dies; what happens next is told and kept all the same. */
    assert_int_equal(proc_stop(one, SIGKILL), 128 + SIGKILL);
    assert_true(lab_restart(w->lab, 0));
    await(w, second, "\"kind\":\"recovered\"");
    await(w, log, "\"kind\":\"recovered\"");
    assert_true(proc_alive(two));
    assert_int_equal(proc_stop(two, SIGTERM), 128 + SIGTERM);
    assert_int_equal(proc_stop(three, SIGTERM), 128 + SIGTERM);
    check_lines(log);
    assert_true(holds(log, "\"shard\":\"A\""));
}

static void status_follows_as_one_object_a_line(void **state)
{
    const struct world *w = *state;
    char *text = tmpdir_read(tmpdir_path(w->dir, "status"), NULL);
    char *rest = text;
    char *line;
    size_t count = 0;
    bool failed = false;

    while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
        json_t *doc = json_loads(line, 0, NULL);

        assert_non_null(doc);
        assert_string_equal(verb_text(doc, "mode"), "cluster");
        failed = failed || strcmp(verb_text(doc, "state"), "ok") != 0;
        json_decref(doc);
        count++;
    }
    assert_true(count >= 3);
    assert_true(failed);
    free(text);
}

static void events_are_listed_and_limited(void **state)
{
    const struct world *w = *state;
    const char *log = tmpdir_path(lab_dir(w->lab), "state/events/local.jsonl");
    struct proc_result r;
    json_t *doc = verb_json(0, w->config, "events", NULL);
    size_t kept = json_array_size(verb_at(doc, "events"));

    assert_int_equal(kept, lines_in(log));
    assert_true(kept > 3);
    json_decref(doc);
    doc = verb_json(0, w->config, "events", "--limit", "2", NULL);
    assert_int_equal(json_array_size(verb_at(doc, "events")), 2);
    json_decref(doc);
    verb_run(&r, 0, w->config, "events", "--limit", "1", NULL);
    assert_true(strchr(r.out, '\n') == r.out + r.out_len - 1);
    proc_result_release(&r);
    verb_run(&r, 0, w->config, "events", NULL);
    assert_non_null(strstr(r.out, "failover"));
    assert_non_null(strstr(r.out, lab_address(w->lab, 0)));
    proc_result_release(&r);
    /* Another environment has events of its own: none. */
    verb_run(&r, 0, w->config, "-e", "dev", "events", NULL);
    assert_string_equal(r.out, "");
    proc_result_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_followers_tell_a_failover_and_it_is_kept_once),
        cmocka_unit_test(status_follows_as_one_object_a_line),
        cmocka_unit_test(events_are_listed_and_limited),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
