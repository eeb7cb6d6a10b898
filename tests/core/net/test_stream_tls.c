/*
 * test_stream_tls.c - TLS against a server of our own, with certificates made on the spot: what is
 * accepted, what is refused, and the one line that says why.
 */
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
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/rng.h"
#include "core/net/stream_tls.h"

/* ---- certificates -------------------------------------------------------------------------------
 */

struct pair {
    X509 *cert;
    EVP_PKEY *key;
};

struct files {
    char dir[64];
    char ca[96];
    char other_ca[96];
    char cert[96]; /* of a client, with its key */
    struct pair authority;
    struct pair good;    /* DNS:localhost, IP:127.0.0.1 */
    struct pair expired; /* the same, until yesterday */
    struct pair foreign; /* DNS:other.example */
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

static struct pair make(const char *name, const struct pair *issuer, const char *alt, long seconds)
{
    struct pair p = {X509_new(), EVP_EC_gen("P-256")};
    assert_non_null(p.cert);
    assert_non_null(p.key);
    X509_NAME *n = X509_get_subject_name(p.cert);
    (void)X509_set_version(p.cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(p.cert), (long)rng_below(100000) + 1);
    X509_gmtime_adj(X509_getm_notBefore(p.cert), -172800);
    X509_gmtime_adj(X509_getm_notAfter(p.cert), seconds);
    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(p.cert, issuer == NULL ? n : X509_get_subject_name(issuer->cert));
    X509_set_pubkey(p.cert, p.key);
    if (issuer == NULL)
        extend(p.cert, p.cert, NID_basic_constraints, "critical,CA:TRUE");
    if (alt != NULL)
        extend(p.cert, issuer->cert, NID_subject_alt_name, alt);
    assert_true(X509_sign(p.cert, issuer == NULL ? p.key : issuer->key, EVP_sha256()) > 0);
    return p;
}

static void save(const char *path, const struct pair *p, bool with_key, mode_t mode)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_X509(f, p->cert), 1);
    if (with_key)
        assert_int_equal(PEM_write_PrivateKey(f, p->key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void drop(struct pair *p)
{
    X509_free(p->cert);
    EVP_PKEY_free(p->key);
}

static int make_files(void **state)
{
    static struct files f;
    struct pair other = make("other authority", NULL, NULL, 86400);
    (void)snprintf(f.dir, sizeof(f.dir), "/tmp/rbc-tls-XXXXXX");
    assert_non_null(mkdtemp(f.dir));
    (void)snprintf(f.ca, sizeof(f.ca), "%s/ca.pem", f.dir);
    (void)snprintf(f.other_ca, sizeof(f.other_ca), "%s/other.pem", f.dir);
    (void)snprintf(f.cert, sizeof(f.cert), "%s/client.pem", f.dir);
    f.authority = make("authority", NULL, NULL, 86400);
    f.good = make("server", &f.authority, "DNS:localhost,IP:127.0.0.1", 86400);
    f.expired = make("server", &f.authority, "DNS:localhost,IP:127.0.0.1", -86400);
    f.foreign = make("server", &f.authority, "DNS:other.example", 86400);
    struct pair client = make("client", &f.authority, "DNS:client", 86400);
    save(f.ca, &f.authority, false, 0644);
    save(f.other_ca, &other, false, 0644);
    save(f.cert, &client, true, 0600);
    drop(&other);
    drop(&client);
    *state = &f;
    return 0;
}

static int drop_files(void **state)
{
    struct files *f = *state;
    struct error err;
    drop(&f->authority);
    drop(&f->good);
    drop(&f->expired);
    drop(&f->foreign);
    return file_remove_tree(f->dir, &err) ? 0 : -1;
}

/* ---- a server that echoes -----------------------------------------------------------------------
 */

struct server {
    SSL_CTX *ctx; /* NULL: plain text */
    int listener;
    uint16_t port;
    pthread_t thread;
    atomic_bool stopping;
    char name[64]; /* SNI of the last client */
};

static bool readable(struct server *s, int fd)
{
    while (!atomic_load(&s->stopping)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 50) > 0)
            return true;
    }
    return false;
}

