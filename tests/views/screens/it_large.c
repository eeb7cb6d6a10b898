/* A hundred shards, three hundred nodes, in the real program: verbs and screens, both sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/harness/fake_cluster.h"
#include "tests/harness/proc.h"
#include "tests/harness/tmpdir.h"
#include "tests/harness/wait.h"

#define SHARDS 100
#define NODES 300

struct world {
    struct fake_cluster *cluster;
    const char *dir;
    const char *config;
};

static int setup(void **state)
{
    static struct world w;
    char text[400];

    w.cluster = fake_cluster_start(SHARDS, NODES / SHARDS - 1);
    w.dir = tmpdir_new();
    w.config = tmpdir_path(w.dir, "config.json");
    (void)snprintf(text, sizeof(text),
                   "{\"redis_nodes\":{\"local\":{\"nodes\":[\"127.0.0.1:%u\"]}},"
                   "\"state_dir\":\"%s/state\"}",
                   (unsigned)fake_cluster_port(w.cluster, 7), w.dir);
    tmpdir_write(w.config, text, strlen(text));
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    const struct world *w = *state;

    fake_cluster_stop(w->cluster);
    return 0;
}

static char *run(const struct world *w, int status, const char *verb)
{
    const char *argv[] = {proc_rbconsole(), "-c", w->config, verb, NULL};
    struct proc_result r;
    char *out;

    assert_true(proc_run(argv, NULL, &r));
    if (r.status != status)
        fail_msg("%s ended with %d: %s%s", verb, r.status, r.out, r.err);
    out = strdup(r.out);
    assert_non_null(out);
    proc_result_release(&r);
    return out;
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;

    for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what))
        n++;
    return n;
}

static void verbs_tell_all_of_it_in_time(void **state)
{
    const struct world *w = *state;
    int64_t began = wait_now_ms();
    char *out = run(w, 0, "status");

    assert_true(wait_now_ms() - began < wait_scale(8000));
    assert_non_null(strstr(out, "nodes  300 of 300 answer"));
    assert_non_null(strstr(out, "16384 of 16384 served"));
    assert_non_null(strstr(out, "keys   1,000 (INFO)"));
    assert_int_equal(count(out, " primary "), SHARDS);
    assert_int_equal(count(out, " replica "), NODES - SHARDS);
    assert_non_null(strstr(out, "\nZ     127.0.0.1:"));
    assert_non_null(strstr(out, "\naa    127.0.0.1:"));
    assert_non_null(strstr(out, "\ncv    127.0.0.1:"));
    assert_null(strstr(out, "view\n")); /* a view that was not asked for is no disagreement */
    free(out);
    out = run(w, 0, "slots");
    assert_int_equal(count(out, "\n"), SHARDS + 1);
    assert_non_null(strstr(out, "16220-16383"));
    free(out);
}

/* Runs a key script; the screens are in dir. */
static void play(const struct world *w, const char *size, const char *script)
{
    const char *file = tmpdir_path(w->dir, "script");
    const char *argv[] = {proc_rbconsole(), "-c", w->config, "--size", size,
                          "--script",       file, "--dump",  w->dir,   NULL};
    struct proc_result r;

    tmpdir_write(file, script, strlen(script));
    assert_true(proc_run(argv, NULL, &r));
    if (r.status != 0)
        fail_msg("script ended with %d: %s%s", r.status, r.out, r.err);
    proc_result_release(&r);
}

static void expect(const struct world *w, const char *dump, const char *const *texts)
{
    char *screen = tmpdir_read(tmpdir_path(w->dir, dump), NULL);

    assert_non_null(screen);
    for (size_t i = 0; texts[i] != NULL; i++) {
        if (strstr(screen, texts[i]) == NULL) {
            print_message("%s\n", screen);
            fail_msg("%s does not show %s", dump, texts[i]);
        }
    }
    free(screen);
}

#define EXPECT(w, dump, ...) expect((w), (dump), (const char *const[]){__VA_ARGS__, NULL})

static void screens_show_shards_past_z_and_the_map_zooms(void **state)
{
    const struct world *w = *state;

    play(w, "120x36",
         "wait 20s 300/300\ndump cluster\nkey z\nwait 5s slot 0\ndump slots\nkey +\ndump near\n"
         "key _\ndump far\nkey j\ndump moved\n");
    EXPECT(w, "cluster.txt", "SLOTS 16384/16384 ok", "Topology  300 rows", "KEYS 1.00k");
    EXPECT(w, "slots.txt", "16 slots/cell  A-Z a-z shard  > moving", "4096 ZZZZZZZZZZaaaaaaaaaabb",
           "slot 0: shard A");
    EXPECT(w, "near.txt", "8 slots/cell", "     0 AAAAAAAAAAAAAAAAAAAABB");
    EXPECT(w, "far.txt", "16 slots/cell");
    EXPECT(w, "moved.txt", "slot 1024: shard G");
    play(w, "80x24", "wait 20s 300/300\ndump cluster\nkey z\nwait 5s slot 0\ndump slots\n");
    EXPECT(w, "cluster.txt", "nodes 300/300", "slots 16384/16384");
    EXPECT(w, "slots.txt", "32 slots/cell", "4096 ZZZZZaaaaabbbbb");
}

static void a_dead_shard_among_a_hundred_is_on_top_of_what_is_said(void **state)
{
    const struct world *w = *state;
    struct fake_node *nodes = fake_cluster_edit(w->cluster);
    char *out;

    nodes[60].fail = true;
    nodes[60].manner = FAKE_GONE;
    fake_cluster_done(w->cluster);
    fake_cluster_manner(w->cluster, 60, FAKE_GONE);
    out = run(w, 1, "check");
    assert_non_null(strstr(out, "local: fail"));
    assert_non_null(strstr(out, "299 of 300 answer"));
    assert_non_null(strstr(out, "slots are owned by a node that is down: 9830-9993"));
    assert_non_null(strstr(out, "(990 on 99 of 100 primaries, the others are unknown)"));
    free(out);
    play(w, "120x36", "wait 20s 299/300\ndump cluster\n");
    EXPECT(w, "cluster.txt", "STATE fail", "299/300", "164 FAIL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verbs_tell_all_of_it_in_time),
        cmocka_unit_test(screens_show_shards_past_z_and_the_map_zooms),
        cmocka_unit_test(a_dead_shard_among_a_hundred_is_on_top_of_what_is_said),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
