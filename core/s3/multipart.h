/*
 * multipart.h - one object written as a stream: parts are cut, hashed and uploaded in parallel.
 *
 * One thread writes; a few workers of the upload send. All parts but the last have one size, fixed
 * at the start. Memory is bounded by (workers + 1) * part size. An object smaller than one part is
 * sent as a plain PUT. Nothing appears under the key before commit returned true; any failure or
 * cancel aborts the upload and leaves no part behind, unless multipart_leave was called. A commit
 * whose reply was lost is settled by the token and size of what now stands under the key.
 * An upload of an earlier run is gone on with: the same bytes are written again from the start, and
 * a part is sent only if the server does not hold it with these bytes (by their SHA-256).
 * Source: Amazon S3 user guide, "Uploading an object using multipart upload".
 */
#ifndef CORE_S3_MULTIPART_H
#define CORE_S3_MULTIPART_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/str.h"
#include "core/s3/s3.h"
#include "core/s3/upload_memory.h"

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
    struct upload_memory *memory;     /* is told what begins and what is sent; NULL: nobody is */
    const struct upload_known *known; /* goes on with it, by its fate; NULL: begins anew */
};

struct multipart_verdict {
    char why[160]; /* UPLOAD_ANEW: what is in the way */
    size_t parts;  /* otherwise: parts at the server, and their bytes */
    int64_t bytes;
};

/* Ask the server what became of an upload: sets u->fate, and leaves only the parts in it that stand
 * at the server as they were sent. False: the server cannot be asked; or (ERROR_CONFIG) the upload
 * goes on only with the SSE-C key that it was begun with. */
bool multipart_judge(struct s3 *s3, struct upload_known *u, const struct multipart_options *now,
                     struct multipart_verdict *verdict, struct error *err) MUST_CHECK;

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
/* What was sent stays at the server, for a later run. Before multipart_free. */
void multipart_leave(struct multipart *m);
/* Not committed: aborts and removes all parts first (tried even when cancelled). NULL allowed.
 * What could not be removed goes to the log with its upload id. */
void multipart_free(struct multipart *m);
/* Bytes that the server has acknowledged so far, by an earlier run too. Any thread. */
int64_t multipart_sent(const struct multipart *m);

#endif