static void echo(struct server *s, int fd)
{
    char bytes[4096];
    int n;
    SSL *ssl = SSL_new(s->ctx);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) {
        const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        (void)snprintf(s->name, sizeof(s->name), "%s", name == NULL ? "" : name);
        while ((SSL_pending(ssl) > 0 || readable(s, fd)) &&
               (n = SSL_read(ssl, bytes, sizeof(bytes))) > 0 && SSL_write(ssl, bytes, n) == n) {
        }
        SSL_shutdown(ssl);
    }
    SSL_free(ssl);
}

static void *run(void *arg)
{
    struct server *s = arg;
    while (readable(s, s->listener)) {
        int fd = accept(s->listener, NULL, NULL);
        if (fd >= 0 && s->ctx == NULL)
            (void)!write(fd, "-ERR plain text\r\n", 17);
        else if (fd >= 0)
            echo(s, fd);
        if (fd >= 0)
            close(fd);
    }
    return NULL;
}

static struct server *serve(const struct pair *p, const char *client_ca, int most)
{
    struct server *s = calloc(1, sizeof(*s));
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(a);
    assert_non_null(s);
    if (p != NULL) {
        s->ctx = SSL_CTX_new(TLS_server_method());
        assert_int_equal(SSL_CTX_use_certificate(s->ctx, p->cert), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(s->ctx, p->key), 1);
        SSL_CTX_set_security_level(s->ctx, 0);
        SSL_CTX_set_max_proto_version(s->ctx, most);
        if (client_ca != NULL) {
            assert_int_equal(SSL_CTX_load_verify_file(s->ctx, client_ca), 1);
            SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        }
    }
    s->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(s->listener, 8), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&a, &len), 0);
    s->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
    return s;
}

static void stop(struct server *s)
{
    atomic_store(&s->stopping, true);
    pthread_join(s->thread, NULL);
    close(s->listener);
    SSL_CTX_free(s->ctx);
    free(s);
}

/* ---- the client ---------------------------------------------------------------------------------
 */

/* Connects, sends four bytes and reads them back. TLS 1.3 servers refuse client certificates only
 * after the handshake: that counts as refused, too. */
static bool talk(const struct server *s, const struct tls_options *o, const char *host,
                 struct error *err)
{
    struct tls_context *t = tls_context_new(o, err);
    if (t == NULL)
        return false;
    struct stream_target target = {.tls = t};
    assert_true(address_set(&target.address, str_from(host), s->port));
    struct stream *st = stream_open(&target);
    int64_t deadline = clock_after(10000);
    enum stream_status status;
    char got[4] = {0};
    size_t n = 0;
    while ((status = stream_connect(st, err)) == STREAM_WAIT)
        assert_true(stream_wait(st, false, deadline));
    if (status == STREAM_OK)
        status = stream_write(st, "ping", 4, &n, err);
    for (size_t at = 0; status == STREAM_OK && at < 4; at += n)
        while ((status = stream_read(st, got + at, 4 - at, &n, err)) == STREAM_WAIT)
            assert_true(stream_wait(st, false, deadline));
    stream_close(st);
    tls_context_free(t);
    return status == STREAM_OK && memcmp(got, "ping", 4) == 0;
}

static void tls_accepts_a_certificate_for_the_name_or_the_address(void **state)
{
    struct files *f = *state;
    struct error err = {0};
    struct server *s = serve(&f->good, NULL, TLS1_3_VERSION);
    struct tls_options o = {.ca_file = f->ca};
    assert_true(talk(s, &o, "127.0.0.1", &err));
    assert_true(talk(s, &o, "localhost", &err));
    stop(s);
    s = serve(&f->good, NULL, TLS1_2_VERSION);
    assert_true(talk(s, &o, "localhost", &err));
    stop(s);
}

