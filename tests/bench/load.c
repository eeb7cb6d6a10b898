/*
 * load.c - a client load whose latency is watched, for `make bench`.
 *
 *   load PORT SECONDS
 *
 * One thread for each primary, one command at a time: GET and SET in turn on keys "load:<n>" of its
 * own slots, so the latency is what an ordinary client sees. Prints "ops_per_s p50_us p99_us" of
 * all threads together. Plain hiredis, none of the product's code.
 */
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PRIMARIES_MAX 16
#define SAMPLES_MAX 4000000

struct client {
    redisContext *c;
    pthread_t thread;
    char key[64];
    uint32_t *us;
    size_t count;
};

static struct client clients[PRIMARIES_MAX];
static int client_count;
static double until_s;

static void die(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    exit(1);
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *run(void *arg)
{
    struct client *me = arg;

    for (double start = now_s(); start < until_s && me->count < SAMPLES_MAX;) {
        redisReply *r = me->count % 2 == 0 ? redisCommand(me->c, "SET %s x", me->key)
                                           : redisCommand(me->c, "GET %s", me->key);
        double end = now_s();

        if (r == NULL || r->type == REDIS_REPLY_ERROR)
            die(r == NULL ? me->c->errstr : r->str);
        freeReplyObject(r);
        me->us[me->count++] = (uint32_t)((end - start) * 1e6);
        start = end;
    }
    freeReplyObject(redisCommand(me->c, "DEL %s", me->key));
    return NULL;
}

/* A key that the server takes: the first of some that is not answered with MOVED. */
static void find_key(struct client *me)
{
    for (int i = 0; i < 1000; i++) {
        redisReply *r;
        int taken;

        snprintf(me->key, sizeof(me->key), "load:%d", i);
        r = redisCommand(me->c, "SET %s x", me->key);
        taken = r != NULL && r->type == REDIS_REPLY_STATUS;
        freeReplyObject(r);
        if (taken)
            return;
    }
    die("no key for a primary");
}

static void find_clients(int port)
{
    redisContext *c = redisConnect("127.0.0.1", port);
    redisReply *r;

    if (c == NULL || c->err != 0)
        die("cannot connect");
    r = redisCommand(c, "CLUSTER SLOTS");
    if (r == NULL || r->type != REDIS_REPLY_ARRAY)
        die("CLUSTER SLOTS");
    for (size_t i = 0; i < r->elements && client_count < PRIMARIES_MAX; i++) {
        struct client *me = &clients[client_count++];

        me->c = redisConnect("127.0.0.1", (int)r->element[i]->element[2]->element[1]->integer);
        me->us = malloc(SAMPLES_MAX * sizeof(*me->us));
        if (me->c == NULL || me->c->err != 0 || me->us == NULL)
            die("cannot connect to a primary");
        find_key(me);
    }
    freeReplyObject(r);
    redisFree(c);
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    uint32_t *all;
    size_t total = 0;
    double seconds;

    if (argc != 3)
        die("usage: load PORT SECONDS");
    find_clients((int)strtol(argv[1], NULL, 10));
    seconds = strtod(argv[2], NULL);
    until_s = now_s() + seconds;
    for (int i = 0; i < client_count; i++)
        if (pthread_create(&clients[i].thread, NULL, run, &clients[i]) != 0)
            die("cannot start a thread");
    for (int i = 0; i < client_count; i++) {
        pthread_join(clients[i].thread, NULL);
        total += clients[i].count;
    }
    all = malloc((total + 1) * sizeof(*all));
    if (all == NULL || total == 0)
        die("nothing was measured");
    for (int i = 0, at = 0; i < client_count; at += (int)clients[i++].count)
        memcpy(all + at, clients[i].us, clients[i].count * sizeof(*all));
    qsort(all, total, sizeof(*all), by_value);
    printf("%.0f %u %u\n", (double)total / seconds, all[total / 2], all[total * 99 / 100]);
    return 0;
}
