/*
 * pipeline.h - many small requests at once, each to the node that owns its slot, each answered.
 *
 * A request is one or more commands that belong together (a transaction, say) with their bytes kept
 * until every reply is in: redirections, demoted primaries, nodes that load or vanish make that one
 * request be sent again, alone, within the outage budget of the cluster's options. What remains
 * goes to the callback: values, and errors about data or permissions. Blocking; one thread, the one
 * that owns the struct cluster.
 */
#ifndef CORE_REDIS_PIPELINE_H
#define CORE_REDIS_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/redis/cluster.h"

#define PIPELINE_REQUESTS 1000 /* then pipeline_full is true */
#define PIPELINE_BYTES ((size_t)2 << 20)

struct pipeline_reply {
    size_t tag;    /* of the request */
    size_t index;  /* of the command within it */
    bool repeated; /* this request was sent before and the outcome of that is not known */
    const struct reply *reply;
};

struct pipeline_handler {
    /* One reply of one request, in order. A request that must be sent again starts again at 0. */
    void (*reply)(void *arg, const struct pipeline_reply *r);
    void *arg;
};

struct pipeline;

/* outage_ms: how long one request may wait through an outage. cluster and cancel outlive it. */
struct pipeline *pipeline_new(struct cluster *cluster, const struct pipeline_handler *handler,
                              int64_t outage_ms, const struct cancel *cancel);
void pipeline_free(struct pipeline *p);

/* Start a request: write its commands into the buf that is returned, then say how many. */
struct buf *pipeline_begin(struct pipeline *p);
void pipeline_end(struct pipeline *p, uint16_t slot, size_t commands, size_t tag);
void pipeline_undo(struct pipeline *p); /* instead of pipeline_end */
bool pipeline_full(const struct pipeline *p);
bool pipeline_is_empty(const struct pipeline *p);
/* Send all and hand out all replies. False: ERROR_CANCELLED, ERROR_UNREACHABLE (budget used up),
 * ERROR_AUTH; requests whose replies were not handed out have an unknown outcome. Empty after. */
bool pipeline_flush(struct pipeline *p, struct error *err) MUST_CHECK;

#endif
