/*
 * key_filter.h - --match, --type and --slots of the verbs that work on keys.
 */
#ifndef VIEWS_VERBS_KEY_FILTER_H
#define VIEWS_VERBS_KEY_FILTER_H

#include <jansson.h>

#include "core/record/filter.h"
#include "views/verbs/verb.h"

#define KEY_FILTER_ROWS                                                                 \
    {"match",                                                                           \
     0,                                                                                 \
     OPTION_TEXT,                                                                       \
     "GLOB",                                                                            \
     "Only keys that match; several mean any of them.",                                 \
     .flags = OPTION_REPEAT},                                                           \
        {"type",                                                                        \
         0,                                                                             \
         OPTION_TEXT,                                                                   \
         "TYPE",                                                                        \
         "Only keys of this type; several mean any of them.",                           \
         .choices = "string|hash|list|set|zset|stream",                                 \
         .flags = OPTION_REPEAT},                                                       \
    {                                                                                   \
        "slots", 0, OPTION_TEXT, "RANGES", "Only keys in these slots, as 0-5460,9000.", \
            .check = key_filter_check_slots                                             \
    }

bool key_filter_check_slots(struct str value, struct error *err);
/* Arrays of the filter are allocated here: key_filter_release. */
bool key_filter_read(const struct invocation *inv, struct filter *out,
                     struct error *err) MUST_CHECK;
void key_filter_release(struct filter *f);
/* Members match, type, slots for job.json. */
void key_filter_options(const struct invocation *inv, json_t *options);

#endif
