/*
 * program_kit.h - the program run against one server of its own, and small questions to that
 * server. Part of one test program each.
 */
#ifndef TESTS_ENGINE_PROGRAM_KIT_H
#define TESTS_ENGINE_PROGRAM_KIT_H

#include "tests/engine/restore_kit.h"
#include "tests/harness/lab.h"
#include "tests/harness/proc.h"

static struct lab *lab;
static const char *state_dir;

/* ---- running things ----------------------------------------------------------------------------
 */

#define ARGS_MAX 24

/* Options of the program; *said is both its outputs, printed when nobody asks and it failed. */
static inline int run(char **said, const char *const *options)
{
    const char *argv[ARGS_MAX] = {proc_rbconsole(), "-c", lab_config_file(lab), "--state-dir",
                                  state_dir};
    struct proc_options how = {.timeout_ms = 240000};
    struct proc_result r;
    int status;

    for (size_t i = 0; options[i] != NULL; i++) {
        assert_true(i + 6 < ARGS_MAX);
        argv[5 + i] = options[i];
    }
    assert_true(proc_run(argv, &how, &r));
    status = r.status;
    if (said != NULL)
        assert_int_not_equal(asprintf(said, "%s%s", r.out, r.err), -1);
    else if (status != 0)
        print_message("%s%s", r.out, r.err);
    proc_result_release(&r);
    return status;
}
#define RUN(said, ...) run(said, (const char *const[]){__VA_ARGS__, NULL})

/* A single server, empty; ended by stop. */
static inline void start(const char *flavor)
{
    state_dir = tmpdir_new();
    lab = lab_start(&(struct lab_options){.kind = LAB_SINGLE, .flavor = flavor, .replicas = -1});
    assert_non_null(lab);
}

static inline int stop(void **ctx UNUSED)
{
    lab_stop(lab);
    lab = NULL;
    return 0;
}

static inline void flush(void)
{
    free(lab_cli(lab, 0, "FLUSHALL", NULL));
}

/* -1: no expiry, -2: no key. */
static inline long long pttl(const char *key)
{
    char *said = lab_cli(lab, 0, "PTTL", key, NULL);
    long long ms = strtoll(said, NULL, 10);

    free(said);
    return ms;
}

#endif