static void tls_sends_and_checks_the_configured_name(void **state)
{
    struct files *f = *state;
    struct error err = {0};
    struct server *s = serve(&f->foreign, NULL, TLS1_3_VERSION);
    struct tls_options o = {.ca_file = f->ca, .server_name = "other.example"};
    assert_true(talk(s, &o, "127.0.0.1", &err));
    atomic_store(&s->stopping, true);
    pthread_join(s->thread, NULL);
    assert_string_equal(s->name, "other.example");
    close(s->listener);
    SSL_CTX_free(s->ctx);
    free(s);
}

struct refusal {
    struct pair *server;
    const char *ca;
    const char *demanded_ca;
    int most;
    enum error_code code;
    const char *text;
};

static void tls_refuses_and_says_why(void **state)
{
    struct files *f = *state;
    const struct refusal rows[] = {
        {&f->expired, f->ca, NULL, TLS1_3_VERSION, ERROR_AUTH, "has expired"},
        {&f->foreign, f->ca, NULL, TLS1_3_VERSION, ERROR_AUTH, "for another"},
        {&f->good, f->other_ca, NULL, TLS1_3_VERSION, ERROR_AUTH, "not trusted"},
        {&f->good, NULL, NULL, TLS1_3_VERSION, ERROR_AUTH, "not trusted"},
        {&f->good, f->ca, f->ca, TLS1_3_VERSION, ERROR_AUTH, "wants a client certificate"},
        {&f->good, f->ca, f->ca, TLS1_2_VERSION, ERROR_AUTH, "wants a client certificate"},
        {&f->good, f->ca, NULL, TLS1_1_VERSION, ERROR_UNREACHABLE, "version"},
        {NULL, f->ca, NULL, 0, ERROR_UNREACHABLE, "does not speak TLS"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct error err = {0};
        struct server *s = serve(rows[i].server, rows[i].demanded_ca, rows[i].most);
        struct tls_options o = {.ca_file = rows[i].ca};
        assert_false(talk(s, &o, "127.0.0.1", &err));
        if (err.code != rows[i].code || strstr(err.text, rows[i].text) == NULL)
            fail_msg("row %zu: %s: %s", i, error_code_name(err.code), err.text);
        stop(s);
    }
}

static void tls_insecure_takes_anything(void **state)
{
    struct files *f = *state;
    struct error err = {0};
    struct server *s = serve(&f->expired, NULL, TLS1_3_VERSION);
    struct tls_options o = {.insecure = true};
    assert_true(talk(s, &o, "127.0.0.1", &err));
    stop(s);
}

static void tls_shows_its_client_certificate(void **state)
{
    struct files *f = *state;
    struct error err = {0};
    struct server *s = serve(&f->good, f->ca, TLS1_3_VERSION);
    struct tls_options o = {.ca_file = f->ca, .cert_file = f->cert};
    assert_true(talk(s, &o, "127.0.0.1", &err));
    stop(s);
}

static void tls_refuses_bad_files(void **state)
{
    struct files *f = *state;
    struct error err = {0};
    struct tls_options loose = {.ca_file = f->ca, .cert_file = f->cert};
    assert_int_equal(chmod(f->cert, 0644), 0);
    assert_null(tls_context_new(&loose, &err));
    assert_int_equal(err.code, ERROR_CONFIG);
    assert_non_null(strstr(err.text, "chmod 600"));
    assert_int_equal(chmod(f->cert, 0600), 0);
    struct tls_options missing = {.ca_file = "/nonexistent/ca.pem"};
    assert_null(tls_context_new(&missing, &err));
    assert_int_equal(err.code, ERROR_CONFIG);
    assert_non_null(strstr(err.text, "/nonexistent/ca.pem"));
    struct tls_options no_key = {.ca_file = f->ca, .cert_file = f->ca};
    assert_null(tls_context_new(&no_key, &err));
    assert_int_equal(err.code, ERROR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_accepts_a_certificate_for_the_name_or_the_address),
        cmocka_unit_test(tls_sends_and_checks_the_configured_name),
        cmocka_unit_test(tls_refuses_and_says_why),
        cmocka_unit_test(tls_insecure_takes_anything),
        cmocka_unit_test(tls_shows_its_client_certificate),
        cmocka_unit_test(tls_refuses_bad_files),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, make_files, drop_files);
}
