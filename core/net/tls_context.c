#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/net/stream_tls_private.h"

const char *tls_reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);
    return reason == NULL ? "unknown reason" : reason;
}

/* A key that others may read or change is no secret any more. */
static bool check_key_mode(const char *path, struct error *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return error_set_errno(err, ERROR_CONFIG, errno, "TLS key file %s", path);
    if ((st.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
        return error_set(err, ERROR_CONFIG, 0,
                         "TLS key file %s is open to others (mode %04o): chmod 600 it", path,
                         (unsigned)(st.st_mode & 07777));
    }
    return true;
}

static bool load_authorities(SSL_CTX *ctx, const struct tls_options *o, struct error *err)
{
    if (o->ca_file == NULL && o->ca_dir == NULL) {
        if (SSL_CTX_set_default_verify_paths(ctx) != 1) {
            return error_set(err, ERROR_CONFIG, 0, "the system's TLS authorities: %s",
                             tls_reason());
        }
        return true;
    }
    if (o->ca_file != NULL && access(o->ca_file, R_OK) != 0)
        return error_set_errno(err, ERROR_CONFIG, errno, "TLS CA file %s", o->ca_file);
    if (o->ca_file != NULL && SSL_CTX_load_verify_file(ctx, o->ca_file) != 1)
        return error_set(err, ERROR_CONFIG, 0, "TLS CA file %s: %s", o->ca_file, tls_reason());
    if (o->ca_dir != NULL && SSL_CTX_load_verify_dir(ctx, o->ca_dir) != 1)
        return error_set(err, ERROR_CONFIG, 0, "TLS CA directory %s: %s", o->ca_dir, tls_reason());
    return true;
}

static bool load_certificate(SSL_CTX *ctx, const struct tls_options *o, struct error *err)
{
    if (o->cert_file == NULL && o->key_file == NULL)
        return true;
    if (o->cert_file == NULL) {
        return error_set(err, ERROR_CONFIG, 0, "TLS key file %s is given without a certificate",
                         o->key_file);
    }
    const char *key = o->key_file != NULL ? o->key_file : o->cert_file;
    if (!check_key_mode(key, err))
        return false;
    if (access(o->cert_file, R_OK) != 0)
        return error_set_errno(err, ERROR_CONFIG, errno, "TLS certificate file %s", o->cert_file);
    if (SSL_CTX_use_certificate_chain_file(ctx, o->cert_file) != 1) {
        return error_set(err, ERROR_CONFIG, 0, "TLS certificate file %s: %s", o->cert_file,
                         tls_reason());
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        return error_set(err, ERROR_CONFIG, 0, "TLS key file %s: %s", key, tls_reason());
    if (SSL_CTX_check_private_key(ctx) != 1) {
        return error_set(err, ERROR_CONFIG, 0, "TLS key file %s does not belong to %s", key,
                         o->cert_file);
    }
    return true;
}

/* An encrypted key must fail, not ask on the terminal. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the signature is OpenSSL's */
static int no_passphrase(char *out, int size, int writing, void *arg)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

struct tls_context *tls_context_new(const struct tls_options *o, struct error *err)
{
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (ctx == NULL) {
        (void)error_set(err, ERROR_INTERNAL, 0, "OpenSSL: %s", tls_reason());
        return NULL;
    }
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_verify(ctx, o->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    bool ok = SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1;
    if (!ok)
        (void)error_set(err, ERROR_INTERNAL, 0, "OpenSSL: %s", tls_reason());
    ok = ok && (o->insecure || load_authorities(ctx, o, err)) && load_certificate(ctx, o, err);
    ERR_clear_error();
    if (!ok) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    struct tls_context *t = mem_zero(1, sizeof(*t));
    t->ctx = ctx;
    t->server_name = mem_copy_text(o->server_name);
    t->insecure = o->insecure;
    t->has_cert = o->cert_file != NULL;
    return t;
}

void tls_context_free(struct tls_context *t)
{
    if (t != NULL) {
        SSL_CTX_free(t->ctx);
        free(t->server_name);
        free(t);
    }
}

bool tls_context_insecure(const struct tls_context *t)
{
    return t->insecure;
}
