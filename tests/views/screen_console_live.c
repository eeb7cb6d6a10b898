/* The console's frame on a real cluster: arming and disarming, copying, mouse, slow lines, idle
 * bytes, jobs seen by two consoles, and the terminal given back. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/base64.h"
#include "core/base/buf.h"
#include "tests/harness/lab.h"
#include "tests/harness/proc.h"
#include "tests/harness/screen.h"
#include "tests/harness/tmpdir.h"
#include "tests/harness/wait.h"

#define SOON 20000

static struct lab *lab;
static const char *dir, *config, *state_dir;

static int set_up(void **state)
{
    char text[800];

    (void)state;
    lab = lab_start(&(struct lab_options){0});
    if (lab == NULL)
        return -1;
    for (int i = 0; i < 300; i++) {
        char key[32];

        (void)snprintf(key, sizeof(key), "user:%d", i);
        free(lab_cli_routed(lab, "SET", key, "x", NULL));
    }
    dir = tmpdir_new();
    config = tmpdir_path(dir, "config.json");
    state_dir = tmpdir_path(dir, "state");
    (void)snprintf(text, sizeof(text),
                   "{\"redis_nodes\":{\"local\":{\"nodes\":[\"%s\"]},"
                   "\"prd\":{\"nodes\":[\"%s\"],\"label\":\"PROD\",\"protected\":true}},"
                   "\"storage\":{\"backup_dir\":\"%s/backups\"}}",
                   lab_address(lab, 1), lab_address(lab, 1), dir);
    tmpdir_write(config, text, strlen(text));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lab_stop(lab);
    return 0;
}

/* A console with one more option, perhaps with a value. */
static struct screen *start(const char *states, const char *option, const char *value)
{
    static const char *const env[] = {"TMUX", NULL};
    const char *argv[] = {proc_rbconsole(), "-c",   config, "--state-dir",
                          states,           option, value,  NULL};

    return screen_open(&(struct screen_spec){.argv = argv, .env = env, .w = 120, .h = 36});
}

static void leave(struct screen *s)
{
    int status = 0;

    screen_keys(s, "Q");
    assert_true(screen_wait_exit(s, SOON, &status));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    screen_expect_restored(s);
    screen_close(s);
}

static void command(struct screen *s, const char *line)
{
    screen_keys(s, ":");
    screen_type(s, line);
    screen_keys(s, "Enter");
}

static void arming_ends_by_itself_and_is_written_down(void **state)
{
    struct screen *s = start(state_dir, "--env", "prd");
    char *audit;

    (void)state;
    screen_expect_match(s, "prd \\*PROD\\* \\| cluster .* \\| RO \\| epoch", SOON);
    screen_expect(s, "STATE ok", SOON);
    command(s, "rw 4s INC-4411 test");
    screen_expect_match(s, "RW 0:0[0-4] left", SOON);
    screen_expect(s, "INC-4411 test", SOON);
    screen_expect(s, "read-write ended: the time of :rw is over", SOON);
    screen_expect_match(s, "\\| RO \\| epoch", SOON);
    audit = tmpdir_read(tmpdir_path(state_dir, "audit.jsonl"), NULL);
    assert_non_null(audit);
    assert_non_null(strstr(audit, "INC-4411 test"));
    free(audit);

    command(s, "rw 20m INC-4412");
    screen_expect_match(s, "RW (20:00|19:5[0-9]) left", SOON);
    screen_keys(s, "Q"); /* armed: asked first, and Enter is Cancel */
    screen_expect(s, "Leave the console?", SOON);
    screen_keys(s, "Enter");
    screen_expect_gone(s, "Leave the console?", SOON);
    command(s, "ro");
    screen_expect_match(s, "\\| RO \\| epoch", SOON);
    leave(s);
}

static bool has_bytes(struct screen *s, void *text)
{
    size_t len;
    const char *bytes = screen_bytes(s, &len);

    return memmem(bytes, len, text, strlen(text)) != NULL;
}

