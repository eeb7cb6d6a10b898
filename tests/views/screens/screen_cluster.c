/* The console on a real cluster: what an operator sees while a primary dies, fails over and comes
 * back, and when everything falls silent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/harness/lab.h"
#include "tests/harness/proc.h"
#include "tests/harness/screen.h"
#include "tests/harness/tmpdir.h"
#include "tests/harness/wait.h"

#define KEYS 60

struct fixture {
    struct lab *lab;
    struct screen *screen;
};

static int open_lab(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return -1;
    f->lab = lab_start(&(struct lab_options){0});
    if (f->lab == NULL) {
        free(f);
        return -1;
    }
    for (int i = 0; i < KEYS; i++) {
        char key[32];

        (void)snprintf(key, sizeof(key), "user:%d", i);
        free(lab_cli_routed(f->lab, "SET", key, "x", NULL));
    }
    *state = f;
    return 0;
}

static int close_lab(void **state)
{
    struct fixture *f = *state;

    screen_close(f->screen);
    lab_stop(f->lab);
    free(f);
    return 0;
}

/* The lab's configuration with ten questions a second: being suspected may last for less than one.
 */
static const char *quick_config(struct fixture *f)
{
    static const char quick[] = "{\"monitor\": {\"interval_ms\": 100},";
    const char *path = tmpdir_path(tmpdir_new(), "config.json");
    char *text = tmpdir_read(lab_config_file(f->lab), NULL);
    char whole[8192];
    int len;

    assert_non_null(text);
    assert_int_equal(text[0], '{');
    len = snprintf(whole, sizeof(whole), "%s%s", quick, text + 1);
    assert_in_range(len, 1, sizeof(whole) - 1);
    tmpdir_write(path, whole, (size_t)len);
    free(text);
    return path;
}

static void start(struct fixture *f, int w, int h)
{
    const char *const argv[] = {proc_rbconsole(), "-c",         quick_config(f),
                                "--state-dir",    tmpdir_new(), NULL};

    f->screen = screen_open(&(struct screen_spec){.argv = argv, .w = w, .h = h});
}

/* The row of a node: its address and, somewhere behind it, the words. */
static void expect_row(struct fixture *f, size_t node, const char *words, int timeout_ms)
{
    char pattern[200];

    (void)snprintf(pattern, sizeof(pattern), "%s .*%s", lab_address(f->lab, node), words);
    screen_expect_match(f->screen, pattern, timeout_ms);
}

static long shown_keys(struct fixture *f, size_t node)
{
    int y;
    long keys = -1;
    char *row;

    if (!screen_find(f->screen, lab_address(f->lab, node), NULL, &y))
        return -1;
    row = screen_row(f->screen, y);
    if (sscanf(strstr(row, lab_address(f->lab, node)), "%*s %*s %*s %*s %ld", &keys) != 1)
        keys = -1;
    free(row);
    return keys;
}

static void cluster_screen_shows_a_crash_before_during_and_after(void **state)
{
    struct fixture *f = *state;
    char *dbsize;
    long keys;

    start(f, 120, 36);
    /* before */
    screen_expect(f->screen, "STATE ok", 20000);
    screen_expect(f->screen, "16384/16384 ok", 5000);
    screen_expect(f->screen, "NODES 6/6", 5000);
    for (size_t i = 0; i < 6; i++)
        expect_row(f, i, i < 3 ? "prim ok " : "repl ok ", 5000);
    screen_expect_match(f->screen, "KEYS 60 ", 5000);
    keys = shown_keys(f, 0);
    dbsize = lab_cli(f->lab, 0, "DBSIZE", NULL);
    assert_non_null(dbsize);
    assert_int_equal(keys, strtol(dbsize, NULL, 10));
    free(dbsize);
    assert_true(keys > 0);

    /* during */
    assert_true(lab_kill(f->lab, 0));
    expect_row(f, 0, "PFAIL", 20000);
    screen_expect_match(f->screen, "SLOTS 10923/16384 ok, (5461 pfail|0 pfail, 5461 fail)", 5000);
    expect_row(f, 0, "~", 5000); /* its numbers are old now */
    expect_row(f, 0, "FAIL ", 20000);
    screen_expect_match(f->screen, "[0-9:.]+Z WARN +A +127.*suspected", 5000);
    screen_expect_match(f->screen, "CRIT +5461 slots are not served: 0-5460", 20000);

    /* after: its replica serves the same slots and keys under the same letter */
    screen_expect_match(f->screen, "[0-9:.]+Z CRIT +A +failover 127[^ ]* -> 127[^ ]*, slots",
                        30000);
    screen_expect(f->screen, "16384/16384 ok", 10000);
    screen_expect_match(f->screen, "A +127[^ ]* +prim WARN +5461 ", 10000);
    screen_expect_match(f->screen, "KEYS 60 ", 10000);
    screen_expect(f->screen, "STATE degraded", 10000);

    /* and back as a replica */
    assert_true(lab_restart(f->lab, 0));
    expect_row(f, 0, "repl ok ", 30000);
    screen_expect(f->screen, "STATE ok", 30000);
    screen_expect(f->screen, "NODES 6/6", 5000);
    screen_expect_clean_bytes(f->screen);
}

