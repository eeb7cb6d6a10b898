/*
 * it_restless.c - faults 6 and 8 while the program backs up: a slot with its keys that goes to and
 * fro between two primaries all the time, and a list of 1,000,000 elements that a client pushes to
 * and pops from all the time. What could not be read in one piece is never passed off as if it had
 * been. 100,000 keys and ten backups of the list with FAULTS=full, else 15,000 and three.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/arena.h"
#include "core/base/attr.h"
#include "core/base/clock.h"
#include "core/base/rng.h"
#include "core/redis/conn.h"
#include "core/redis/slot.h"
#include "tests/faults/fixture_whole.h"
#include "tests/harness/proc.h"
#include "tests/harness/tmpdir.h"
#include "tests/harness/wait.h"

#define PRIMARIES 3
#define LENGTH 1000000
#define LIST "{restless}:list"

static struct whole whole;
static atomic_bool stop;

/* ---- connections of the test's own: a process for each command would leave gaps ----------------
 */

static struct conn *connect_to(size_t node)
{
    struct address a = {.host = "127.0.0.1", .port = (uint16_t)lab_port(whole.lab, node)};
    struct conn *c = conn_new(&a, &(struct conn_options){.command_timeout_ms = 60000});
    struct error err = {0};

    if (!conn_open(c, &err))
        fail_msg("%s", err.text);
    return c;
}

static const struct reply *tell(struct conn *c, struct command command)
{
    struct error err = {0};
    const struct reply *r;

    if (!conn_call(c, command, 0, &r, &err))
        fail_msg("%s", err.text);
    if (r->type == REPLY_ERROR)
        fail_msg("%.*s: %.*s", (int)command.argv[0].len, command.argv[0].ptr, (int)r->str.len,
                 r->str.ptr);
    return r;
}

/* ---- 6: a slot that never rests -----------------------------------------------------------------
 */

struct mover {
    struct conn *conn[PRIMARIES];
    char *id[PRIMARIES];
    char port[2][8];
    char slot[8];
    atomic_int moves;
};

static void set_slot(struct mover *m, size_t node, const char *how, size_t peer)
{
    (void)tell(m->conn[node], COMMAND(STR("CLUSTER"), STR("SETSLOT"), str_from(m->slot),
                                      str_from(how), str_from(m->id[peer])));
}

static void move_keys(struct mover *m, size_t from, size_t to)
{
    struct str argv[7 + 1000] = {STR("MIGRATE"), STR("127.0.0.1"), str_from(m->port[to]),
                                 STR(""),        STR("0"),         STR("60000"),
                                 STR("KEYS")};
    struct arena arena = {0};
    const struct reply *r =
        reply_copy(&arena, tell(m->conn[from], COMMAND(STR("CLUSTER"), STR("GETKEYSINSLOT"),
                                                       str_from(m->slot), STR("1000"))));

    for (size_t i = 0; i < r->count; i++)
        argv[7 + i] = r->elements[i].str;
    if (r->count > 0)
        (void)tell(m->conn[from], (struct command){argv, 7 + r->count});
    arena_release(&arena);
}

static long long epoch_at(struct mover *m, size_t node)
{
    static const char name[] = "cluster_current_epoch:";
    const struct reply *r = tell(m->conn[node], COMMAND(STR("CLUSTER"), STR("INFO")));
    char *text = mem_copy_str(r->str);
    const char *at = strstr(text, name);
    long long epoch = at != NULL ? strtoll(at + strlen(name), NULL, 10) : -1;

    free(text);
    return epoch;
}

/* A node takes a slot for good only with an epoch above all that it has heard of: so each hears of
 * the last move before the next one begins. */
static void spread(struct mover *m, size_t to)
{
    long long epoch = epoch_at(m, to);
    int64_t deadline = clock_after(wait_scale(30000));

    for (size_t i = 0; i < PRIMARIES; i++)
        while (epoch_at(m, i) < epoch) {
            if (clock_mono_ms() > deadline)
                fail_msg("node %zu never heard of epoch %lld", i, epoch);
            clock_sleep_ms(1);
        }
}

static void move_slot(struct mover *m, size_t from, size_t to)
{
    set_slot(m, to, "IMPORTING", from);
    set_slot(m, from, "MIGRATING", to);
    move_keys(m, from, to);
    set_slot(m, to, "NODE", to);
    set_slot(m, from, "NODE", to);
    set_slot(m, 2, "NODE", to);
    spread(m, to);
    atomic_fetch_add(&m->moves, 1);
}

static void *move_to_and_fro(void *arg)
{
    struct mover *m = arg;

    while (!atomic_load(&stop)) {
        move_slot(m, 0, 1);
        move_slot(m, 1, 0);
    }
    return NULL;
}

