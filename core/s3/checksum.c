#include "core/s3/checksum.h"

#include <stdio.h>
#include <string.h>

#include "core/base/base64.h"
#include "core/base/hex.h"

void checksum_of_hash(const char *sha256, char out[CHECKSUM_SIZE])
{
    char raw[CHECKSUM_RAW];
    struct buf text;
    struct error err;
    out[0] = '\0';
    buf_init(&text, CHECKSUM_SIZE);
    if (hex_decode(raw, sizeof(raw), str_from(sha256)) &&
        base64_encode(&text, (struct str){raw, sizeof(raw)}, &err))
        (void)str_copy(buf_str(&text), out, CHECKSUM_SIZE);
    buf_release(&text);
}

void checksum_of_parts(const unsigned char *raw, size_t count, char out[CHECKSUM_SIZE])
{
    char hash[SIGV4_HASH_SIZE];
    sigv4_hash(hash, (struct str){(const char *)raw, count * CHECKSUM_RAW});
    checksum_of_hash(hash, out);
    size_t len = strlen(out);
    (void)snprintf(out + len, CHECKSUM_SIZE - len, "-%zu", count);
}
