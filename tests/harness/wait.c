#include "tests/harness/wait.h"

#include <stdlib.h>
#include <time.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BUILD_FACTOR 3
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define BUILD_FACTOR 3
#endif
#endif
#ifndef BUILD_FACTOR
#define BUILD_FACTOR 1
#endif

#define STEP_MS 5

int64_t wait_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int wait_scale(int timeout_ms)
{
    const char *slow = getenv("TEST_SLOW");
    long factor = slow ? strtol(slow, NULL, 10) : 1;
    if (factor < 1 || factor > 100)
        factor = 1;
    return timeout_ms * BUILD_FACTOR * (int)factor;
}

bool wait_until(wait_condition condition, void *context, int timeout_ms)
{
    int64_t deadline = wait_now_ms() + wait_scale(timeout_ms);
    struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
    while (!condition(context)) {
        if (wait_now_ms() >= deadline)
            return condition(context);
        nanosleep(&step, NULL);
    }
    return true;
}