/* A slot of the first primary with three keys or more. */
static void choose_slot(struct mover *m)
{
    for (unsigned slot = 0; slot <= 5460; slot++) {
        (void)snprintf(m->slot, sizeof(m->slot), "%u", slot);
        if (tell(m->conn[0], COMMAND(STR("CLUSTER"), STR("COUNTKEYSINSLOT"), str_from(m->slot)))
                ->integer >= 3)
            return;
    }
    fail_msg("no slot holds three keys");
}

static void mover_open(struct mover *m)
{
    for (size_t i = 0; i < PRIMARIES; i++) {
        m->conn[i] = connect_to(i);
        m->id[i] = lab_cli(whole.lab, i, "CLUSTER", "MYID", NULL);
        if (i < 2)
            (void)snprintf(m->port[i], sizeof(m->port[i]), "%d", lab_port(whole.lab, i));
    }
    choose_slot(m);
}

static void mover_close(struct mover *m)
{
    for (size_t i = 0; i < PRIMARIES; i++) {
        conn_free(m->conn[i]);
        free(m->id[i]);
    }
}

/* metadata.json of the backup that the program said it wrote. */
static json_t *manifest_of(const struct program *p, const char **dir)
{
    static const char label[] = "Backup written: ";
    char *said = tmpdir_read(p->said, NULL);
    char *path = said != NULL ? strstr(said, label) : NULL;
    json_t *manifest;

    assert_non_null(path);
    path += strlen(label);
    path[strcspn(path, "\n")] = '\0';
    *dir = tmpdir_path(path, "");
    manifest = json_load_file(tmpdir_path(path, "metadata.json"), 0, NULL);
    assert_non_null(manifest);
    free(said);
    return manifest;
}

static const char *text_of(const json_t *doc, const char *name)
{
    const char *text = json_string_value(json_object_get(doc, name));

    return text != NULL ? text : "";
}

static void a_slot_that_never_rests_makes_the_backup_incomplete(void **ctx UNUSED)
{
    /* Eight seconds for each round, or three. */
    char *rate = mem_format("%lld", whole.keys / (faults_full() ? 8 : 3));
    struct program p = program_new(&whole);
    const char *to = tmpdir_new();
    const char *const words[] = {"backup", "--backup-dir", to, "--no-upload", "--rate", rate, NULL};
    struct mover m = {0};
    pthread_t thread;
    const char *dir;
    json_t *manifest;

    mover_open(&m);
    atomic_store(&stop, false);
    assert_int_equal(pthread_create(&thread, NULL, move_to_and_fro, &m), 0);
    program_expect(&p, program_start(&p, words), 1, "topology unstable");
    assert_true(atomic_load(&m.moves) > 100);
    atomic_store(&stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    mover_close(&m);
    manifest = manifest_of(&p, &dir);
    assert_true(json_is_false(json_object_get(manifest, "complete")));
    assert_non_null(strstr(text_of(manifest, "reason"), "topology unstable"));
    json_decref(manifest);
    whole_expect(&whole); /* nothing was lost by the moving itself */
    program_expect(&p, program_start(&p, words), 0, "Backup written: ");
    manifest = manifest_of(&p, &dir);
    assert_true(json_is_true(json_object_get(manifest, "complete")));
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(manifest, "totals"), "keys")),
        whole.keys);
    json_decref(manifest);
    free(rate);
}

/* ---- 8: a list that never rests -----------------------------------------------------------------
 */

/* Pushes and pops at the head: the list is a, a+1, … 1,000,000 at every moment, and only a moves.
 */
struct writer {
    struct conn *conn;
    int pause_ms; /* between two bursts */
};

static void *push_and_pop(void *arg)
{
    static const char script[] =
        "local a=tonumber(redis.call('LINDEX',KEYS[1],0)) local n=tonumber(ARGV[1]) "
        "if a<-3000 then for i=1,n do redis.call('LPOP',KEYS[1]) end "
        "else for i=1,n do redis.call('LPUSH',KEYS[1],a-i) end end";
    struct writer *w = arg;
    struct rng rng = {8};

    while (!atomic_load(&stop)) {
        char count[8];

        (void)snprintf(count, sizeof(count), "%u", (unsigned)(1 + rng_next(&rng) % 700));
        (void)tell(w->conn,
                   COMMAND(STR("EVAL"), str_from(script), STR("1"), STR(LIST), str_from(count)));
        (void)tell(w->conn, COMMAND(STR("LPUSH"), STR(LIST), STR("x")));
        (void)tell(w->conn, COMMAND(STR("LPOP"), STR(LIST)));
        if (w->pause_ms > 0)
            clock_sleep_ms(w->pause_ms);
    }
    return NULL;
}

struct reading {
    long long first, last;
    size_t count;
    bool consecutive, fuzzy;
};

