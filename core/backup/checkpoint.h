/*
 * checkpoint.h - what a backup has finished, line by line in the job's directory, so that a later
 * run of the same job reads only the rest.
 *
 * One JSON object a line in parts.jsonl: "run" (a run begins), "pass" (one reading of one node
 * begins), "part" (a part is in every local place, with size and SHA-256), "mark" (slots that are
 * finished once the first `after` parts of a pass are there, with their tallies), "dirty" (slots
 * whose reading no longer counts), "drop" (a part that was found damaged), "note" (a line for the
 * manifest), "local" (the manifest is written, only the upload is missing), "upload" (a multipart
 * upload begins) and "sent" (the server has a part of it). The order of parts and
 * marks does not matter; a torn last line is as if it had never been written. A line is one write;
 * checkpoint_sync puts all of them on disk. Any thread may write.
 */
#ifndef CORE_BACKUP_CHECKPOINT_H
#define CORE_BACKUP_CHECKPOINT_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/error.h"

#define CHECKPOINT_NAME "parts.jsonl"
#define CHECKPOINT_LINE_MAX ((size_t)8 << 20)

struct checkpoint;

/* Append to the file of the job's directory; dir NULL: a checkpoint that goes nowhere. */
bool checkpoint_open(const char *dir, struct checkpoint **out, struct error *err) MUST_CHECK;
void checkpoint_close(struct checkpoint *c);         /* NULL is fine */
bool checkpoint_is_kept(const struct checkpoint *c); /* false: it goes nowhere */
/* Append one line {"line":kind, …doc}. Takes doc. A line that cannot be written is an error: what
 * it says would be read again. */
bool checkpoint_add(struct checkpoint *c, const char *kind, json_t *doc,
                    struct error *err) MUST_CHECK;
bool checkpoint_sync(struct checkpoint *c, struct error *err) MUST_CHECK;

/* Called for each whole line in order; false ends the reading with *err set. */
typedef bool (*checkpoint_reader)(void *arg, const char *kind, const json_t *line,
                                  struct error *err);
/* ERROR_NOT_FOUND: this job left no checkpoint. Lines that are no JSON are passed over. */
bool checkpoint_read(const char *dir, checkpoint_reader reader, void *arg,
                     struct error *err) MUST_CHECK;

#endif
