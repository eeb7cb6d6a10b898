#include "core/base/rng.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void rng_bytes(void *out, size_t len)
{
    char *p = out;

    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);

        if (n < 0 && errno != EINTR)
            abort();
        if (n > 0) {
            p += n;
            len -= (size_t)n;
        }
    }
}

uint64_t rng_below(uint64_t bound)
{
    uint64_t reject = UINT64_MAX - UINT64_MAX % bound;
    uint64_t value;

    do
        rng_bytes(&value, sizeof(value));
    while (value >= reject);
    return value % bound;
}

char *rng_hex(char *out, size_t digits)
{
    static const char digit[] = "0123456789abcdef";

    for (size_t i = 0; i < digits; i++) {
        unsigned char byte;

        rng_bytes(&byte, 1);
        out[i] = digit[byte & 15];
    }
    out[digits] = '\0';
    return out;
}

uint64_t rng_next(struct rng *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
