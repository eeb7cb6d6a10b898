#include <stdio.h>
#include <string.h>

#include "core/config/config_table.h"
#include "views/cli.h"
#include "views/verbs/help.h"

#define WIDTH 80
#define COLUMN 26 /* where the help of an option starts */

const struct help_exit help_exits[] = {
    {0, "all well"},
    {1, "findings: mismatch, degraded, incomplete, some keys unreadable"},
    {2, "usage or configuration"},
    {3, "unreachable, or an outage over its budget"},
    {4, "refused: authentication, ACL, read-only, not confirmed, locked"},
    {5, "cancelled"},
    {6, "storage: S3, disk, memory of the server"},
    {7, "internal error"},
    {0, NULL},
};

/* Columns that text takes: help is UTF-8, continuation bytes take none. */
static int columns(struct str s)
{
    int n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.ptr[i] & 0xC0) != 0x80;
    return n;
}

void help_wrap(struct buf *out, const char *text, int at, int indent, int width)
{
    struct str rest = str_from(text);
    struct str word;
    int column = at;
    width = width > 0 ? width : WIDTH;
    while (rest.len > 0 && str_split(&rest, ' ', &word)) {
        int w = columns(word);
        if (column > indent && column + 1 + w > width) {
            buf_put(out, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            buf_put(out, " ");
            column++;
        }
        buf_put(out, "%.*s", (int)word.len, word.ptr);
        column += w;
    }
    buf_put(out, "\n");
}

void help_option_head(struct buf *out, const struct option_row *row)
{
    if (row->letter != 0)
        buf_put(out, "-%c, ", row->letter);
    buf_put(out, "--%s", row->name);
    if (row->arg != NULL)
        buf_put(out, " %s", row->arg);
}

static void facts_of_key(struct buf *out, const struct config_key *key)
{
    if (key->choices != NULL)
        buf_put(out, " One of %s.", key->choices);
    if (key->type == CONFIG_INT || key->type == CONFIG_MS)
        buf_put(out, " From %lld to %lld.", (long long)key->min, (long long)key->max);
    if (key->fallback != NULL && key->type != CONFIG_FLAG) {
        struct str text = str_from(key->fallback);
        if (text.len >= 2 && text.ptr[0] == '"')
            text = str_slice(text, 1, text.len - 1);
        buf_put(out, " Default %.*s.", (int)text.len, text.ptr);
    }
}

void help_option_facts(struct buf *out, const struct option_row *row)
{
    const struct config_key *key =
        row->config_key != NULL ? config_key_find(row->config_key) : NULL;
    if (key != NULL) {
        facts_of_key(out, key);
    } else {
        if (row->type == OPTION_CHOICE)
            buf_put(out, " One of %s.", row->choices);
        if (row->type == OPTION_INT && row->max > row->min)
            buf_put(out, " From %lld to %lld.", (long long)row->min, (long long)row->max);
        if (row->fallback != NULL)
            buf_put(out, " Default %s.", row->fallback);
    }
    if ((row->flags & OPTION_REPEAT) != 0 && row->type != OPTION_FLAG)
        buf_put(out, " May be repeated.");
}

static void put_row(struct buf *out, const char *head, const char *text, int width)
{
    int used = columns(str_from(head)) + 2;
    buf_put(out, "  %s", head);
    if (used + 2 > COLUMN)
        buf_put(out, "\n%*s", COLUMN, "");
    else
        buf_put(out, "%*s", COLUMN - used, "");
    help_wrap(out, text, COLUMN, COLUMN, width);
}

static void put_options(struct buf *out, const struct option_row *rows, unsigned without,
                        unsigned with, int width)
{
    struct buf head;
    struct buf text;
    buf_init(&head, HELP_MAX);
    buf_init(&text, HELP_MAX);
    for (; rows != NULL && rows->name != NULL; rows++) {
        if ((rows->flags & (OPTION_HIDDEN | without)) != 0 || (rows->flags & with) != with)
            continue;
        buf_clear(&head);
        buf_clear(&text);
        help_option_head(&head, rows);
        buf_put(&text, "%s", rows->help);
        help_option_facts(&text, rows);
        put_row(out, head.data, text.data, width);
    }
    buf_release(&head);
    buf_release(&text);
}

static void put_exits(struct buf *out)
{
    buf_put(out, "\nExit status:\n");
    for (const struct help_exit *e = help_exits; e->meaning != NULL; e++)
        buf_put(out, "  %d  %s\n", e->status, e->meaning);
}

void help_usage(struct buf *out, const struct verb *verb)
{
    if (verb == NULL) {
        buf_put(out, "rbconsole [GLOBAL]");
        return;
    }
    buf_put(out, "rbconsole [GLOBAL] %s", verb->name);
    if (verb->options != NULL && verb->options->name != NULL)
        buf_put(out, " [OPTIONS]");
    if (verb->operands != NULL)
        buf_put(out, " %s", verb->operands);
}

void help_global(struct buf *out, int width)
{
    buf_put(out, "rbconsole: operations console for Redis and Valkey clusters\n\n"
                 "  rbconsole [GLOBAL]                   open the console\n"
                 "  rbconsole [GLOBAL] VERB [OPTIONS]    do one thing and exit\n\nVerbs:\n");
    for (size_t i = 0; i < verb_count(); i++) {
        const struct verb *v = verb_at(i);
        if ((v->flags & VERB_HIDDEN) == 0)
            put_row(out, v->name, v->summary, width);
    }
    buf_put(out, "\nGlobal options, before or after the verb:\n");
    put_options(out, cli_globals, OPTION_CONSOLE, 0, width);
    buf_put(out, "\nOptions of the console:\n");
    put_options(out, cli_globals, 0, OPTION_CONSOLE, width);
    put_exits(out);
    buf_put(out, "\n");
    help_wrap(out,
              "`rbconsole VERB --help` explains a verb, `rbconsole help config` lists every key of "
              "config.json.",
              0, 0, width);
}

bool help_next_paragraph(struct str *rest, struct str *one)
{
    while (rest->len > 0 && str_split(rest, '\n', one))
        if (one->len > 0)
            return true;
    return false;
}

static void put_paragraphs(struct buf *out, const char *text, int width)
{
    struct str rest = str_from(text);
    struct str one;
    char copy[4096];
    while (help_next_paragraph(&rest, &one)) {
        buf_put(out, "\n");
        if (str_copy(one, copy, sizeof(copy)))
            help_wrap(out, copy, 0, 0, width);
    }
}

void help_verb(struct buf *out, const struct verb *verb, int width)
{
    buf_put(out, "%s:", verb->name);
    help_wrap(out, verb->summary, (int)strlen(verb->name) + 1, 0, width);
    buf_put(out, "\nUsage: ");
    help_usage(out, verb);
    buf_put(out, "\n");
    if (verb->alias != NULL)
        buf_put(out, "Also called: %s\n", verb->alias);
    if (verb->options != NULL && verb->options->name != NULL) {
        buf_put(out, "\nOptions:\n");
        put_options(out, verb->options, 0, 0, width);
    }
    if (verb->notes != NULL)
        put_paragraphs(out, verb->notes, width);
    if (verb->examples != NULL) {
        struct str rest = str_from(verb->examples);
        struct str line;
        buf_put(out, "\nExamples:\n");
        while (rest.len > 0 && str_split(&rest, '\n', &line))
            buf_put(out, "  %.*s\n", (int)line.len, line.ptr);
    }
    put_exits(out);
    buf_put(out, "\nGlobal options: rbconsole --help\n");
}

void help_config(struct buf *out, int width)
{
    buf_put(out, "Keys of config.json (order: option, process environment, .env.<env> beside the "
                 "config,\nconfig, default):\n\n");
    for (size_t i = 0; i < config_key_count(); i++) {
        const struct config_key *key = config_key_at(i);
        struct buf text;
        buf_init(&text, HELP_MAX);
        buf_put(&text, "%s", key->help);
        buf_put(&text, " (%s.)", config_type_name(key->type));
        facts_of_key(&text, key);
        if (key->variables != NULL)
            buf_put(&text, " Variable: %s.", key->variables);
        buf_put(out, "  %s\n      ", key->path);
        help_wrap(out, text.data, 6, 6, width);
        buf_release(&text);
    }
}
