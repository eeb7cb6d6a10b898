#include "core/net/stream_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/net/stream_tcp.h"

struct tls_context {
    SSL_CTX *ctx;
    char *server_name; /* NULL = the host */
    bool insecure;
    bool has_cert;
};

struct tls {
    struct stream stream;
    struct stream *tcp;
    SSL *ssl; /* NULL until TCP is connected */
    SSL_CTX *ctx;
    struct address address;
    char name[ADDRESS_HOST_MAX]; /* to verify */
    bool insecure;
    bool has_cert;
    bool secured;          /* the handshake is done */
    bool read_wants_out;   /* the last SSL_read asked for POLLOUT */
    bool write_wants_in;   /* the last SSL_write asked for POLLIN */
    short handshake_wants; /* POLLIN or POLLOUT */
};

/* ---- context ------------------------------------------------------------------------------- */

static const char *ssl_reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);
    return reason == NULL ? "unknown reason" : reason;
}

/* A key that others may read or change is no secret any more. */
static bool check_key_mode(const char *path, struct error *err)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return error_set_errno(err, ERROR_CONFIG, errno, "TLS key file %s", path);
    }
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
                             ssl_reason());
        }
        return true;
    }
    if (o->ca_file != NULL && SSL_CTX_load_verify_file(ctx, o->ca_file) != 1) {
        return error_set(err, ERROR_CONFIG, 0, "TLS CA file %s: %s", o->ca_file, ssl_reason());
    }
    if (o->ca_dir != NULL && SSL_CTX_load_verify_dir(ctx, o->ca_dir) != 1) {
        return error_set(err, ERROR_CONFIG, 0, "TLS CA directory %s: %s", o->ca_dir, ssl_reason());
    }
    return true;
}

static bool load_certificate(SSL_CTX *ctx, const struct tls_options *o, struct error *err)
{
    if (o->cert_file == NULL && o->key_file == NULL) {
        return true;
    }
    if (o->cert_file == NULL) {
        return error_set(err, ERROR_CONFIG, 0, "TLS key file %s is given without a certificate",
                         o->key_file);
    }
    const char *key = o->key_file != NULL ? o->key_file : o->cert_file;
    if (!check_key_mode(key, err)) {
        return false;
    }
    if (SSL_CTX_use_certificate_chain_file(ctx, o->cert_file) != 1) {
        return error_set(err, ERROR_CONFIG, 0, "TLS certificate file %s: %s", o->cert_file,
                         ssl_reason());
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1) {
        return error_set(err, ERROR_CONFIG, 0, "TLS key file %s: %s", key, ssl_reason());
    }
    if (SSL_CTX_check_private_key(ctx) != 1) {
        return error_set(err, ERROR_CONFIG, 0, "TLS key file %s does not belong to %s", key,
                         o->cert_file);
    }
    return true;
}

