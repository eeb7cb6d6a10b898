#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/config/state_dir.h"
#include "core/config/who.h"
#include "core/jobs/control.h"
#include "core/jobs/jobdir.h"
#include "core/jobs/prune.h"
#include "views/verbs/jobs_print.h"
#include "views/verbs/verb.h"

#define OBEY_WITHIN_MS 3000
#define LOOK_EVERY_MS 200
#define DAY_MS ((int64_t)24 * 3600 * 1000)

/* One command of the verb: `jobs show B-0001`. */
struct command {
    const char *name;
    size_t operands_min, operands_max; /* after the command's name */
    int order;                         /* a control_order, or -1 */
    bool (*run)(const struct invocation *inv, const char *state_dir, const struct command *command,
                int *status, struct error *err);
};

static const char *operand(const struct invocation *inv, size_t index)
{
    return index < inv->operand_count ? inv->operands[index] : NULL;
}

/* ---- looking ----------------------------------------------------------------------------------
 */

static bool list(const struct invocation *inv, const char *state_dir, const struct command *command,
                 int *status, struct error *err)
{
    struct job_list jobs;
    (void)command;
    *status = 0;
    if (!job_list_read(state_dir, &jobs, err))
        return false;
    int64_t limit = option_int(inv, "limit");
    if (inv->json)
        jobs_print_list_json(&jobs, (size_t)limit);
    else
        jobs_print_list(&jobs, (size_t)limit);
    job_list_release(&jobs);
    return true;
}

static struct journal *open_journal(const char *state_dir, const char *id, struct error *err)
{
    char *dir = jobdir_path(state_dir, id);
    if (dir == NULL) {
        (void)error_set(err, ERROR_NOT_FOUND, 0, "\"%s\" is no job id (like B-0001)", id);
        return NULL;
    }
    char *path = file_join(dir, "journal.jsonl");
    struct journal *journal = journal_open(path, SIZE_MAX, err);
    free(path);
    free(dir);
    return journal;
}

/* What this run warned of: the number alone helps nobody. */
static bool print_warnings(const char *state_dir, const struct job_info *info, struct error *err)
{
    struct journal_line line;
    struct journal *journal = open_journal(state_dir, info->id, err);
    if (journal == NULL)
        return false;
    while (journal_next(journal, &line)) {
        bool warns = strcmp(line.level, "warn") == 0 || strcmp(line.level, "error") == 0;
        if (warns && line.real_ms >= info->started_ms)
            jobs_print_line(&line);
        journal_line_release(&line);
    }
    journal_free(journal);
    return true;
}

static bool show(const struct invocation *inv, const char *state_dir, const struct command *command,
                 int *status, struct error *err)
{
    (void)command;
    *status = 0;
    struct job_info *info = job_info_read(state_dir, operand(inv, 1), err);
    if (info == NULL)
        return false;
    bool ok = true;
    if (inv->json) {
        jobs_print_json(job_info_to_json(info, true), true);
    } else {
        jobs_print_one(info);
        ok = info->warnings == 0 || print_warnings(state_dir, info, err);
    }
    job_info_unref(info);
    return ok;
}

static void print_new_lines(const struct invocation *inv, struct journal *journal)
{
    struct journal_line line;
    while (journal_next(journal, &line)) {
        if (inv->json) {
            json_t *doc = json_object();
            json_put(doc, "line", json_incref(line.doc));
            jobs_print_json(doc, false);
        } else {
            jobs_print_line(&line);
        }
        journal_line_release(&line);
    }
    (void)fflush(stdout);
}

/* NDJSON: {"line":…} for the journal and {"job":…} each time the progress changed. */
static void print_change(const struct invocation *inv, const struct job_info *info,
                         int64_t *printed_ms, enum job_state *state)
{
    bool changed = info->updated_ms != *printed_ms || info->state != *state;
    if (inv->json && changed) {
        json_t *doc = json_object();
        json_put(doc, "job", job_info_to_json(info, !job_state_is_live(info->state)));
        jobs_print_json(doc, false);
    }
    *printed_ms = info->updated_ms;
    *state = info->state;
}

