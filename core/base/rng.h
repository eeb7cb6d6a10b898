/*
 * rng.h - random bytes from the kernel. Any thread. Aborts when there are none.
 */
#ifndef CORE_BASE_RNG_H
#define CORE_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

void rng_bytes(void *out, size_t len);
uint64_t rng_below(uint64_t bound);      /* uniform in [0, bound); bound > 0 */
char *rng_hex(char *out, size_t digits); /* digits lower-hex characters and a NUL */

/* A reproducible stream (splitmix64) for samples and jitter that tests can repeat. */
struct rng {
    uint64_t state;
};
uint64_t rng_next(struct rng *r);

#endif
