#include <string.h>

#include "core/config/config_table.h"
#include "views/cli.h"
#include "views/verbs/docs.h"
#include "views/verbs/help.h"

typedef void (*put_row)(struct buf *out, const struct verb *verb, const struct option_row *row);

static void each_option(struct buf *out, const struct verb *verb, const struct option_row *rows,
                        put_row put)
{
    for (; rows != NULL && rows->name != NULL; rows++)
        if ((rows->flags & OPTION_HIDDEN) == 0)
            put(out, verb, rows);
}

static bool is_shown(const struct verb *v)
{
    return (v->flags & VERB_HIDDEN) == 0;
}

static const char *choices_of(const struct option_row *row)
{
    const struct config_key *key =
        row->config_key != NULL ? config_key_find(row->config_key) : NULL;
    return row->choices != NULL ? row->choices : key != NULL ? key->choices : NULL;
}

static void put_choices(struct buf *out, const char *choices)
{
    for (; *choices != '\0'; choices++)
        buf_put(out, "%c", *choices == '|' ? ' ' : *choices);
}

/* ---- bash ------------------------------------------------------------------------------------ */

static void bash_word(struct buf *out, const struct verb *verb, const struct option_row *row)
{
    (void)verb;
    buf_put(out, " --%s", row->name);
}

static void bash_value(struct buf *out, const struct verb *verb, const struct option_row *row)
{
    const char *choices = choices_of(row);
    (void)verb;
    if (row->type == OPTION_FLAG)
        return;
    buf_put(out, "    --%s", row->name);
    if (row->letter != 0)
        buf_put(out, "|-%c", row->letter);
    if (choices != NULL) {
        buf_put(out, ") COMPREPLY=($(compgen -W '");
        put_choices(out, choices);
        buf_put(out, "' -- \"$cur\")); return ;;\n");
    } else if (row->type == OPTION_FILE || row->type == OPTION_DIR) {
        buf_put(out, ") COMPREPLY=($(compgen -%c -- \"$cur\")); return ;;\n",
                row->type == OPTION_DIR ? 'd' : 'f');
    } else {
        buf_put(out, ") return ;;\n");
    }
}

static void bash_verb(struct buf *out, const struct verb *v)
{
    buf_put(out, "  %s%s%s)\n    case $prev in\n", v->name, v->alias != NULL ? "|" : "",
            v->alias != NULL ? v->alias : "");
    each_option(out, v, v->options, bash_value);
    buf_put(out, "    esac\n    words=\"$words");
    each_option(out, v, v->options, bash_word);
    buf_put(out, "\" ;;\n");
}

void docs_bash(struct buf *out)
{
    buf_put(out, "# bash completion for rbconsole\n_rbconsole()\n{\n"
                 "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                 "  local verb= word verbs=\"");
    for (size_t i = 0; i < verb_count(); i++)
        if (is_shown(verb_at(i)))
            buf_put(out, "%s%s", i > 0 ? " " : "", verb_at(i)->name);
    buf_put(out, "\"\n  local words=\"");
    each_option(out, NULL, cli_globals, bash_word);
    buf_put(out, "\"\n  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
                 "    case \" $verbs \" in *\" $word \"*) verb=$word; break ;; esac\n  done\n"
                 "  case $verb in\n  '') words=\"$words $verbs\" ;;\n");
    for (size_t i = 0; i < verb_count(); i++)
        if (is_shown(verb_at(i)))
            bash_verb(out, verb_at(i));
    buf_put(out, "  esac\n  case $prev in\n");
    each_option(out, NULL, cli_globals, bash_value);
    buf_put(out, "  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
                 "complete -o default -F _rbconsole rbconsole\n");
}

/* ---- zsh ------------------------------------------------------------------------------------- */

/* Inside single quotes, and inside the brackets of _arguments. */
static void zsh_text(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++)
        if (*text == '\'')
            buf_put(out, "'\\''");
        else if (*text == '[' || *text == ']' || *text == ':')
            buf_put(out, "\\%c", *text);
        else
            buf_put(out, "%c", *text);
}

