#include "core/s3/sigv4.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "core/base/format.h"
#include "core/base/hex.h"
#include "core/base/secret.h"

#define HASH_BYTES 32
#define CANONICAL_MAX ((size_t)64 << 10)
#define SECRET_MAX 1024

static bool is_unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

bool sigv4_encode(struct buf *out, struct str raw, bool keep_slash, struct error *err)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < raw.len; i++) {
        unsigned char c = (unsigned char)raw.ptr[i];
        if (is_unreserved(c) || (keep_slash && c == '/')) {
            if (!buf_byte(out, (char)c, err))
                return false;
            continue;
        }
        char code[3] = {'%', digits[c >> 4], digits[c & 15]};
        if (!buf_append(out, (struct str){code, sizeof(code)}, err))
            return false;
    }
    return true;
}

static int compare_pairs(const struct sigv4_pair *a, const struct sigv4_pair *b)
{
    int order = str_compare(a->name, b->name);
    return order != 0 ? order : str_compare(a->value, b->value);
}

/* Few pairs, mostly in order already: insertion sort keeps equal names stable. */
static void sort_pairs(struct sigv4_pair *pairs, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct sigv4_pair x = pairs[i];
        size_t at = i;
        for (; at > 0 && compare_pairs(&pairs[at - 1], &x) > 0; at--)
            pairs[at] = pairs[at - 1];
        pairs[at] = x;
    }
}

static bool encode_pairs(struct buf *space, const struct sigv4_pair *pairs, size_t count,
                         size_t (*ends)[2], struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!sigv4_encode(space, pairs[i].name, false, err))
            return false;
        ends[i][0] = space->len;
        if (!sigv4_encode(space, pairs[i].value, false, err))
            return false;
        ends[i][1] = space->len;
    }
    return true;
}

bool sigv4_query(struct buf *out, const struct sigv4_pair *pairs, size_t count, struct error *err)
{
    struct sigv4_pair encoded[SIGV4_PAIRS_MAX];
    size_t ends[SIGV4_PAIRS_MAX][2];
    if (count > SIGV4_PAIRS_MAX)
        return error_set(err, ERROR_LIMIT, 0, "too many query parameters in one request");
    struct buf space;
    buf_init(&space, CANONICAL_MAX);
    bool ok = encode_pairs(&space, pairs, count, ends, err);
    size_t from = 0;
    for (size_t i = 0; ok && i < count; i++) {
        encoded[i].name = str_slice(buf_str(&space), from, ends[i][0]);
        encoded[i].value = str_slice(buf_str(&space), ends[i][0], ends[i][1]);
        from = ends[i][1];
    }
    if (ok)
        sort_pairs(encoded, count);
    for (size_t i = 0; ok && i < count; i++)
        ok = (i == 0 || buf_byte(out, '&', err)) && buf_append(out, encoded[i].name, err) &&
             buf_byte(out, '=', err) && buf_append(out, encoded[i].value, err);
    buf_release(&space);
    return ok;
}

void sigv4_hash(char *out, struct str bytes)
{
    unsigned char raw[HASH_BYTES];
    unsigned len = sizeof(raw);
    if (EVP_Digest(bytes.len > 0 ? bytes.ptr : "", bytes.len, raw, &len, EVP_sha256(), NULL) != 1)
        memset(raw, 0, sizeof(raw));
    hex_encode(out, raw, sizeof(raw));
}

/* Trimmed, inner runs of spaces and tabs as one space. */
static bool put_header_value(struct buf *out, struct str value, struct error *err)
{
    struct str s = str_trim(value);
    bool gap = false;
    for (size_t i = 0; i < s.len; i++) {
        bool blank = s.ptr[i] == ' ' || s.ptr[i] == '\t';
        if (!(blank && gap) && !buf_byte(out, blank ? ' ' : s.ptr[i], err))
            return false;
        gap = blank;
    }
    return true;
}

static bool put_signed_names(struct buf *out, const struct sigv4_pair *headers, size_t count,
                             struct error *err)
{
    for (size_t i = 0; i < count; i++)
        if ((i > 0 && !buf_byte(out, ';', err)) || !buf_append(out, headers[i].name, err))
            return false;
    return true;
}