/* The last run of chunks is the one that counts. */
static void read_line(struct reading *r, const json_t *line)
{
    const json_t *value = json_object_get(line, "value");
    size_t i;
    const json_t *one;

    if (json_integer_value(json_object_get(json_object_get(line, "chunk"), "seq")) == 0)
        *r = (struct reading){.consecutive = true};
    r->fuzzy = r->fuzzy || json_object_get(line, "consistency") != NULL;
    json_array_foreach(value, i, one)
    {
        long long n = strtoll(json_string_value(one), NULL, 10);

        r->consecutive = r->consecutive && (r->count == 0 || n == r->last + 1);
        r->first = r->count == 0 ? n : r->first;
        r->last = n;
        r->count++;
    }
}

static struct reading read_backup(const char *dir, const json_t *manifest)
{
    const json_t *parts = json_object_get(manifest, "parts");
    struct reading r = {0};
    size_t i;
    const json_t *part;

    json_array_foreach(parts, i, part)
    {
        char *text = tmpdir_read(tmpdir_path(dir, text_of(part, "name")), NULL);
        char *rest = text;
        char *line;

        assert_non_null(text);
        while ((line = strsep(&rest, "\n")) != NULL) {
            json_t *doc = line[0] != '\0' ? json_loads(line, 0, NULL) : NULL;

            if (strcmp(text_of(doc, "key"), LIST) == 0)
                read_line(&r, doc);
            json_decref(doc);
        }
        free(text);
    }
    return r;
}

/* Backed up once: whole as it was at one moment, or said to be fuzzy; never the one as the other.
 */
static bool back_up_list(bool quiet)
{
    struct program p = program_new(&whole);
    const char *to = tmpdir_new();
    pid_t pid = program_start(&p, (const char *const[]){"backup", "--backup-dir", to, "--no-upload",
                                                        "--match", LIST, "--strict", NULL});
    int status = proc_wait(pid, wait_scale(120000));
    struct reading r;
    json_t *manifest;
    const char *dir;
    long long fuzzy;

    manifest = manifest_of(&p, &dir);
    r = read_backup(dir, manifest);
    fuzzy = json_integer_value(json_object_get(json_object_get(manifest, "totals"), "fuzzy"));
    print_message("%zu elements from %lld, %s%s\n", r.count, r.first,
                  r.consecutive ? "in one piece" : "mixed", r.fuzzy ? ", said to be fuzzy" : "");
    assert_int_equal(fuzzy, r.fuzzy);
    assert_int_equal(status, r.fuzzy ? 1 : 0);
    assert_true(json_is_true(json_object_get(manifest, "complete")));
    if (!r.fuzzy) {
        assert_true(r.consecutive);
        assert_int_equal(r.last, LENGTH);
        assert_int_equal(r.count, LENGTH - r.first + 1);
    }
    if (quiet)
        assert_false(r.fuzzy);
    json_decref(manifest);
    (void)tmpdir_remove(to);
    return r.fuzzy;
}

static void make_list(struct conn *c)
{
    (void)tell(c, COMMAND(STR("EVAL"),
                          STR("for i=0,999 do local t={} for k=1,1000 do t[k]=i*1000+k end "
                              "redis.call('RPUSH',KEYS[1],unpack(t)) end"),
                          STR("1"), STR(LIST)));
    assert_int_equal(tell(c, COMMAND(STR("LLEN"), STR(LIST)))->integer, LENGTH);
}

static void a_list_that_never_rests_is_exact_or_said_to_be_fuzzy(void **ctx UNUSED)
{
    static const int pauses[] = {0, 20, 400};
    uint16_t slot = slot_of_key(STR(LIST));
    size_t owner = slot < 5461 ? 0 : slot < 10923 ? 1 : 2;
    int fuzzy = 0;

    for (size_t i = 0; i < (faults_full() ? 10 : COUNT_OF(pauses)); i++) {
        struct writer w = {connect_to(owner), pauses[i % COUNT_OF(pauses)]};
        pthread_t thread;

        (void)tell(w.conn, COMMAND(STR("DEL"), STR(LIST)));
        make_list(w.conn);
        atomic_store(&stop, false);
        assert_int_equal(pthread_create(&thread, NULL, push_and_pop, &w), 0);
        fuzzy += back_up_list(false);
        atomic_store(&stop, true);
        assert_int_equal(pthread_join(thread, NULL), 0);
        conn_free(w.conn);
    }
    assert_true(fuzzy > 0);
    (void)back_up_list(true);
}

/* ---- the lab ------------------------------------------------------------------------------------
 */

static int set_up(void **ctx UNUSED)
{
    return whole_start(&whole, &(struct lab_options){.replicas = -1}) ? 0 : -1;
}

static int tear_down(void **ctx UNUSED)
{
    lab_stop(whole.lab);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slot_that_never_rests_makes_the_backup_incomplete),
        cmocka_unit_test(a_list_that_never_rests_is_exact_or_said_to_be_fuzzy),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
