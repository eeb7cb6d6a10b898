#include "core/net/stream_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/net/stream_tcp.h"
#include "core/net/stream_tls_private.h"

struct tls {
    struct stream stream;
    struct stream *tcp;
    SSL *ssl; /* NULL until TCP is connected */
    SSL_CTX *ctx;
    struct address address;
    char name[ADDRESS_HOST_MAX]; /* to verify */
    bool insecure;
    bool has_cert;
    bool cert_wanted;      /* the server asked for a client certificate and we have none */
    bool received;         /* at least one byte came after the handshake */
    bool secured;          /* the handshake is done */
    bool read_wants_out;   /* the last SSL_read asked for POLLOUT */
    bool write_wants_in;   /* the last SSL_write asked for POLLIN */
    short handshake_wants; /* POLLIN or POLLOUT */
};

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
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].result == result)
            return rows[i].words;
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
    for (size_t i = 0; i < COUNT_OF(reasons); i++)
        if (reasons[i] == reason)
            return true;
    return false;
}

static bool is_not_tls(int reason)
{
    return reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_PACKET_LENGTH_TOO_LONG ||
           reason == SSL_R_BAD_RECORD_TYPE;
}

static void explain_verify(const struct tls *t, const char *name, long verify, struct error *err)
{
    bool wrong_name =
        verify == X509_V_ERR_HOSTNAME_MISMATCH || verify == X509_V_ERR_IP_ADDRESS_MISMATCH;
    (void)error_set(err, ERROR_AUTH, (int)verify, "TLS with %s: %s%s%s", name, verify_words(verify),
                    wrong_name ? " than " : "", wrong_name ? t->name : "");
}

/* An error that OpenSSL has queued. */
static void explain_reason(const struct tls *t, const char *name, const char *what, int reason,
                           struct error *err)
{
    bool refused = is_client_certificate_alert(reason) ||
                   (t->cert_wanted && reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE);
    if (refused) {
        (void)error_set(err, ERROR_AUTH, reason, "TLS with %s: %s (%s)", name,
                        t->has_cert ? "the server refused our client certificate"
                                    : "the server wants a client certificate: set cert and key",
                        tls_reason());
    } else if (is_not_tls(reason)) {
        (void)error_set(err, ERROR_UNREACHABLE, reason,
                        "TLS with %s: the server does not speak TLS on this port", name);
    } else {
        (void)error_set(err, ERROR_UNREACHABLE, reason, "TLS with %s: %s: %s", name, what,
                        tls_reason());
    }
}

/* With TLS 1.3 a server refuses a missing certificate after our side of the handshake is done, and
 * its alert may be lost in the reset that follows. */
static bool dropped_for_certificate(const struct tls *t)
{
    return t->cert_wanted && !t->received;
}

static void explain_dropped(const char *name, struct error *err)
{
    (void)error_set(err, ERROR_AUTH, 0,
                    "TLS with %s: the server wants a client certificate: set cert and key", name);
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
        explain_verify(t, name, verify, err);
    } else if (code != 0) {
        explain_reason(t, name, what, reason, err);
    } else if (dropped_for_certificate(t)) {
        explain_dropped(name, err);
    } else if (number != 0) {
        (void)error_set_errno(err, ERROR_UNREACHABLE, number, "TLS with %s: %s", name, what);
    } else {
        (void)error_set(err, ERROR_UNREACHABLE, 0,
                        "TLS with %s: %s: the server closed the connection", name, what);
    }
    ERR_clear_error();
    return STREAM_FAILED;
}

/* Called when the server asks for a certificate and none is configured: go on without. */
static int note_cert_wanted(SSL *ssl, void *arg)
{
    struct tls *t = arg;
    (void)ssl;
    t->cert_wanted = true;
    return 1;
}

/* The SSL object with the name to check and to send; no SNI for addresses. */
static bool begin(struct tls *t, struct error *err)
{
    struct address name = {0};
    bool numeric = address_set(&name, str_from(t->name), 0) && address_is_numeric(&name);
    t->ssl = SSL_new(t->ctx);
    bool ok = t->ssl != NULL && SSL_set_fd(t->ssl, stream_fd(t->tcp)) == 1;
    if (ok && !t->has_cert)
        SSL_set_cert_cb(t->ssl, note_cert_wanted, t);
    if (ok && numeric) {
        ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl), t->name) == 1;
    } else if (ok) {
        SSL_set_hostflags(t->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        ok = SSL_set1_host(t->ssl, t->name) == 1 && SSL_set_tlsext_host_name(t->ssl, t->name) == 1;
    }
    if (!ok) {
        (void)error_set(err, ERROR_CONFIG, 0, "TLS name %s: %s", t->name, tls_reason());
        ERR_clear_error();
    }
    return ok;
}

static enum stream_status tls_connect(struct stream *s, struct error *err)
{
    struct tls *t = tls_of(s);
    if (t->secured)
        return STREAM_OK;
    if (t->ssl == NULL) {
        enum stream_status status = stream_connect(t->tcp, err);
        if (status != STREAM_OK)
            return status;
        if (!begin(t, err))
            return STREAM_FAILED;
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

static enum stream_status closed(const struct tls *t, struct error *err)
{
    char name[ADDRESS_TEXT_MAX];
    ERR_clear_error();
    if (!dropped_for_certificate(t))
        return STREAM_CLOSED;
    explain_dropped(address_text(name, sizeof(name), &t->address), err);
    return STREAM_FAILED;
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
        t->received = true;
        return STREAM_OK;
    }
    switch (SSL_get_error(t->ssl, n)) {
    case SSL_ERROR_WANT_READ:
        return STREAM_WAIT;
    case SSL_ERROR_WANT_WRITE:
        t->read_wants_out = true;
        return STREAM_WAIT;
    case SSL_ERROR_ZERO_RETURN:
        return closed(t, err);
    default:
        if (is_eof())
            return closed(t, err);
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
    if (n == 1)
        return STREAM_OK;
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
    if (t->ssl == NULL)
        return stream_events(t->tcp, want_write);
    if (!t->secured)
        return t->handshake_wants;
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
    if (target->tls->server_name != NULL)
        name = target->tls->server_name;
    if (name == NULL || name[0] == '\0')
        name = target->address.host;
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
