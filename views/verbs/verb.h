/*
 * verb.h - a command-line verb is one const struct: its name, its options, its function.
 *
 * Help, man page, shell completion and option parsing all read these tables. A verb `x` lives in
 * views/verbs/x.c, defines `const struct verb verb_x`, is declared below and has one row in
 * verbs.c. Verbs print their result on stdout and nothing else there; they never exit.
 */
#ifndef VIEWS_VERBS_VERB_H
#define VIEWS_VERBS_VERB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/str.h"

struct config;
struct environment;
struct invocation;
struct options;

enum option_type {
    OPTION_FLAG, /* takes no argument */
    OPTION_TEXT,
    OPTION_INT,    /* min..max */
    OPTION_CHOICE, /* one of choices */
    OPTION_FILE,   /* text; the shell completes file names */
    OPTION_DIR,    /* text; the shell completes directories */
    OPTION_ENV     /* text; the shell completes environment names */
};

enum {
    OPTION_REPEAT = 1,  /* may be given several times; otherwise twice is an error */
    OPTION_HIDDEN = 2,  /* not in help, man page or completion */
    OPTION_CONSOLE = 4, /* global, for the console only */
    OPTION_SECRET = 8   /* its argument names a file with a secret */
};

struct option_row {
    const char *name; /* long name without dashes; NULL ends the table */
    char letter;      /* 0: none */
    enum option_type type;
    const char *arg;        /* "N", "GLOB"; NULL for flags */
    const char *help;       /* one sentence with a full stop */
    const char *fallback;   /* value when not given, shown in help; NULL: none */
    const char *config_key; /* path in config_table that this option sets and defaults from */
    const char *choices;    /* "a|b|c"; with OPTION_TEXT only a hint for completion */
    int64_t min, max;       /* OPTION_INT */
    const char *group;      /* options of one group exclude each other */
    unsigned flags;
    /* Extra check of an argument; the error text says what is wrong with it. May be NULL. */
    bool (*check)(struct str value, struct error *err);
};

enum {
    VERB_HIDDEN = 1,
    VERB_NO_ENV = 2,   /* runs without an environment: inv->env may be NULL */
    VERB_NO_CONFIG = 4 /* runs even when the config cannot be read: inv->config may be NULL */
};

struct verb {
    const char *name;
    const char *alias;    /* another name, or NULL */
    const char *summary;  /* one sentence with a full stop */
    const char *operands; /* as shown: "A B", "[PATTERN]"; NULL: none */
    size_t operands_min, operands_max;
    const struct option_row *options; /* may be NULL */
    const char *notes;                /* paragraphs for --help and the man page; may be NULL */
    const char *examples;             /* lines "command\n"; may be NULL */
    unsigned flags;
    /* Returns the exit status (0 or 1 for findings) with err untouched, or `verb_fail(err)`. main
     * prints err: the verb does not. */
    int (*run)(const struct invocation *inv, struct error *err);
};

/* Everything a verb or the console gets. Constant; lives until the end of the program. */
struct invocation {
    const struct verb *verb; /* NULL: the console */
    const struct config *config;
    const struct environment *env; /* the selected one; NULL only with VERB_NO_ENV, the console */
    const struct options *options; /* read it through the option_ functions below */
    const char *program;           /* argv[0] */
    const char *const *operands;
    size_t operand_count;
    bool json;
    bool quiet;
    int verbose;                  /* how many -v */
    bool read_only;               /* --read-only: every change is refused */
    void (*exit_now)(int status); /* for struct job_spec: the second signal */
    bool write;                   /* --write: the console starts armed, where that is allowed */
};

/* Options of the verb or global ones, by long name; a name in no table is a defect and aborts.
 * option_text: NULL when neither given nor defaulted. Values with a config_key come from the
 * configuration, whose strongest layer is the option itself. */
bool option_given(const struct invocation *inv, const char *name);
bool option_flag(const struct invocation *inv, const char *name);
const char *option_text(const struct invocation *inv, const char *name);
int64_t option_int(const struct invocation *inv, const char *name);  /* 0 when without a value */
size_t option_count(const struct invocation *inv, const char *name); /* of a repeatable one */
const char *option_text_at(const struct invocation *inv, const char *name, size_t index);

/* error_exit_status of err's code; for `return verb_fail(err);`. */
int verb_fail(const struct error *err);

/* All verbs that are built in, in the order of --help. */
size_t verb_count(void);
const struct verb *verb_at(size_t index);
const struct verb *verb_find(struct str name); /* by name or alias; NULL */

extern const struct verb verb_backup;
extern const struct verb verb_check;
extern const struct verb verb_delete;
extern const struct verb verb_diff;
extern const struct verb verb_docs;
extern const struct verb verb_doctor;
extern const struct verb verb_download;
extern const struct verb verb_drill;
extern const struct verb verb_events;
extern const struct verb verb_help;
extern const struct verb verb_jobs;
extern const struct verb verb_keys;
extern const struct verb verb_list;
extern const struct verb verb_maintain;
extern const struct verb verb_nodes;
extern const struct verb verb_poll;
extern const struct verb verb_prune;
extern const struct verb verb_restore;
extern const struct verb verb_show;
extern const struct verb verb_slots;
extern const struct verb verb_snapshot;
extern const struct verb verb_status;
extern const struct verb verb_test;
extern const struct verb verb_verify;
extern const struct verb verb_version;

#endif
