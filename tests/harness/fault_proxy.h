/*
 * fault_proxy.h - a TCP proxy on 127.0.0.1 in front of a real server, which cuts, delays, corrupts
 * and slows the bytes on their way back, the same way for the same seed.
 *
 * One thread for all its connections. Faults hit the server's side (replies) unless said otherwise;
 * each connection draws its own faults from seed + its number.
 */
#ifndef TESTS_HARNESS_FAULT_PROXY_H
#define TESTS_HARNESS_FAULT_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fault_kind {
    FAULT_NONE,    /* pass everything */
    FAULT_CUT,     /* close after a random number of reply bytes */
    FAULT_RESET,   /* the same with RST */
    FAULT_GARBAGE, /* replace a few bytes at a random place */
    FAULT_SLOW,    /* one byte at a time */
    FAULT_STALL,   /* stop passing replies after a random number of bytes */
    FAULT_DELAY,   /* hold the replies back once, for delay_ms, and go on */
    FAULT_DOUBLE,  /* send up to 64 bytes at a random place twice */
    FAULT_DROP,    /* refuse: close every connection at once */
    FAULT_ANY,     /* one of the above but DROP, drawn for each connection */
};

struct fault_options {
    enum fault_kind kind;
    uint64_t seed;
    size_t within; /* faults happen within this many reply bytes; 0 = 4096 */
    int slow_ms;   /* FAULT_SLOW: pause between bytes; 0 = none */
    int delay_ms;  /* FAULT_DELAY */
    size_t only;   /* strike this connection alone (the first is 1), at reply byte `at`; 0 = all */
    size_t at;
};

struct fault_proxy;

struct fault_proxy *fault_proxy_start(const char *host, uint16_t port,
                                      const struct fault_options *options);
uint16_t fault_proxy_port(const struct fault_proxy *p);
/* From now on, for new connections; those that exist keep theirs. */
void fault_proxy_set(struct fault_proxy *p, const struct fault_options *options);
void fault_proxy_break_all(struct fault_proxy *p); /* close every connection now */
size_t fault_proxy_connections(struct fault_proxy *p);
/* How many faults have struck so far, and how many of them changed or doubled bytes: what such a
 * reply says cannot be told from the truth. */
size_t fault_proxy_struck(struct fault_proxy *p);
size_t fault_proxy_falsified(struct fault_proxy *p);
void fault_proxy_stop(struct fault_proxy *p);

#endif
