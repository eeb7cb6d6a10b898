#include "tests/harness/resp_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 256
#define COMMAND_BYTES ((size_t)4 << 20)
#define ARGS_MAX 1024
#define ANSWER_BYTES ((size_t)4 << 20)
#define LOG_BYTES ((size_t)1 << 20)

struct client {
    struct resp_server *server;
    size_t number;
    int fd;
    char *in; /* bytes read and not yet used */
    size_t len;
    struct str argv[ARGS_MAX];
    size_t argc;
};

struct resp_server {
    int listener;
    uint16_t port;
    struct resp_script *scripts;
    size_t script_count;
    resp_answer answer;
    void *answer_arg;
    pthread_t thread;
    atomic_bool stopping;
    pthread_mutex_t lock; /* guards what follows */
    pthread_t clients[CLIENTS_MAX];
    size_t client_count;
    char *log;
    size_t log_len;
    char complaint[300];
};

/* ---- reading commands ---------------------------------------------------------------------------
 */

/* False when the client is gone or the server stops. */
static bool wait_for(struct client *c, short events)
{
    while (!atomic_load(&c->server->stopping)) {
        struct pollfd p = {.fd = c->fd, .events = events};
        int n = poll(&p, 1, 50);
        if (n > 0)
            return true;
    }
    return false;
}

static bool fill(struct client *c)
{
    if (c->len == COMMAND_BYTES || !wait_for(c, POLLIN))
        return false;
    ssize_t n = recv(c->fd, c->in + c->len, COMMAND_BYTES - c->len, 0);
    if (n <= 0)
        return false;
    c->len += (size_t)n;
    return true;
}

static bool line_at(const struct client *c, size_t *at, char mark, size_t *value)
{
    const char *end = memchr(c->in + *at, '\n', c->len - *at);
    if (end == NULL || c->in[*at] != mark)
        return false;
    *value = (size_t)strtoul(c->in + *at + 1, NULL, 10);
    *at = (size_t)(end - c->in) + 1;
    return true;
}

/* Bytes of the command at the front of c->in, 0 when it is not complete. */
static size_t parse(struct client *c)
{
    size_t at = 0;
    size_t count = 0;
    if (c->len == 0 || !line_at(c, &at, '*', &count) || count > ARGS_MAX)
        return 0;
    for (c->argc = 0; c->argc < count; c->argc++) {
        size_t len = 0;
        if (at >= c->len || !line_at(c, &at, '$', &len) || at + len + 2 > c->len)
            return 0;
        c->argv[c->argc] = (struct str){c->in + at, len};
        at += len + 2;
    }
    return at;
}

static void note(struct client *c)
{
    struct resp_server *s = c->server;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < c->argc; i++) {
        size_t len = c->argv[i].len;
        if (s->log_len + len + 2 < LOG_BYTES) {
            memcpy(s->log + s->log_len, c->argv[i].ptr, len);
            s->log_len += len;
            s->log[s->log_len++] = i + 1 < c->argc ? ' ' : '\n';
        }
    }
    pthread_mutex_unlock(&s->lock);
}

static size_t read_command(struct client *c)
{
    size_t used;
    while ((used = parse(c)) == 0)
        if (!fill(c))
            return 0;
    note(c);
    return used;
}

static void drop_command(struct client *c, size_t used)
{
    memmove(c->in, c->in + used, c->len - used);
    c->len -= used;
}

static void check(struct client *c, const char *expect)
{
    char got[200];
    size_t len = 0;
    for (size_t i = 0; i < c->argc && len + 1 < sizeof(got); i++) {
        int n = snprintf(got + len, sizeof(got) - len, "%s%.*s", i == 0 ? "" : " ",
                         (int)c->argv[i].len, c->argv[i].ptr);
        len += n > 0 ? (size_t)n : 0;
    }
    if (expect == NULL || strncasecmp(got, expect, strlen(expect)) == 0)
        return;
    pthread_mutex_lock(&c->server->lock);
    if (c->server->complaint[0] == '\0') {
        (void)snprintf(c->server->complaint, sizeof(c->server->complaint),
                       "expected \"%s\", got \"%s\"", expect, got);
    }
    pthread_mutex_unlock(&c->server->lock);
}

/* ---- doing steps --------------------------------------------------------------------------------
 */

