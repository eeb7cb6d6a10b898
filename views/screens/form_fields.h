/*
 * form_fields.h - fields that several forms of this folder have, and the checks of what is typed
 * into them. Pure; a check gives NULL, or what is wrong.
 */
#ifndef VIEWS_SCREENS_FORM_FIELDS_H
#define VIEWS_SCREENS_FORM_FIELDS_H

#include "tui/form.h"

#define FORM_OUTAGE_S 60 /* as the verbs have it: then the option need not be given */

const char *form_check_slots(struct str value);
const char *form_check_types(struct str value);
const char *form_check_rate(struct str value);

/* "match", "type", "slots" */
#define FORM_FILTER_FIELDS                                                                       \
    {.id = "match",                                                                              \
     .label = "Only keys",                                                                       \
     .kind = FIELD_TEXT,                                                                         \
     .help = "Patterns such as user:* with blanks between them; ? stands for a blank inside "    \
             "one. Empty: all keys."},                                                           \
        {.id = "type",                                                                           \
         .label = "Only types",                                                                  \
         .kind = FIELD_TEXT,                                                                     \
         .check = form_check_types,                                                              \
         .help = "Of string, hash, list, set, zset, stream; blanks between. Empty: all types."}, \
    {                                                                                            \
        .id = "slots", .label = "Only slots", .kind = FIELD_TEXT, .check = form_check_slots,     \
        .help = "Such as 0-5460,9000. Empty: all slots."                                         \
    }

#define FORM_OUTAGE_FIELD                                                                          \
    {                                                                                              \
        .id = "outage", .label = "Outage limit s", .kind = FIELD_NUMBER, .initial = "60",          \
        .min = 1, .max = 86400, .required = true,                                                  \
        .help = "Seconds to wait through an outage of the cluster; then the job stops and can be " \
                "resumed."                                                                         \
    }

#define FORM_KEY_FIELD                                                                      \
    {                                                                                       \
        .id = "key", .label = "Signed with", .kind = FIELD_PATH,                            \
        .help = "A key file: the backup must be signed with it. Empty: signatures are not " \
                "checked."                                                                  \
    }

#define FORM_REASON_FIELD                                                                   \
    {                                                                                       \
        .id = "reason", .label = "Reason", .kind = FIELD_TEXT, .help = "Kept with the job." \
    }

#endif
