/* The kit in a real terminal: this program runs itself as a small console and looks at it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "tests/harness/screen.h"
#include "tests/tui/fixture_demo.h"

#define SOON 5000

static const char *self;

static struct screen *start(const char *option, const char *const *env, int w, int h)
{
    const char *argv[] = {self, "--demo", option, NULL};

    return screen_open(&(struct screen_spec){.argv = argv, .env = env, .w = w, .h = h});
}

static void leave(struct screen *s)
{
    int status = 0;

    screen_keys(s, "q");
    if (!screen_wait_exit(s, SOON, &status)) {
        screen_dump(s);
        fail_msg("q did not end the program");
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    screen_expect_restored(s);
    screen_close(s);
}

static void hostile_bytes_are_shown_and_never_sent(void **state)
{
    struct screen *s = start(NULL, NULL, 100, 30);
    struct screen_cell cell;
    int x = 0;
    int y = 0;

    (void)state;
    screen_expect(s, "\\x1b[31mred\\x07\\x0d\\x0a", SOON);
    screen_expect(s, "\\xc2\\x9b31m c1", SOON);
    screen_expect(s, "bad \\xff\\xfe", SOON);
    screen_expect(s, "\\xe2\\x80\\xaeturned", SOON);
    screen_expect(s, "\\x1b]0;title\\x07", SOON);
    assert_true(screen_find(s, "\xed\x95\x9c\xea\xb8\x80 key", &x, &y));
    assert_true(screen_cell(s, x, y, &cell));
    assert_int_equal(cell.width, 2);
    screen_expect_clean_bytes(s);
    leave(s);
}

static void the_cursor_follows_keys_and_the_filter_narrows(void **state)
{
    struct screen *s = start(NULL, NULL, 100, 30);
    struct screen_cell cell;
    int x = 0;
    int y = 0;

    (void)state;
    screen_expect(s, "> apple", SOON);
    screen_keys(s, "j");
    screen_expect(s, "> \\x1b[31mred", SOON);
    screen_keys(s, "Down G");
    screen_expect(s, "> \\x1b]0;title", SOON);
    screen_keys(s, "/");
    screen_type(s, "bad");
    screen_expect_gone(s, "apple", SOON);
    screen_expect(s, "1 of 7", SOON);
    screen_keys(s, "Enter Esc");
    screen_expect(s, "apple", SOON);
    assert_true(screen_find(s, "bad", &x, &y));
    assert_true(screen_cell(s, x, y, &cell));
    leave(s);
}

static void help_lists_the_live_keys_and_runs_one(void **state)
{
    struct screen *s = start(NULL, NULL, 100, 30);

    (void)state;
    screen_expect(s, "apple", SOON);
    screen_keys(s, "F1");
    screen_expect(s, "Help: Demo", SOON);
    screen_expect(s, "A table of odd names.", SOON);
    screen_keys(s, "/");
    screen_type(s, "first row");
    screen_expect_gone(s, "One row down", SOON);
    screen_keys(s, "Enter Esc Esc G");
    screen_expect(s, "> \\x1b]0;title", SOON);
    screen_keys(s, "?");
    screen_expect(s, "Help: Demo", SOON);
    screen_keys(s, "/");
    screen_type(s, "first row");
    screen_keys(s, "Enter Enter");
    screen_expect(s, "> apple", SOON);
    leave(s);
}

static void the_palette_completes_and_names_the_nearest(void **state)
{
    struct screen *s = start(NULL, NULL, 100, 30);

    (void)state;
    screen_expect(s, "apple", SOON);
    screen_keys(s, ":");
    screen_type(s, "filt");
    screen_keys(s, "Tab");
    screen_expect(s, ":filter", SOON);
    screen_type(s, "red");
    screen_keys(s, "Enter");
    screen_expect_gone(s, "apple", SOON);
    screen_keys(s, "Esc :");
    screen_type(s, "filtr");
    screen_keys(s, "Enter");
    screen_expect(s, "did you mean :filter?", SOON);
    leave(s);
}

static void every_size_is_drawn_and_none_ends_it(void **state)
{
    static const int sizes[][2] = {{200, 60}, {120, 36}, {80, 24}, {79, 23}, {40, 10},
                                   {10, 3},   {1, 1},    {2, 2},   {80, 24}};
    struct screen *s = start(NULL, NULL, 120, 36);

    (void)state;
    screen_expect(s, "full", SOON);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        screen_resize(s, sizes[i][0], sizes[i][1]);
        screen_pump(s, 60);
    }
    screen_expect(s, "stacked", SOON);
    for (int i = 0; i < 200; i++)
        screen_resize(s, 20 + i % 100, 5 + i % 40);
    screen_resize(s, 120, 36);
    screen_expect(s, "full", SOON);
    screen_expect(s, "apple", SOON);
    leave(s);
}

static void a_crash_gives_the_terminal_back(void **state)
{
    struct screen *s = start(NULL, NULL, 80, 24);
    int status = 0;

    (void)state;
    screen_expect(s, "apple", SOON);
    assert_true(screen_alternate(s));
    screen_keys(s, "X");
    assert_true(screen_wait_exit(s, SOON, &status));
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    screen_expect_restored(s);
    screen_expect(s, "crashed; the terminal was restored", SOON);
    screen_close(s);
}

static void signals_that_end_it_give_the_terminal_back(void **state)
{
    static const int signals[] = {SIGTERM, SIGHUP, SIGINT};

    (void)state;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        struct screen *s = start(NULL, NULL, 80, 24);
        int status = 0;

        screen_expect(s, "apple", SOON);
        screen_signal(s, signals[i]);
        assert_true(screen_wait_exit(s, SOON, &status));
        assert_true(WIFEXITED(status));
        screen_expect_restored(s);
        screen_close(s);
    }
}

static void it_stops_and_comes_back_under_a_shell(void **state)
{
    static const char *const argv[] = {"/bin/bash", "--norc", "-i", NULL};
    static const char *const env[] = {"PS1=shell> ", NULL};
    struct screen *s = screen_open(&(struct screen_spec){.argv = argv, .env = env});
    char command[4200];
    char path[4096] = "";

    (void)state;
    assert_true(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
    (void)snprintf(command, sizeof(command), "clear; %s --demo\r", path);
    screen_expect(s, "shell>", SOON);
    screen_type(s, command);
    screen_expect(s, "> apple", SOON);
    screen_keys(s, "Ctrl-z");
    screen_expect(s, "Stopped", SOON);
    assert_false(screen_alternate(s));
    screen_type(s, "stty -a | grep -c ' isig'; fg\r");
    screen_expect(s, "> apple", SOON);
    assert_true(screen_alternate(s));
    screen_keys(s, "G");
    screen_expect(s, "> \\x1b]0;title", SOON);
    screen_keys(s, "q");
    screen_expect(s, "left in peace", SOON);
    screen_close(s);
}

static void without_a_shell_stopping_changes_nothing(void **state)
{
    struct screen *s = start(NULL, NULL, 80, 24);

    (void)state;
    screen_expect(s, "apple", SOON);
    screen_keys(s, "Ctrl-z G"); /* nobody could continue it: the kernel does not stop it */
    screen_expect(s, "> \\x1b]0;title", SOON);
    assert_true(screen_alternate(s));
    leave(s);
}

