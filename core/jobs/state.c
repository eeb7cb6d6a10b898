#include "core/jobs/state.h"

#include <string.h>

#include "core/base/json.h"

static const struct state_row {
    const char *name;
    bool live;
    bool resumes;
    int exit_status;
} states[JOB_STATES] = {
    [JOB_STARTING] = {"starting", true, false, 0},
    [JOB_RUNNING] = {"running", true, false, 0},
    [JOB_PAUSED] = {"paused", true, false, 0},
    [JOB_CANCELLING] = {"cancelling", true, false, 0},
    [JOB_DONE] = {"done", false, false, 0},
    [JOB_FINDINGS] = {"findings", false, true, 1},
    [JOB_FAILED] = {"failed", false, true, 7},
    [JOB_CANCELLED] = {"cancelled", false, true, 5},
    [JOB_CRASHED] = {"crashed", false, true, 7},
};

/* Does the file belong to the run that job.json names? Without job.json any run is as good. */
static bool same_run(const json_t *job, const json_t *file)
{
    const char *run = json_text(job, "run_id", NULL);
    const char *its = json_text(file, "run_id", NULL);
    return run == NULL || (its != NULL && strcmp(run, its) == 0);
}

enum job_state job_state_of(const struct job_facts *facts)
{
    enum job_state state = JOB_CRASHED;
    if (facts->result != NULL && same_run(facts->job, facts->result) &&
        job_state_parse(json_text(facts->result, "state", NULL), &state) &&
        !job_state_is_live(state))
        return state;
    if (!facts->locked)
        return JOB_CRASHED;
    if (facts->progress != NULL && same_run(facts->job, facts->progress) &&
        job_state_parse(json_text(facts->progress, "state", NULL), &state) &&
        job_state_is_live(state))
        return state;
    return JOB_STARTING;
}

const char *job_state_name(enum job_state state)
{
    return state < JOB_STATES ? states[state].name : "unknown";
}

bool job_state_parse(const char *name, enum job_state *state)
{
    for (size_t i = 0; name != NULL && i < JOB_STATES; i++) {
        if (strcmp(states[i].name, name) == 0) {
            *state = (enum job_state)i;
            return true;
        }
    }
    return false;
}

bool job_state_is_live(enum job_state state)
{
    return state < JOB_STATES && states[state].live;
}

bool job_state_can_resume(enum job_state state)
{
    return state < JOB_STATES && states[state].resumes;
}

int job_state_exit_status(enum job_state state)
{
    return state < JOB_STATES ? states[state].exit_status : 7;
}
