/*
 * loop.h - the one place where the UI thread waits: poll over descriptors and timers; and the pace
 * of drawing.
 *
 * loop_wake may be called from any thread and from a signal handler; everything else on one thread.
 * Callbacks may watch and unwatch.
 */
#ifndef TUI_LOOP_H
#define TUI_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"

struct loop;

bool loop_new(struct loop **out, struct error *err) MUST_CHECK;
void loop_free(struct loop *l);
/* Call ready(owner) when fd is readable (or broken). */
void loop_watch(struct loop *l, int fd, void (*ready)(void *owner), void *owner);
/* The same for writable; until loop_unwatch_write. */
void loop_watch_write(struct loop *l, int fd, void (*ready)(void *owner), void *owner);
void loop_unwatch(struct loop *l, int fd);
void loop_unwatch_write(struct loop *l, int fd);
/* Call tick(owner) every ms, first after ms. */
void loop_every(struct loop *l, int64_t ms, void (*tick)(void *owner), void *owner);
void loop_wake(struct loop *l);
/* Wait until `deadline` (monotonic ms) at the latest, then call what is ready. */
void loop_step(struct loop *l, int64_t deadline);

/* When to draw: at once after a key, else at most every interval_ms. Pure. */
struct pace {
    int64_t interval_ms; /* 250, or 2000 with --slow */
    int64_t last_ms;     /* the last frame */
    bool dirty;
    bool urgent;
};
void pace_dirty(struct pace *p, bool urgent);
/* The moment of the next frame; CLOCK_NEVER when nothing changed. */
int64_t pace_next(const struct pace *p);
void pace_drawn(struct pace *p, int64_t now_ms);

#endif
