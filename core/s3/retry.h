/*
 * retry.h - which answers of an S3 server are worth another try, and how long to wait before it.
 *
 * Pure; any thread. A table of error codes comes first, the HTTP status decides what is not in it.
 * Source: Amazon S3 API reference, "List of error codes"; AWS, "Exponential backoff and jitter".
 */
#ifndef CORE_S3_RETRY_H
#define CORE_S3_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/str.h"

enum retry_verdict {
    RETRY_NEVER,
    RETRY_LATER,       /* after a pause */
    RETRY_CLOCK,       /* once, with the server's clock */
    RETRY_CREDENTIALS, /* once, with fresh credentials */
    RETRY_REGION       /* once, with the region the server names */
};

/* code: <Code> of the error body, empty when there was none. */
enum retry_verdict retry_judge(int status, struct str code);
/* What the failure means for the caller. */
enum error_code retry_error_code(int status, struct str code);
/* One line on what to do about it; "" when there is nothing to say. */
const char *retry_advice(int status, struct str code);
/* Full jitter: uniform between 0 and min(cap, base * 2^failures). random: any 64 bits. */
int64_t retry_delay_ms(unsigned failures, int64_t base_ms, int64_t cap_ms, uint64_t random);

#endif
