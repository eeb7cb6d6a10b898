#include "tests/core/s3/fixture_machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/file.h"
#include "tests/harness/tmpdir.h"

const char *machine_look_up(const void *ctx, const char *name)
{
    const struct machine *m = ctx;
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->env[i].name, name) == 0)
            return m->env[i].value;
    return NULL;
}

void machine_set(struct machine *m, const char *name, const char *value)
{
    assert_true(m->count < MACHINE_VARIABLES);
    m->env[m->count++] = (struct machine_variable){name, value};
}

struct machine machine_new(void)
{
    struct machine m = {.dir = tmpdir_new()};
    machine_set(&m, "HOME", m.dir);
    machine_set(&m, "AWS_EC2_METADATA_DISABLED", "true");
    return m;
}

void machine_add_file(struct machine *m, const char *variable, const char *name, const char *text)
{
    const char *path = tmpdir_path(m->dir, name);
    const char *slash = strrchr(name, '/');
    struct error err;
    if (slash != NULL) {
        char *dir = file_join(m->dir, name);
        *strrchr(dir, '/') = '\0';
        assert_true(file_make_dirs(dir, &err));
        free(dir);
    }
    tmpdir_write(path, text, strlen(text));
    if (variable != NULL)
        machine_set(m, variable, path);
}

bool machine_fetch(const struct machine *m, struct credential *out, struct error *err)
{
    struct aws_files files;
    const struct s3_options options = {.profile = m->profile};
    *out = (struct credential){.expires_ms = 0};
    if (!aws_files_load(&files, m->profile, machine_look_up, m, err))
        return false;
    const struct credential_request request = {&options, &files, "eu-west-1", NULL};
    bool ok = credential_fetch(&request, out, err);
    aws_files_release(&files);
    return ok;
}

void machine_expect(const struct machine *m, const char *access, const char *secret,
                    const char *token, const char *source)
{
    struct credential c;
    struct error err = {.text = ""};
    if (!machine_fetch(m, &c, &err))
        fail_msg("%s", err.text);
    assert_true(str_is(secret_reveal(&c.access_key), access));
    assert_true(str_is(secret_reveal(&c.secret_key), secret));
    assert_true(str_is(secret_reveal(&c.token), token));
    if (strstr(c.source, source) == NULL)
        fail_msg("source is %s", c.source);
    credential_release(&c);
}

void machine_expect_failure(const struct machine *m, enum error_code code, const char *says)
{
    struct credential c;
    struct error err = {.text = ""};
    assert_false(machine_fetch(m, &c, &err));
    if (err.code != code || strstr(err.text, says) == NULL)
        fail_msg("%s: %s", error_code_name(err.code), err.text);
    assert_null(strstr(err.text, "secret/"));
    assert_null(strstr(err.text, "topsecret"));
    credential_release(&c);
}
