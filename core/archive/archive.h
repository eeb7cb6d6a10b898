/*
 * archive.h - a backup being written: parts in, a directory tree, an archive file and an upload
 * out, all at once.
 *
 * Parts go through a bounded queue to compressor threads (one gzip member each) and on to one
 * writer thread. archiver_add may be called by many workers; the rest by the owner. Nothing that
 * looks finished exists before archiver_finish: until then tree and file are named .partial, the
 * manifest comes last everywhere, and uploads appear by commit. A failing upload does not spoil
 * what is written on disk: archiver_finish finishes that first and then says what failed.
 */
#ifndef CORE_ARCHIVE_ARCHIVE_H
#define CORE_ARCHIVE_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/archive/manifest.h"
#include "core/archive/part.h"
#include "core/base/error.h"
#include "core/base/secret.h"
#include "core/jobs/task.h"
#include "core/store/store.h"

#define ARCHIVE_COMPRESSORS 2

struct archiver;
struct archive_again;

enum archive_place { ARCHIVE_TREE, ARCHIVE_FILE, ARCHIVE_UPLOAD };

struct archive_options {
    const char *id;
    const char *dir;               /* backup directory; NULL: nothing on disk */
    bool tree;                     /* <dir>/<id>/ */
    bool file;                     /* <dir>/<id>.tar.gz */
    struct store *store;           /* upload; NULL: none */
    int level;                     /* gzip 1 … 9; 0: 6 */
    size_t threads;                /* compressors; 0: ARCHIVE_COMPRESSORS */
    size_t memory;                 /* bytes of parts waiting; 0: 64 MiB */
    const struct secret *sign_key; /* NULL or unset: not signed */
    struct task *task;             /* counters "archiver_bytes", "uploaded_bytes"; may be NULL */
    /* Called by archiver_finish as each place is complete; may be NULL. */
    void (*written)(void *arg, enum archive_place place, const char *where);
    void *written_arg;
    /* Called by the writer thread as a part is in every local place; false ends it all. May be
     * NULL. */
    bool (*part_done)(void *arg, const struct part *part, struct error *err);
    void *part_done_arg;
    /* Is told of the upload, for a later run; with `again`, knows of it. A failing upload leaves
     * then what it has sent. NULL, or one that keeps nothing: it does not, and nothing is left. */
    struct upload_memory *uploads;
    struct archive_again *again; /* checked parts of an earlier run (archive_again.h), or NULL */
};

/* Strings, store and key must outlive it. ERROR_CONFLICT: the id exists there already. */
bool archiver_create(const struct archive_options *options, struct archiver **out,
                     struct error *err) MUST_CHECK;
/* Takes the part, whatever is returned. Waits for room. */
bool archiver_add(struct archiver *a, struct part *part, struct error *err) MUST_CHECK;
/* Wait until all parts are written; then their table goes into m, and m to every place. */
bool archiver_finish(struct archiver *a, struct manifest *m, struct error *err) MUST_CHECK;
/* The local places are whole: after a failing archiver_finish only the upload is missing. */
bool archiver_is_local(const struct archiver *a);
/* The partial tree and file stay for a later run, once there is a finished part in them. */
void archiver_leave(struct archiver *a);
/* Bytes of the archive so far. */
uint64_t archiver_bytes(struct archiver *a);
/* Without a successful finish: what was begun is removed again, unless archiver_leave was called.
 * NULL is fine. */
void archiver_free(struct archiver *a);

#endif
