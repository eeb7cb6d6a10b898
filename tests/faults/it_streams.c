/*
 * it_streams.c - fault 12: streams in eight shapes, small ones and such as are read and written in
 * pieces, backed up and restored by the program. Afterwards XINFO STREAM FULL says the same but for
 * when consumers were seen, and so does XPENDING of every group. On every flavour of server with
 * FAULTS=full, else on the newest two. Where a list of pending entries is read in pages its times
 * are known to 5 ms.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/attr.h"
#include "tests/engine/fixture_stream.h"
#include "tests/harness/cli_run.h"
#include "tests/harness/lab.h"
#include "tests/harness/tmpdir.h"

#define SMALL "12"
#define LARGE "12000" /* above the 5000 elements that are read at once, and a page of 1000 */
#define TIME_DIGITS 13
#define TIME_TOLERANCE_MS 5

static struct lab *lab;

static const char *const shapes[] = {"full",       "never",     "emptied", "emptied-group",
                                     "tombstones", "last-gone", "trimmed", "head-pending"};
#define SHAPES COUNT_OF(shapes)
#define STREAMS (2 * SHAPES)

/* KEYS[1] is the shape's name, ARGV[1] its size; each begins with an entry for each number. */
static const char *const scripts[SHAPES] = {
    "c('XGROUP','CREATE',k,'g','0') "
    "c('XREADGROUP','GROUP','g','c1','COUNT',n/3,'STREAMS',k,'>') "
    "c('XREADGROUP','GROUP','g','c2','COUNT',n/4,'STREAMS',k,'>') "
    "c('XREADGROUP','GROUP','g','noack','COUNT','1','NOACK','STREAMS',k,'>') "
    "for i=1,n/12 do c('XACK',k,'g',4*i-3 ..'-1') end "
    "for i=1,n/12 do c('XDEL',k,3*i..'-1') end c('XDEL',k,n..'-1') "
    "c('XCLAIM',k,'g','c2','0','2-1','TIME','1755497196412','RETRYCOUNT','7') "
    "c('XGROUP','CREATE',k,'\\255\\0bin','4-1') c('XGROUP','CREATECONSUMER',k,'g','idle')",
    "c('DEL',k) c('XGROUP','CREATE',k,'g','$','MKSTREAM') "
    "c('XGROUP','CREATECONSUMER',k,'g','x')",
    "for i=1,n do c('XDEL',k,i..'-1') end",
    "c('XGROUP','CREATE',k,'g','2-1') c('XTRIM',k,'MAXLEN','0')",
    "c('XGROUP','CREATE',k,'g','0') c('XREADGROUP','GROUP','g','c','STREAMS',k,'>') "
    "for i=1,n do c('XDEL',k,i..'-1') end",
    "c('XDEL',k,n..'-1')",
    "c('XGROUP','CREATE',k,'g','0') "
    "c('XREADGROUP','GROUP','g','c','COUNT',n-1,'STREAMS',k,'>') c('XTRIM',k,'MAXLEN',n/6)",
    "c('XGROUP','CREATE',k,'g','0') "
    "c('XREADGROUP','GROUP','g','c','COUNT',n-1,'STREAMS',k,'>') "
    "c('XTRIM',k,'MAXLEN',2*n/3) c('XDEL',k,n/2+1 ..'-1')",
};

static void name_of(size_t stream, char out[40])
{
    (void)snprintf(out, 40, "%s:%s", shapes[stream % SHAPES], stream < SHAPES ? SMALL : LARGE);
}

static char *ask(const char *const *words)
{
    char *said = lab_cli_argv(lab, 0, words);

    assert_non_null(said);
    if (strstr(said, "ERR") != NULL || strstr(said, "rror running") != NULL)
        fail_msg("%s %s: %s", words[0], words[1], said);
    return said;
}
#define ASK(...) ask((const char *const[]){__VA_ARGS__, NULL})

static void make_streams(void)
{
    for (size_t i = 0; i < STREAMS; i++) {
        char *script = mem_format("local c,k,n=redis.call,KEYS[1],tonumber(ARGV[1]) "
                                  "for i=1,n do c('XADD',k,i..'-1','f','v'..i) end %s",
                                  scripts[i % SHAPES]);
        char name[40];

        name_of(i, name);
        free(ASK("EVAL", script, "1", name, i < SHAPES ? SMALL : LARGE));
        free(script);
    }
}

/* ---- what the server knows ----------------------------------------------------------------------
 */

struct facts {
    char *full;    /* XINFO STREAM FULL without what no command can set */
    char *pending; /* XPENDING of its groups */
};

