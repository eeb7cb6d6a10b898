#include "tests/harness/http_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_LIMIT_MS 10000

struct http_server {
    int fd;
    int stop_pipe[2];
    pthread_t thread;
    http_handler handler;
    void *ctx;
    char url[64];
};

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    abort();
}

/* False when the server is asked to stop, or after the time. */
static bool wait_readable(const struct http_server *s, int fd, int timeout_ms)
{
    struct pollfd p[2] = {{.fd = s->stop_pipe[0], .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    int count = poll(p, fd >= 0 ? 2 : 1, timeout_ms);
    return count > 0 && p[0].revents == 0 && fd >= 0;
}

char *http_seen_header(const struct http_seen *request, const char *name, char *out, size_t size)
{
    size_t len = strlen(name);
    out[0] = '\0';
    for (const char *line = strstr(request->head, "\r\n"); line != NULL;
         line = strstr(line + 2, "\r\n")) {
        const char *at = line + 2;
        if (strncasecmp(at, name, len) != 0 || at[len] != ':')
            continue;
        at += len + 1;
        at += strspn(at, " ");
        (void)snprintf(out, size, "%.*s", (int)strcspn(at, "\r"), at);
        break;
    }
    return out;
}

/* Up to the blank line; returns where the body's first bytes begin, 0 on failure. */
static size_t read_head(const struct http_server *s, int fd, struct http_seen *seen, size_t *have)
{
    *have = 0;
    while (*have + 1 < sizeof(seen->head)) {
        if (!wait_readable(s, fd, READ_LIMIT_MS))
            return 0;
        ssize_t got = read(fd, seen->head + *have, sizeof(seen->head) - 1 - *have);
        if (got <= 0)
            return 0;
        *have += (size_t)got;
        seen->head[*have] = '\0';
        const char *end = strstr(seen->head, "\r\n\r\n");
        if (end != NULL)
            return (size_t)(end - seen->head) + 4;
    }
    return 0;
}

static bool read_request(const struct http_server *s, int fd, struct http_seen *seen)
{
    char length[32];
    size_t have;
    size_t body_at = read_head(s, fd, seen, &have);
    if (body_at == 0 || sscanf(seen->head, "%15s %2047s", seen->method, seen->target) != 2)
        return false;
    http_seen_header(seen, "content-length", length, sizeof(length));
    seen->body_len = strtoul(length, NULL, 10);
    seen->body = malloc(seen->body_len + 1);
    must(seen->body != NULL, "malloc");
    size_t got = have - body_at < seen->body_len ? have - body_at : seen->body_len;
    memcpy(seen->body, seen->head + body_at, got);
    seen->head[body_at] = '\0';
    while (got < seen->body_len) {
        if (!wait_readable(s, fd, READ_LIMIT_MS))
            return false;
        ssize_t more = read(fd, seen->body + got, seen->body_len - got);
        if (more <= 0)
            return false;
        got += (size_t)more;
    }
    seen->body[got] = '\0';
    return true;
}

static void send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        data += sent;
        len -= (size_t)sent;
    }
}

static void answer(const struct http_server *s, int fd, const struct http_seen *seen)
{
    struct http_reply reply = {.status = 200};
    char head[4096];
    s->handler(s->ctx, seen, &reply);
    if (reply.delay_ms > 0)
        wait_readable(s, -1, reply.delay_ms);
    if (reply.drop)
        return;
    size_t len = reply.body == NULL ? 0 : reply.body_len;
    if (reply.body != NULL && len == 0)
        len = strlen(reply.body);
    bool has_length = strstr(reply.headers, "Content-Length:") != NULL;
    char length[64] = "";
    if (!has_length)
        (void)snprintf(length, sizeof(length), "Content-Length: %zu\r\n", len);
    int head_len =
        snprintf(head, sizeof(head), "HTTP/1.1 %d Scripted\r\nConnection: close\r\n%s%s\r\n",
                 reply.status, length, reply.headers);
    send_all(fd, head, (size_t)head_len);
    if (strcmp(seen->method, "HEAD") != 0)
        send_all(fd, reply.body,
                 reply.cut_after > 0 && reply.cut_after < len ? reply.cut_after : len);
}

static void serve(const struct http_server *s, int fd)
{
    struct http_seen *seen = calloc(1, sizeof(*seen));
    must(seen != NULL, "calloc");
    if (read_request(s, fd, seen))
        answer(s, fd, seen);
    free(seen->body);
    free(seen);
    close(fd);
}

static void *run(void *arg)
{
    const struct http_server *s = arg;
    while (wait_readable(s, s->fd, -1)) {
        int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            serve(s, fd);
    }
    return NULL;
}

struct http_server *http_server_start(http_handler handler, void *ctx)
{
    struct http_server *s = calloc(1, sizeof(*s));
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    must(s != NULL, "calloc");
    s->handler = handler;
    s->ctx = ctx;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(s->fd >= 0, "socket");
    must(bind(s->fd, (struct sockaddr *)&address, sizeof(address)) == 0, "bind");
    must(listen(s->fd, 64) == 0, "listen");
    must(getsockname(s->fd, (struct sockaddr *)&address, &len) == 0, "getsockname");
    must(pipe2(s->stop_pipe, O_CLOEXEC) == 0, "pipe");
    (void)snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u",
                   (unsigned)ntohs(address.sin_port));
    must(pthread_create(&s->thread, NULL, run, s) == 0, "pthread_create");
    return s;
}

void http_server_stop(struct http_server *server)
{
    if (server == NULL)
        return;
    must(write(server->stop_pipe[1], "x", 1) == 1, "stop server");
    pthread_join(server->thread, NULL);
    close(server->stop_pipe[0]);
    close(server->stop_pipe[1]);
    close(server->fd);
    free(server);
}

const char *http_server_url(const struct http_server *server)
{
    return server->url;
}