static void print_end(const struct invocation *inv, const struct job_info *info)
{
    if (!inv->json) {
        (void)printf("%s ", info->id);
        jobs_print_progress(info);
        (void)printf("\n");
    }
}

/* Ends when the job does, with the job's exit status. */
static bool follow(const struct invocation *inv, const char *state_dir,
                   const struct command *command, int *status, struct error *err)
{
    (void)command;
    const char *id = operand(inv, 1);
    struct journal *journal = open_journal(state_dir, id, err);
    enum job_state state = JOB_STATES;
    int64_t printed_ms = 0;
    bool ok = journal != NULL;
    bool live = ok;
    while (live) {
        struct job_info *info = job_info_read(state_dir, id, err);
        if (info == NULL) {
            ok = false;
            break;
        }
        print_new_lines(inv, journal);
        print_change(inv, info, &printed_ms, &state);
        live = job_state_is_live(info->state);
        if (!live) {
            print_end(inv, info);
            *status =
                info->exit_status >= 0 ? info->exit_status : job_state_exit_status(info->state);
        }
        job_info_unref(info);
        if (live)
            clock_sleep_ms(LOOK_EVERY_MS);
    }
    journal_free(journal);
    return ok;
}

/* ---- steering ---------------------------------------------------------------------------------
 */

/* The job's state once it obeys `seq`, or what it is when the time is over. */
static bool await_answer(const char *state_dir, const char *id, uint64_t seq, bool *obeyed,
                         enum job_state *state, struct error *err)
{
    int64_t deadline = clock_after(OBEY_WITHIN_MS);
    for (;;) {
        struct job_info *info = job_info_read(state_dir, id, err);
        if (info == NULL)
            return false;
        *obeyed = info->control_seq >= seq || !job_state_is_live(info->state);
        *state = info->state;
        job_info_unref(info);
        if (*obeyed || clock_left_ms(deadline) == 0)
            return true;
        clock_sleep_ms(LOOK_EVERY_MS);
    }
}

static bool steer(const struct invocation *inv, const char *state_dir,
                  const struct command *command, int *status, struct error *err)
{
    const char *id = operand(inv, 1);
    enum control_order order = (enum control_order)command->order;
    enum job_state state = JOB_STATES;
    struct who who;
    uint64_t value = 0;
    uint64_t seq = 0;
    bool obeyed = false;
    *status = 0;
    if (order == CONTROL_RATE && !str_to_u64(str_from(operand(inv, 2)), &value))
        return error_set(err, ERROR_USAGE, 0, "jobs rate ID N: N is a number, 0 = as started");
    if (order == CONTROL_CANCEL && option_flag(inv, "now"))
        order = CONTROL_CANCEL_NOW;
    who_now(&who);
    if (!control_send(state_dir, id, order, value, who.user, &seq, err) ||
        !await_answer(state_dir, id, seq, &obeyed, &state, err))
        return false;
    if (inv->json) {
        json_t *doc = json_object();
        json_put_text(doc, "id", id);
        json_put_text(doc, "order", command->name);
        json_put_flag(doc, "obeyed", obeyed);
        json_put_text(doc, "state", job_state_name(state));
        jobs_print_json(doc, true);
    } else {
        (void)printf("%s: %s%s\n", id, job_state_name(state),
                     obeyed ? "" : " (asked for, not answered yet)");
    }
    return true;
}

