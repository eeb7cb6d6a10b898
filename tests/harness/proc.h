/*
 * proc.h - run a program from a test and see what it said.
 *
 * No shell: argv goes to exec as it is. Output is captured whole, up to 64 MiB. Every wait has a
 * deadline, after which the child's process group is killed. A child dies with its test (kernel
 * parent-death signal). Programs in NAME=VALUE form at the end of env replace or add variables.
 */
#ifndef TESTS_HARNESS_PROC_H
#define TESTS_HARNESS_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct proc_result {
    int status; /* exit status 0..255; 128+signal when killed; -1 when the deadline passed */
    char *out;  /* NUL-terminated; release with proc_result_release */
    size_t out_len;
    char *err;
    size_t err_len;
};

struct proc_options {
    const char *const
        *env;          /* NULL-terminated NAME=VALUE list over our own environment; may be NULL */
    const char *input; /* what stdin holds; NULL: /dev/null */
    const char *directory; /* NULL: ours */
    int timeout_ms;        /* 0: 60 s */
};

/* Runs to the end. False: it could not be started at all (printed); *r is safe to release. */
bool proc_run(const char *const *argv, const struct proc_options *options, struct proc_result *r);
void proc_result_release(struct proc_result *r);

/* Starts in the background, output to out_file (NULL: /dev/null); 0: could not. */
pid_t proc_start(const char *const *argv, const struct proc_options *options, const char *out_file);
/* Waits for a started child; status as in proc_result, -1 at the deadline (it runs on). */
int proc_wait(pid_t pid, int timeout_ms);
/* Signals a started child and waits for it at most 10 s, then SIGKILL. Returns its status. */
int proc_stop(pid_t pid, int signal_number);
/* True while a process is there and not a zombie. */
bool proc_alive(pid_t pid);

/* The program under test: $RBCONSOLE, else build/<this build's mode>/rbconsole. */
const char *proc_rbconsole(void);

#endif
