#include <stdio.h>
#include <string.h>

#include "core/config/config_table.h"
#include "views/cli.h"
#include "views/verbs/docs.h"
#include "views/verbs/help.h"

static const struct {
    const char *name;
    void (*write)(struct buf *out);
} kinds[] = {
    {"man", docs_man},
    {"bash", docs_bash},
    {"zsh", docs_zsh},
    {"fish", docs_fish},
    {"config-table", docs_config_table},
    {"verb-table", docs_verb_table},
    {"exit-table", docs_exit_table},
    {"keys", docs_keys},
    {"global-keys", docs_global_keys},
    {"config-schema", docs_config_schema},
};

static int run(const struct invocation *inv, struct error *err)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (strcmp(inv->operands[0], kinds[i].name) == 0) {
            struct buf out;
            buf_init(&out, HELP_MAX);
            kinds[i].write(&out);
            (void)fwrite(out.data, 1, out.len, stdout);
            buf_release(&out);
            return 0;
        }
    }
    error_set(err, ERROR_USAGE, 0,
              "_docs: one of man, bash, zsh, fish, config-table, verb-table, exit-table, keys, "
              "global-keys, config-schema");
    return verb_fail(err);
}

const struct verb verb_docs = {
    .name = "_docs",
    .summary = "Write documentation and completion from the tables.",
    .operands = "KIND",
    .operands_min = 1,
    .operands_max = 1,
    .flags = VERB_HIDDEN | VERB_NO_ENV | VERB_NO_CONFIG,
    .run = run,
};

/* ---- tables in Markdown ---------------------------------------------------------------------- */

void docs_cell(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++)
        if (*text == '<')
            buf_put(out, "&lt;");
        else
            buf_put(out, "%s%c", *text == '|' || *text == '*' ? "\\" : "", *text);
}

void docs_code(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++)
        buf_put(out, *text == '|' ? "\\|" : "%c", *text);
}

void docs_config_table(struct buf *out)
{
    buf_put(out, "| key | value | default | variable | meaning |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < config_key_count(); i++) {
        const struct config_key *key = config_key_at(i);
        buf_put(out, "| `%s` | ", key->path);
        docs_cell(out, key->choices != NULL ? key->choices : config_type_name(key->type));
        if (key->type == CONFIG_INT || key->type == CONFIG_MS)
            buf_put(out, " %lld to %lld", (long long)key->min, (long long)key->max);
        buf_put(out, " | %s%s%s | %s | ", key->fallback != NULL ? "`" : "",
                key->fallback != NULL ? key->fallback : "", key->fallback != NULL ? "`" : "",
                key->variables != NULL ? key->variables : "");
        docs_cell(out, key->help);
        buf_put(out, " |\n");
    }
}

void docs_verb_table(struct buf *out)
{
    buf_put(out, "| verb | what | options |\n|---|---|---|\n");
    for (size_t i = 0; i < verb_count(); i++) {
        const struct verb *v = verb_at(i);
        const char *comma = "";
        if ((v->flags & VERB_HIDDEN) != 0)
            continue;
        buf_put(out, "| `%s%s", v->name, v->operands != NULL ? " " : "");
        docs_code(out, v->operands != NULL ? v->operands : "");
        buf_put(out, "` | ");
        docs_cell(out, v->summary);
        buf_put(out, " | ");
        for (const struct option_row *r = v->options; r != NULL && r->name != NULL; r++) {
            if ((r->flags & OPTION_HIDDEN) == 0) {
                buf_put(out, "%s`--%s`", comma, r->name);
                comma = " ";
            }
        }
        buf_put(out, " |\n");
    }
}

void docs_exit_table(struct buf *out)
{
    buf_put(out, "| status | meaning |\n|---|---|\n");
    for (const struct help_exit *e = help_exits; e->meaning != NULL; e++) {
        buf_put(out, "| %d | ", e->status);
        docs_cell(out, e->meaning);
        buf_put(out, " |\n");
    }
}