/* headers must be sorted by name. */
static bool put_canonical(struct buf *out, const struct sigv4_request *r,
                          const struct sigv4_pair *headers, struct error *err)
{
    if (!buf_format(out, err, "%s\n", r->method) || !buf_append(out, r->path, err) ||
        !buf_byte(out, '\n', err) || !sigv4_query(out, r->query, r->query_count, err) ||
        !buf_byte(out, '\n', err))
        return false;
    for (size_t i = 0; i < r->header_count; i++)
        if (!buf_append(out, headers[i].name, err) || !buf_byte(out, ':', err) ||
            !put_header_value(out, headers[i].value, err) || !buf_byte(out, '\n', err))
            return false;
    return buf_byte(out, '\n', err) && put_signed_names(out, headers, r->header_count, err) &&
           buf_byte(out, '\n', err) && buf_text(out, r->payload_hash, err);
}

static bool hmac(unsigned char *out, struct str key, struct str data, struct error *err)
{
    unsigned len = HASH_BYTES;
    if (key.len > INT32_MAX || HMAC(EVP_sha256(), key.ptr, (int)key.len,
                                    (const unsigned char *)data.ptr, data.len, out, &len) == NULL)
        return error_set(err, ERROR_INTERNAL, 0, "sign request: HMAC failed");
    return true;
}

static struct str raw_key(const unsigned char *key)
{
    return (struct str){(const char *)key, HASH_BYTES};
}

static bool derive_key(unsigned char *out, const struct sigv4_scope *scope, struct str date,
                       struct error *err)
{
    char first[SECRET_MAX + 4];
    if (scope->secret_key.len == 0 || scope->secret_key.len > SECRET_MAX)
        return error_set(err, ERROR_AUTH, 0, "the S3 secret key is empty or longer than %d bytes",
                         SECRET_MAX);
    static const char prefix[4] = {'A', 'W', 'S', '4'};
    memcpy(first, prefix, sizeof(prefix));
    memcpy(first + 4, scope->secret_key.ptr, scope->secret_key.len);
    unsigned char a[HASH_BYTES];
    unsigned char b[HASH_BYTES];
    bool ok = hmac(a, (struct str){first, scope->secret_key.len + 4}, date, err) &&
              hmac(b, raw_key(a), str_from(scope->region), err) &&
              hmac(a, raw_key(b), str_from(scope->service), err) &&
              hmac(out, raw_key(a), STR("aws4_request"), err);
    secret_wipe(first, sizeof(first));
    secret_wipe(a, sizeof(a));
    secret_wipe(b, sizeof(b));
    return ok;
}

/* canonical_hash and headers are ready; appends the whole Authorization value. */
static bool put_authorization(struct buf *out, const struct sigv4_request *r,
                              const struct sigv4_pair *headers, const struct sigv4_scope *scope,
                              const char *canonical_hash, struct error *err)
{
    char stamp[FORMAT_MAX];
    format_compact_utc(stamp, sizeof(stamp), scope->time_ms);
    struct str date = str_slice(str_from(stamp), 0, 8);
    struct buf text;
    buf_init(&text, CANONICAL_MAX);
    unsigned char key[HASH_BYTES];
    unsigned char signature[HASH_BYTES];
    char hex[SIGV4_HASH_SIZE];
    bool ok = buf_format(&text, err, "AWS4-HMAC-SHA256\n%s\n%.8s/%s/%s/aws4_request\n%s", stamp,
                         stamp, scope->region, scope->service, canonical_hash) &&
              derive_key(key, scope, date, err) &&
              hmac(signature, raw_key(key), buf_str(&text), err);
    secret_wipe(key, sizeof(key));
    buf_release(&text);
    return ok && buf_text(out, "AWS4-HMAC-SHA256 Credential=", err) &&
           buf_append(out, scope->access_key, err) &&
           buf_format(out, err, "/%.8s/%s/%s/aws4_request, SignedHeaders=", stamp, scope->region,
                      scope->service) &&
           put_signed_names(out, headers, r->header_count, err) &&
           buf_format(out, err, ", Signature=%s", hex_encode(hex, signature, sizeof(signature)));
}

bool sigv4_sign(const struct sigv4_request *request, const struct sigv4_scope *scope,
                struct buf *out, struct error *err)
{
    struct sigv4_pair headers[SIGV4_PAIRS_MAX];
    if (request->header_count > SIGV4_PAIRS_MAX)
        return error_set(err, ERROR_LIMIT, 0, "too many headers in one request");
    for (size_t i = 0; i < request->header_count; i++)
        headers[i] = request->headers[i];
    sort_pairs(headers, request->header_count);
    struct buf canonical;
    buf_init(&canonical, CANONICAL_MAX);
    char hash[SIGV4_HASH_SIZE];
    bool ok = put_canonical(&canonical, request, headers, err);
    if (ok)
        sigv4_hash(hash, buf_str(&canonical));
    buf_release(&canonical);
    return ok && put_authorization(out, request, headers, scope, hash, err);
}
