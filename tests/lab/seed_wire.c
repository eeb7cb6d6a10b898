#include "tests/lab/seed_wire.h"

#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#define SLOTS 16384
#define MAX_PRIMARIES 64
#define BATCH_BYTES (256u << 10)
#define BATCH_COMMANDS 2000

struct primary {
    char host[128];
    char port[16];
    int fd;
    SSL *ssl;
    char *out; /* commands not yet sent */
    size_t out_len, out_size;
    size_t queued;  /* commands in out */
    size_t awaited; /* commands sent, replies not yet read */
    char in[65536];
    size_t in_at, in_len;
};

static struct primary primaries[MAX_PRIMARIES];
static size_t primary_count;
static uint8_t owner_of[SLOTS];
static SSL_CTX *tls;
static const char *secret;

static void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("lab-seed: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    _exit(1);
}

struct bytes text(const char *s)
{
    return (struct bytes){s, strlen(s)};
}

/* ---- slots: CRC-16/XMODEM of the key, or of what stands in its first braces --------------------
 */
static unsigned slot_of(struct bytes key)
{
    const uint8_t *p = key.data;
    size_t len = key.len;
    const uint8_t *open = len ? memchr(p, '{', len) : NULL;
    const uint8_t *close = open ? memchr(open, '}', len - (size_t)(open - p)) : NULL;
    if (close && close > open + 1) {
        p = open + 1;
        len = (size_t)(close - p);
    }
    unsigned crc = 0;
    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned)p[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
        crc &= 0xffff;
    }
    return crc % SLOTS;
}

/* ---- bytes in and out ------------------------------------------------------------------------ */
static void send_all(struct primary *p)
{
    size_t at = 0;
    while (at < p->out_len) {
        ssize_t n = p->ssl ? SSL_write(p->ssl, p->out + at, (int)(p->out_len - at))
                           : send(p->fd, p->out + at, p->out_len - at, MSG_NOSIGNAL);
        if (n <= 0 && errno != EINTR)
            fail("%s:%s: cannot send", p->host, p->port);
        at += n > 0 ? (size_t)n : 0;
    }
    p->awaited += p->queued;
    p->out_len = p->queued = 0;
}

static char next_byte(struct primary *p)
{
    if (p->in_at == p->in_len) {
        ssize_t n =
            p->ssl ? SSL_read(p->ssl, p->in, sizeof(p->in)) : recv(p->fd, p->in, sizeof(p->in), 0);
        if (n <= 0)
            fail("%s:%s: the connection ended", p->host, p->port);
        p->in_at = 0;
        p->in_len = (size_t)n;
    }
    return p->in[p->in_at++];
}

static void read_line(struct primary *p, char *line, size_t size)
{
    size_t n = 0;
    for (char c = next_byte(p); c != '\n'; c = next_byte(p))
        if (c != '\r' && n + 1 < size)
            line[n++] = c;
    line[n] = '\0';
}

/*
 * One reply. What is nested is read in a loop over the number of values still to come; texts and
 * numbers are handed to visit, when there is one. Returns false for an error reply, kept in line.
 */
typedef void (*visit_value)(char type, const char *value, void *context);

static bool read_reply(struct primary *p, char *line, size_t size, visit_value visit, void *context)
{
    long todo = 1;
    for (; todo > 0; todo--) {
        read_line(p, line, size);
        char type = line[0];
        long number = strtol(line + 1, NULL, 10);
        if (type == '*' && number > 0) {
            todo += number;
        } else if (type == '$' && number >= 0) {
            for (long i = 0; i < number + 2; i++) {
                char c = next_byte(p);
                if (i < number && (size_t)i + 1 < size)
                    line[i] = c;
            }
            line[(size_t)number < size ? (size_t)number : size - 1] = '\0';
        } else if (type == '-') {
            return false;
        }
        if (visit)
            visit(type, type == '$' ? line : line + 1, context);
    }
    return true;
}

static void read_replies(struct primary *p)
{
    char line[512];
    for (; p->awaited > 0; p->awaited--)
        if (!read_reply(p, line, sizeof(line), NULL, NULL))
            fail("%s:%s says %s", p->host, p->port, line);
}

static void put(struct primary *p, const void *data, size_t len)
{
    if (p->out_len + len > p->out_size) {
        p->out_size = (p->out_len + len) * 2 + BATCH_BYTES;
        p->out = realloc(p->out, p->out_size);
        if (!p->out)
            fail("out of memory");
    }
    if (len)
        memcpy(p->out + p->out_len, data, len);
    p->out_len += len;
}

static void queue(struct primary *p, size_t count, const struct bytes *args)
{
    char head[32];
    put(p, head, (size_t)snprintf(head, sizeof(head), "*%zu\r\n", count));
    for (size_t i = 0; i < count; i++) {
        put(p, head, (size_t)snprintf(head, sizeof(head), "$%zu\r\n", args[i].len));
        put(p, args[i].data, args[i].len);
        put(p, "\r\n", 2);
    }
    p->queued++;
}

