/*
 * status_print.h - the monitor's data as text for people, on stdout. Bytes from servers are
 * escaped.
 */
#ifndef VIEWS_VERBS_STATUS_PRINT_H
#define VIEWS_VERBS_STATUS_PRINT_H

#include "core/monitor/snapshot.h"

void status_print_summary(const struct snapshot *s, const char *env);
void status_print_nodes(const struct snapshot *s, size_t limit); /* 0: all */
void status_print_slots(const struct snapshot *s);
void status_print_event(const struct event *e);

#endif
