/*
 * help.h - help text from the option, verb and configuration tables.
 *
 * All functions append to a buf; the caller prints it. width is in columns, 0 for 80.
 */
#ifndef VIEWS_VERBS_HELP_H
#define VIEWS_VERBS_HELP_H

#include "core/base/buf.h"
#include "views/verbs/verb.h"

#define HELP_MAX ((size_t)1 << 20)

struct help_exit {
    int status;
    const char *meaning;
};
/* Ended by meaning NULL. */
extern const struct help_exit help_exits[];

void help_global(struct buf *out, int width);
void help_verb(struct buf *out, const struct verb *verb, int width);
void help_config(struct buf *out, int width);
/* "-e, --env NAME" */
void help_option_head(struct buf *out, const struct option_row *row);
/* "chunk-keys: 1 to 1000000, default 5000 (backup.chunk_keys)" facts after the help sentence. */
void help_option_facts(struct buf *out, const struct option_row *row);
/* "rbconsole [GLOBAL] backup [OPTIONS]" */
void help_usage(struct buf *out, const struct verb *verb);
/* One long line broken at spaces, each line after the first indented. Starts at column `at`. */
void help_wrap(struct buf *out, const char *text, int at, int indent, int width);
/* The next paragraph of a verb's notes, which has a line of its own; false at the end. */
bool help_next_paragraph(struct str *rest, struct str *one);

#endif
