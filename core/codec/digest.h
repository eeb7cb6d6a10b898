/*
 * digest.h - SHA-256 in one go or piece by piece, and HMAC-SHA-256 (OpenSSL's).
 *
 * A struct sha256 belongs to one thread. The functions cannot fail on any input; a library that
 * cannot give SHA-256 at all aborts the program.
 */
#ifndef CORE_CODEC_DIGEST_H
#define CORE_CODEC_DIGEST_H

#include <stdbool.h>

#include "core/base/attr.h"
#include "core/base/str.h"

#define SHA256_SIZE 32
#define SHA256_TEXT 65 /* lower hex and a NUL */

struct sha256;

struct sha256 *sha256_new(void);
void sha256_free(struct sha256 *h); /* NULL is fine */
void sha256_add(struct sha256 *h, struct str bytes);
/* The digest of all bytes so far; h begins anew. */
void sha256_end(struct sha256 *h, unsigned char out[SHA256_SIZE]);
void sha256_of(struct str bytes, unsigned char out[SHA256_SIZE]);
void sha256_hmac(struct str key, struct str bytes, unsigned char out[SHA256_SIZE]);
bool sha256_equal(const unsigned char *a, const unsigned char *b) MUST_CHECK; /* constant time */

#endif
