#include "core/codec/digest.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#include "core/base/alloc.h"

struct sha256 {
    EVP_MD_CTX *context;
};

static void must(bool ok)
{
    if (!ok)
        abort(); /* no SHA-256 in libcrypto: nothing we write or read could be trusted */
}

struct sha256 *sha256_new(void)
{
    struct sha256 *h = mem_zero(1, sizeof(*h));

    h->context = EVP_MD_CTX_new();
    must(h->context != NULL);
    must(EVP_DigestInit_ex(h->context, EVP_sha256(), NULL) == 1);
    return h;
}

void sha256_free(struct sha256 *h)
{
    if (h == NULL)
        return;
    EVP_MD_CTX_free(h->context);
    free(h);
}

void sha256_add(struct sha256 *h, struct str bytes)
{
    if (bytes.len > 0)
        must(EVP_DigestUpdate(h->context, bytes.ptr, bytes.len) == 1);
}

void sha256_end(struct sha256 *h, unsigned char out[SHA256_SIZE])
{
    must(EVP_DigestFinal_ex(h->context, out, NULL) == 1);
    must(EVP_DigestInit_ex(h->context, EVP_sha256(), NULL) == 1);
}

void sha256_of(struct str bytes, unsigned char out[SHA256_SIZE])
{
    must(EVP_Digest(bytes.len > 0 ? bytes.ptr : "", bytes.len, out, NULL, EVP_sha256(), NULL) == 1);
}

void sha256_hmac(struct str key, struct str bytes, unsigned char out[SHA256_SIZE])
{
    must(key.len <= INT_MAX);
    must(HMAC(EVP_sha256(), key.len > 0 ? key.ptr : "", (int)key.len,
              (const unsigned char *)(bytes.len > 0 ? bytes.ptr : ""), bytes.len, out,
              NULL) != NULL);
}

bool sha256_equal(const unsigned char *a, const unsigned char *b)
{
    return CRYPTO_memcmp(a, b, SHA256_SIZE) == 0;
}