static bool put(struct client *c, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(c->fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            if (!wait_for(c, POLLOUT))
                return false;
            continue;
        }
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

/* Waits, unless the server stops first. */
static bool pause_ms(struct client *c, int ms)
{
    for (int left = ms; left > 0; left -= 20) {
        if (atomic_load(&c->server->stopping))
            return false;
        (void)poll(NULL, 0, left < 20 ? left : 20);
    }
    return true;
}

static bool trickle(struct client *c, const struct resp_step *step)
{
    for (size_t i = 0; i < step->bytes.len; i++)
        if (!put(c, step->bytes.ptr + i, 1) || !pause_ms(c, step->delay_ms))
            return false;
    return true;
}

static bool give_answer(struct client *c)
{
    struct resp_server *s = c->server;
    char *out = malloc(ANSWER_BYTES);
    size_t len = 0;
    bool more = out != NULL && s->answer(s->answer_arg, c->argv, c->argc, out, ANSWER_BYTES, &len);
    bool ok = out != NULL && put(c, out, len) && more;
    free(out);
    return ok;
}

static void hold(struct client *c)
{
    do {
        c->len = 0;
    } while (fill(c));
}

static bool reads(enum resp_act act)
{
    return act != RESP_PUSH && act != RESP_CLOSE_NOW && act != RESP_LOOP && act != RESP_HOLD;
}

/* False when the connection is over. */
static bool do_step(struct client *c, const struct resp_step *step)
{
    struct linger reset = {.l_onoff = 1};
    switch (step->act) {
    case RESP_REPLY:
    case RESP_PUSH:
        return put(c, step->bytes.ptr, step->bytes.len);
    case RESP_TRICKLE:
        return trickle(c, step);
    case RESP_DELAY:
        return pause_ms(c, step->delay_ms) && put(c, step->bytes.ptr, step->bytes.len);
    case RESP_SWALLOW:
    case RESP_LOOP:
        return true;
    case RESP_CLOSE:
        (void)put(c, step->bytes.ptr, step->bytes.len);
        return false;
    case RESP_RESET:
        (void)put(c, step->bytes.ptr, step->bytes.len);
        (void)pause_ms(c, 20);
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        return false;
    case RESP_CLOSE_NOW:
        return false;
    case RESP_HOLD:
        hold(c);
        return false;
    case RESP_ANSWER:
        return give_answer(c);
    }
    return false;
}

static void play(struct client *c, const struct resp_script *script)
{
    for (size_t i = 0; i < script->count; i++) {
        const struct resp_step *step = &script->steps[i];
        size_t used = 0;
        if (reads(step->act)) {
            used = read_command(c);
            if (used == 0)
                return;
            check(c, step->expect);
        }
        if (!do_step(c, step))
            return;
        drop_command(c, used);
        if (step->act == RESP_LOOP)
            i = (size_t)-1;
    }
}

static void *serve(void *arg)
{
    static const struct resp_step ask[] = {{.act = RESP_ANSWER}, {.act = RESP_LOOP}};
    static const struct resp_script asking = {ask, 2};
    struct client *c = arg;
    struct resp_server *s = c->server;
    if (s->answer != NULL)
        play(c, &asking);
    else
        play(c, &s->scripts[c->number < s->script_count ? c->number : s->script_count - 1]);
    close(c->fd);
    free(c->in);
    free(c);
    return NULL;
}

/* ---- the server ---------------------------------------------------------------------------------
 */

static void accept_one(struct resp_server *s)
{
    int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int one = 1;
    if (fd < 0)
        return;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    pthread_mutex_lock(&s->lock);
    struct client *c = s->client_count < CLIENTS_MAX ? calloc(1, sizeof(*c)) : NULL;
    if (c != NULL) {
        c->server = s;
        c->fd = fd;
        c->number = s->client_count;
        c->in = malloc(COMMAND_BYTES);
    }
    if (c == NULL || c->in == NULL ||
        pthread_create(&s->clients[s->client_count], NULL, serve, c) != 0) {
        close(fd);
        if (c != NULL)
            free(c->in);
        free(c);
    } else {
        s->client_count++;
    }
    pthread_mutex_unlock(&s->lock);
}

static void *listen_loop(void *arg)
{
    struct resp_server *s = arg;
    while (!atomic_load(&s->stopping)) {
        struct pollfd p = {.fd = s->listener, .events = POLLIN};
        if (poll(&p, 1, 50) > 0)
            accept_one(s);
    }
    return NULL;
}

static bool bind_any(struct resp_server *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(a);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&a, sizeof(a)) != 0 ||
        listen(s->listener, 64) != 0 || getsockname(s->listener, (struct sockaddr *)&a, &len) != 0)
        return false;
    s->port = ntohs(a.sin_port);
    return true;
}

static struct resp_server *start(struct resp_server *s)
{
    s->log = calloc(1, LOG_BYTES + 1);
    pthread_mutex_init(&s->lock, NULL);
    if (s->log == NULL || !bind_any(s) || pthread_create(&s->thread, NULL, listen_loop, s) != 0) {
        if (s->listener >= 0)
            close(s->listener);
        free(s->log);
        free(s->scripts);
        free(s);
        return NULL;
    }
    return s;
}

struct resp_server *resp_server_start(const struct resp_script *scripts, size_t count)
{
    struct resp_server *s = calloc(1, sizeof(*s));
    struct resp_script *copy = calloc(count, sizeof(*copy));
    if (s == NULL || copy == NULL)
        abort();
    memcpy(copy, scripts, count * sizeof(*copy));
    s->scripts = copy;
    s->script_count = count;
    return start(s);
}

struct resp_server *resp_server_answering(resp_answer answer, void *arg)
{
    struct resp_server *s = calloc(1, sizeof(*s));
    if (s == NULL)
        abort();
    s->answer = answer;
    s->answer_arg = arg;
    return start(s);
}

uint16_t resp_server_port(const struct resp_server *s)
{
    return s->port;
}

size_t resp_server_connections(struct resp_server *s)
{
    pthread_mutex_lock(&s->lock);
    size_t count = s->client_count;
    pthread_mutex_unlock(&s->lock);
    return count;
}

char *resp_server_log(struct resp_server *s)
{
    pthread_mutex_lock(&s->lock);
    char *copy = strdup(s->log);
    pthread_mutex_unlock(&s->lock);
    return copy;
}

const char *resp_server_complaint(struct resp_server *s)
{
    pthread_mutex_lock(&s->lock);
    const char *text = s->complaint[0] == '\0' ? NULL : s->complaint;
    pthread_mutex_unlock(&s->lock);
    return text;
}

void resp_server_stop(struct resp_server *s)
{
    atomic_store(&s->stopping, true);
    pthread_join(s->thread, NULL);
    for (size_t i = 0; i < s->client_count; i++)
        pthread_join(s->clients[i], NULL);
    close(s->listener);
    pthread_mutex_destroy(&s->lock);
    free(s->log);
    free(s->scripts);
    free(s);
}
