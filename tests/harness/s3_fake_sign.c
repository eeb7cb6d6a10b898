/* The server's side of Signature Version 4, written from the specification and without a line of
 * the signer under test. */
#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/s3_fake.h"

#define TEXT_MAX 16384
#define PAIRS_MAX 32
#define HASH 32

bool s3_fake_decode(const char *text, size_t len, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned byte = (unsigned char)text[i];
        if (text[i] == '%' && (i + 2 >= len || sscanf(text + i + 1, "%2x", &byte) != 1))
            return false;
        if (used + 1 >= size)
            return false;
        i += text[i] == '%' ? 2 : 0;
        out[used++] = (char)byte;
    }
    out[used] = '\0';
    return true;
}

struct text {
    char data[TEXT_MAX];
    size_t len;
};

static void add(struct text *t, const char *bytes, size_t len)
{
    if (t->len + len + 1 > sizeof(t->data))
        abort();
    memcpy(t->data + t->len, bytes, len);
    t->len += len;
    t->data[t->len] = '\0';
}

static void add_text(struct text *t, const char *text)
{
    add(t, text, strlen(text));
}

static void add_encoded(struct text *t, const char *raw, bool keep_slash)
{
    for (; *raw != '\0'; raw++) {
        char code[4];
        unsigned char c = (unsigned char)*raw;
        if (isalnum(c) || strchr("-._~", c) != NULL || (keep_slash && c == '/'))
            (void)snprintf(code, sizeof(code), "%c", c);
        else
            (void)snprintf(code, sizeof(code), "%%%02X", c);
        add_text(t, code);
    }
}

static void hex(char *out, const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static void hash_hex(char *out, const void *bytes, size_t len)
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned size = sizeof(raw);
    if (EVP_Digest(bytes, len, raw, &size, EVP_sha256(), NULL) != 1)
        abort();
    hex(out, raw, HASH);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Decoded and encoded again as the specification has it, sorted: what was sent must equal it. */
static void add_query(struct text *t, const char *query)
{
    char *pairs[PAIRS_MAX];
    size_t count = 0;
    char copy[4096];
    (void)snprintf(copy, sizeof(copy), "%s", query);
    char *rest = copy;
    char *piece;
    while ((piece = strsep(&rest, "&")) != NULL && count < PAIRS_MAX) {
        struct text one = {.len = 0};
        char plain[2048];
        char *equals = strchr(piece, '=');
        size_t name_len = equals != NULL ? (size_t)(equals - piece) : strlen(piece);
        if (*piece == '\0')
            continue;
        if (!s3_fake_decode(piece, name_len, plain, sizeof(plain)))
            abort();
        add_encoded(&one, plain, false);
        add_text(&one, "=");
        if (equals != NULL && s3_fake_decode(equals + 1, strlen(equals + 1), plain, sizeof(plain)))
            add_encoded(&one, plain, false);
        pairs[count++] = strdup(one.data);
    }
    qsort(pairs, count, sizeof(*pairs), by_text);
    for (size_t i = 0; i < count; i++) {
        add_text(t, i > 0 ? "&" : "");
        add_text(t, pairs[i]);
        free(pairs[i]);
    }
}

static void mac(unsigned char *out, const void *key, size_t key_len, const char *text)
{
    unsigned len = HASH;
    if (HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, strlen(text), out,
             &len) == NULL)
        abort();
}

/* "Name=value" of the Authorization header into out. */
static bool field(const char *authorization, const char *name, char *out, size_t size)
{
    const char *at = strstr(authorization, name);
    if (at == NULL)
        return false;
    at += strlen(name);
    (void)snprintf(out, size, "%.*s", (int)strcspn(at, ", "), at);
    return true;
}

static bool put_canonical(struct text *t, const struct http_seen *request, const char *names)
{
    char path[2048];
    char plain[2048];
    char value[4096];
    char copy[1024];
    const char *query = strchr(request->target, '?');
    size_t path_len = query != NULL ? (size_t)(query - request->target) : strlen(request->target);
    if (!s3_fake_decode(request->target, path_len, plain, sizeof(plain)))
        return false;
    add_text(t, request->method);
    add_text(t, "\n");
    size_t before = t->len;
    add_encoded(t, plain, true);
    (void)snprintf(path, sizeof(path), "%.*s", (int)path_len, request->target);
    if (strcmp(t->data + before, path) != 0)
        return false; /* sent in another encoding than it was signed in */
    add_text(t, "\n");
    add_query(t, query != NULL ? query + 1 : "");
    add_text(t, "\n");
    (void)snprintf(copy, sizeof(copy), "%s", names);
    char *rest = copy;
    char *name;
    while ((name = strsep(&rest, ";")) != NULL) {
        http_seen_header(request, name, value, sizeof(value));
        add_text(t, name);
        add_text(t, ":");
        add_text(t, value);
        add_text(t, "\n");
    }
    add_text(t, "\n");
    add_text(t, names);
    add_text(t, "\n");
    http_seen_header(request, "x-amz-content-sha256", value, sizeof(value));
    add_text(t, value);
    char real[2 * HASH + 1];
    hash_hex(real, request->body, request->body_len);
    return strcmp(real, value) == 0;
}

bool s3_fake_signature_is_good(const struct http_seen *request)
{
    struct text canonical = {.len = 0};
    struct text text = {.len = 0};
    char authorization[2048];
    char names[1024];
    char scope[256];
    char signature[128];
    char date[64];
    char type[128];
    char digest[2 * HASH + 1];
    unsigned char key[HASH];
    unsigned char next[HASH];
    http_seen_header(request, "authorization", authorization, sizeof(authorization));
    http_seen_header(request, "x-amz-date", date, sizeof(date));
    http_seen_header(request, "content-type", type, sizeof(type));
    if (!field(authorization, "SignedHeaders=", names, sizeof(names)) ||
        !field(authorization, "Credential=" S3_FAKE_ACCESS_KEY "/", scope, sizeof(scope)) ||
        !field(authorization, "Signature=", signature, sizeof(signature)) ||
        strstr(names, "host") == NULL ||
        (type[0] != '\0' && strstr(names, "content-type") == NULL) ||
        !put_canonical(&canonical, request, names))
        return false;
    hash_hex(digest, canonical.data, canonical.len);
    add_text(&text, "AWS4-HMAC-SHA256\n");
    add_text(&text, date);
    add_text(&text, "\n");
    add_text(&text, scope);
    add_text(&text, "\n");
    add_text(&text, digest);
    static const char secret[] = "AWS4" S3_FAKE_SECRET_KEY;
    const void *with = secret;
    size_t with_len = strlen(secret);
    char *rest = scope;
    char *piece;
    while ((piece = strsep(&rest, "/")) != NULL) { /* date, region, service, aws4_request */
        mac(next, with, with_len, piece);
        memcpy(key, next, sizeof(key));
        with = key;
        with_len = sizeof(key);
    }
    mac(next, with, with_len, text.data);
    hex(digest, next, sizeof(next));
    return strcmp(digest, signature) == 0;
}
