/*
 * jobs_model.h - the jobs screen's texts: one row per job, one per node or shard of a job, and the
 * lines above them. Pure.
 *
 * A value that is not known is "-", a bar without a total is "[????]": never a made-up number. What
 * comes from job files is escaped by whoever draws it.
 */
#ifndef VIEWS_SCREENS_JOBS_MODEL_H
#define VIEWS_SCREENS_JOBS_MODEL_H

#include "core/jobs/watch.h"
#include "tui/table.h"

#define JOBS_TEXT 400

/* A table whose model is a const struct watch_list; rows are its jobs. */
extern const struct table_ops jobs_table_ops;

enum role jobs_state_role(enum job_state state);
/* 0 when `done` is more than `total` is never shown as more than the total. */
char *jobs_done_text(char *out, size_t size, const struct progress_bar *bar);  /* "61.2k/98.0k" */
char *jobs_share_text(char *out, size_t size, const struct progress_bar *bar); /* "61.0%" */
char *jobs_rate_text(char *out, size_t size, const struct progress_bar *bar);  /* "12.1k/s" */
char *jobs_left_text(char *out, size_t size, const struct progress_bar *bar);  /* "4m 05s" */
/* "B-0001 backup  prd  s3://…  by alice  reason INC-1" */
char *jobs_title_text(char *out, size_t size, const struct job_info *info);
/* What an operator must know about its life: where it runs and that it outlives this window, or how
 * it ended and what to do about it. now_ms: the real clock. */
char *jobs_fate_text(char *out, size_t size, const struct job_info *info, int64_t now_ms);
/* What a running job waits for, how long already and until when; "" when it does not. */
char *jobs_waiting_text(char *out, size_t size, const struct job_info *info, int64_t now_ms);
/* "ttl 1,200  unreadable 3  warnings 1" */
char *jobs_counters_text(char *out, size_t size, const struct job_info *info);
int64_t jobs_lasted_ms(const struct job_info *info, int64_t now_ms); /* -1 unknown */

#endif
