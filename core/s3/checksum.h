/*
 * checksum.h - the SHA-256 that an S3 server keeps beside an object and compares with its bytes
 * (storage.checksum). Pure; any thread.
 *
 * Of an object sent at once it is that of its bytes, of one sent in parts the SHA-256 over those of
 * its parts, followed by their number ("…=-3").
 * Source: Amazon S3 user guide, "Checking object integrity in Amazon S3".
 */
#ifndef CORE_S3_CHECKSUM_H
#define CORE_S3_CHECKSUM_H

#include "core/base/str.h"
#include "core/s3/sigv4.h"

#define CHECKSUM_HEADER "x-amz-checksum-sha256"
#define CHECKSUM_RAW 32  /* bytes of a SHA-256 */
#define CHECKSUM_SIZE 56 /* 44 of base64, "-10000" and a NUL */

/* A SHA-256 in lower hex, as sigv4_hash gives it, to base64. */
void checksum_of_hash(const char *sha256, char out[CHECKSUM_SIZE]);
/* Of `count` parts; raw holds CHECKSUM_RAW bytes for each, in order. */
void checksum_of_parts(const unsigned char *raw, size_t count, char out[CHECKSUM_SIZE]);

#endif