/* An encrypted key must fail, not ask on the terminal. */
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
        (void)error_set(err, ERROR_INTERNAL, 0, "OpenSSL: %s", ssl_reason());
        return NULL;
    }
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_verify(ctx, o->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    bool ok = SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1;
    if (!ok) {
        (void)error_set(err, ERROR_INTERNAL, 0, "OpenSSL: %s", ssl_reason());
    }
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

/* ---- stream -------------------------------------------------------------------------------- */

static struct tls *tls_of(struct stream *s)
{
    return (struct tls *)s;
}

static const struct tls *tls_of_const(const struct stream *s)
{
    return (const struct tls *)s;
}

/* Errors of the certificate that an operator can act on, in our words; else OpenSSL's. */
static const char *verify_words(long result)
{
    static const struct {
        long result;
        const char *words;
    } rows[] = {
        {X509_V_ERR_CERT_HAS_EXPIRED, "the server's certificate has expired"},
        {X509_V_ERR_CERT_NOT_YET_VALID, "the server's certificate is not valid yet (clock?)"},
        {X509_V_ERR_HOSTNAME_MISMATCH, "the server's certificate is for another name"},
        {X509_V_ERR_IP_ADDRESS_MISMATCH, "the server's certificate is for another address"},
        {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
         "the server's certificate is self-signed and not trusted: set the CA file"},
        {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
         "the server's certificate comes from an authority that is not trusted: set the CA file"},
        {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
         "the server's certificate comes from an authority that is not trusted: set the CA file"},
        {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
         "the server's certificate comes from an authority that is not trusted: set the CA file"},
        {X509_V_ERR_CERT_SIGNATURE_FAILURE,
         "the server's certificate was not signed by the given authority: wrong CA file?"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (rows[i].result == result) {
            return rows[i].words;
        }
    }
    return X509_verify_cert_error_string(result);
}

/* Alerts by which a server refuses our certificate, or the lack of one. */
static bool is_client_certificate_alert(int reason)
{
    static const int reasons[] = {
        SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED,
        SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,
        SSL_R_TLSV1_ALERT_UNKNOWN_CA,
        SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
        SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
        SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED,
        SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE,
    };
    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        if (reasons[i] == reason) {
            return true;
        }
    }
    return false;
}

/* After SSL_ERROR_SSL or SSL_ERROR_SYSCALL: says why, once. */
static enum stream_status ssl_failed(const struct tls *t, const char *what, int number,
                                     struct error *err)
{
    char name[ADDRESS_TEXT_MAX];
    (void)address_text(name, sizeof(name), &t->address);
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_REASON(code);
    long verify = SSL_get_verify_result(t->ssl);
    if (!t->insecure && verify != X509_V_OK && reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        bool wrong_name =
            verify == X509_V_ERR_HOSTNAME_MISMATCH || verify == X509_V_ERR_IP_ADDRESS_MISMATCH;
        (void)error_set(err, ERROR_AUTH, (int)verify, "TLS with %s: %s%s%s", name,
                        verify_words(verify), wrong_name ? " than " : "",
                        wrong_name ? t->name : "");
    } else if (code != 0 && is_client_certificate_alert(reason)) {
        (void)error_set(err, ERROR_AUTH, reason, "TLS with %s: %s (%s)", name,
                        t->has_cert ? "the server refused our client certificate"
                                    : "the server wants a client certificate: set cert and key",
                        ssl_reason());
    } else if (code != 0 &&
               (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_PACKET_LENGTH_TOO_LONG ||
                reason == SSL_R_BAD_RECORD_TYPE)) {
        (void)error_set(err, ERROR_UNREACHABLE, reason,
                        "TLS with %s: the server does not speak TLS on this port", name);
    } else if (code != 0) {
        (void)error_set(err, ERROR_UNREACHABLE, reason, "TLS with %s: %s: %s", name, what,
                        ssl_reason());
    } else if (number != 0) {
        (void)error_set_errno(err, ERROR_UNREACHABLE, number, "TLS with %s: %s", name, what);
    } else {
        (void)error_set(err, ERROR_UNREACHABLE, 0,
                        "TLS with %s: %s: the server closed the connection", name, what);
    }
    ERR_clear_error();
    return STREAM_FAILED;
}

/* The SSL object with the name to check and to send; no SNI for addresses. */
static bool begin(struct tls *t, struct error *err)
{
    struct address name = {0};
    bool numeric = address_set(&name, str_from(t->name), 0) && address_is_numeric(&name);
    t->ssl = SSL_new(t->ctx);
    bool ok = t->ssl != NULL && SSL_set_fd(t->ssl, stream_fd(t->tcp)) == 1;
    if (ok && numeric) {
        ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl), t->name) == 1;
    } else if (ok) {
        SSL_set_hostflags(t->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        ok = SSL_set1_host(t->ssl, t->name) == 1 && SSL_set_tlsext_host_name(t->ssl, t->name) == 1;
    }
    if (!ok) {
        (void)error_set(err, ERROR_CONFIG, 0, "TLS name %s: %s", t->name, ssl_reason());
        ERR_clear_error();
    }
    return ok;
}

static enum stream_status tls_connect(struct stream *s, struct error *err)
{
    struct tls *t = tls_of(s);
    if (t->secured) {
        return STREAM_OK;
    }
    if (t->ssl == NULL) {
        enum stream_status status = stream_connect(t->tcp, err);
        if (status != STREAM_OK) {
            return status;
        }
        if (!begin(t, err)) {
            return STREAM_FAILED;
        }
    }
    ERR_clear_error();
    errno = 0;
    int n = SSL_connect(t->ssl);
    int number = errno;
    if (n == 1) {
        t->secured = true;
        return STREAM_OK;
    }
    switch (SSL_get_error(t->ssl, n)) {
    case SSL_ERROR_WANT_READ:
        t->handshake_wants = POLLIN;
        return STREAM_WAIT;
    case SSL_ERROR_WANT_WRITE:
        t->handshake_wants = POLLOUT;
        return STREAM_WAIT;
    default:
        return ssl_failed(t, "handshake", number, err);
    }
}

