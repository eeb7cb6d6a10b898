/*
 * address.h - a host and a port as plain data: parsed from text, printed, compared.
 *
 * Two spellings exist. What people write (config, command line) brackets IPv6: "[::1]:7001".
 * What servers send (MOVED, CLUSTER NODES) never does: there the last colon splits. Hosts are kept
 * as written, without brackets, in lower case. Pure; any thread.
 */
#ifndef CORE_NET_ADDRESS_H
#define CORE_NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/str.h"

#define ADDRESS_HOST_MAX 256                     /* bytes with the terminator */
#define ADDRESS_TEXT_MAX (ADDRESS_HOST_MAX + 10) /* "[host]:65535" with the terminator */

struct address {
    char host[ADDRESS_HOST_MAX]; /* name, IPv4 or IPv6; "" = unset */
    uint16_t port;               /* 0 = unset */
};

/* "host:port", "1.2.3.4:6379", "[::1]:6379"; without a port default_port is taken (0 = a port is
 * needed). A bare IPv6 address needs brackets. ERROR_CONFIG says what is wrong. */
bool address_parse(struct str text, uint16_t default_port, struct address *out,
                   struct error *err) MUST_CHECK;
/* As servers send it: split at the last colon, the host may be empty (":6381" = the host we asked)
 * or unbracketed IPv6. ERROR_CORRUPT otherwise. */
bool address_parse_server(struct str text, struct address *out, struct error *err) MUST_CHECK;
/* false when the host is too long, empty or has a byte that no host name has. */
bool address_set(struct address *out, struct str host, uint16_t port) MUST_CHECK;

bool address_equal(const struct address *a, const struct address *b);
bool address_is_numeric(const struct address *a);  /* IPv4 or IPv6, no name to look up */
bool address_is_loopback(const struct address *a); /* 127/8, ::1 or "localhost" */
/* "host:port", IPv6 in brackets. out holds ADDRESS_TEXT_MAX bytes. Returns out. */
char *address_text(char *out, size_t size, const struct address *a);

#endif
