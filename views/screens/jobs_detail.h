/*
 * jobs_detail.h - the pane below the list of jobs: the selected job's fate, what it waits for, and
 * its bars while it runs or its outcome when it has ended. UI thread.
 */
#ifndef VIEWS_SCREENS_JOBS_DETAIL_H
#define VIEWS_SCREENS_JOBS_DETAIL_H

#include "core/jobs/info.h"
#include "tui/canvas.h"

/* Rows with the frame, `most` at most. */
int jobs_detail_height(const struct job_info *info, int width, int most);
void jobs_detail_draw(struct canvas *c, struct rect at, const struct job_info *info,
                      int64_t now_ms);

#endif
