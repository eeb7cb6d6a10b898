#include "core/backup/backup_probe.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"

#define STEP_MS 50
#define PING_MS 1000 /* a node that takes longer counts as that slow */

struct probe {
    struct conn **conns;
    struct pace_auto *nodes; /* guarded by mutex */
    size_t count;
    bool running;
    bool stop; /* guarded by mutex */
    pthread_t thread;
    pthread_mutex_t mutex;
};

static bool is_stopped(struct probe *p)
{
    bool stop;

    pthread_mutex_lock(&p->mutex);
    stop = p->stop;
    pthread_mutex_unlock(&p->mutex);
    return stop;
}

static int64_t ask(struct conn *conn)
{
    struct error ignored = {0};
    const struct reply *r;
    int64_t from;

    if (!conn_open(conn, &ignored))
        return (int64_t)PING_MS * 1000;
    from = clock_mono_us();
    if (!conn_call(conn, COMMAND(STR("PING")), PING_MS, &r, &ignored)) {
        conn_close(conn);
        return (int64_t)PING_MS * 1000;
    }
    return clock_mono_us() - from;
}

static void *run_probe(void *arg)
{
    struct probe *p = arg;

    while (!is_stopped(p)) {
        for (size_t i = 0; i < p->count && !is_stopped(p); i++) {
            int64_t took;

            if (p->conns[i] == NULL)
                continue;
            took = ask(p->conns[i]);
            pthread_mutex_lock(&p->mutex);
            pace_auto_see(&p->nodes[i], took);
            pthread_mutex_unlock(&p->mutex);
        }
        clock_sleep_ms(STEP_MS);
    }
    return NULL;
}

struct probe *probe_start(struct conn **conns, size_t count)
{
    struct probe *p = mem_zero(1, sizeof(*p));

    p->conns = conns;
    p->count = count;
    p->nodes = mem_zero(count + 1, sizeof(*p->nodes));
    (void)pthread_mutex_init(&p->mutex, NULL);
    p->running = pthread_create(&p->thread, NULL, run_probe, p) == 0; /* else full speed */
    return p;
}

void probe_stop(struct probe *p)
{
    if (p == NULL)
        return;
    pthread_mutex_lock(&p->mutex);
    p->stop = true;
    pthread_mutex_unlock(&p->mutex);
    if (p->running)
        (void)pthread_join(p->thread, NULL);
    for (size_t i = 0; i < p->count; i++)
        conn_free(p->conns[i]);
    free(p->conns);
    free(p->nodes);
    (void)pthread_mutex_destroy(&p->mutex);
    free(p);
}

int64_t probe_rest(struct probe *p, size_t index, int64_t busy_us, struct pace_auto *now)
{
    struct pace_auto node = {0};

    if (p != NULL && index < p->count) {
        pthread_mutex_lock(&p->mutex);
        node = p->nodes[index];
        pthread_mutex_unlock(&p->mutex);
    }
    if (now != NULL)
        *now = node;
    return pace_auto_rest(&node, busy_us);
}
