/*
 * journal.h - reading journal.jsonl and failed.jsonl while they grow: the tail and what follows.
 *
 * Opens at the last lines without reading the rest; lines over 64 KiB and torn or damaged lines are
 * skipped and counted. File I/O: verbs, workers and the watch thread only. One thread per reader.
 */
#ifndef CORE_JOBS_JOURNAL_H
#define CORE_JOBS_JOURNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

#define JOURNAL_LINE_MAX 65536

struct journal;

struct journal_line {
    int64_t real_ms; /* 0 when the line has none */
    char level[8];   /* "info" "warn" "error" "step" "key" */
    char *text;      /* one line for people, escaped */
    json_t *doc;     /* the whole line */
};

/* Start so that at most `tail` lines come first; SIZE_MAX: all of them. A missing file is an empty
 * one that may appear later. */
struct journal *journal_open(const char *path, size_t tail, struct error *err);
void journal_free(struct journal *j);
/* The next complete line; false when there is none now (try again later). */
bool journal_next(struct journal *j, struct journal_line *line);
void journal_line_release(struct journal_line *line);
uint64_t journal_skipped(const struct journal *j); /* damaged or overlong lines so far */

#endif
