/*
 * clock.h - the two clocks: monotonic for deadlines and ages, real for what people read.
 *
 * All times are int64 milliseconds. A deadline is a point on the monotonic clock;
 * CLOCK_NEVER means none. Any thread.
 */
#ifndef CORE_BASE_CLOCK_H
#define CORE_BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_NEVER INT64_MAX

int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
int64_t clock_real_ms(void);         /* since 1970, UTC */
int64_t clock_after(int64_t ms);     /* deadline that many ms from now; saturates */
int clock_left_ms(int64_t deadline); /* for poll(): 0 when past, -1 for CLOCK_NEVER */
void clock_sleep_ms(int64_t ms);     /* jobs and tests only; never on the UI thread */

#endif
