/* The console itself in a real terminal, where no server answers: it opens all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "tests/harness/screen.h"

#define SOON 10000

static char dir[] = "/tmp/rbconsole-console-XXXXXX";
static char *binary, *state_dir, *config;

static int set_up(void **state)
{
    char self[4096] = "";
    char *slash;
    struct error err;

    (void)state;
    assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    slash = strstr(self, "/tests/");
    assert_non_null(slash);
    *slash = '\0';
    binary = file_join(self, "rbconsole");
    assert_true(file_exists(binary));
    assert_non_null(mkdtemp(dir));
    state_dir = file_join(dir, "state");
    config = file_join(dir, "config.json");
    assert_true(file_write_atomic(config,
                                  STR("{\"redis_nodes\":{"
                                      "\"local\":{\"nodes\":[\"127.0.0.1:1\"]},"
                                      "\"prd\":{\"nodes\":[\"127.0.0.1:2\"],\"label\":\"PROD\","
                                      "\"protected\":true}}}"),
                                  &err));
    return 0;
}

static int tear_down(void **state)
{
    struct error err;

    (void)state;
    assert_true(file_remove_tree(dir, &err));
    free(binary);
    free(state_dir);
    free(config);
    return 0;
}

static struct screen *start(const char *option, const char *value, int w, int h)
{
    const char *argv[] = {binary,    "--config", config, "--state-dir",
                          state_dir, option,     value,  NULL};

    return screen_open(&(struct screen_spec){.argv = argv, .w = w, .h = h});
}

static void leave(struct screen *s)
{
    int status = 0;

    screen_keys(s, "Q");
    if (!screen_wait_exit(s, SOON, &status)) {
        screen_dump(s);
        fail_msg("Q did not end the console");
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    screen_expect_restored(s);
    screen_close(s);
}

static void it_opens_although_nothing_answers_and_says_so(void **state)
{
    struct screen *s = start(NULL, NULL, 120, 36);

    (void)state;
    screen_expect(s, "rbconsole | local", SOON);
    screen_expect(s, "NO ANSWER from any node", SOON);
    screen_expect(s, "127.0.0.1:1", SOON);
    screen_expect(s, "no data", SOON);
    assert_false(screen_find(s, "0/16384", NULL, NULL)); /* not known is not none */
    screen_keys(s, "?");
    screen_expect(s, "Help:", SOON);
    screen_keys(s, "Esc");
    screen_expect_gone(s, "Help:", SOON);
    leave(s);
}

static void a_protected_environment_is_read_only_and_says_how_to_arm(void **state)
{
    struct screen *s = start("--env", "prd", 120, 36);

    (void)state;
    screen_expect_match(s, "prd \\*PROD\\* .* RO ", SOON);
    screen_keys(s, ":");
    screen_type(s, "rw 20m");
    screen_keys(s, "Enter");
    screen_expect(s, "a reason is needed", SOON);
    screen_keys(s, ":");
    screen_type(s, "rw forever because");
    screen_keys(s, "Enter");
    screen_expect(s, "want a time such as 20m", SOON);
    leave(s);
}

static void the_environment_is_switched_while_it_runs(void **state)
{
    struct screen *s = start(NULL, NULL, 120, 36);

    (void)state;
    screen_expect(s, "rbconsole | local", SOON);
    screen_keys(s, "2 0");
    screen_expect(s, "<cluster> <nodes> <events>", SOON);
    screen_keys(s, ":");
    screen_type(s, "ctx pr");
    screen_keys(s, "Tab Enter");
    screen_expect_match(s, "rbconsole \\| prd \\*PROD\\*", SOON);
    screen_expect(s, "<cluster> <events>", SOON); /* opened anew, and only that one */
    assert_false(screen_find(s, "<nodes>", NULL, NULL));
    screen_expect(s, "127.0.0.1:2", SOON);
    assert_false(screen_find(s, "127.0.0.1:1 ", NULL, NULL));
    screen_keys(s, ":");
    screen_type(s, "ctx nowhere");
    screen_keys(s, "Enter");
    screen_expect(s, "no environment is called \"nowhere\"", SOON);
    leave(s);
}

static void with_nothing_configured_it_asks_and_connects(void **state)
{
    const char *argv[] = {binary, "--state-dir", state_dir, NULL};
    char *home = mem_format("HOME=%s", dir);
    char *xdg = mem_format("XDG_CONFIG_HOME=%s", dir);
    const char *const env[] = {home, xdg, "REDIS_NODES", "ENV_PROFILE", "RBCONSOLE_CONFIG", NULL};
    char *empty = file_join(dir, "empty");
    struct error err;
    struct screen *s;

    (void)state;
    assert_true(file_make_dirs(empty, &err));
    s = screen_open(&(struct screen_spec){.argv = argv, .env = env, .dir = empty});
    screen_expect(s, "Which cluster?", SOON);
    screen_type(s, "127.0.0.1");
    screen_expect(s, "want host:port", SOON);
    screen_type(s, ":1");
    screen_expect_gone(s, "want host:port", SOON);
    screen_keys(s, "Enter Enter Enter Enter Enter Enter");
    screen_expect(s, "NO ANSWER from any node", SOON);
    screen_keys(s, ":");
    screen_type(s, "write-config mine");
    screen_keys(s, "Enter");
    screen_expect(s, "bytes to config.json", SOON);
    leave(s);
    free(empty);
    free(home);
    free(xdg);
}

static void a_rebinding_that_clashes_is_refused_before_the_screen_opens(void **state)
{
    char *path = file_join(dir, "clash.json");
    const char *argv[] = {binary, "--config", path, "--state-dir", state_dir, NULL};
    struct error err;
    struct screen *s;
    int status = 0;

    (void)state;
    assert_true(file_write_atomic(path,
                                  STR("{\"redis_nodes\":{\"local\":{\"nodes\":[\"127.0.0.1:1\"]}},"
                                      "\"ui\":{\"keys\":{\"console.refresh\":\"q\"}}}"),
                                  &err));
    s = screen_open(&(struct screen_spec){.argv = argv});
    assert_true(screen_wait_exit(s, SOON, &status));
    assert_int_equal(WEXITSTATUS(status), 2);
    screen_expect(s, "console.refresh", SOON);
    screen_expect(s, "close", SOON);
    screen_expect_restored(s);
    screen_close(s);
    free(path);
}

static void any_size_is_survived(void **state)
{
    struct screen *s = start(NULL, NULL, 120, 36);
    static const int sizes[][2] = {{200, 60}, {79, 23}, {44, 6}, {20, 5}, {1, 1}, {3, 2}};

    (void)state;
    screen_expect(s, "rbconsole | local", SOON);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        screen_resize(s, sizes[i][0], sizes[i][1]);
        screen_pump(s, 100);
        screen_keys(s, "j ?");
        screen_pump(s, 50);
        screen_keys(s, "Esc");
    }
    screen_resize(s, 120, 36);
    screen_expect(s, "rbconsole | local", SOON);
    leave(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_opens_although_nothing_answers_and_says_so),
        cmocka_unit_test(a_protected_environment_is_read_only_and_says_how_to_arm),
        cmocka_unit_test(the_environment_is_switched_while_it_runs),
        cmocka_unit_test(with_nothing_configured_it_asks_and_connects),
        cmocka_unit_test(a_rebinding_that_clashes_is_refused_before_the_screen_opens),
        cmocka_unit_test(any_size_is_survived),
    };

    return cmocka_run_group_tests_name("screen_console", tests, set_up, tear_down);
}
