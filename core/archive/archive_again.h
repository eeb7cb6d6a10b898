/*
 * archive_again.h - going on with an archive that an earlier run left half written.
 *
 * While a backup is written its tree is <dir>/<id>.partial and its file <dir>/<id>.tar.gz.partial.
 * A part of the earlier run is kept only if its size and SHA-256 are right in a place where it was
 * written; a copy that is damaged elsewhere is written again from the good one. The file goes on
 * behind the parts that stand in it without a gap, the others are packed again. Blocking; before
 * archiver_create, by its caller.
 */
#ifndef CORE_ARCHIVE_ARCHIVE_AGAIN_H
#define CORE_ARCHIVE_ARCHIVE_AGAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "core/archive/archive.h"

struct archive_kept {
    struct part *part; /* info as the checkpoint tells it, no text */
    bool good;         /* it is kept */
    bool in_file;      /* it stands in the file where it should, and so do all before it */
    char why[160];     /* not good: what is wrong with it */
};

struct archive_again {
    struct archive_kept *parts;
    size_t count;
    uint64_t file_bytes; /* of the file that stay */
};

/* Give back the names of a finish that was interrupted, then check all parts. False: a place cannot
 * be read or written at all. */
bool archive_again_check(const struct archive_options *o, struct archive_again *again,
                         struct error *err) MUST_CHECK;
void archive_again_release(struct archive_again *again);

/* Check every part of the finished <dir>/<id>.tar.gz, then upload it and its manifest, whose exact
 * bytes are appended to *manifest. Without a store it is only checked. */
bool archive_upload_again(const struct archive_options *o, struct buf *manifest,
                          struct error *err) MUST_CHECK;
/* Where tree and file stand, when they are whole or until then; to be freed. */
char *archive_tree_path(const char *dir, const char *id, bool whole);
char *archive_file_path(const char *dir, const char *id, bool whole);
/* Remove what a run left behind: the partial tree and file. Absent is fine. */
bool archive_remove_partial(const char *dir, const char *id, struct error *err) MUST_CHECK;

#endif
