/*
 * jobs_print.h - jobs as text for people and as JSON, on stdout. Bytes from job files are escaped.
 */
#ifndef VIEWS_VERBS_JOBS_PRINT_H
#define VIEWS_VERBS_JOBS_PRINT_H

#include <jansson.h>

#include "core/jobs/info.h"
#include "core/jobs/journal.h"

void jobs_print_list(const struct job_list *list, size_t limit);
json_t *jobs_list_json(const struct job_list *list, size_t limit); /* the caller owns it */
void jobs_print_list_json(const struct job_list *list, size_t limit);
void jobs_print_one(const struct job_info *info);
/* "running  keys 1,200 of 5,000 (24.0%)  100/s  38.0 s left" without a newline. */
void jobs_print_progress(const struct job_info *info);
void jobs_print_line(const struct journal_line *line);
/* Indented (one document) or compact with a newline (NDJSON). Takes doc. */
void jobs_print_json(json_t *doc, bool pretty);

#endif
