/*
 * store.h - where backups are kept: a directory or an S3 bucket and prefix, behind one interface.
 *
 * Names are relative to the root: "<id>.tar.gz", "<id>/keys/keys-part-0001.jsonl"; an absolute
 * name, an empty or dot component, or a control character is refused (ERROR_USAGE). What is
 * written appears whole at commit or not at all. A store may be used by several threads; a reader
 * or writer by one at a time. Blocking: jobs and worker threads only.
 */
#ifndef CORE_STORE_STORE_H
#define CORE_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/base/str.h"
#include "core/s3/s3.h"
#include "core/s3/upload_memory.h"

struct store;
struct store_reader;
struct store_writer;

struct store_options {
    struct s3_options s3;  /* bucket is taken from the URI */
    size_t part_bytes;     /* 0: 16 MiB */
    unsigned concurrency;  /* uploads side by side; 0: 4 */
    int64_t max_put_bytes; /* 0: 64 MiB; what put and read_all hold in memory */
    /* S3: a stream is written only where nothing stands yet (ERROR_CONFLICT otherwise). */
    bool never_replace;
    unsigned max_parts; /* S3: of one object; 0: 10,000. Tests take fewer */
};

/* How a stream is written. */
struct store_write {
    int64_t estimate_bytes; /* 0: unknown */
    /* S3: told of what begins and of what is sent; `known` in it is from earlier runs. NULL: nobody
     * is. */
    struct upload_memory *memory;
    /* An earlier run of the same writer began it: its uploads are gone on with where they are known
     * and the same bytes come again, and what else it left is removed. */
    bool again;
};

struct store_uri {
    bool is_s3;
    char bucket[64];   /* S3 only */
    char prefix[1025]; /* S3: "" or without leading and trailing slash; else the directory */
};

/* "s3://bucket/prefix", "file:///dir" or a path. ERROR_CONFIG says what is wrong with it. */
bool store_parse_uri(const char *uri, struct store_uri *out, struct error *err) MUST_CHECK;
/* A directory is not created before something is written into it. No network. */
bool store_open(const char *uri, const struct store_options *options, struct store **out,
                struct error *err) MUST_CHECK;
void store_free(struct store *s); /* readers and writers first; NULL allowed */
bool store_is_s3(const struct store *s);
/* "s3://bucket/prefix/name" or "dir/name", as shown to people and accepted back; the caller frees.
 * name "" gives the root. */
char *store_uri(const struct store *s, const char *name);
/* The S3 client below (doctor, orphaned uploads); NULL for a directory. */
struct s3 *store_s3_client(const struct store *s);
/* true when the name may be used: see above. */
bool store_name_is_safe(struct str name);

struct store_entry {
    const char *name; /* one component; names that are not safe are left out of the page */
    int64_t size_bytes;
    int64_t modified_ms;
    bool is_dir;
};

/* Zeroed memory is a valid empty page; everything lives in its arena. */
struct store_page {
    struct arena arena;
    struct store_entry *items;
    size_t count;
    size_t cap;
    size_t skipped;   /* names that were not safe, links, devices */
    const char *next; /* pass to store_list for the next page; NULL at the end */
};

/* The entries of the root, in byte order, page by page. after NULL: from the start. max 0: 1000.
 * A directory that does not exist is an empty store. */
bool store_list(struct store *s, const char *after, size_t max, struct store_page *out,
                struct error *err) MUST_CHECK;
void store_page_release(struct store_page *page);

struct store_info {
    int64_t size_bytes;
    int64_t modified_ms;
};

bool store_stat(struct store *s, const char *name, struct store_info *out,
                struct error *err) MUST_CHECK; /* ERROR_NOT_FOUND when absent */

/* length -1: to the end. A read that breaks off goes on by itself; if the object is replaced
 * meanwhile, reading fails with ERROR_CONFLICT. */
bool store_open_read(struct store *s, const char *name, int64_t from, int64_t length,
                     struct store_reader **out, struct error *err) MUST_CHECK;
/* At least one byte unless the end is reached: *got is 0 only there. */
bool store_read(struct store_reader *r, void *out, size_t size, size_t *got,
                struct error *err) MUST_CHECK;
int64_t store_reader_size(const struct store_reader *r); /* bytes of the whole object */
void store_reader_free(struct store_reader *r);          /* NULL allowed */
/* One version of one object, for reading pieces of it: from several threads at once. */
struct store_object;
bool store_open_object(struct store *s, const char *name, struct store_object **out,
                       struct error *err) MUST_CHECK;
int64_t store_object_size(const struct store_object *o);
/* A text that is another one when the object was replaced: an ETag, or inode and time. */
const char *store_object_version(const struct store_object *o);
/* Exactly `size` bytes from there on; ERROR_CONFLICT when the object was replaced meanwhile,
 * ERROR_CORRUPT past its end. */
bool store_object_read(const struct store_object *o, int64_t from, char *out, size_t size,
                       struct error *err) MUST_CHECK;
void store_object_free(struct store_object *o); /* NULL allowed */

/* A small object, up to out->max (ERROR_LIMIT past it). */
bool store_read_all(struct store *s, const char *name, struct buf *out,
                    struct error *err) MUST_CHECK;
/* The first `max` bytes, or fewer if the object is shorter. */
bool store_read_head(struct store *s, const char *name, size_t max, struct buf *out,
                     struct error *err) MUST_CHECK;

/* A small object, replaced as a whole; on disk when this returns. */
bool store_put(struct store *s, const char *name, struct str bytes, struct error *err) MUST_CHECK;
/* A stream of any size; estimate 0 when unknown. Nothing is visible under the name until commit. */
bool store_open_write(struct store *s, const char *name, int64_t estimate_bytes,
                      struct store_writer **out, struct error *err) MUST_CHECK;
bool store_open_write_as(struct store *s, const char *name, const struct store_write *how,
                         struct store_writer **out, struct error *err) MUST_CHECK;
bool store_write(struct store_writer *w, struct str bytes, struct error *err) MUST_CHECK;
/* Finish and make visible; on disk, or acknowledged by the server, when true. Then free. */
bool store_commit(struct store_writer *w, struct error *err) MUST_CHECK;
/* What S3 holds of it stays for a later run (store_write.again). Before store_writer_free. */
void store_writer_leave(struct store_writer *w);
/* Without a commit before it, everything written is removed. NULL allowed. */
void store_writer_free(struct store_writer *w);
int64_t store_writer_sent(const struct store_writer *w); /* bytes acknowledged; any thread */

/* Abort the uploads of this name, and of the objects that it goes on in, that were never finished;
 * only the caller may be writing it. */
bool store_remove_uploads(struct store *s, const char *name, struct error *err) MUST_CHECK;
/* One object, or a whole directory with all in it. Absent is fine. */
bool store_remove(struct store *s, const char *name, struct error *err) MUST_CHECK;

#endif
