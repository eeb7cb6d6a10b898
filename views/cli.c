#include "views/cli.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/array.h"
#include "core/base/escape.h"
#include "core/base/json.h"
#include "core/config/config_check.h"

#define SHOWN 80
#define NEAR 3 /* edits within which a word is worth a suggestion */

/* What people try, and what they should take. */
static const struct {
    const char *name;
    const char *advice;
} refused[] = {
    {"password", "there is no --password, it would show in the process list; use --password-file"},
    {"pass", "there is no --pass, it would show in the process list; use --password-file"},
    {"yes", "there is no --yes; name the environment with --confirm NAME"},
    {"force", "there is no --force; name the environment with --confirm NAME"},
    {"host", "there is no --host; use --nodes host:port"},
    {"port", "there is no --port; use --nodes host:port"},
};

struct parser {
    int argc;
    const char *const *argv;
    int at;
    struct options *out;
};

/* ---- finding rows ---------------------------------------------------------------------------- */

static const struct option_row *find_in(const struct option_row *rows, struct str name, char letter)
{
    for (; rows != NULL && rows->name != NULL; rows++)
        if (letter != 0 ? rows->letter == letter : str_is(name, rows->name))
            return rows;
    return NULL;
}

static const struct option_row *find(const struct verb *verb, struct str name, char letter)
{
    const struct option_row *row = find_in(verb != NULL ? verb->options : NULL, name, letter);
    return row != NULL ? row : find_in(cli_globals, name, letter);
}

const struct option_row *cli_row(const struct verb *verb, struct str name)
{
    return find(verb, name, 0);
}

struct guess {
    size_t distance;
    const char *word;
};

static void consider(struct guess *g, const char *word, struct str typed)
{
    size_t d = str_distance(str_from(word), typed, NEAR);
    if (d < g->distance && d < strlen(word))
        *g = (struct guess){d, word};
}

static void consider_rows(struct guess *g, const struct option_row *rows, struct str typed)
{
    for (; rows != NULL && rows->name != NULL; rows++)
        if ((rows->flags & OPTION_HIDDEN) == 0)
            consider(g, rows->name, typed);
}

static const char *verb_with_option(struct str name)
{
    for (size_t i = 0; i < verb_count(); i++)
        if (find_in(verb_at(i)->options, name, 0) != NULL)
            return verb_at(i)->name;
    return NULL;
}

static bool unknown_option(const struct options *o, struct str name, struct error *err)
{
    char shown[SHOWN];
    struct guess g = {NEAR + 1, NULL};
    const char *other;
    escape_text(shown, sizeof(shown), name);
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        if (str_is(name, refused[i].name))
            return error_set(err, ERROR_USAGE, 0, "%s", refused[i].advice);
    consider_rows(&g, o->verb != NULL ? o->verb->options : NULL, name);
    consider_rows(&g, cli_globals, name);
    other = verb_with_option(name);
    if (other != NULL && o->verb == NULL) {
        return error_set(err, ERROR_USAGE, 0, "--%s belongs to %s: put it after the verb", shown,
                         other);
    }
    if (g.word != NULL) {
        return error_set(err, ERROR_USAGE, 0, "unknown option --%s; did you mean --%s?", shown,
                         g.word);
    }
    return error_set(err, ERROR_USAGE, 0, "unknown option --%s; see rbconsole %s%s--help", shown,
                     o->verb != NULL ? o->verb->name : "", o->verb != NULL ? " " : "");
}

static bool unknown_verb(struct str name, struct error *err)
{
    char shown[SHOWN];
    struct guess g = {NEAR + 1, NULL};
    escape_text(shown, sizeof(shown), name);
    for (size_t i = 0; i < verb_count(); i++) {
        const struct verb *v = verb_at(i);
        if ((v->flags & VERB_HIDDEN) == 0) {
            consider(&g, v->name, name);
            if (v->alias != NULL)
                consider(&g, v->alias, name);
        }
    }
    if (g.word != NULL) {
        return error_set(err, ERROR_USAGE, 0, "unknown verb \"%s\"; did you mean %s?", shown,
                         g.word);
    }
    return error_set(err, ERROR_USAGE, 0, "unknown verb \"%s\"; see rbconsole --help", shown);
}

/* ---- checking values ------------------------------------------------------------------------- */

static bool check_config_value(const struct option_row *row, const char *text, struct error *err)
{
    const struct config_key *key = config_key_find(row->config_key);
    char where[SHOWN];
    json_t *value;
    str_copy(str_from(row->name), where, sizeof(where));
    value = config_parse_text(key, text, where, err);
    json_decref(value);
    if (value == NULL) {
        char rest[sizeof(err->text)];
        str_copy(str_from(err->text), rest, sizeof(rest));
        return error_set(err, ERROR_USAGE, 0, "--%s", rest);
    }
    return true;
}

static bool check_value(const struct option_row *row, const char *text, struct error *err)
{
    char shown[SHOWN];
    int64_t number = 0;
    escape_text(shown, sizeof(shown), str_from(text));
    if (row->type == OPTION_FLAG)
        return true;
    if (text[0] == '\0')
        return error_set(err, ERROR_USAGE, 0, "--%s needs a value that is not empty", row->name);
    if (row->config_key != NULL)
        return check_config_value(row, text, err);
    if (row->type == OPTION_INT &&
        (!str_to_i64(str_from(text), &number) || number < row->min || number > row->max)) {
        return error_set(err, ERROR_USAGE, 0, "--%s: \"%s\" is no whole number within %lld to %lld",
                         row->name, shown, (long long)row->min, (long long)row->max);
    }
    if (row->type == OPTION_CHOICE && !config_choice_has(row->choices, str_from(text))) {
        return error_set(err, ERROR_USAGE, 0, "--%s: \"%s\" is none of %s", row->name, shown,
                         row->choices);
    }
    if (row->check != NULL && !row->check(str_from(text), err)) {
        err->code = ERROR_USAGE;
        return error_wrap(err, "--%s: \"%s\"", row->name, shown);
    }
    return true;
}

