/*
 * stream_tls.h - TLS 1.2 or newer over a TCP stream, by OpenSSL 3.
 *
 * The certificate chain and the name (or IP address) of the server are verified unless `insecure`
 * is set. Errors that no retry can mend (wrong CA, wrong name, expired, the server wants a client
 * certificate) are ERROR_AUTH and say which; files that cannot be used are ERROR_CONFIG.
 * A context is made once and then shared by all threads; a stream belongs to one.
 */
#ifndef CORE_NET_STREAM_TLS_H
#define CORE_NET_STREAM_TLS_H

#include "core/net/stream.h"

struct tls_options {
    const char *ca_file;     /* PEM; NULL and ca_dir NULL = the system's authorities */
    const char *ca_dir;      /* hashed directory */
    const char *cert_file;   /* PEM chain for mutual TLS; NULL = none */
    const char *key_file;    /* PEM, not readable by others; NULL = in cert_file */
    const char *server_name; /* name to verify instead of the host; NULL = the host */
    bool insecure;           /* no verification at all */
};

struct tls_context *tls_context_new(const struct tls_options *options, struct error *err);
void tls_context_free(struct tls_context *t); /* NULL is fine; open streams keep working */
bool tls_context_insecure(const struct tls_context *t);

struct stream *stream_tls_open(const struct stream_target *target);

#endif
