/* Certificates that an S3 client must refuse, each with its reason, before a byte of the request is
 * sent. Fault test 31; for Redis see core/net/test_stream_tls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/s3/s3.h"
#include "tests/harness/tmpdir.h"

#define DAY 86400L

struct pair {
    X509 *cert;
    EVP_PKEY *key;
};

static void extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(cert, e, -1), 1);
    X509_EXTENSION_free(e);
}

/* issuer NULL: an authority. Valid from two days ago until `seconds` from now. */
static struct pair make(const char *name, const struct pair *issuer, const char *alt, long seconds)
{
    static long serial = 1;
    struct pair p = {X509_new(), EVP_EC_gen("P-256")};
    assert_true(p.cert != NULL && p.key != NULL);
    X509_NAME *n = X509_get_subject_name(p.cert);
    (void)X509_set_version(p.cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(p.cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(p.cert), -2 * DAY);
    X509_gmtime_adj(X509_getm_notAfter(p.cert), seconds);
    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(p.cert, issuer == NULL ? n : X509_get_subject_name(issuer->cert));
    X509_set_pubkey(p.cert, p.key);
    if (issuer == NULL)
        extend(p.cert, p.cert, NID_basic_constraints, "critical,CA:TRUE");
    else
        extend(p.cert, issuer->cert, NID_subject_alt_name, alt);
    assert_true(X509_sign(p.cert, issuer == NULL ? p.key : issuer->key, EVP_sha256()) > 0);
    return p;
}

static void release(struct pair *p)
{
    X509_free(p->cert);
    EVP_PKEY_free(p->key);
}

/* ---- a server that shows a certificate and answers one empty object ----------------------------
 */

struct server {
    SSL_CTX *ctx;
    int fd;
    int stop[2];
    char url[64];
    pthread_t thread;
    _Atomic int handshakes; /* begun */
    _Atomic int requests;   /* of which anything was read */
};

static void answer(struct server *s, int fd)
{
    static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    char request[8192];
    SSL *ssl = SSL_new(s->ctx);
    SSL_set_fd(ssl, fd);
    atomic_fetch_add(&s->handshakes, 1);
    if (SSL_accept(ssl) == 1 && SSL_read(ssl, request, sizeof(request)) > 0) {
        atomic_fetch_add(&s->requests, 1);
        (void)SSL_write(ssl, reply, sizeof(reply) - 1);
        (void)SSL_shutdown(ssl);
    }
    SSL_free(ssl);
}

static void *run(void *arg)
{
    struct server *s = arg;
    struct pollfd p[2] = {{.fd = s->fd, .events = POLLIN}, {.fd = s->stop[0], .events = POLLIN}};
    while (poll(p, 2, -1) > 0 && p[1].revents == 0) {
        int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        answer(s, fd);
        close(fd);
    }
    return NULL;
}

static void start_server(struct server *s, const struct pair *shown)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *s = (struct server){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    s->ctx = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(s->ctx, shown->cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(s->ctx, shown->key), 1);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(s->fd, 16), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(pipe(s->stop), 0);
    (void)snprintf(s->url, sizeof(s->url), "https://127.0.0.1:%u",
                   (unsigned)ntohs(address.sin_port));
    assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
}

static void stop_server(struct server *s)
{
    assert_int_equal(write(s->stop[1], "x", 1), 1);
    pthread_join(s->thread, NULL);
    close(s->stop[0]);
    close(s->stop[1]);
    close(s->fd);
    SSL_CTX_free(s->ctx);
}

/* ---- the cases ---------------------------------------------------------------------------------
 */

struct world {
    struct pair authority;
    struct pair other;
    struct pair good;
    struct pair expired;
    struct pair foreign;
    const char *dir;
};

static bool look(const struct server *s, const char *ca_file, struct error *err)
{
    const struct s3_options options = {.bucket = "bucket",
                                       .endpoint_url = s->url,
                                       .access_key = "AKIDEXAMPLE",
                                       .secret_key = "topsecret",
                                       .ca_file = ca_file,
                                       .tries = 4,
                                       .backoff_base_ms = 2};
    struct s3 *s3 = NULL;
    struct s3_object object;
    if (!s3_new(&options, &s3, err))
        return false;
    bool ok = s3_head(s3, STR("key"), &object, err);
    s3_free(s3);
    return ok;
}

static void a_certificate_of_the_given_authority_is_accepted(void **state)
{
    const struct world *w = *state;
    struct server s;
    struct error err = {.text = ""};
    start_server(&s, &w->good);
    bool ok = look(&s, tmpdir_path(w->dir, "ca.pem"), &err);
    stop_server(&s);
    if (!ok)
        fail_msg("%s", err.text);
    assert_int_equal(atomic_load(&s.requests), 1);
}

static void other_certificates_are_refused_with_the_reason_and_once(void **state)
{
    const struct world *w = *state;
    const struct {
        const struct pair *shown;
        const char *ca;
        const char *says;
    } cases[] = {{&w->expired, "ca.pem", "must be renewed"},
                 {&w->foreign, "ca.pem", "is for another name"},
                 {&w->good, "other.pem", "is not trusted: give its CA file"},
                 {&w->other, "ca.pem", "is not trusted: give its CA file"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct server s;
        struct error err = {.text = ""};
        start_server(&s, cases[i].shown);
        bool ok = look(&s, tmpdir_path(w->dir, cases[i].ca), &err);
        stop_server(&s);
        assert_false(ok);
        if (err.code != ERROR_CONFIG || strstr(err.text, cases[i].says) == NULL)
            fail_msg("case %zu: %s: %s", i, error_code_name(err.code), err.text);
        assert_int_equal(atomic_load(&s.requests), 0);
        assert_int_equal(atomic_load(&s.handshakes), 1);
    }
}

static void a_ca_file_that_is_missing_is_named(void **state)
{
    const struct world *w = *state;
    struct server s;
    struct error err = {.text = ""};
    start_server(&s, &w->good);
    bool ok = look(&s, tmpdir_path(w->dir, "nowhere.pem"), &err);
    stop_server(&s);
    assert_false(ok);
    assert_int_equal(err.code, ERROR_CONFIG);
    assert_non_null(strstr(err.text, "nowhere.pem"));
    assert_int_equal(atomic_load(&s.requests), 0);
}

static void put_pem(const char *path, const struct pair *p)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_X509(f, p->cert), 1);
    fclose(f);
}

static int start(void **state)
{
    static struct world w;
    struct error err;
    const char *names = "DNS:localhost,IP:127.0.0.1";
    (void)signal(SIGPIPE, SIG_IGN); /* a client that hangs up */
    w.dir = tmpdir_new();
    w.authority = make("authority", NULL, NULL, DAY);
    w.other = make("another authority", NULL, NULL, DAY);
    w.good = make("server", &w.authority, names, DAY);
    w.expired = make("server", &w.authority, names, -DAY);
    w.foreign = make("other", &w.authority, "DNS:other.example", DAY);
    put_pem(tmpdir_path(w.dir, "ca.pem"), &w.authority);
    put_pem(tmpdir_path(w.dir, "other.pem"), &w.other);
    *state = &w;
    return s3_global_init(&err) ? 0 : -1;
}

static int stop(void **state)
{
    struct world *w = *state;
    struct pair *all[] = {&w->authority, &w->other, &w->good, &w->expired, &w->foreign};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        release(all[i]);
    s3_global_release();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_of_the_given_authority_is_accepted),
        cmocka_unit_test(other_certificates_are_refused_with_the_reason_and_once),
        cmocka_unit_test(a_ca_file_that_is_missing_is_named),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
