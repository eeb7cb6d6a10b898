/*
 * restore_remarks.h - what a restore may tell about its keys beside how many were written: members
 * of its report and the words for them, for the verb and the jobs screen. Constant.
 */
#ifndef VIEWS_VERBS_RESTORE_REMARKS_H
#define VIEWS_VERBS_RESTORE_REMARKS_H

#include <stdbool.h>

struct restore_remark {
    const char *member; /* a count in the report's "restore" */
    const char *text;   /* what became of so many keys */
    bool other;         /* it counts no keys */
};

extern const struct restore_remark restore_remarks[]; /* ends with a NULL member */

#endif
