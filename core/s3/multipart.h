/*
 * multipart.h - one object written as a stream: parts are cut, hashed and uploaded in parallel.
 *
 * One thread writes; a few workers of the upload send. All parts but the last have one size, fixed
 * at the start. Memory is bounded by (workers + 1) * part size. An object smaller than one part is
 * sent as a plain PUT. Nothing appears under the key before commit returned true; any failure or
 * cancel aborts the upload and leaves no part behind. A commit whose reply was lost is settled by
 * the token and size of what now stands under the key.
 * Source: Amazon S3 user guide, "Uploading an object using multipart upload".
 */
#ifndef CORE_S3_MULTIPART_H
#define CORE_S3_MULTIPART_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/str.h"
#include "core/s3/s3.h"

#define MULTIPART_PART_MIN ((size_t)5 << 20)
#define MULTIPART_PARTS_MAX 10000

struct multipart;

struct multipart_options {
    size_t part_bytes;      /* 0: 16 MiB; raised so that estimate * 1.5 fits 9,000 parts */
    unsigned workers;       /* 0: 4 */
    int64_t estimate_bytes; /* 0: unknown */
    unsigned max_parts;     /* 0: 10,000; tests take fewer */
    /* Fail with ERROR_CONFLICT rather than replace an object that came to stand under the key; as
     * far as the server knows If-None-Match. */
    bool never_replace;
};

/* Pure: the part size that the options give, a whole number of MiB. */
size_t multipart_part_size(const struct multipart_options *options);

bool multipart_new(struct s3 *s3, struct str key, const struct multipart_options *options,
                   struct multipart **out, struct error *err) MUST_CHECK;
/* Waits while all workers are busy. After a failure every further call fails with the same error.
 */
bool multipart_write(struct multipart *m, struct str bytes, struct error *err) MUST_CHECK;
/* Bytes that one object can take: at 10,000 parts, or at 5 TiB, it is full. Writing more is the
 * caller's mistake. */
int64_t multipart_capacity(const struct multipart *m);
int64_t multipart_total(const struct multipart *m); /* bytes written so far; the writer's thread */
/* Nothing more will be written: send all parts, end the threads and give back their memory. The
 * object still appears by commit alone. */
bool multipart_seal(struct multipart *m, struct error *err) MUST_CHECK;
/* Send the rest and complete. *out (may be NULL) describes the object. Call multipart_free after.
 */
bool multipart_commit(struct multipart *m, struct s3_object *out, struct error *err) MUST_CHECK;
bool multipart_is_committed(const struct multipart *m);
/* Not committed: aborts and removes all parts first (tried even when cancelled). NULL allowed.
 * What could not be removed goes to the log with its upload id. */
void multipart_free(struct multipart *m);
/* Bytes that the server has acknowledged so far. Any thread. */
int64_t multipart_sent(const struct multipart *m);

#endif
