#include "core/s3/aws_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/base/secret.h"

#define SECTION_MAX 256

const char *aws_env(const struct aws_files *f, const char *name)
{
    const char *value = f->lookup != NULL ? f->lookup(f->lookup_ctx, name) : NULL;
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool is_comment(struct str line)
{
    return line.len == 0 || line.ptr[0] == '#' || line.ptr[0] == ';';
}

/* "[profile x]" to "profile x", inner blanks as one; the empty view for anything else. */
static struct str section_name(struct str line)
{
    size_t end = str_find(line, ']');
    if (line.len == 0 || line.ptr[0] != '[' || end == line.len)
        return (struct str){NULL, 0};
    return str_trim(str_slice(line, 1, end));
}

static bool same_section(struct str name, const char *wanted)
{
    if (str_is(name, wanted))
        return true;
    size_t gap = 0; /* "profile   x" and "profile \t x" are "profile x" */
    while (gap < name.len && name.ptr[gap] != ' ' && name.ptr[gap] != '\t')
        gap++;
    struct str first = str_slice(name, 0, gap);
    struct str second = str_trim(str_slice(name, gap, name.len));
    struct str want = str_from(wanted);
    size_t space = str_find(want, ' ');
    if (second.len > 2 && second.ptr[0] == '"' && second.ptr[second.len - 1] == '"')
        second = str_slice(second, 1, second.len - 1);
    return space < want.len && str_equal(first, str_slice(want, 0, space)) &&
           str_equal(second, str_slice(want, space + 1, want.len));
}

/* "key = value # note" */
static bool split_setting(struct str line, struct str *key, struct str *value)
{
    size_t equals = str_find(line, '=');
    if (equals == line.len)
        return false;
    *key = str_trim(str_slice(line, 0, equals));
    *value = str_trim(str_slice(line, equals + 1, line.len));
    for (size_t i = 1; i < value->len; i++)
        if ((value->ptr[i] == '#' || value->ptr[i] == ';') &&
            (value->ptr[i - 1] == ' ' || value->ptr[i - 1] == '\t')) {
            *value = str_trim(str_slice(*value, 0, i));
            break;
        }
    return key->len > 0;
}

struct ini_query {
    const char *section;
    const char *key;
    const char *inner; /* NULL: the key itself */
};

static bool ini_find(struct str text, const struct ini_query *q, struct str *value)
{
    struct str line;
    bool found = false;
    bool inside = false;
    bool under_key = false;
    while (str_split(&text, '\n', &line)) {
        bool indented = line.len > 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t');
        struct str trimmed = str_trim(line);
        if (is_comment(trimmed))
            continue;
        if (!indented && trimmed.ptr[0] == '[') {
            inside = same_section(section_name(trimmed), q->section);
            under_key = false;
            continue;
        }
        struct str key;
        struct str got;
        if (!inside || !split_setting(trimmed, &key, &got))
            continue;
        if (!indented)
            under_key = q->inner != NULL && str_is(key, q->key);
        bool match = q->inner == NULL ? !indented && str_is(key, q->key)
                                      : indented && under_key && str_is(key, q->inner);
        if (match) {
            *value = got;
            found = true;
        }
    }
    return found;
}

bool aws_ini_get(struct str text, const char *section, const char *key, struct str *value)
{
    const struct ini_query q = {section, key, NULL};
    return ini_find(text, &q, value);
}

bool aws_ini_get_nested(struct str text, const char *section, const char *key, const char *inner,
                        struct str *value)
{
    const struct ini_query q = {section, key, inner};
    return ini_find(text, &q, value);
}

bool aws_ini_has_section(struct str text, const char *section)
{
    struct str line;
    while (str_split(&text, '\n', &line)) {
        struct str name = section_name(line);
        if (name.len > 0 && same_section(name, section))
            return true;
    }
    return false;
}

bool aws_profile_get(const struct aws_files *f, const char *profile, const char *key,
                     struct str *value)
{
    char section[SECTION_MAX];
    struct str text = buf_str(&f->config);
    if (strcmp(profile, "default") == 0 && aws_ini_get(text, "default", key, value))
        return true;
    int len = snprintf(section, sizeof(section), "profile %s", profile);
    return len > 0 && (size_t)len < sizeof(section) && aws_ini_get(text, section, key, value);
}

static char *file_path(const struct aws_files *f, const char *variable, const char *name)
{
    const char *given = aws_env(f, variable);
    const char *home = aws_env(f, "HOME");
    if (given != NULL && (given[0] != '~' || home == NULL))
        return mem_copy_text(given);
    if (given != NULL)
        return file_join(home, given[1] == '/' ? given + 2 : given + 1);
    return home != NULL ? file_join(home, name) : NULL;
}

static bool read_file(const char *path, struct buf *out, struct error *err)
{
    struct error why;
    if (path == NULL || file_read(path, out, &why) || why.code == ERROR_NOT_FOUND)
        return true;
    return error_set(err, ERROR_CONFIG, why.detail, "%s", why.text);
}

bool aws_files_load(struct aws_files *f, const char *profile, aws_lookup lookup,
                    const void *lookup_ctx, struct error *err)
{
    *f = (struct aws_files){.lookup = lookup, .lookup_ctx = lookup_ctx};
    buf_init(&f->config, AWS_FILE_MAX);
    buf_init(&f->credentials, AWS_FILE_MAX);
    if (profile == NULL)
        profile = aws_env(f, "AWS_PROFILE");
    if (profile == NULL)
        profile = aws_env(f, "AWS_DEFAULT_PROFILE");
    f->profile_named = profile != NULL;
    f->profile = mem_copy_text(profile != NULL ? profile : "default");
    f->config_path = file_path(f, "AWS_CONFIG_FILE", ".aws/config");
    f->credentials_path = file_path(f, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
    if (read_file(f->config_path, &f->config, err) &&
        read_file(f->credentials_path, &f->credentials, err))
        return true;
    aws_files_release(f);
    return false;
}

void aws_files_release(struct aws_files *f)
{
    if (f->config.cap > 0)
        secret_wipe(f->config.data, f->config.cap);
    if (f->credentials.cap > 0)
        secret_wipe(f->credentials.data, f->credentials.cap);
    buf_release(&f->config);
    buf_release(&f->credentials);
    free(f->config_path);
    free(f->credentials_path);
    free(f->profile);
    f->config_path = NULL;
    f->credentials_path = NULL;
    f->profile = NULL;
}
