/*
 * pump.h - a few worker threads for the console's reads: questions go in, answers come out on the
 * UI thread, stale ones are dropped.
 *
 * All functions on the UI thread. Workers block all signals. A worker that hangs in a read with a
 * deadline never holds up the console: leaving does not wait for it longer than a moment.
 */
#ifndef VIEWS_PUMP_H
#define VIEWS_PUMP_H

#include "views/app.h"

struct pump *pump_new(struct error *err) MUST_CHECK;
void pump_free(struct pump *p);
int pump_fd(const struct pump *p); /* readable when answers are there */
void pump_drain(struct pump *p);   /* runs done() and release() */
void pump_ask(struct pump *p, const struct app_request *request);
void pump_forget(struct pump *p, const void *owner);
bool pump_is_waiting(const struct pump *p, const void *owner, int channel);

#endif
