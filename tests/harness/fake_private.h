/*
 * fake_private.h - the inside of struct fake_cluster, for fake_cluster.c and fake_answers.c.
 *
 * The model (nodes) is guarded by the lock; connections belong to the serving thread.
 */
#ifndef TESTS_HARNESS_FAKE_PRIVATE_H
#define TESTS_HARNESS_FAKE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "tests/harness/fake_cluster.h"

#define FAKE_ARGS 16
#define FAKE_IN 16384

struct fake_text {
    char *data;
    size_t len, cap;
};

struct fake_command {
    char *argv[FAKE_ARGS]; /* terminated */
    size_t argc;
};

struct fake_client {
    int fd;
    size_t node;
    bool stuck; /* it got half an answer: nothing more comes */
    char in[FAKE_IN];
    size_t in_len;
    struct fake_text out;
    size_t out_at;
};

struct fake_cluster {
    size_t shards, count;
    pthread_t thread;
    atomic_bool stop;
    int wake[2];
    pthread_mutex_t lock; /* guards nodes and drop */
    struct fake_node *nodes;
    bool *drop; /* close this node's connections */
    /* of the thread */
    int *listeners;
    struct fake_client **clients;
    size_t client_count, client_cap;
};

void fake_put(struct fake_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* One command on a node, lock held; false: close the connection after what was written. */
bool fake_answer(const struct fake_cluster *c, struct fake_client *from,
                 const struct fake_command *cmd, struct fake_text *out);

#endif
