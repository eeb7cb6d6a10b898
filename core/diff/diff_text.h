/*
 * diff_text.h - a difference as people read it: a short table first, then what changed, as plain
 * text for a terminal or as Markdown for a ticket.
 *
 * Made from the JSON document (docs/schema/diff.schema.json), so that a saved one reads the same.
 * Every text in it is escaped again on the way out: a document from elsewhere cannot drive a
 * terminal or break out of a table. Pure; any thread.
 */
#ifndef CORE_DIFF_DIFF_TEXT_H
#define CORE_DIFF_DIFF_TEXT_H

#include <jansson.h>

#include "core/base/buf.h"

enum diff_style { DIFF_PLAIN, DIFF_MARKDOWN };

/* Appended to out; what is past its ceiling is left out. */
void diff_text(const json_t *doc, enum diff_style style, struct buf *out);
/* "a=10 b=10 same=10 differs=0 …", or "appeared=0 …" for verifications. Returns out. */
char *diff_text_line(const json_t *doc, char *out, size_t size);

#endif
