/* The server's side of x-amz-checksum-sha256, without a line of the client under test. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/s3_fake.h"

#define HASH 32

static void hash(unsigned char *out, const void *bytes, size_t len)
{
    unsigned size = HASH;
    if (EVP_Digest(bytes, len, out, &size, EVP_sha256(), NULL) != 1)
        abort();
}

static void put(char *out, const unsigned char *raw)
{
    (void)EVP_EncodeBlock((unsigned char *)out, raw, HASH);
}

bool s3_fake_checksum_is_good(const struct http_seen *request, char out[S3_FAKE_CHECKSUM])
{
    unsigned char raw[HASH];
    char now[S3_FAKE_CHECKSUM];
    http_seen_header(request, "x-amz-checksum-sha256", out, S3_FAKE_CHECKSUM);
    hash(raw, request->body, request->body_len);
    put(now, raw);
    return out[0] == '\0' || strcmp(out, now) == 0;
}

void s3_fake_checksum_of(char (*parts)[S3_FAKE_CHECKSUM], size_t count, char out[S3_FAKE_CHECKSUM])
{
    unsigned char raw[HASH];
    unsigned char *all = calloc(count + 1, HASH + 1);
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i][0] == '\0')
            continue;
        if (EVP_DecodeBlock(all + used, (const unsigned char *)parts[i], 44) < HASH)
            abort();
        used += HASH; /* the next one overwrites the byte that the padding gave */
    }
    hash(raw, all, used);
    put(out, raw);
    (void)snprintf(out + strlen(out), S3_FAKE_CHECKSUM - strlen(out), "-%zu", used / HASH);
    free(all);
}
