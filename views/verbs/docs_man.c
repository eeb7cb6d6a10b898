#include <stdint.h>

#include "core/base/escape.h"
#include "core/config/config_table.h"
#include "views/cli.h"
#include "views/verbs/docs.h"
#include "views/verbs/help.h"

/* roff: a backslash, a dash that must stay one, a dot or quote at the start of a line, and
 * everything outside ASCII by its code point. */
static void put_str(struct buf *out, struct str rest)
{
    bool at_start = true;
    while (rest.len > 0) {
        uint32_t point = 0;
        size_t used = escape_decode(rest, &point);
        if (at_start && (point == '.' || point == '\''))
            buf_put(out, "\\&");
        at_start = point == '\n';
        if (point >= 0x80)
            buf_put(out, "\\[u%04X]", (unsigned)point);
        else
            buf_put(out, point == '\\' ? "\\e" : point == '-' ? "\\-" : "%c", (char)point);
        rest = str_slice(rest, used > 0 ? used : 1, rest.len);
    }
}

static void put_text(struct buf *out, const char *text)
{
    put_str(out, str_from(text));
}

static void put_paragraphs(struct buf *out, const char *text)
{
    struct str rest = str_from(text);
    struct str one;
    while (help_next_paragraph(&rest, &one)) {
        buf_put(out, ".PP\n");
        put_str(out, one);
        buf_put(out, "\n");
    }
}

static void put_option(struct buf *out, const struct option_row *row)
{
    struct buf text;
    buf_init(&text, HELP_MAX);
    buf_put(out, ".TP\n.B ");
    help_option_head(&text, row);
    put_text(out, text.data);
    buf_clear(&text);
    buf_put(&text, "\n%s", row->help);
    help_option_facts(&text, row);
    put_text(out, text.data);
    buf_put(out, "\n");
    buf_release(&text);
}

static void put_options(struct buf *out, const struct option_row *rows)
{
    for (; rows != NULL && rows->name != NULL; rows++)
        if ((rows->flags & OPTION_HIDDEN) == 0)
            put_option(out, rows);
}

static void put_verb(struct buf *out, const struct verb *v)
{
    struct buf usage;
    buf_init(&usage, HELP_MAX);
    help_usage(&usage, v);
    buf_put(out, ".SS %s\n", v->name);
    put_text(out, v->summary);
    buf_put(out, "\n.PP\n.B ");
    put_text(out, usage.data);
    buf_put(out, "\n");
    put_options(out, v->options);
    if (v->notes != NULL)
        put_paragraphs(out, v->notes);
    if (v->examples != NULL) {
        buf_put(out, ".PP\n.EX\n");
        put_text(out, v->examples);
        buf_put(out, "%s.EE\n", str_ends(str_from(v->examples), "\n") ? "" : "\n");
    }
    buf_release(&usage);
}

static void put_environment(struct buf *out)
{
    for (size_t i = 0; i < config_key_count(); i++) {
        const struct config_key *key = config_key_at(i);
        if (key->variables != NULL) {
            buf_put(out, ".TP\n.B %s\n", key->variables);
            put_text(out, key->help);
            buf_put(out, "\n");
        }
    }
    buf_put(out, ".TP\n.B REDIS_PASSWORD REDISCLI_AUTH\nThe password itself; a file is safer.\n"
                 ".TP\n.B ENV_PROFILE\nThe environment, like \\-\\-env.\n"
                 ".TP\n.B RBCONSOLE_CONFIG\nThe config file, like \\-\\-config.\n");
}

void docs_man(struct buf *out)
{
    buf_put(out, ".TH RBCONSOLE 1\n.SH NAME\nrbconsole \\- operations console for Redis and Valkey "
                 "clusters\n.SH SYNOPSIS\n.B rbconsole\n[GLOBAL] [VERB [OPTIONS]]\n"
                 ".SH DESCRIPTION\nWithout a verb, a full\\-screen console of one environment "
                 "opens. With a verb, one thing is done and the program ends.\n"
                 ".SH GLOBAL OPTIONS\nThey may stand before or after the verb.\n");
    put_options(out, cli_globals);
    buf_put(out, ".SH VERBS\n");
    for (size_t i = 0; i < verb_count(); i++)
        if ((verb_at(i)->flags & VERB_HIDDEN) == 0)
            put_verb(out, verb_at(i));
    buf_put(out, ".SH CONFIGURATION\nEach value comes from the first of: option, process "
                 "environment, .env.<env> beside the config, config.json, default. "
                 "\\(lqrbconsole doctor\\(rq shows them all.\n");
    for (size_t i = 0; i < config_key_count(); i++) {
        buf_put(out, ".TP\n.B %s\n", config_key_at(i)->path);
        put_text(out, config_key_at(i)->help);
        buf_put(out, "\n");
    }
    buf_put(out, ".SH ENVIRONMENT\n");
    put_environment(out);
    buf_put(out, ".SH EXIT STATUS\n");
    for (const struct help_exit *e = help_exits; e->meaning != NULL; e++) {
        buf_put(out, ".TP\n.B %d\n", e->status);
        put_text(out, e->meaning);
        buf_put(out, "\n");
    }
}
