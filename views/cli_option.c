#include <assert.h>
#include <string.h>

#include "views/cli.h"

static const struct option_row *row_of(const struct options *o, const char *name)
{
    const struct option_row *row = cli_row(o->verb, str_from(name));
    assert(row != NULL);
    return row;
}

const char *cli_given(const struct options *o, const char *name)
{
    const struct option_row *row = row_of(o, name);
    for (size_t i = o->count; i > 0; i--)
        if (o->values[i - 1].row == row)
            return o->values[i - 1].text;
    return NULL;
}

size_t cli_settings(const struct options *o, struct config_setting *out, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < o->count && n < max; i++) {
        if (o->values[i].row->config_key != NULL) {
            out[n++] = (struct config_setting){o->values[i].row->config_key, o->values[i].text,
                                               o->values[i].row->name};
        }
    }
    return n;
}

void cli_invocation(struct options *o, const char *program, const struct config *config,
                    const struct environment *env, struct invocation *out)
{
    o->config = config;
    o->env = env;
    memset(out, 0, sizeof(*out));
    out->verb = o->verb;
    out->config = config;
    out->env = env;
    out->options = o;
    out->program = program;
    out->operands = (const char *const *)o->operands;
    out->operand_count = o->operand_count;
    out->json = cli_given(o, "json") != NULL;
    out->quiet = cli_given(o, "quiet") != NULL;
    out->verbose = (int)option_count(out, "verbose");
    out->read_only = cli_given(o, "read-only") != NULL;
    out->write = cli_given(o, "write") != NULL;
}

bool option_given(const struct invocation *inv, const char *name)
{
    return cli_given(inv->options, name) != NULL;
}

bool option_flag(const struct invocation *inv, const char *name)
{
    const struct options *o = inv->options;
    const struct option_row *row = row_of(o, name);
    if (row->config_key != NULL && o->config != NULL)
        return config_flag(o->config, o->env, row->config_key);
    return cli_given(o, name) != NULL;
}

const char *option_text(const struct invocation *inv, const char *name)
{
    const struct options *o = inv->options;
    const struct option_row *row = row_of(o, name);
    const char *given = cli_given(o, name);
    if (row->config_key != NULL && o->config != NULL)
        return config_text(o->config, o->env, row->config_key);
    return given != NULL ? given : row->fallback;
}

int64_t option_int(const struct invocation *inv, const char *name)
{
    const struct options *o = inv->options;
    const struct option_row *row = row_of(o, name);
    const char *text;
    int64_t number = 0;
    if (row->config_key != NULL && o->config != NULL)
        return config_int(o->config, o->env, row->config_key);
    text = option_text(inv, name);
    return text != NULL && str_to_i64(str_from(text), &number) ? number : 0;
}

size_t option_count(const struct invocation *inv, const char *name)
{
    const struct option_row *row = row_of(inv->options, name);
    size_t n = 0;
    for (size_t i = 0; i < inv->options->count; i++)
        n += inv->options->values[i].row == row;
    return n;
}

const char *option_text_at(const struct invocation *inv, const char *name, size_t index)
{
    const struct option_row *row = row_of(inv->options, name);
    for (size_t i = 0; i < inv->options->count; i++)
        if (inv->options->values[i].row == row && index-- == 0)
            return inv->options->values[i].text;
    return NULL;
}

int verb_fail(const struct error *err)
{
    return error_exit_status(err->code);
}