static void zsh_row(struct buf *out, const struct verb *verb, const struct option_row *row)
{
    const char *choices = choices_of(row);
    (void)verb;
    buf_put(out, "    '%s--%s[", (row->flags & OPTION_REPEAT) != 0 ? "*" : "", row->name);
    zsh_text(out, row->help);
    buf_put(out, "]");
    if (row->type != OPTION_FLAG) {
        buf_put(out, ":");
        zsh_text(out, row->arg);
        buf_put(out, ":");
        if (choices != NULL) {
            buf_put(out, "(");
            put_choices(out, choices);
            buf_put(out, ")");
        } else if (row->type == OPTION_FILE || row->type == OPTION_DIR) {
            buf_put(out, "_files%s", row->type == OPTION_DIR ? " -/" : "");
        }
    }
    buf_put(out, "'\n");
}

void docs_zsh(struct buf *out)
{
    buf_put(out, "#compdef rbconsole\n_rbconsole() {\n  local -a verbs globals own\n  verbs=(\n");
    for (size_t i = 0; i < verb_count(); i++) {
        if (is_shown(verb_at(i))) {
            buf_put(out, "    '%s:", verb_at(i)->name);
            zsh_text(out, verb_at(i)->summary);
            buf_put(out, "'\n");
        }
    }
    buf_put(out, "  )\n  globals=(\n");
    each_option(out, NULL, cli_globals, zsh_row);
    buf_put(out, "  )\n  local word verb=\n  for word in ${words[2,CURRENT-1]}; do\n"
                 "    if (( ${verbs[(I)${word}:*]} )); then verb=$word; break; fi\n  done\n"
                 "  case $verb in\n  '') _arguments -s $globals '1:verb:->verb' && return\n"
                 "      _describe verb verbs; return ;;\n");
    for (size_t i = 0; i < verb_count(); i++) {
        const struct verb *v = verb_at(i);
        if (is_shown(v)) {
            buf_put(out, "  %s) own=(\n", v->name);
            each_option(out, v, v->options, zsh_row);
            buf_put(out, "  ) ;;\n");
        }
    }
    buf_put(out, "  esac\n  _arguments -s $globals $own '*:operand:_files'\n}\n"
                 "_rbconsole \"$@\"\n");
}

/* ---- fish ------------------------------------------------------------------------------------ */

static void fish_text(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++)
        buf_put(out, *text == '\'' || *text == '\\' ? "\\%c" : "%c", *text);
}

static void fish_row(struct buf *out, const struct verb *verb, const struct option_row *row)
{
    const char *choices = choices_of(row);
    buf_put(out, "complete -c rbconsole");
    if (verb != NULL)
        buf_put(out, " -n '__fish_seen_subcommand_from %s'", verb->name);
    if (row->letter != 0)
        buf_put(out, " -s %c", row->letter);
    buf_put(out, " -l %s", row->name);
    if (row->type != OPTION_FLAG)
        buf_put(out, row->type == OPTION_FILE || row->type == OPTION_DIR ? " -r -F" : " -x");
    if (choices != NULL) {
        buf_put(out, " -a '");
        put_choices(out, choices);
        buf_put(out, "'");
    }
    buf_put(out, " -d '");
    fish_text(out, row->help);
    buf_put(out, "'\n");
}

void docs_fish(struct buf *out)
{
    buf_put(out, "# fish completion for rbconsole\n");
    each_option(out, NULL, cli_globals, fish_row);
    for (size_t i = 0; i < verb_count(); i++) {
        const struct verb *v = verb_at(i);
        if (is_shown(v)) {
            buf_put(out, "complete -c rbconsole -f -n __fish_use_subcommand -a %s -d '", v->name);
            fish_text(out, v->summary);
            buf_put(out, "'\n");
            each_option(out, v, v->options, fish_row);
        }
    }
}
