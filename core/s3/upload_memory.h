/*
 * upload_memory.h - what must be remembered of multipart uploads so that a later run goes on with
 * them, and what became of those that an earlier run told of.
 *
 * Whoever owns the memory writes down what `begun` and `sent` tell, and later puts the same into
 * `known`. One thread fills and judges it; the callbacks come from any thread of an upload, also
 * several at once.
 */
#ifndef CORE_S3_UPLOAD_MEMORY_H
#define CORE_S3_UPLOAD_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/s3/s3.h"
#include "core/s3/sigv4.h"

/* A part that the server has acknowledged. number 0: there is none. */
struct upload_part {
    unsigned number; /* from 1 */
    int64_t size_bytes;
    char sha256[SIGV4_HASH_SIZE]; /* of what was sent, in lower hex */
    char etag[S3_ETAG_MAX];       /* verbatim */
};

enum upload_fate {
    UPLOAD_ANEW,    /* nothing of it can be used */
    UPLOAD_GOES_ON, /* its parts are those that the server still holds */
    UPLOAD_STANDS   /* it was completed: the object is there */
};

struct upload_known {
    char *bucket;
    char *key;
    char *upload_id;
    char *encryption; /* as s3_encryption tells it */
    bool checksums;   /* the server was asked to keep them: each part must have one then */
    char token[S3_TOKEN_MAX + 1];
    int64_t part_bytes;
    int64_t estimate_bytes;    /* that part_bytes was chosen by */
    struct upload_part *parts; /* part n stands at n - 1 */
    size_t count;
    size_t cap;
    enum upload_fate fate;
};

struct upload_memory {
    struct upload_known *known; /* from earlier runs; NULL: none */
    size_t count;
    size_t cap;
    /* An upload begins; nothing was sent yet. Of `u` only the texts and sizes. */
    void (*begun)(void *arg, const struct upload_known *u); /* NULL: nothing is remembered */
    void (*sent)(void *arg, const char *upload_id, const struct upload_part *part);
    void (*note)(void *arg, bool warn, const char *text); /* one line for people; NULL: nobody */
    void *arg;
};

/* A copy of what `begun` told, in place of an older one of that key. Parts follow. */
void upload_memory_begun(struct upload_memory *m, const struct upload_known *u);
/* Parts of uploads that are not known are passed over; the newest of a number counts. */
void upload_memory_sent(struct upload_memory *m, const char *upload_id,
                        const struct upload_part *part);
/* Will a later run know of what is uploaded now? m may be NULL. */
bool upload_memory_keeps(const struct upload_memory *m);
void upload_memory_note(const struct upload_memory *m, bool warn, const char *fmt, ...)
    PRINTF_LIKE(3, 4); /* to the log where nobody takes notes; m may be NULL */
void upload_memory_release(struct upload_memory *m);
/* NULL: none was acknowledged. */
const struct upload_part *upload_known_part(const struct upload_known *u, unsigned number);
size_t upload_known_count(const struct upload_known *u, int64_t *bytes); /* of its parts */

#endif
