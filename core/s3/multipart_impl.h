/*
 * multipart_impl.h - inside core/s3: an upload as multipart.c (parts and threads) and
 * multipart_finish.c (begin and end of it at the server) share it.
 */
#ifndef CORE_S3_MULTIPART_IMPL_H
#define CORE_S3_MULTIPART_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/s3/client.h"
#include "core/s3/multipart.h"

#define MULTIPART_WORKERS_MAX 16
#define MULTIPART_TOKEN_DIGITS 32

enum slot_state { SLOT_FREE, SLOT_FILLING, SLOT_READY, SLOT_SENDING };

struct slot {
    enum slot_state state;
    unsigned number; /* part number, from 1 */
    size_t len;
    char *data; /* part_bytes long once used */
};

struct part {
    unsigned number;
    char etag[S3_ETAG_MAX];
    char sha256[SIGV4_HASH_SIZE];
};

struct multipart {
    struct s3 *s3;
    char *key_text;
    struct str key; /* of key_text */
    size_t part_bytes;
    unsigned worker_count;
    unsigned max_parts;
    bool never_replace;
    int64_t estimate_bytes;
    struct upload_memory *memory;     /* may be NULL */
    const struct upload_known *known; /* the upload of an earlier run; NULL: none */
    bool stands;                      /* that one was completed: nothing may be sent any more */
    bool leave;
    char token[MULTIPART_TOKEN_DIGITS + 1];
    /* the writer's own */
    struct slot *filling;
    char *upload_id; /* set before the first worker starts */
    unsigned next_number;
    int64_t total_bytes;
    bool create_unsure; /* a reply to Create was lost: an upload without parts may stand there */
    bool sealed;        /* all parts are at the server, no thread runs */
    bool committed;
    unsigned started;
    pthread_t threads[MULTIPART_WORKERS_MAX];
    /* guarded by lock */
    pthread_mutex_t lock;
    pthread_cond_t work; /* a slot became ready, or closing */
    pthread_cond_t room; /* a slot became free, or failed */
    struct slot slots[MULTIPART_WORKERS_MAX + 1];
    struct part *parts;
    size_t part_count;
    size_t part_cap;
    bool closing;
    bool failed;
    struct error why;
    _Atomic int64_t sent_bytes;
    _Atomic bool differs; /* a part is not the one that an earlier run had sent */
};

/* Ask the server for an upload id. */
bool multipart_create(struct multipart *m, struct error *err) MUST_CHECK;
/* Abort uploads of this key that we began without hearing of it; best effort. */
void multipart_sweep_unsure(struct multipart *m);
/* Make the object of all parts, or of the one that was never sent. */
bool multipart_complete(struct multipart *m, struct error *err) MUST_CHECK;
void multipart_sort_parts(struct multipart *m); /* by number */
/* multipart_confirm.c: does our own object of the right size stand under the key? The random token
 * is the proof. */
bool multipart_is_ours(struct multipart *m, struct s3_object *object);
/* The server said yes: what it now shows must agree, where we may look. */
bool multipart_confirm(struct multipart *m, struct s3_object *object, struct error *err) MUST_CHECK;

#endif
