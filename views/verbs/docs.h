/*
 * docs.h - man page, completion and reference tables, written from the same tables that the
 * program itself uses. Pure: each appends to out.
 */
#ifndef VIEWS_VERBS_DOCS_H
#define VIEWS_VERBS_DOCS_H

#include "core/base/buf.h"

void docs_man(struct buf *out);  /* roff */
void docs_bash(struct buf *out); /* completion scripts */
void docs_zsh(struct buf *out);
void docs_fish(struct buf *out);
void docs_config_table(struct buf *out); /* Markdown */
void docs_verb_table(struct buf *out);
void docs_exit_table(struct buf *out);
void docs_keys(struct buf *out);        /* every screen */
void docs_global_keys(struct buf *out); /* the screens, and the keys that work everywhere */
void docs_cell(struct buf *out,
               const char *text); /* text of a cell: no sign of Markdown acts in it */
void docs_code(struct buf *out, const char *text); /* the same between backticks */
void docs_config_schema(struct buf *out);          /* JSON schema of config.json */

#endif
