/*
 * stream_tls_private.h - what stream_tls.c (connections) and tls_context.c (files and options)
 * share. For nobody else.
 */
#ifndef CORE_NET_STREAM_TLS_PRIVATE_H
#define CORE_NET_STREAM_TLS_PRIVATE_H

#include <openssl/ssl.h>

#include "core/net/stream_tls.h"

struct tls_context {
    SSL_CTX *ctx;
    char *server_name; /* NULL = the host */
    bool insecure;
    bool has_cert;
};

/* The newest error that OpenSSL has queued in this thread, in its words. */
const char *tls_reason(void);

#endif
