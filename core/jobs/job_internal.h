/*
 * job_internal.h - two small parts of job_run that stand on their own: masking what sounds like a
 * secret, and telling a console the new job's id. Only inside core/jobs.
 */
#ifndef CORE_JOBS_JOB_INTERNAL_H
#define CORE_JOBS_JOB_INTERNAL_H

#include <jansson.h>

#include "core/jobs/job.h"

/* Text members whose names sound like secrets become "***", at any depth; names that end in _file
 * are paths and stay. */
void job_mask_secrets(json_t *doc);
/* With spec->id_fd: output.log becomes stdout and stderr, and the id goes through the pipe. */
bool job_announce(const struct job_spec *spec, struct jobdir *dir, struct error *err) MUST_CHECK;

#endif
