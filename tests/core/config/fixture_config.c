#include "tests/core/config/fixture_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/harness/tmpdir.h"

/* A fake process environment: NAME, value, NAME, value, NULL. */
static const char *fake(const void *ctx, const char *name)
{
    const char *const *pairs = ctx;
    for (; pairs[0] != NULL; pairs += 2)
        if (strcmp(pairs[0], name) == 0)
            return pairs[1];
    return NULL;
}

const char *const fixture_nothing[] = {NULL};

void fixture_start(struct fixture *f, const char *json)
{
    memset(f, 0, sizeof(*f));
    f->dir = tmpdir_new();
    f->file = tmpdir_path(f->dir, "config.json");
    if (json != NULL) {
        tmpdir_write(f->file, json, strlen(json));
        f->request.file = f->file;
    }
    f->request.lookup = fake;
    f->request.lookup_ctx = fixture_nothing;
}

bool fixture_load(struct fixture *f)
{
    return config_load(&f->request, &f->config, &f->err);
}

void fixture_must_load(struct fixture *f)
{
    if (!fixture_load(f))
        fail_msg("%s", f->err.text);
}

void fixture_refuses(const char *json, const char *part)
{
    struct fixture f;
    fixture_start(&f, json);
    assert_false(fixture_load(&f));
    assert_int_equal(f.err.code, ERROR_CONFIG);
    if (strstr(f.err.text, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", f.err.text, part);
}
