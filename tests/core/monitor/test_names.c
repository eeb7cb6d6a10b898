/* A name that cannot be looked up in time must not hold anything up: the system's resolver is
 * replaced by one that hangs for that name until the test lets it go. */
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/monitor/monitor.h"
#include "tests/harness/fake_cluster.h"
#include "tests/harness/wait.h"

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static bool gate_is_open;
static int hanging;

typedef int (*lookup_fn)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

/* Ours under the system's name: every call of getaddrinfo in this program comes here. */
int lookup_or_hang(const char *name, const char *service, const struct addrinfo *hints,
                   struct addrinfo **out) __asm__("getaddrinfo");

int lookup_or_hang(const char *name, const char *service, const struct addrinfo *hints,
                   struct addrinfo **out)
{
    union {
        void *found;
        lookup_fn call;
    } real = {.found = dlsym(RTLD_NEXT, "getaddrinfo")};

    if (name == NULL || strcmp(name, "slow.example") != 0 ||
        (hints->ai_flags & AI_NUMERICHOST) != 0)
        return real.call(name, service, hints, out);
    pthread_mutex_lock(&gate);
    hanging++;
    while (!gate_is_open)
        pthread_cond_wait(&opened, &gate);
    hanging--;
    pthread_mutex_unlock(&gate);
    return EAI_AGAIN;
}

static int lookups_that_hang(void)
{
    int count;

    pthread_mutex_lock(&gate);
    count = hanging;
    pthread_mutex_unlock(&gate);
    return count;
}

struct fixture {
    struct fake_cluster *cluster;
    struct address seeds[2];
    struct redis_options redis;
    struct monitor *monitor;
    size_t polls;
};

static bool is_whole(void *context)
{
    struct fixture *f = context;
    struct snapshot *s = monitor_snapshot(f->monitor);
    bool whole = s->slots->ok == SLOT_COUNT && s->reachable == 3;

    snapshot_unref(s);
    return whole;
}

static bool was_polled(void *context)
{
    struct fixture *f = context;
    bool enough = fake_cluster_edit(f->cluster)[0].polls >= f->polls;

    fake_cluster_done(f->cluster);
    return enough;
}

static bool none_hangs(void *context)
{
    (void)context;
    return lookups_that_hang() == 0;
}

static void a_name_that_hangs_delays_neither_the_polls_nor_the_end(void **state)
{
    struct fixture f = {.cluster = fake_cluster_start(3, 0)};
    struct error err;
    int64_t began = clock_mono_ms();

    (void)state;
    f.seeds[0] = (struct address){.host = "slow.example", .port = 7001};
    f.seeds[1] = (struct address){.host = "127.0.0.1", .port = fake_cluster_port(f.cluster, 1)};
    f.redis = (struct redis_options){.seeds = f.seeds, .seed_count = 2};
    f.monitor = monitor_start(
        &(struct monitor_options){.redis = &f.redis, .interval_ms = 100, .timeout_ms = 300}, &err);
    assert_non_null(f.monitor);
    assert_true(clock_mono_ms() - began < wait_scale(500));
    assert_true(wait_until(is_whole, &f, 5000));
    assert_true(lookups_that_hang() > 0);
    fake_cluster_edit(f.cluster)[0].polls = 0;
    fake_cluster_done(f.cluster);
    f.polls = 10;
    began = clock_mono_ms();
    assert_true(wait_until(was_polled, &f, 5000));
    assert_true(clock_mono_ms() - began < wait_scale(2000));
    /* It is tried again, and the threads that wait for it do not pile up without end. */
    assert_true(lookups_that_hang() < 10);
    began = clock_mono_ms();
    monitor_stop(f.monitor);
    assert_true(clock_mono_ms() - began < wait_scale(500));
    pthread_mutex_lock(&gate);
    gate_is_open = true;
    pthread_cond_broadcast(&opened);
    pthread_mutex_unlock(&gate);
    assert_true(wait_until(none_hangs, NULL, 5000));
    fake_cluster_stop(f.cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_hangs_delays_neither_the_polls_nor_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