/* Of group after group: how many, the first, the last, and how many each consumer has. */
static char *pending_of(const char *name)
{
    return ASK("EVAL",
               "local out={} for _,g in ipairs(redis.call('XINFO','GROUPS',KEYS[1])) do "
               "local p=redis.call('XPENDING',KEYS[1],g[2]) "
               "local t={g[2],p[1],p[2] or '-',p[3] or '-'} "
               "for _,c in ipairs(p[4] or {}) do t[#t+1]=c[1]..'='..c[2] end "
               "out[#out+1]=table.concat(t,' ') end return out",
               "1", name);
}

static struct facts facts_of(size_t stream)
{
    char name[40];

    name_of(stream, name);
    return (struct facts){stream_facts(lab, name), pending_of(name)};
}

static void facts_release(struct facts *f)
{
    free(f->full);
    free(f->pending);
}

/* Two moments of this age, near each other. */
static bool same_time(const char *a, const char *b)
{
    return strlen(a) == TIME_DIGITS && strlen(b) == TIME_DIGITS &&
           strspn(a, "0123456789") == TIME_DIGITS && strspn(b, "0123456789") == TIME_DIGITS &&
           llabs(strtoll(a, NULL, 10) - strtoll(b, NULL, 10)) <= TIME_TOLERANCE_MS;
}

static void expect_same(size_t stream, const struct facts *before, const struct facts *after)
{
    char *rest[2] = {before->full, after->full};
    char *line[2];
    char name[40];

    name_of(stream, name);
    if (strcmp(before->pending, after->pending) != 0)
        fail_msg("%s: pending was\n%sand is\n%s", name, before->pending, after->pending);
    do {
        line[0] = strsep(&rest[0], "\n");
        line[1] = strsep(&rest[1], "\n");
        if (line[0] == NULL || line[1] == NULL)
            break;
        if (strcmp(line[0], line[1]) != 0 && (stream < SHAPES || !same_time(line[0], line[1])))
            fail_msg("%s: \"%s\" became \"%s\"", name, line[0], line[1]);
    } while (true);
    assert_ptr_equal(line[0], line[1]);
}

/* ---- there and back -----------------------------------------------------------------------------
 */

static void expect_run(const struct proc_result *r)
{
    cli_expect(r, 0, NULL, NULL);
}

#define RUN(r, ...)                                      \
    do {                                                 \
        (void)cli_run(lab, env, (r), __VA_ARGS__, NULL); \
        expect_run(r);                                   \
    } while (0)

static void there_and_back(void)
{
    const char *dir = tmpdir_new();
    char *state = mem_format("RBCONSOLE_STATE_DIR=%s", tmpdir_new());
    const char *const env[] = {state, NULL};
    struct facts before[STREAMS];
    struct proc_result r;
    const char *backup;

    make_streams();
    for (size_t i = 0; i < STREAMS; i++)
        before[i] = facts_of(i);
    RUN(&r, "backup", "--backup-dir", dir, "--no-upload");
    backup = strstr(r.out, "Backup written: ");
    assert_non_null(backup);
    backup += strlen("Backup written: ");
    r.out[strcspn(backup, "\n") + (size_t)(backup - r.out)] = '\0';
    backup = tmpdir_path(backup, "");
    proc_result_release(&r);
    free(lab_cli(lab, 0, "FLUSHALL", NULL));
    RUN(&r, "restore", "-i", backup);
    proc_result_release(&r);
    for (size_t i = 0; i < STREAMS; i++) {
        struct facts after = facts_of(i);

        expect_same(i, &before[i], &after);
        facts_release(&before[i]);
        facts_release(&after);
    }
    assert_int_equal(lab_keys(lab), STREAMS);
    RUN(&r, "verify", "-i", backup, "--full");
    proc_result_release(&r);
    free(state);
}

static void streams_of_every_shape_come_back_as_they_were(void **ctx UNUSED)
{
    static const char *const flavors[] = {"redis8", "valkey9",  "redis",
                                          "valkey", "valkey81", "redis806"};
    const char *size = getenv("FAULTS");
    size_t count = size != NULL && strcmp(size, "full") == 0 ? COUNT_OF(flavors) : 2;
    size_t tried = 0;

    for (size_t i = 0; i < count; i++) {
        lab = lab_start(
            &(struct lab_options){.kind = LAB_SINGLE, .flavor = flavors[i], .replicas = -1});
        if (lab == NULL) {
            print_message("no %s here\n", flavors[i]);
            continue;
        }
        there_and_back();
        lab_stop(lab);
        lab = NULL;
        tried++;
    }
    assert_true(tried > 0);
}

static int stop(void **ctx UNUSED)
{
    lab_stop(lab);
    lab = NULL;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(streams_of_every_shape_come_back_as_they_were, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