/* ---- connections ------------------------------------------------------------------------------
 */
static void start_tls(struct primary *p)
{
    p->ssl = SSL_new(tls);
    if (!p->ssl || SSL_set_fd(p->ssl, p->fd) != 1 || SSL_connect(p->ssl) != 1)
        fail("%s:%s: TLS refused", p->host, p->port);
}

static void connect_to(struct primary *p)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    if (getaddrinfo(p->host, p->port, &hints, &list) != 0)
        fail("%s:%s: no such address", p->host, p->port);
    p->fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (p->fd < 0 || connect(p->fd, list->ai_addr, list->ai_addrlen) != 0)
        fail("%s:%s: cannot connect", p->host, p->port);
    freeaddrinfo(list);
    if (tls)
        start_tls(p);
    if (secret) {
        const struct bytes auth[] = {text("AUTH"), text(secret)};
        queue(p, 2, auth);
        send_all(p);
        read_replies(p);
    }
}

static struct primary *add_primary(const char *host, const char *port)
{
    for (size_t i = 0; i < primary_count; i++)
        if (strcmp(primaries[i].port, port) == 0 && strcmp(primaries[i].host, host) == 0)
            return &primaries[i];
    if (primary_count == MAX_PRIMARIES)
        fail("more than %d primaries", MAX_PRIMARIES);
    struct primary *p = &primaries[primary_count++];
    snprintf(p->host, sizeof(p->host), "%s", host);
    snprintf(p->port, sizeof(p->port), "%s", port);
    connect_to(p);
    return p;
}

/*
 * CLUSTER SLOTS is a list of [first, last, [host, port, id, …], …]. Ranges begin with two numbers
 * in a row; the first text and number after them are the primary's.
 */
struct slots_reader {
    int numbers; /* in a row */
    long first, last;
    char host[128];
    bool want_primary;
    bool served;
};

static void see_slots(char type, const char *value, void *context)
{
    struct slots_reader *r = context;
    if (type == ':') {
        long number = strtol(value, NULL, 10);
        if (r->want_primary && r->host[0]) {
            struct primary *p = add_primary(r->host, value);
            for (long slot = r->first; slot <= r->last && slot < SLOTS; slot++)
                owner_of[slot] = (uint8_t)(p - primaries);
            r->want_primary = false;
            r->served = true;
        } else if (++r->numbers == 2) {
            r->last = number;
            r->want_primary = true;
            r->host[0] = '\0';
        } else {
            r->first = number;
        }
        return;
    }
    r->numbers = 0;
    if (type == '$' && r->want_primary && !r->host[0])
        snprintf(r->host, sizeof(r->host), "%s", value);
}

void wire_open(const char *address, const char *password, const char *ca_file)
{
    const char *colon = strrchr(address, ':');
    char host[128], line[512];
    if (!colon)
        fail("%s: HOST:PORT wanted", address);
    snprintf(host, sizeof(host), "%.*s", (int)(colon - address), address);
    secret = password && *password ? password : NULL;
    if (ca_file && *ca_file) {
        tls = SSL_CTX_new(TLS_client_method());
        if (!tls || SSL_CTX_load_verify_locations(tls, ca_file, NULL) != 1)
            fail("cannot read %s", ca_file);
        SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    }
    struct primary *first = add_primary(host, colon + 1);
    const struct bytes ask[] = {text("CLUSTER"), text("SLOTS")};
    struct slots_reader reader = {0};
    queue(first, 2, ask);
    send_all(first);
    if (!read_reply(first, line, sizeof(line), see_slots, &reader)) {
        if (!strstr(line, "cluster support disabled"))
            fail("%s says %s", address, line);
    } else if (!reader.served) {
        fail("%s knows of no slots", address);
    }
    first->awaited = 0;
}

void wire_send(struct bytes key, size_t count, const struct bytes *args)
{
    struct primary *p = &primaries[owner_of[slot_of(key)]];
    queue(p, count, args);
    if (p->out_len >= BATCH_BYTES || p->queued >= BATCH_COMMANDS) {
        read_replies(p);
        send_all(p);
    }
}

void wire_finish(void)
{
    for (size_t i = 0; i < primary_count; i++) {
        read_replies(&primaries[i]);
        send_all(&primaries[i]);
    }
    for (size_t i = 0; i < primary_count; i++)
        read_replies(&primaries[i]);
}

void wire_close(void)
{
    for (size_t i = 0; i < primary_count; i++) {
        SSL_free(primaries[i].ssl);
        close(primaries[i].fd);
        free(primaries[i].out);
    }
    SSL_CTX_free(tls);
}

size_t wire_primaries(void)
{
    return primary_count;
}