static bool check_together(const struct options *o, const struct option_row *row, struct error *err)
{
    for (size_t i = 0; i < o->count; i++) {
        const struct option_row *other = o->values[i].row;
        if (other == row && (row->flags & OPTION_REPEAT) == 0)
            return error_set(err, ERROR_USAGE, 0, "--%s is given twice", row->name);
        if (other != row && other->group != NULL && row->group != NULL &&
            strcmp(other->group, row->group) == 0) {
            return error_set(err, ERROR_USAGE, 0, "--%s and --%s exclude each other", other->name,
                             row->name);
        }
    }
    return true;
}

static bool take(struct options *o, const struct option_row *row, const char *text,
                 struct error *err)
{
    struct option_value value = {row, text};
    if (!check_value(row, text, err) || !check_together(o, row, err))
        return false;
    ARRAY_PUSH(o->values, o->count, o->cap) = value;
    o->help = o->help || strcmp(row->name, "help") == 0;
    o->version = o->version || strcmp(row->name, "version") == 0;
    return true;
}

/* ---- walking the words ----------------------------------------------------------------------- */

static bool argument(struct parser *p, const struct option_row *row, const char **text,
                     struct error *err)
{
    if (p->at + 1 >= p->argc) {
        return error_set(err, ERROR_USAGE, 0, "--%s needs a value: --%s %s", row->name, row->name,
                         row->arg);
    }
    *text = p->argv[++p->at];
    return true;
}

static bool long_option(struct parser *p, const char *word, struct error *err)
{
    struct str whole = str_from(word + 2);
    size_t equals = str_find(whole, '=');
    struct str name = str_slice(whole, 0, equals);
    const struct option_row *row = find(p->out->verb, name, 0);
    const char *text = "true";
    if (row == NULL)
        return unknown_option(p->out, name, err);
    if (row->type == OPTION_FLAG && equals < whole.len)
        return error_set(err, ERROR_USAGE, 0, "--%s takes no value", row->name);
    if (equals < whole.len)
        text = word + 2 + equals + 1;
    else if (row->type != OPTION_FLAG && !argument(p, row, &text, err))
        return false;
    return take(p->out, row, text, err);
}

static bool short_options(struct parser *p, const char *word, struct error *err)
{
    for (const char *c = word + 1; *c != '\0'; c++) {
        const struct option_row *row = find(p->out->verb, STR(""), *c);
        const char *text = "true";
        if (row == NULL) {
            char shown[16];
            escape_text(shown, sizeof(shown), (struct str){c, 1});
            return error_set(err, ERROR_USAGE, 0, "unknown option -%s; see rbconsole --help",
                             shown);
        }
        if (row->type == OPTION_FLAG) {
            if (!take(p->out, row, text, err))
                return false;
            continue;
        }
        if (c[1] != '\0')
            text = c + 1;
        else if (!argument(p, row, &text, err))
            return false;
        return take(p->out, row, text, err);
    }
    return true;
}

static bool plain_word(struct options *o, const char *word, struct error *err)
{
    if (o->verb == NULL) {
        o->verb = verb_find(str_from(word));
        return o->verb != NULL || unknown_verb(str_from(word), err);
    }
    if (o->operand_count >= o->verb->operands_max) {
        char shown[SHOWN];
        return error_set(err, ERROR_USAGE, 0, "%s: \"%s\" is one word too many", o->verb->name,
                         escape_text(shown, sizeof(shown), str_from(word)));
    }
    ARRAY_PUSH(o->operands, o->operand_count, o->operand_cap) = word;
    return true;
}

static bool parse_words(struct parser *p, struct error *err)
{
    bool only_words = false;
    for (p->at = 1; p->at < p->argc; p->at++) {
        const char *word = p->argv[p->at];
        bool ok;
        if (!only_words && strcmp(word, "--") == 0) {
            only_words = true;
            continue;
        }
        if (only_words || word[0] != '-' || word[1] == '\0')
            ok = plain_word(p->out, word, err);
        else if (word[1] == '-')
            ok = long_option(p, word, err);
        else
            ok = short_options(p, word, err);
        if (!ok)
            return false;
    }
    return true;
}

static bool check_whole(const struct options *o, struct error *err)
{
    if (o->help || o->version)
        return true;
    if (o->verb != NULL && o->operand_count < o->verb->operands_min) {
        return error_set(err, ERROR_USAGE, 0, "%s needs %s; see rbconsole %s --help", o->verb->name,
                         o->verb->operands, o->verb->name);
    }
    for (size_t i = 0; i < o->count; i++) {
        if (o->verb != NULL && (o->values[i].row->flags & OPTION_CONSOLE) != 0) {
            return error_set(err, ERROR_USAGE, 0, "--%s is for the console, not for %s",
                             o->values[i].row->name, o->verb->name);
        }
    }
    return true;
}

bool cli_parse(int argc, const char *const *argv, struct options *out, struct error *err)
{
    struct parser p = {.argc = argc, .argv = argv, .out = out};
    memset(out, 0, sizeof(*out));
    if (!parse_words(&p, err) || !check_whole(out, err)) {
        cli_release(out);
        return false;
    }
    return true;
}

void cli_release(struct options *o)
{
    free(o->values);
    free(o->operands);
    memset(o, 0, sizeof(*o));
}

bool cli_wants_json(int argc, const char *const *argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}
