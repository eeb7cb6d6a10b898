/*
 * endpoint.h - where requests go: scheme, host, port, region, and where the bucket's name stands.
 *
 * Resolved once from options, environment and profile in the order of the AWS SDKs; pure from
 * there. Plain http goes to loopback only, unless it was allowed. Any thread.
 */
#ifndef CORE_S3_ENDPOINT_H
#define CORE_S3_ENDPOINT_H

#include <stdbool.h>

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/base/str.h"
#include "core/s3/aws_file.h"
#include "core/s3/s3.h"

#define ENDPOINT_HOST_MAX 256
#define ENDPOINT_REGION_MAX 64

struct endpoint {
    bool tls;
    bool custom;     /* not AWS' own: its host never changes */
    bool path_style; /* /bucket/key instead of bucket.host */
    bool loopback;
    char host[ENDPOINT_HOST_MAX];      /* with ":port" when not the default; without the bucket */
    char base_path[ENDPOINT_HOST_MAX]; /* "" or "/something" */
    char region[ENDPOINT_REGION_MAX];
    char bucket[64];
};

bool endpoint_resolve(const struct s3_options *options, const struct aws_files *files,
                      struct endpoint *out, struct error *err) MUST_CHECK;
/* Another region: moves the host too when it is AWS' own. False when the name is no region. */
bool endpoint_set_region(struct endpoint *e, struct str region);
/* The Host header, with the bucket in front for virtual-hosted addressing. */
bool endpoint_host(const struct endpoint *e, struct buf *out, struct error *err) MUST_CHECK;
/* The encoded path of a key; key empty: the bucket itself. */
bool endpoint_path(const struct endpoint *e, struct str key, struct buf *out,
                   struct error *err) MUST_CHECK;
/* 127.0.0.0/8, ::1, localhost and names under it; host may carry a port. */
bool endpoint_is_loopback(struct str host);
/* 3 to 63 of a-z 0-9 . - (older buckets: also A-Z and _), no dot at the ends or twice. */
bool endpoint_bucket_is_valid(struct str bucket);

#endif