static void cluster_screen_answers_keys_and_ages_when_every_node_stops(void **state)
{
    struct fixture *f = *state;
    int64_t pressed;

    start(f, 120, 36);
    screen_expect(f->screen, "STATE ok", 20000);
    screen_expect_match(f->screen, "KEYS 60 ", 10000);
    for (size_t i = 0; i < 6; i++)
        assert_true(lab_pause(f->lab, i));
    screen_expect_match(f->screen, "NO ANSWER from 6/6 nodes", 20000);
    screen_expect(f->screen, "STATE unreachable", 5000);
    screen_expect_match(f->screen, "KEYS ~60 ", 5000);
    pressed = wait_now_ms();
    screen_keys(f->screen, "?");
    screen_expect(f->screen, "Help", 2000);
    assert_true(wait_now_ms() - pressed < wait_scale(1000));
    screen_keys(f->screen, "Esc");
    for (size_t i = 0; i < 6; i++)
        assert_true(lab_resume(f->lab, i));
    screen_expect(f->screen, "STATE ok", 30000);
    screen_expect_gone(f->screen, "NO ANSWER", 5000);
}

static void cluster_screen_fits_small_terminals(void **state)
{
    struct fixture *f = *state;

    start(f, 80, 24);
    screen_expect_match(f->screen, "ok  slots 16384/16384  nodes 6/6", 20000);
    expect_row(f, 5, "repl ok ", 5000);
    screen_expect(f->screen, "Events", 5000);
    screen_resize(f->screen, 44, 8);
    screen_expect_match(f->screen, "ok  16384/16384  6/6  60", 5000);
    screen_expect(f->screen, "alerts 0", 5000);
    screen_resize(f->screen, 120, 36);
    screen_expect(f->screen, "STATE ok", 5000);
    screen_expect(f->screen, "Coverage", 5000);
}

static void screens_show_nodes_slots_and_events(void **state)
{
    struct fixture *f = *state;

    start(f, 120, 36);
    screen_expect(f->screen, "STATE ok", 20000);
    screen_keys(f->screen, "j Enter");
    screen_expect(f->screen, "run id", 5000);
    screen_expect_match(f->screen, "replication +of 127.0.0.1:", 5000);
    screen_keys(f->screen, "3");
    screen_expect(f->screen, "slot 0: shard A", 5000);
    screen_keys(f->screen, "Right");
    screen_expect_gone(f->screen, "slot 0: shard A", 5000);
    assert_true(lab_kill(f->lab, 5));
    screen_keys(f->screen, "0");
    screen_expect_match(f->screen, "Z (WARN|CRIT) .*127", 30000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cluster_screen_shows_a_crash_before_during_and_after,
                                        open_lab, close_lab),
        cmocka_unit_test_setup_teardown(cluster_screen_answers_keys_and_ages_when_every_node_stops,
                                        open_lab, close_lab),
        cmocka_unit_test_setup_teardown(cluster_screen_fits_small_terminals, open_lab, close_lab),
        cmocka_unit_test_setup_teardown(screens_show_nodes_slots_and_events, open_lab, close_lab),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