static bool prune(const struct invocation *inv, const char *state_dir,
                  const struct command *command, int *status, struct error *err)
{
    struct prune_spec spec = {
        .state_dir = state_dir,
        .keep = (uint32_t)option_int(inv, "keep"),
        .keep_ms = option_int(inv, "keep-days") * DAY_MS,
        .now_ms = clock_real_ms(),
        .only = operand(inv, 1),
        .dry_run = option_flag(inv, "dry-run"),
    };
    json_t *removed = NULL;
    (void)command;
    *status = 0;
    bool ok = prune_jobs(&spec, &removed, err);
    if (inv->json) {
        json_t *doc = json_object();
        json_put(doc, spec.dry_run ? "would_remove" : "removed", json_incref(removed));
        jobs_print_json(doc, true);
    }
    for (size_t i = 0; !inv->json && i < json_array_size(removed); i++) {
        (void)printf("%s %s\n", spec.dry_run ? "would remove" : "removed",
                     json_string_value(json_array_get(removed, i)));
    }
    if (!inv->json && ok && json_array_size(removed) == 0)
        (void)printf("nothing to remove\n");
    json_decref(removed);
    return ok;
}

/* ---- the verb ---------------------------------------------------------------------------------
 */

static const struct command commands[] = {
    {"list", 0, 0, -1, list},
    {"show", 1, 1, -1, show},
    {"follow", 1, 1, -1, follow},
    {"cancel", 1, 1, CONTROL_CANCEL, steer},
    {"pause", 1, 1, CONTROL_PAUSE, steer},
    {"resume", 1, 1, CONTROL_RESUME, steer},
    {"rate", 2, 2, CONTROL_RATE, steer},
    {"prune", 0, 1, -1, prune},
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int run(const struct invocation *inv, struct error *err)
{
    const char *word = inv->operand_count > 0 ? inv->operands[0] : "list";
    const struct command *command = find_command(word);
    const char *state_dir = NULL;
    int status = 0;
    if (command == NULL) {
        (void)error_set(err, ERROR_USAGE, 0,
                        "jobs: \"%s\" is none of list, show, follow, cancel, pause, resume, rate, "
                        "prune",
                        word);
        return verb_fail(err);
    }
    size_t given = inv->operand_count > 0 ? inv->operand_count - 1 : 0;
    if (given < command->operands_min || given > command->operands_max) {
        (void)error_set(err, ERROR_USAGE, 0, "jobs %s: %s", word,
                        given < command->operands_min ? "a job id is missing (like B-0001)"
                                                      : "too many words");
        return verb_fail(err);
    }
    if (!state_dir_open(inv->config, &state_dir, err) ||
        !command->run(inv, state_dir, command, &status, err))
        return verb_fail(err);
    return status;
}

static const struct option_row options[] = {
    {"limit", 0, OPTION_INT, "N", "List at most so many jobs, newest first.", "50", .min = 1,
     .max = 100000},
    {"now", 0, OPTION_FLAG, NULL, "With cancel: at once, not at the next safe point."},
    {"keep", 0, OPTION_INT, "N", "With prune: the newest N jobs of each kind stay.", "20", .min = 1,
     .max = 100000},
    {"keep-days", 0, OPTION_INT, "D", "With prune: jobs that ended in the last D days stay.", "30",
     .min = 0, .max = 36500},
    {"dry-run", 0, OPTION_FLAG, NULL, "With prune: say what would be removed."},
    {NULL},
};

const struct verb verb_jobs = {
    .name = "jobs",
    .summary = "List, show, follow and steer jobs, those of other consoles too.",
    .operands = "[list | show ID | follow ID | cancel ID | pause ID | resume ID | rate ID N | "
                "prune [ID]]",
    .operands_min = 0,
    .operands_max = 3,
    .options = options,
    .notes = "A job is a process of its own: leaving `follow` or closing the terminal stops "
             "nothing. `follow` ends with the job and with its exit status. `resume` goes on after "
             "`pause`; a job that failed, crashed or was cancelled goes on with its own verb and "
             "`--resume ID`. `prune` never removes a job that runs or the newest of its kind.",
    .examples = "rbconsole jobs\nrbconsole jobs follow B-0007\nrbconsole jobs cancel R-0002\n"
                "rbconsole jobs prune --keep 10 --keep-days 7\n",
    .flags = VERB_NO_ENV,
    .run = run,
};