static bool is_eof(void)
{
    return ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

static enum stream_status tls_read(struct stream *s, void *out, size_t size, size_t *got,
                                   struct error *err)
{
    struct tls *t = tls_of(s);
    ERR_clear_error();
    errno = 0;
    t->read_wants_out = false;
    int n = SSL_read_ex(t->ssl, out, size, got);
    int number = errno;
    if (n == 1) {
        return STREAM_OK;
    }
    switch (SSL_get_error(t->ssl, n)) {
    case SSL_ERROR_WANT_READ:
        return STREAM_WAIT;
    case SSL_ERROR_WANT_WRITE:
        t->read_wants_out = true;
        return STREAM_WAIT;
    case SSL_ERROR_ZERO_RETURN:
        return STREAM_CLOSED;
    default:
        if (is_eof()) {
            ERR_clear_error();
            return STREAM_CLOSED;
        }
        return ssl_failed(t, "read", number, err);
    }
}

static enum stream_status tls_write(struct stream *s, const void *data, size_t size, size_t *put,
                                    struct error *err)
{
    struct tls *t = tls_of(s);
    ERR_clear_error();
    errno = 0;
    t->write_wants_in = false;
    int n = SSL_write_ex(t->ssl, data, size, put);
    int number = errno;
    if (n == 1) {
        return STREAM_OK;
    }
    switch (SSL_get_error(t->ssl, n)) {
    case SSL_ERROR_WANT_WRITE:
        return STREAM_WAIT;
    case SSL_ERROR_WANT_READ:
        t->write_wants_in = true;
        return STREAM_WAIT;
    default:
        return ssl_failed(t, "write", number, err);
    }
}

static int tls_fd(const struct stream *s)
{
    return stream_fd(tls_of_const(s)->tcp);
}

static short tls_events(const struct stream *s, bool want_write)
{
    const struct tls *t = tls_of_const(s);
    if (t->ssl == NULL) {
        return stream_events(t->tcp, want_write);
    }
    if (!t->secured) {
        return t->handshake_wants;
    }
    bool out = t->read_wants_out || (want_write && !t->write_wants_in);
    return out ? POLLIN | POLLOUT : POLLIN;
}

static int64_t tls_deadline(const struct stream *s)
{
    const struct tls *t = tls_of_const(s);
    return t->ssl == NULL ? stream_deadline(t->tcp) : CLOCK_NEVER;
}

static void tls_close(struct stream *s)
{
    struct tls *t = tls_of(s);
    if (t->secured) {
        ERR_clear_error();
        (void)SSL_shutdown(t->ssl); /* one attempt to say goodbye; the answer is not awaited */
        ERR_clear_error();
    }
    SSL_free(t->ssl);
    SSL_CTX_free(t->ctx);
    stream_close(t->tcp);
    free(t);
}

static const struct stream_ops tls_ops = {
    .connect = tls_connect,
    .read = tls_read,
    .write = tls_write,
    .fd = tls_fd,
    .events = tls_events,
    .deadline = tls_deadline,
    .close = tls_close,
};

struct stream *stream_tls_open(const struct stream_target *target)
{
    struct tls *t = mem_zero(1, sizeof(*t));
    const char *name = target->server_name;
    if (target->tls->server_name != NULL) {
        name = target->tls->server_name;
    }
    if (name == NULL || name[0] == '\0') {
        name = target->address.host;
    }
    t->stream.ops = &tls_ops;
    t->address = target->address;
    t->insecure = target->tls->insecure;
    t->has_cert = target->tls->has_cert;
    t->ctx = target->tls->ctx;
    (void)SSL_CTX_up_ref(t->ctx);
    (void)str_copy(str_from(name), t->name, sizeof(t->name));
    t->handshake_wants = POLLOUT;
    t->tcp = stream_tcp_open(&target->address);
    return &t->stream;
}
