/*
 * wait.h - wait for a condition with a deadline, never for a time.
 *
 * The condition is asked at once and then every few milliseconds on the calling thread; the last
 * question is put after the deadline, so a slow machine does not make a true condition false.
 * Times are milliseconds. Under sanitizers deadlines are stretched (see wait_scale).
 */
#ifndef TESTS_HARNESS_WAIT_H
#define TESTS_HARNESS_WAIT_H

#include <stdbool.h>
#include <stdint.h>

typedef bool (*wait_condition)(void *context);

/* True as soon as the condition is; false after the deadline. */
bool wait_until(wait_condition condition, void *context, int timeout_ms);
/* Milliseconds of the monotonic clock. */
int64_t wait_now_ms(void);
/* The deadline as stretched for this build: 1x, 3x under ASan or TSan, times $TEST_SLOW. */
int wait_scale(int timeout_ms);

#endif
