#include <openssl/evp.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/base64.h"
#include "core/base/file.h"
#include "core/base/hex.h"
#include "core/base/log.h"
#include "core/s3/client.h"

#define KEY_BYTES 32
#define KEY_FILE_MAX 4096

/* The file as it stands: 32 bytes, or the same in base64 or hex with blanks around. */
static bool decode(struct str text, char *key)
{
    struct str trimmed = str_trim(text);
    struct buf raw;
    struct error ignored;
    if (text.len == KEY_BYTES) {
        memcpy(key, text.ptr, KEY_BYTES);
        return true;
    }
    if (trimmed.len == 2 * (size_t)KEY_BYTES)
        return hex_decode(key, KEY_BYTES, trimmed);
    buf_init(&raw, KEY_FILE_MAX);
    bool ok = base64_decode(&raw, trimmed, &ignored) && raw.len == KEY_BYTES;
    if (ok)
        memcpy(key, raw.data, KEY_BYTES);
    if (raw.cap > 0)
        secret_wipe(raw.data, raw.cap);
    buf_release(&raw);
    return ok;
}

static bool keep(struct s3 *s3, struct str key, struct error *err)
{
    unsigned char md5[EVP_MAX_MD_SIZE];
    unsigned len = sizeof(md5);
    struct buf text;
    buf_init(&text, KEY_FILE_MAX);
    if (EVP_Digest(key.ptr, key.len, md5, &len, EVP_md5(), NULL) != 1)
        return error_set(err, ERROR_INTERNAL, 0, "OpenSSL has no MD5, which SSE-C needs");
    bool ok = base64_encode(&text, (struct str){(const char *)md5, len}, err) &&
              str_copy(buf_str(&text), s3->customer_key_md5, sizeof(s3->customer_key_md5));
    buf_clear(&text);
    ok = ok && base64_encode(&text, key, err);
    if (ok)
        secret_set(&s3->customer_key, buf_str(&text));
    if (text.cap > 0)
        secret_wipe(text.data, text.cap);
    buf_release(&text);
    return ok;
}

bool s3_load_customer_key(struct s3 *s3, struct error *err)
{
    const char *path = s3->options.sse_customer_key_file;
    struct secret checked = {0}; /* for its look at the file's mode */
    struct buf text;
    char key[KEY_BYTES];
    bool loose = false;
    if (path == NULL)
        return true;
    if (s3->options.sse != NULL)
        return error_set(err, ERROR_CONFIG, 0,
                         "storage.sse and storage.sse_customer_key_file exclude each other");
    if (!s3->endpoint.tls)
        return error_set(
            err, ERROR_CONFIG, 0,
            "storage.sse_customer_key_file needs an https endpoint: the key goes along "
            "with each request");
    buf_init(&text, KEY_FILE_MAX);
    bool ok = secret_load(&checked, path, &loose, err) && file_read(path, &text, err);
    if (ok && loose)
        log_write(LOG_LEVEL_WARN, "s3", "others may read %s: chmod 600 it", path);
    if (ok && !decode(buf_str(&text), key))
        ok = error_set(err, ERROR_CONFIG, 0,
                       "%s holds no encryption key: 32 bytes, or these in base64 or hex", path);
    ok = ok && keep(s3, (struct str){key, KEY_BYTES}, err);
    secret_wipe(key, sizeof(key));
    secret_release(&checked);
    if (text.cap > 0)
        secret_wipe(text.data, text.cap);
    buf_release(&text);
    return ok;
}

char *s3_encryption(const struct s3 *s3)
{
    char digest[SIGV4_HASH_SIZE];
    const char *sse = s3->options.sse;
    const char *key_id = s3->options.sse_kms_key_id;
    if (secret_is_set(&s3->customer_key)) {
        sigv4_hash(digest, secret_reveal(&s3->customer_key));
        digest[16] = '\0'; /* tells keys apart, and no more */
        return mem_format("customer %s", digest);
    }
    return mem_format("%s%s%s", sse != NULL ? sse : "", key_id != NULL ? " " : "",
                      key_id != NULL ? key_id : "");
}

void s3_put_customer_key(const struct s3 *s3, struct sigv4_pair *headers, size_t *count)
{
    if (!secret_is_set(&s3->customer_key) || *count + 3 > SIGV4_PAIRS_MAX)
        return;
    headers[(*count)++] =
        (struct sigv4_pair){STR("x-amz-server-side-encryption-customer-algorithm"), STR("AES256")};
    headers[(*count)++] = (struct sigv4_pair){STR("x-amz-server-side-encryption-customer-key"),
                                              secret_reveal(&s3->customer_key)};
    headers[(*count)++] = (struct sigv4_pair){STR("x-amz-server-side-encryption-customer-key-md5"),
                                              str_from(s3->customer_key_md5)};
}
