#include "core/net/address_map.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/escape.h"

/* The more exact kind wins; among blocks, the longer prefix. */
enum rule_kind { RULE_EXACT, RULE_HOST, RULE_BLOCK };

struct rule {
    enum rule_kind kind;
    struct address from; /* EXACT, HOST (port 0) */
    int family;          /* BLOCK */
    unsigned char net[16];
    int prefix;        /* BLOCK: bits */
    struct address to; /* port 0 = the port stays */
};

struct address_map {
    struct rule *rules;
    size_t count;
    size_t cap;
};

struct address_map *address_map_new(void)
{
    return mem_zero(1, sizeof(struct address_map));
}

void address_map_free(struct address_map *m)
{
    if (m != NULL) {
        free(m->rules);
        free(m);
    }
}

size_t address_map_count(const struct address_map *m)
{
    return m == NULL ? 0 : m->count;
}

/* Bytes of an IPv4 or IPv6 address; its family, or 0. */
static int to_bytes(const char *host, unsigned char out[16])
{
    memset(out, 0, 16);
    if (inet_pton(AF_INET, host, out) == 1)
        return AF_INET;
    if (inet_pton(AF_INET6, host, out) == 1)
        return AF_INET6;
    return 0;
}

static bool same_prefix(const unsigned char *a, const unsigned char *b, int bits)
{
    size_t whole = (size_t)bits / 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    unsigned rest = (unsigned)bits % 8;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

static bool parse_block(struct str text, size_t slash, struct rule *r)
{
    char host[INET6_ADDRSTRLEN];
    if (!str_copy(str_slice(text, 0, slash), host, sizeof(host)))
        return false;
    r->kind = RULE_BLOCK;
    r->family = to_bytes(host, r->net);
    int most = r->family == AF_INET ? 32 : 128;
    return r->family != 0 && str_to_int(str_slice(text, slash + 1, text.len), 0, most, &r->prefix);
}

/* "host", "host:port", "[v6]", "[v6]:port" or a bare IPv6 address; port 0 when there is none. */
static bool parse_side(struct str text, struct address *out)
{
    unsigned char bytes[16];
    char host[ADDRESS_HOST_MAX];
    struct error ignored;
    if (str_copy(text, host, sizeof(host)) && to_bytes(host, bytes) == AF_INET6)
        return address_set(out, text, 0);
    bool bracket_end = text.len > 0 && text.ptr[text.len - 1] == ']';
    if (!bracket_end && str_find(text, ':') != text.len)
        return address_parse(text, 0, out, &ignored);
    if (!address_parse(text, 1, out, &ignored))
        return false;
    out->port = 0;
    return true;
}

static bool parse_from(struct str text, struct rule *r)
{
    size_t slash = str_find(text, '/');
    if (slash < text.len)
        return parse_block(text, slash, r);
    if (!parse_side(text, &r->from))
        return false;
    r->kind = r->from.port != 0 ? RULE_EXACT : RULE_HOST;
    return true;
}

static bool same_from(const struct rule *a, const struct rule *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind != RULE_BLOCK)
        return address_equal(&a->from, &b->from);
    return a->family == b->family && a->prefix == b->prefix &&
           same_prefix(a->net, b->net, a->prefix);
}

bool address_map_add(struct address_map *m, struct str from, struct str to, struct error *err)
{
    struct rule r = {0};
    char shown[100];
    if (!parse_from(from, &r)) {
        return error_set(err, ERROR_CONFIG, 0,
                         "address_map: \"%s\" is no host, host:port or CIDR block",
                         escape_text(shown, sizeof(shown), from));
    }
    if (!parse_side(to, &r.to)) {
        return error_set(err, ERROR_CONFIG, 0, "address_map: target \"%s\" is no host or host:port",
                         escape_text(shown, sizeof(shown), to));
    }
    for (size_t i = 0; i < m->count; i++) {
        if (same_from(&m->rules[i], &r)) {
            return error_set(err, ERROR_CONFIG, 0, "address_map: \"%s\" is there twice",
                             escape_text(shown, sizeof(shown), from));
        }
    }
    ARRAY_PUSH(m->rules, m->count, m->cap) = r;
    return true;
}

static bool matches(const struct rule *r, const struct address *a, int family,
                    const unsigned char *bytes)
{
    switch (r->kind) {
    case RULE_EXACT:
        return address_equal(&r->from, a);
    case RULE_HOST:
        return strcmp(r->from.host, a->host) == 0;
    case RULE_BLOCK:
        return family == r->family && same_prefix(r->net, bytes, r->prefix);
    }
    return false;
}

static bool beats(const struct rule *r, const struct rule *best)
{
    if (best == NULL || r->kind != best->kind)
        return best == NULL || r->kind < best->kind;
    return r->kind == RULE_BLOCK && r->prefix > best->prefix;
}

bool address_map_apply(const struct address_map *m, struct address *a)
{
    const struct rule *best = NULL;
    unsigned char bytes[16];
    int family = to_bytes(a->host, bytes);
    for (size_t i = 0; i < address_map_count(m); i++) {
        const struct rule *r = &m->rules[i];
        if (matches(r, a, family, bytes) && beats(r, best))
            best = r;
    }
    if (best == NULL)
        return false;
    uint16_t port = best->to.port != 0 ? best->to.port : a->port;
    *a = best->to;
    a->port = port;
    return true;
}