static void expect_osc52(struct screen *s, const char *text)
{
    struct error err;
    struct buf coded;
    char *wanted;

    buf_init(&coded, 10000);
    assert_true(base64_encode(&coded, str_from(text), &err));
    wanted = mem_format("\033]52;c;%s\a", coded.data);
    assert_true(screen_wait_until(s, has_bytes, wanted, SOON));
    free(wanted);
    buf_release(&coded);
}

static void y_copies_the_selected_thing_to_terminal_and_file(void **state)
{
    struct screen *s = start(state_dir, NULL, NULL);
    char *file;

    (void)state;
    screen_expect(s, "STATE ok", SOON);
    screen_keys(s, "y");
    expect_osc52(s, lab_address(lab, 0));
    screen_expect(s, "to the terminal (OSC 52) and ", SOON);
    file = tmpdir_read(tmpdir_path(state_dir, "copied.txt"), NULL);
    assert_string_equal(file, lab_address(lab, 0));
    free(file);
    leave(s);
}

static void without_a_state_directory_nothing_is_left_in_a_shared_place(void **state)
{
    const char *blocked = tmpdir_path(dir, "file");
    struct screen *s;
    struct stat st;

    (void)state;
    tmpdir_write(blocked, "x", 1);
    (void)remove("/tmp/copied.txt");
    s = start(tmpdir_path(blocked, "state"), NULL, NULL);
    screen_expect(s, "NO STATE DIRECTORY", SOON);
    screen_expect(s, "STATE ok", SOON);
    screen_keys(s, "y");
    expect_osc52(s, lab_address(lab, 0));
    screen_expect_match(s, "OK +[0-9]+ bytes to the terminal \\(OSC 52\\) *$", SOON);
    assert_int_not_equal(stat("/tmp/copied.txt", &st), 0);
    leave(s);
}

static void the_mouse_selects_and_scrolls(void **state)
{
    struct screen *s = start(state_dir, "--mouse", NULL);
    char press[64];
    int y = 0;

    (void)state;
    screen_expect(s, "STATE ok", SOON);
    screen_expect_match(s, "> A +127", SOON);
    assert_true(screen_find(s, lab_address(lab, 2), NULL, &y));
    (void)snprintf(press, sizeof(press), "\033[<0;10;%dM\033[<0;10;%dm", y + 1, y + 1);
    screen_send(s, press, strlen(press));
    screen_expect_match(s, "> C +127", SOON);
    (void)snprintf(press, sizeof(press), "\033[<64;10;%dM", y + 1); /* the wheel: three up */
    screen_send(s, press, strlen(press));
    screen_expect_match(s, "> A +`- 127", SOON);
    screen_keys(s, "M");
    screen_expect(s, "mouse off", SOON);
    leave(s);
}

/* How many different clocks the header shows in a time. */
static int clocks_seen(struct screen *s, int ms)
{
    int64_t end = wait_now_ms() + ms;
    char last[400] = "";
    int seen = 0;

    while (wait_now_ms() < end) {
        char *row;

        screen_pump(s, 50);
        row = screen_row(s, 0);
        if (strcmp(row, last) != 0) {
            seen++;
            (void)snprintf(last, sizeof(last), "%s", row);
        }
        free(row);
    }
    return seen;
}

static void a_slow_line_gets_a_frame_every_two_seconds_but_keys_at_once(void **state)
{
    struct screen *s = start(state_dir, "--slow", NULL);
    int64_t pressed;

    (void)state;
    screen_expect(s, "STATE ok", SOON);
    assert_in_range(clocks_seen(s, 8000), 2, 6);
    for (int i = 0; i < 3; i++) {
        pressed = wait_now_ms();
        screen_keys(s, "?");
        screen_expect(s, "Help:", SOON);
        screen_keys(s, "Esc");
        screen_expect_gone(s, "Help:", SOON);
        assert_true(wait_now_ms() - pressed < wait_scale(1500));
    }
    leave(s);
}

