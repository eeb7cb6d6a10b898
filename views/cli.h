/*
 * cli.h - the command line against the option tables: long (`--x y`, `--x=y`), short (`-x y`,
 * `-xy`, bundled `-qv`), `--`, global options before or after the verb.
 *
 * Nothing is abbreviated or reordered. A mistake is one line (ERROR_USAGE) with the nearest right
 * word. Parsing knows no configuration; cli_invocation joins the two afterwards. Main thread.
 */
#ifndef VIEWS_CLI_H
#define VIEWS_CLI_H

#include "core/config/config.h"
#include "views/verbs/verb.h"

struct option_value {
    const struct option_row *row;
    const char *text; /* borrowed from argv; "true" for flags */
};

struct options {
    const struct verb *verb; /* NULL: the console */
    struct option_value *values;
    size_t count, cap;
    const char **operands;
    size_t operand_count, operand_cap;
    bool help, version;          /* asked for: nothing else was checked after it */
    const struct config *config; /* set by cli_invocation */
    const struct environment *env;
};

/* Rows that hold for every verb and for the console; ended by name NULL. */
extern const struct option_row cli_globals[];

/* argv[0] is skipped. On failure *out is released. */
bool cli_parse(int argc, const char *const *argv, struct options *out,
               struct error *err) MUST_CHECK;
void cli_release(struct options *o);
/* A quick look for --json, for errors that come before or out of parsing. */
bool cli_wants_json(int argc, const char *const *argv);

/* The row for a long name: the verb's own, else a global one; NULL. */
const struct option_row *cli_row(const struct verb *verb, struct str name);
/* The last value given, or NULL. */
const char *cli_given(const struct options *o, const char *name);
/* Values that belong into the configuration; at most max. Returns how many. */
size_t cli_settings(const struct options *o, struct config_setting *out, size_t max);
/* What verbs and console get. config and env may be NULL where the verb allows it. */
void cli_invocation(struct options *o, const char *program, const struct config *config,
                    const struct environment *env, struct invocation *out);

#endif
