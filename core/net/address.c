#include "core/net/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "core/base/escape.h"

#define SHOWN 80 /* bytes of a bad address in an error text */

static bool host_byte(char c)
{
    unsigned char u = (unsigned char)c;
    return isalnum(u) || u == '.' || u == '-' || u == '_' || u == ':' || u == '%' || u >= 0x80;
}

bool address_set(struct address *out, struct str host, uint16_t port)
{
    if (host.len == 0 || host.len >= sizeof(out->host))
        return false;
    for (size_t i = 0; i < host.len; i++)
        if (!host_byte(host.ptr[i]))
            return false;
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < host.len; i++)
        out->host[i] = (char)tolower((unsigned char)host.ptr[i]);
    out->port = port;
    return true;
}

static bool bad(struct error *err, struct str text, const char *why)
{
    char shown[SHOWN];
    return error_set(err, ERROR_CONFIG, 0, "address \"%s\": %s",
                     escape_text(shown, sizeof(shown), text), why);
}

/* Takes "[v6]" or "[v6]:port" apart. */
static bool split_brackets(struct str text, struct str *host, struct str *port, struct error *err)
{
    size_t close = str_find(text, ']');
    if (close == text.len)
        return bad(err, text, "\"]\" is missing");
    *host = str_slice(text, 1, close);
    *port = str_slice(text, close + 1, text.len);
    struct in6_addr v6;
    char copy[INET6_ADDRSTRLEN + 20];
    char *scope;
    if (!str_copy(*host, copy, sizeof(copy)))
        return bad(err, text, "no IPv6 address between the brackets");
    if ((scope = strchr(copy, '%')) != NULL)
        *scope = '\0';
    if (inet_pton(AF_INET6, copy, &v6) != 1)
        return bad(err, text, "no IPv6 address between the brackets");
    if (port->len > 0 && port->ptr[0] != ':')
        return bad(err, text, "\":port\" is expected after \"]\"");
    return true;
}

static bool parse_port(struct str text, uint16_t *out)
{
    int port;
    if (!str_to_int(text, 1, UINT16_MAX, &port))
        return false;
    *out = (uint16_t)port;
    return true;
}

bool address_parse(struct str text, uint16_t default_port, struct address *out, struct error *err)
{
    struct str host = text;
    struct str rest = {0};
    if (text.len > 0 && text.ptr[0] == '[') {
        if (!split_brackets(text, &host, &rest, err))
            return false;
    } else {
        size_t colon = str_find(text, ':');
        if (colon != str_find_last(text, ':'))
            return bad(err, text, "an IPv6 address needs brackets: \"[::1]:6379\"");
        host = str_slice(text, 0, colon);
        rest = str_slice(text, colon, text.len);
    }
    uint16_t port = default_port;
    if (rest.len > 0 && !parse_port(str_slice(rest, 1, rest.len), &port))
        return bad(err, text, "the port must be a number from 1 to 65535");
    if (port == 0)
        return bad(err, text, "a port is needed: \"host:port\"");
    if (!address_set(out, host, port))
        return bad(err, text, "no valid host name");
    return true;
}

bool address_parse_server(struct str text, struct address *out, struct error *err)
{
    char shown[SHOWN];
    size_t colon = str_find_last(text, ':');
    struct str host = str_slice(text, 0, colon);
    uint16_t port;
    if (colon == text.len || !parse_port(str_slice(text, colon + 1, text.len), &port))
        goto out;
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = str_slice(host, 1, host.len - 1);
    if (host.len == 0) {
        memset(out, 0, sizeof(*out));
        out->port = port;
        return true;
    }
    if (address_set(out, host, port))
        return true;
out:
    return error_set(err, ERROR_CORRUPT, 0, "the server named an address that is none: \"%s\"",
                     escape_text(shown, sizeof(shown), text));
}

bool address_equal(const struct address *a, const struct address *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

bool address_is_numeric(const struct address *a)
{
    struct in_addr v4;
    char copy[ADDRESS_HOST_MAX];
    struct in6_addr v6;
    if (inet_pton(AF_INET, a->host, &v4) == 1)
        return true;
    (void)str_copy(str_from(a->host), copy, sizeof(copy));
    char *scope = strchr(copy, '%');
    if (scope != NULL)
        *scope = '\0';
    return inet_pton(AF_INET6, copy, &v6) == 1;
}

bool address_is_loopback(const struct address *a)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, a->host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    if (inet_pton(AF_INET6, a->host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return strcmp(a->host, "localhost") == 0;
}

char *address_text(char *out, size_t size, const struct address *a)
{
    bool v6 = strchr(a->host, ':') != NULL;
    int written =
        snprintf(out, size, "%s%s%s:%u", v6 ? "[" : "", a->host, v6 ? "]" : "", (unsigned)a->port);
    if (written < 0)
        out[0] = '\0';
    return out;
}
