/*
 * doctor.h - what `rbconsole doctor` finds: values with their origin, and checks with one clear
 * line each.
 *
 * Collected first, printed last as text or JSON: both show the same. One thread.
 */
#ifndef VIEWS_VERBS_DOCTOR_H
#define VIEWS_VERBS_DOCTOR_H

#include "core/base/error.h"
#include "views/verbs/verb.h"

enum doctor_state { DOCTOR_OK, DOCTOR_NOTE, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor_check {
    enum doctor_state state;
    char *name;
    char *text;
};

struct doctor_value {
    char *key;
    char *value;
    char *where;
};

struct doctor {
    const struct invocation *inv;
    bool fix;
    const char *state_dir; /* NULL: could not be opened */
    struct doctor_check *checks;
    size_t check_count, check_cap;
    struct doctor_value *values;
    size_t value_count, value_cap;
};

void doctor_check(struct doctor *d, enum doctor_state state, const char *name, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
void doctor_value(struct doctor *d, const char *key, const char *value, const char *where);

void doctor_look_at_values(struct doctor *d);
void doctor_look_at_files(struct doctor *d);
void doctor_look_at_terminal(struct doctor *d);
void doctor_look_at_environments(struct doctor *d);
void doctor_look_at_storage(struct doctor *d);
void doctor_look_at_locks(struct doctor *d);
void doctor_look_at_backups(struct doctor *d); /* that were begun and never finished */

#endif
