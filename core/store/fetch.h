/*
 * fetch.h - copy one object of a store into a local file: ranges side by side, and what an earlier
 * run already brought is not fetched again.
 *
 * The bytes go into `<path>.partial`, with `<path>.partial.json` saying which pieces are there,
 * of which version of the object, and their SHA-256: on going on each of them is read back and
 * compared. Another version, or an object that is replaced meanwhile, starts over or fails; pieces
 * of two versions are never mixed. The caller looks at the whole before fetch_keep gives it its
 * name. Memory: workers * piece size. One thread calls; the workers are this file's own.
 */
#ifndef CORE_STORE_FETCH_H
#define CORE_STORE_FETCH_H

#include "core/store/store.h"

#define FETCH_PIECE ((size_t)8 << 20)
#define FETCH_WORKERS_MAX 16

struct fetch_options {
    struct store *from;
    const char *name;             /* in the store */
    const char *path;             /* of the file to become */
    unsigned workers;             /* 0: 4 */
    size_t piece_bytes;           /* 0: FETCH_PIECE */
    bool replace;                 /* a file that already has that name */
    bool (*cancelled)(void *ctx); /* may be NULL */
    void (*progress)(void *ctx, int64_t done, int64_t total); /* any worker's thread; NULL */
    void *ctx;
};

struct fetch;

struct fetch_facts {
    int64_t size_bytes;
    int64_t reused_bytes;   /* from an earlier run */
    const char *partial;    /* the path of the file so far */
    const char *not_reused; /* why an earlier run's file was of no use; "" when there was none */
};

/* ERROR_CONFLICT: the file is there; ERROR_LOCKED: another process fetches it. */
bool fetch_begin(const struct fetch_options *options, struct fetch **out,
                 struct error *err) MUST_CHECK;
/* Until all is there and on disk. After a failure or cancel the partial file stays, to go on. */
bool fetch_run(struct fetch *f, struct error *err) MUST_CHECK;
const struct fetch_facts *fetch_facts(const struct fetch *f);
/* Give it its name; on disk when true. */
bool fetch_keep(struct fetch *f, struct error *err) MUST_CHECK;
/* What was fetched is of no use: remove it. */
void fetch_discard(struct fetch *f);
void fetch_free(struct fetch *f); /* NULL allowed */

#endif
