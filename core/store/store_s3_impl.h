/*
 * store_s3_impl.h - inside core/store: a bucket and prefix as store_s3.c (names), store_s3_read.c
 * and store_s3_write.c share it.
 *
 * A stream that outgrows one object (10,000 parts) goes on in `<name>.001`, `.002` … The first
 * object appears last. All volumes but the last are a whole number of MiB and at least 10,000 times
 * the smallest part long, so only an object of such a size needs a look for the next volume.
 */
#ifndef CORE_STORE_STORE_S3_IMPL_H
#define CORE_STORE_STORE_S3_IMPL_H

#include "core/s3/multipart.h"
#include "core/store/store_impl.h"

#define S3_VOLUMES_MAX 999

struct s3_store {
    struct store base;
    struct s3 *client;
    char *prefix; /* "" or "a/b/" */
    struct multipart_options multipart;
};

struct s3_volume {
    char *key;
    char etag[S3_ETAG_MAX];
    int64_t size_bytes;
};

/* The objects that make up one name, in order; the sizes of all. */
struct s3_volumes {
    struct s3_volume *items;
    size_t count;
    size_t cap;
    int64_t size_bytes;
    int64_t modified_ms;
};

const struct s3_store *s3_store_of(const struct store *s);
char *s3_store_key(const struct store *s, const char *name); /* the caller frees */
/* "name" of volume 0, "name.001" of volume 1; the caller frees. */
char *s3_store_volume_name(const char *name, size_t volume);
/* ".001" to ".999" */
bool s3_store_is_volume_suffix(struct str suffix);
bool s3_volumes_find(const struct s3_store *s, const char *name, struct s3_volumes *out,
                     struct error *err) MUST_CHECK;
void s3_volumes_release(struct s3_volumes *v);

bool s3_store_open_object(struct store *s, const char *name, struct store_object **out,
                          struct error *err) MUST_CHECK;
bool s3_store_open_write(struct store *s, const char *name, const struct store_write *how,
                         struct store_writer **out, struct error *err) MUST_CHECK;
/* Remove the objects of a name and what lies under it as a directory, but those that an earlier run
 * completed (s3_store_stands). */
bool s3_store_remove(const struct s3_store *s, const char *name, const struct upload_memory *m,
                     struct error *err) MUST_CHECK;

/* store_uploads.c: what an earlier run left of a stream. Each known upload gets its fate; uploads
 * and objects that are of no use are removed. m: may be NULL. */
bool s3_store_settle(const struct s3_store *s, const char *name, struct upload_memory *m,
                     struct error *err) MUST_CHECK;
/* The upload of that key; NULL: none is known. */
const struct upload_known *s3_store_known(const struct s3_store *s, const struct upload_memory *m,
                                          const char *key);
bool s3_store_stands(const struct s3_store *s, const struct upload_memory *m, struct str key);

#endif
