/*
 * cli_run.h - a verb of the program under test on a lab's configuration, and what it must say.
 *
 * Each failed expectation ends the test and prints all that the program wrote. Test thread only.
 */
#ifndef TESTS_HARNESS_CLI_RUN_H
#define TESTS_HARNESS_CLI_RUN_H

#include "tests/harness/lab.h"
#include "tests/harness/proc.h"

/* rbconsole -c CONFIG WORDS..., the words end with NULL; env as in proc_options, may be NULL.
 * Returns the exit status; release *r with proc_result_release. */
int cli_run(const struct lab *lab, const char *const *env, struct proc_result *r, const char *first,
            ...) __attribute__((sentinel));
/* The status, and a part of stdout and of stderr (NULL: any). */
void cli_expect(const struct proc_result *r, int status, const char *out, const char *err);
/* Runs argv and gives both outputs, one after the other, to be freed. Any other status fails. */
char *cli_said(const char *const *argv, int timeout_ms, int status);
/* No control character but tab and newline, neither as a byte nor as C1 in UTF-8. */
void cli_expect_clean(const char *text);

#endif
