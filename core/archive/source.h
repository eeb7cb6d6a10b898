/*
 * source.h - a backup opened for reading: a directory, an archive file, or an archive in a store.
 *
 * source_open finds the manifest (in an archive of ours without reading the rest of it; in an older
 * tool's by one pass, unpacked into an unlinked spool file) and refuses hostile archives. A part's
 * bytes are handed out only after its length and SHA-256 were checked. Never writes to a path that
 * an archive names. source_read_part may be called by several threads at once; the rest by one.
 */
#ifndef CORE_ARCHIVE_SOURCE_H
#define CORE_ARCHIVE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/archive/manifest.h"
#include "core/base/error.h"
#include "core/base/secret.h"
#include "core/base/str.h"
#include "core/jobs/task.h"
#include "core/store/store.h"

struct source_options {
    const char *path;      /* a directory or an archive file; or */
    struct store *store;   /* the store (outlives the source) and */
    const char *name;      /* the name in it, "<id>.tar.gz" or "<id>" */
    const char *spool_dir; /* where unlinked spool files may be made; NULL: /tmp or $path's own */
    uint64_t max_unpacked; /* bytes of all members together; 0: 1 TiB */
    struct task *task;     /* for cancelling; may be NULL */
    const struct secret *verify_key; /* the manifest's HMAC must fit; NULL or unset: not asked */
};

struct source;

/* Errors: ERROR_NOT_FOUND, ERROR_STORAGE, ERROR_CORRUPT (also: no manifest, HMAC wrong),
 * ERROR_LIMIT, ERROR_UNSUPPORTED, ERROR_CANCELLED. */
bool source_open(const struct source_options *options, struct source **out,
                 struct error *err) MUST_CHECK;
void source_close(struct source *s); /* NULL is fine; parts first */

/* Never NULL. An older tool's archive gives format_version 0, one part per member. */
const struct manifest *source_manifest(const struct source *s);
struct str source_manifest_text(const struct source *s); /* the exact bytes; may be empty */
const char *source_name(const struct source *s);         /* path or URI, for messages */
bool source_signed(const struct source *s);              /* an HMAC was asked for and fits */

/* The checked text of one part: whole lines. */
struct source_part {
    const struct manifest_part *info;
    size_t index;
    struct str text;   /* private to this part */
    struct buf memory; /* owner of text unless mapped */
    void *map;
    size_t map_len;
};

/* index < manifest's part_count, in any order, several at once. ERROR_CORRUPT names the part. */
bool source_read_part(struct source *s, size_t index, struct source_part *out,
                      struct error *err) MUST_CHECK;
/* functions.jsonl; only when the manifest says that there is one. */
bool source_read_functions(struct source *s, struct source_part *out, struct error *err) MUST_CHECK;
void source_part_release(struct source_part *part);
/* Cut the next line off *rest (start with part->text); false at the end. Empty lines are passed
 * over. Lines over 64 MiB come out whole: record_parse refuses them. */
bool source_next_line(struct str *rest, struct str *line);

/* Read and check every part without keeping any: before anything irreversible. Totals in the
 * manifest are compared with what is there. */
bool source_check(struct source *s, struct error *err) MUST_CHECK;

#endif
