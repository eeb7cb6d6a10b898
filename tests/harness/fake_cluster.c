#include "tests/harness/fake_cluster.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/harness/fake_private.h"

#define SLOTS 16384U

static void die(const char *what)
{
    (void)fprintf(stderr, "fake_cluster: %s (errno %d)\n", what, errno);
    abort();
}

static void *grown(void *items, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return items;
    *cap = *cap * 2 + 16;
    items = realloc(items, *cap * size);
    if (items == NULL)
        die("memory");
    return items;
}

/* ---- connections ---- */

/* 0 lets the system choose. A node that comes back listens on its old port. */
static int listen_on(uint16_t *port)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_port = htons(*port)};
    socklen_t len = sizeof(a);
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 64) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) != 0)
        die("listen");
    *port = ntohs(a.sin_port);
    return fd;
}

static void close_client(struct fake_cluster *c, size_t at)
{
    struct fake_client *k = c->clients[at];

    (void)close(k->fd);
    free(k->out.data);
    free(k);
    c->clients[at] = c->clients[--c->client_count];
}

static void accept_all(struct fake_cluster *c, size_t node)
{
    int fd;

    while ((fd = accept4(c->listeners[node], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        struct fake_client *k = calloc(1, sizeof(*k));

        c->clients = grown((void *)c->clients, c->client_count, &c->client_cap,
                           sizeof(struct fake_client *));
        if (k == NULL)
            die("memory");
        k->fd = fd;
        k->node = node;
        c->clients[c->client_count++] = k;
    }
}

/* One command in "*N\r\n$L\r\n…" form at the start of the input; returns its bytes, 0: not whole.
 * The line ends become terminators. */
static size_t parse(struct fake_client *k, struct fake_command *cmd)
{
    char *at = k->in;
    char *end = k->in + k->in_len;
    char *line = memchr(at, '\n', (size_t)(end - at));
    long want;

    cmd->argc = 0;
    if (line == NULL || *at != '*')
        return 0;
    want = strtol(at + 1, NULL, 10);
    at = line + 1;
    for (long i = 0; i < want && i < FAKE_ARGS; i++) {
        long len;

        line = memchr(at, '\n', (size_t)(end - at));
        if (line == NULL)
            return 0;
        len = strtol(at + 1, NULL, 10);
        at = line + 1;
        if (len < 0 || end - at < len + 2)
            return 0;
        cmd->argv[cmd->argc++] = at;
        at += len + 2;
    }
    for (size_t i = 0; i < cmd->argc; i++)
        *strchr(cmd->argv[i], '\r') = '\0';
    return (size_t)(at - k->in);
}

/* False: the connection is over. */
static bool answer_all(struct fake_cluster *c, struct fake_client *k)
{
    struct fake_command cmd;
    size_t used;

    while ((used = parse(k, &cmd)) > 0) {
        bool more = true;

        pthread_mutex_lock(&c->lock);
        if (!k->stuck && cmd.argc > 0)
            more = fake_answer(c, k, &cmd, &k->out);
        pthread_mutex_unlock(&c->lock);
        memmove(k->in, k->in + used, k->in_len - used);
        k->in_len -= used;
        if (!more) {
            ssize_t ignored =
                send(k->fd, k->out.data + k->out_at, k->out.len - k->out_at, MSG_NOSIGNAL);
            (void)ignored;
            return false;
        }
    }
    return true;
}

static bool serve_client(struct fake_cluster *c, struct fake_client *k, short events)
{
    ssize_t n;

    if (events & (POLLIN | POLLHUP | POLLERR)) {
        n = recv(k->fd, k->in + k->in_len, FAKE_IN - k->in_len, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return false;
        k->in_len += n > 0 ? (size_t)n : 0;
        if (!answer_all(c, k))
            return false;
    }
    while (k->out_at < k->out.len) {
        n = send(k->fd, k->out.data + k->out_at, k->out.len - k->out_at, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN;
        k->out_at += (size_t)n;
    }
    k->out.len = k->out_at = 0;
    return true;
}

/* ---- the thread ---- */

/* Open and close what the model's manners ask for. */
static void follow_manners(struct fake_cluster *c)
{
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->count; i++) {
        bool gone = c->nodes[i].manner == FAKE_GONE;

        if (gone && c->listeners[i] >= 0) {
            (void)close(c->listeners[i]);
            c->listeners[i] = -1;
        } else if (!gone && c->listeners[i] < 0) {
            c->listeners[i] = listen_on(&c->nodes[i].port);
        }
    }
    for (size_t i = c->client_count; i > 0; i--)
        if (c->drop[c->clients[i - 1]->node])
            close_client(c, i - 1);
    memset(c->drop, 0, c->count * sizeof(*c->drop));
    pthread_mutex_unlock(&c->lock);
}

/* The pipe, the listeners, the clients: in this order. */
static void list_fds(const struct fake_cluster *c, struct pollfd *fds)
{
    fds[0] = (struct pollfd){.fd = c->wake[0], .events = POLLIN};
    for (size_t i = 0; i < c->count; i++)
        fds[i + 1] = (struct pollfd){.fd = c->listeners[i], .events = POLLIN};
    for (size_t i = 0; i < c->client_count; i++)
        fds[c->count + 1 + i] =
            (struct pollfd){.fd = c->clients[i]->fd,
                            .events = c->clients[i]->out.len > 0 ? POLLIN | POLLOUT : POLLIN};
}

static void serve(struct fake_cluster *c, const struct pollfd *fds)
{
    char byte;

    if (fds[0].revents != 0 && read(c->wake[0], &byte, 1) < 0)
        die("pipe");
    for (size_t i = c->client_count; i > 0; i--) {
        short events = fds[c->count + i].revents;

        if (events != 0 && !serve_client(c, c->clients[i - 1], events))
            close_client(c, i - 1);
    }
    for (size_t i = 0; i < c->count; i++) {
        if (fds[i + 1].revents != 0)
            accept_all(c, i);
    }
}

static void *run(void *arg)
{
    struct fake_cluster *c = arg;
    struct pollfd *fds = NULL;
    size_t cap = 0;

    while (!atomic_load(&c->stop)) {
        size_t want;

        follow_manners(c);
        want = c->count + 1 + c->client_count;
        if (want > cap) {
            cap = want * 2;
            fds = realloc(fds, cap * sizeof(*fds));
            if (fds == NULL)
                die("memory");
        }
        list_fds(c, fds);
        if (poll(fds, (nfds_t)want, -1) >= 0)
            serve(c, fds);
    }
    free(fds);
    return NULL;
}

static void wake(struct fake_cluster *c)
{
    if (write(c->wake[1], "", 1) < 0)
        die("pipe");
}

/* ---- from the test ---- */

static void make_node(struct fake_cluster *c, size_t i, size_t replicas)
{
    struct fake_node *n = &c->nodes[i];
    size_t shard = i < c->shards ? i : (i - c->shards) / replicas;

    c->listeners[i] = listen_on(&n->port);
    (void)snprintf(n->id, sizeof(n->id), "%08x%s", (unsigned)i + 1,
                   "00000000000000000000000000abcdef");
    (void)snprintf(n->run_id, sizeof(n->run_id), "%08x%s", (unsigned)i + 1,
                   "00000000000000000000000000000001");
    (void)snprintf(n->replid, sizeof(n->replid), "%08x%s", (unsigned)shard + 1,
                   "00000000000000000000000000000002");
    n->primary = i < c->shards ? SIZE_MAX : shard;
    n->epoch = (unsigned)shard + 1;
    n->offset = 1000;
    n->keys = 10;
    n->has_slots = i < c->shards;
    n->first_slot = (unsigned)(SLOTS * shard / c->shards);
    n->last_slot = (unsigned)(SLOTS * (shard + 1) / c->shards) - 1;
}

struct fake_cluster *fake_cluster_start(size_t shards, size_t replicas)
{
    struct fake_cluster *c = calloc(1, sizeof(*c));

    if (c == NULL)
        die("memory");
    c->shards = shards;
    c->count = shards * (replicas + 1);
    c->nodes = calloc(c->count, sizeof(*c->nodes));
    c->drop = calloc(c->count, sizeof(*c->drop));
    c->listeners = calloc(c->count, sizeof(*c->listeners));
    if (c->nodes == NULL || c->drop == NULL || c->listeners == NULL || pipe(c->wake) != 0)
        die("memory");
    for (size_t i = 0; i < c->count; i++)
        make_node(c, i, replicas);
    pthread_mutex_init(&c->lock, NULL);
    if (pthread_create(&c->thread, NULL, run, c) != 0)
        die("thread");
    return c;
}

void fake_cluster_stop(struct fake_cluster *c)
{
    if (c == NULL)
        return;
    atomic_store(&c->stop, true);
    wake(c);
    pthread_join(c->thread, NULL);
    while (c->client_count > 0)
        close_client(c, c->client_count - 1);
    for (size_t i = 0; i < c->count; i++)
        if (c->listeners[i] >= 0)
            (void)close(c->listeners[i]);
    (void)close(c->wake[0]);
    (void)close(c->wake[1]);
    pthread_mutex_destroy(&c->lock);
    free((void *)c->clients);
    free(c->listeners);
    free(c->nodes);
    free(c->drop);
    free(c);
}

size_t fake_cluster_count(const struct fake_cluster *c)
{
    return c->count;
}

int64_t fake_cluster_cpu_ms(struct fake_cluster *c)
{
    struct timespec used;
    clockid_t clock;

    if (pthread_getcpuclockid(c->thread, &clock) != 0 || clock_gettime(clock, &used) != 0)
        die("clock");
    return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

uint16_t fake_cluster_port(struct fake_cluster *c, size_t node)
{
    uint16_t port;

    pthread_mutex_lock(&c->lock);
    port = c->nodes[node].port;
    pthread_mutex_unlock(&c->lock);
    return port;
}

struct fake_node *fake_cluster_edit(struct fake_cluster *c)
{
    pthread_mutex_lock(&c->lock);
    return c->nodes;
}

void fake_cluster_done(struct fake_cluster *c)
{
    pthread_mutex_unlock(&c->lock);
    wake(c);
}

void fake_cluster_manner(struct fake_cluster *c, size_t node, enum fake_manner manner)
{
    struct fake_node *nodes = fake_cluster_edit(c);

    nodes[node].manner = manner;
    c->drop[node] = true;
    fake_cluster_done(c);
}

void fake_cluster_fail_over(struct fake_cluster *c, size_t shard)
{
    struct fake_node *nodes = fake_cluster_edit(c);
    unsigned epoch = 0;
    size_t to = 0;

    for (size_t i = 0; i < c->count; i++) {
        epoch = nodes[i].epoch > epoch ? nodes[i].epoch : epoch;
        if (nodes[i].primary == shard && to == 0)
            to = i;
    }
    nodes[to].primary = SIZE_MAX;
    nodes[to].has_slots = true;
    nodes[to].epoch = epoch + 1;
    nodes[shard].has_slots = false;
    nodes[shard].fail = true;
    nodes[shard].manner = FAKE_GONE;
    c->drop[shard] = true;
    fake_cluster_done(c);
}