static void an_idle_dashboard_sends_little_and_never_clears(void **state)
{
    struct screen *s = start(state_dir, NULL, NULL);
    const char *bytes;
    size_t len;

    (void)state;
    screen_expect(s, "STATE ok", SOON);
    (void)clocks_seen(s, 2000);
    screen_bytes_reset(s);
    assert_true(clocks_seen(s, 10000) >= 5); /* it lives */
    screen_keys(s, "2 3 0 1 ?");
    screen_expect(s, "Help:", SOON);
    bytes = screen_bytes(s, &len);
    assert_null(memmem(bytes, len, "\033[2J", 4));
    assert_null(memmem(bytes, len, "\033[H\033[J", 6));
    screen_keys(s, "Esc");
    screen_expect_gone(s, "Help:", SOON);
    screen_bytes_reset(s);
    (void)clocks_seen(s, 10000);
    (void)screen_bytes(s, &len);
    assert_true(len < 20480);
    leave(s);
}

static void two_consoles_see_the_same_jobs_and_leaving_stops_none(void **state)
{
    const char *argv[] = {proc_rbconsole(), "-c",     config, "--state-dir", state_dir,
                          "backup",         "--rate", "4",    "--no-upload", NULL};
    pid_t job = proc_start(argv, NULL, NULL);
    struct screen *one = start(state_dir, "--view", "jobs");
    struct screen *two = start(state_dir, NULL, NULL);
    int status = 0;

    (void)state;
    assert_true(job > 0);
    screen_expect_match(one, "B-0001 +backup +running", SOON);
    screen_expect_match(two, "jobs 1 ", SOON);
    screen_keys(two, "5");
    screen_expect_match(two, "B-0001 +backup +running", SOON);

    screen_keys(one, "Q");
    screen_expect(one, "1 job is running; they go on without this console", SOON);
    screen_keys(one, "Tab Enter");
    assert_true(screen_wait_exit(one, SOON, &status));
    screen_expect_restored(one);
    screen_close(one);
    assert_true(proc_alive(job));

    one = start(state_dir, NULL, NULL);
    screen_expect_match(one, "jobs 1 ", SOON);
    command(one, "jobs");
    screen_expect_match(one, "B-0001 +backup +running", SOON);
    command(one, "cancel");
    screen_expect(one, "STOP B-0001  backup", SOON);
    screen_expect(one, "jobs cancel B-0001", SOON);
    screen_keys(one, "Enter"); /* is Cancel: it runs on */
    screen_expect_gone(one, "STOP B-0001", SOON);
    screen_expect_match(one, "B-0001 +backup +running", SOON);
    command(one, "cancel");
    screen_expect(one, "Stop job", SOON);
    screen_keys(one, "Tab Enter");
    screen_expect_match(one, "B-0001 +backup +cancelled", SOON);
    screen_expect_match(two, "B-0001 +backup +cancelled", SOON);
    assert_int_equal(proc_wait(job, SOON), 5);
    leave(one);
    leave(two);
}

static void signals_on_the_live_console_give_the_terminal_back(void **state)
{
    static const int signals[] = {SIGTERM, SIGHUP, SIGSEGV};

    (void)state;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        struct screen *s = start(state_dir, NULL, NULL);
        int status = 0;

        screen_expect(s, "STATE ok", SOON);
        screen_signal(s, signals[i]);
        assert_true(screen_wait_exit(s, SOON, &status));
        screen_expect_restored(s);
        assert_false(screen_alternate(s));
        screen_close(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arming_ends_by_itself_and_is_written_down),
        cmocka_unit_test(y_copies_the_selected_thing_to_terminal_and_file),
        cmocka_unit_test(without_a_state_directory_nothing_is_left_in_a_shared_place),
        cmocka_unit_test(the_mouse_selects_and_scrolls),
        cmocka_unit_test(a_slow_line_gets_a_frame_every_two_seconds_but_keys_at_once),
        cmocka_unit_test(an_idle_dashboard_sends_little_and_never_clears),
        cmocka_unit_test(two_consoles_see_the_same_jobs_and_leaving_stops_none),
        cmocka_unit_test(signals_on_the_live_console_give_the_terminal_back),
    };

    return cmocka_run_group_tests_name("screen_console_live", tests, set_up, tear_down);
}
