/*
 * live_sum.h - one large key of a server, read in windows into a value_sum.
 *
 * No command asks for more than a window, so no server is held up. The key may change between
 * windows: whoever compares looks again. Blocking, one thread, on a connection with nothing
 * pending.
 */
#ifndef CORE_VALUE_LIVE_SUM_H
#define CORE_VALUE_LIVE_SUM_H

#include "core/base/arena.h"
#include "core/redis/conn.h"
#include "core/value/value_sum.h"

struct live_sum_ask {
    struct str key;
    enum record_type type;
    bool asking;    /* the node is importing the slot: ASKING before each command */
    bool groups;    /* false: leave a stream's groups out */
    bool deadlines; /* also those of a hash's fields; the server must know HPEXPIRETIME */
};

/* out is cleared first. *gone: there is no such key now. RECORD_OPAQUE is read by DUMP. Errors: the
 * connection's, or ERROR_REPLY from the server. */
bool live_sum_read(struct conn *c, const struct live_sum_ask *ask, struct value_sum *out,
                   bool *gone, struct error *err) MUST_CHECK;

/* A small key from the one reply to its reading command (value_command) into out, which is cleared
 * first; the scratch arena is cleared too. *gone: nothing is there. ERROR_REPLY when the reply is
 * not what the command promises. */
bool live_sum_reply(const struct live_sum_ask *ask, const struct reply *r, struct arena *scratch,
                    struct value_sum *out, bool *gone, struct error *err) MUST_CHECK;

#endif