static void an_unknown_terminal_type_falls_back(void **state)
{
    /* ncurses itself leaks when it refuses a type */
    static const char *const env[] = {"TERM=xterm-nobody-knows", "ASAN_OPTIONS=detect_leaks=0",
                                      NULL};
    struct screen *s = start(NULL, env, 80, 24);

    (void)state;
    screen_expect(s, "apple", SOON);
    screen_expect(s, "TERM=xterm-nobody-knows is not known here: using xterm-256color", SOON);
    leave(s);
}

static void a_dumb_terminal_gets_a_clear_word(void **state)
{
    static const char *const env[] = {"TERM=dumb", NULL};
    struct screen *s = start(NULL, env, 80, 24);
    int status = 0;

    (void)state;
    assert_true(screen_wait_exit(s, SOON, &status));
    assert_int_equal(WEXITSTATUS(status), 2);
    screen_expect(s, "TERM=dumb cannot show a full screen", SOON);
    screen_expect_restored(s);
    screen_close(s);
}

static void without_utf8_only_ascii_is_sent(void **state)
{
    static const char *const env[] = {"LC_ALL=C", NULL};
    struct screen *s = start(NULL, env, 80, 24);
    const char *bytes;
    size_t len;

    (void)state;
    screen_expect(s, "+-[ stacked ]", SOON);
    screen_expect(s, "\\xed\\x95\\x9c", SOON);
    bytes = screen_bytes(s, &len);
    for (size_t i = 0; i < len; i++)
        assert_true((unsigned char)bytes[i] < 0x80);
    leave(s);
}

