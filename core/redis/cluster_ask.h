/*
 * cluster_ask.h - one question to several servers at once, so that a dead one costs no time.
 *
 * Connections are made for the question and dropped after it. Servers are asked in waves of eight;
 * a wave ends when enough have answered, a moment after the first good answer, or when all have
 * failed. Blocking, one thread; hears cancel within a second.
 */
#ifndef CORE_REDIS_CLUSTER_ASK_H
#define CORE_REDIS_CLUSTER_ASK_H

#include "core/redis/conn.h"

struct ask_target {
    struct address address;
    const char *server_name; /* TLS; NULL or "" = the host */
};

struct ask_answer {
    struct address from;
    const struct reply *reply; /* NULL: error says why there is none */
    struct error error;
};

struct ask {
    struct arena arena; /* holds the replies */
    struct ask_answer *answers;
    size_t count; /* of those that were asked */
    size_t good;  /* replies that are no errors */
};

struct ask_question {
    const struct ask_target *targets;
    size_t count;
    const struct conn_options *options;
    const char *words; /* the command */
    size_t enough;
};
/* out is zeroed or released before. `enough` good answers end it. False only when cancelled: else
 * look at the answers. */
bool ask_all(struct ask *out, const struct ask_question *q, struct error *err) MUST_CHECK;
void ask_release(struct ask *a);
/* The failure worth telling: refused credentials first, else the first server's, with how many were
 * tried. Returns false. */
bool ask_explain(const struct ask *a, const char *what, struct error *err);

#endif
