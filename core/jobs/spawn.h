/*
 * spawn.h - start a job as its own process from the console: the same binary, its own session.
 *
 * The child gets no terminal (stdin /dev/null, output to the job's output.log), a default signal
 * mask, and the number of an inherited pipe (`--job-fd N`) on which it tells its id. Secrets go
 * through pipes named by `/dev/fd/N`, never argv. Nothing here waits: watch spawn_fd in the poll
 * loop and call spawn_poll when it is readable and once a second after. One thread.
 */
#ifndef CORE_JOBS_SPAWN_H
#define CORE_JOBS_SPAWN_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"
#include "core/base/secret.h"
#include "core/jobs/kind.h"

/* An option whose value is the path of a pipe that holds the secret: "--password-file". */
struct spawn_secret {
    const char *option;
    const struct secret *value;
};

struct spawn_spec {
    const char *program;     /* NULL: /proc/self/exe */
    const char *const *args; /* after argv[0]: global options, verb, its options; NULL at the end */
    const struct spawn_secret *secrets;
    size_t secret_count; /* at most 8; appended after args */
};

enum spawn_phase {
    SPAWN_WAITING, /* no id yet */
    SPAWN_STARTED, /* the job has its id */
    SPAWN_FAILED,  /* ended without one: the error says why, in the child's own words */
    SPAWN_ENDED    /* started, and ended since */
};

struct spawn;

struct spawn *spawn_start(const struct spawn_spec *spec, struct error *err) MUST_CHECK;
/* Closes and frees; a child that still runs is left alone. */
void spawn_free(struct spawn *s);
int spawn_fd(const struct spawn *s); /* readable when there is news; -1 once the id is known */
int spawn_pid(const struct spawn *s);
/* Looks, reaps the child when it ended, never waits. err is set with SPAWN_FAILED only. */
enum spawn_phase spawn_poll(struct spawn *s, struct error *err);
const char *spawn_id(const struct spawn *s);  /* "" until started */
int spawn_exit_status(const struct spawn *s); /* -1 while it runs; 128 + signal when killed */

#endif
