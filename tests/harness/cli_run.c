#include "tests/harness/cli_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORDS_MAX 32

int cli_run(const struct lab *lab, const char *const *env, struct proc_result *r, const char *first,
            ...)
{
    const char *argv[WORDS_MAX] = {proc_rbconsole(), "-c", lab_config_file(lab), first};
    size_t n = 4;
    va_list rest;

    va_start(rest, first);
    while (n < WORDS_MAX - 1 && (argv[n] = va_arg(rest, const char *)) != NULL)
        n++;
    va_end(rest);
    assert_true(n < WORDS_MAX - 1);
    assert_true(proc_run(argv, &(struct proc_options){.env = env}, r));
    return r->status;
}

void cli_expect(const struct proc_result *r, int status, const char *out, const char *err)
{
    const char *missing = NULL;

    if (out != NULL && strstr(r->out, out) == NULL)
        missing = out;
    if (err != NULL && strstr(r->err, err) == NULL)
        missing = err;
    if (r->status == status && missing == NULL)
        return;
    print_message("stdout:\n%s\nstderr:\n%s\n", r->out, r->err);
    if (r->status != status)
        fail_msg("exit status %d, want %d", r->status, status);
    fail_msg("it does not say \"%s\"", missing);
}

void cli_expect_clean(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++)
        if ((*c < 0x20 && *c != '\n' && *c != '\t') || *c == 0x7f ||
            (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0))
            fail_msg("byte %02x in:\n%s", *c, text);
}

char *cli_said(const char *const *argv, int timeout_ms, int status)
{
    struct proc_options how = {.timeout_ms = timeout_ms};
    struct proc_result r;
    char *said;

    assert_true(proc_run(argv, &how, &r));
    assert_int_not_equal(asprintf(&said, "%s%s", r.out, r.err), -1);
    if (r.status != status)
        fail_msg("status %d instead of %d: %s", r.status, status, said);
    proc_result_release(&r);
    return said;
}