static void no_color_means_attributes_only(void **state)
{
    static const char *const env[] = {"NO_COLOR=1", NULL};
    struct screen *s = start(NULL, env, 80, 24);
    struct screen_cell cell;
    int x = 0;
    int y = 0;

    (void)state;
    screen_expect(s, "bad", SOON);
    for (y = 0; y < 24; y++)
        for (x = 0; x < 80; x++) {
            assert_true(screen_cell(s, x, y, &cell));
            assert_int_equal(cell.fg, -1);
            assert_int_equal(cell.bg, -1);
        }
    assert_true(screen_find(s, "bad", &x, &y));
    assert_true(screen_cell(s, x, y, &cell));
    assert_true(cell.bold && cell.reverse);
    leave(s);
}

static void a_stalled_line_skips_frames_and_catches_up(void **state)
{
    struct screen *s = start(NULL, NULL, 120, 36);
    int64_t deadline;

    (void)state;
    screen_expect(s, "apple", SOON);
    screen_stall(s, true);
    deadline = clock_after(1500);
    while (clock_left_ms(deadline) > 0) {
        screen_keys(s, "G g ? q");
        screen_resize(s, 119 + (int)(clock_mono_ms() % 2), 36);
        clock_sleep_ms(10);
    }
    screen_resize(s, 120, 36);
    screen_stall(s, false);
    screen_pump(s, 300);
    screen_keys(s, "Esc Esc G");
    screen_expect(s, "> \\x1b]0;title", SOON);
    screen_close(s);
}

static void an_idle_screen_sends_next_to_nothing(void **state)
{
    struct screen *s = start(NULL, NULL, 120, 36);
    int64_t deadline;
    uint64_t before;
    int64_t cpu;

    (void)state;
    screen_expect(s, "apple", SOON);
    screen_pump(s, 500);
    before = screen_bytes_total(s);
    cpu = screen_cpu_ms(s);
    deadline = clock_after(3000);
    while (clock_left_ms(deadline) > 0)
        screen_pump(s, clock_left_ms(deadline));
    assert_true(screen_bytes_total(s) - before < 600);
    assert_true(screen_cpu_ms(s) - cpu < 400);
    leave(s);
}

static void pasted_text_runs_no_command(void **state)
{
    struct screen *s = start(NULL, NULL, 80, 24);

    (void)state;
    screen_expect(s, "> apple", SOON);
    screen_type(s, "\033[200~Gq:quit\r\033[201~j");
    screen_expect(s, "> \\x1b[31mred", SOON);
    leave(s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_bytes_are_shown_and_never_sent),
        cmocka_unit_test(the_cursor_follows_keys_and_the_filter_narrows),
        cmocka_unit_test(help_lists_the_live_keys_and_runs_one),
        cmocka_unit_test(the_palette_completes_and_names_the_nearest),
        cmocka_unit_test(every_size_is_drawn_and_none_ends_it),
        cmocka_unit_test(a_crash_gives_the_terminal_back),
        cmocka_unit_test(signals_that_end_it_give_the_terminal_back),
        cmocka_unit_test(it_stops_and_comes_back_under_a_shell),
        cmocka_unit_test(without_a_shell_stopping_changes_nothing),
        cmocka_unit_test(an_unknown_terminal_type_falls_back),
        cmocka_unit_test(a_dumb_terminal_gets_a_clear_word),
        cmocka_unit_test(without_utf8_only_ascii_is_sent),
        cmocka_unit_test(no_color_means_attributes_only),
        cmocka_unit_test(a_stalled_line_skips_frames_and_catches_up),
        cmocka_unit_test(an_idle_screen_sends_next_to_nothing),
        cmocka_unit_test(pasted_text_runs_no_command),
    };

    if (argc > 1 && strcmp(argv[1], "--demo") == 0)
        return demo_main(argc > 2 && strcmp(argv[2], "ascii") == 0);
    self = "/proc/self/exe";
    return cmocka_run_group_tests_name("screen_kit", tests, NULL, NULL);
}
