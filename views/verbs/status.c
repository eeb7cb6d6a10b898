#include <signal.h>
#include <stdio.h>

#include "views/screens/cluster_json.h"
#include "views/verbs/status_print.h"
#include "views/verbs/status_watch.h"

static const struct option_row options[] = {
    {"follow", 0, OPTION_FLAG,
     .help = "Go on: a line (with --json: one JSON document a line) for every change."},
    {"interval", 0, OPTION_INT, "MS", "How often every node is asked.", .min = 100, .max = 60000},
    {NULL},
};

static void show(const struct invocation *inv, const struct snapshot *s)
{
    if (inv->json) {
        status_print_json(cluster_status_json(s), !option_flag(inv, "follow"));
        return;
    }
    status_print_summary(s, inv->env->name);
    status_print_nodes(s, 0);
    status_print_findings(s);
    (void)fflush(stdout);
}

/* Until stdout is closed or a signal ends us. */
static void follow(struct status_watch *w, const struct invocation *inv, struct snapshot *s)
{
    while (s != NULL && !ferror(stdout)) {
        uint64_t number = s->number;
        int64_t interval = s->interval_ms;
        struct snapshot *next;

        snapshot_unref(s);
        /* Once an interval, however many snapshots an eventful one has. */
        clock_sleep_ms(interval);
        next = status_watch_next(w, number, 60000);
        if (next != NULL)
            show(inv, next);
        s = next;
    }
    snapshot_unref(s);
}

static int run(const struct invocation *inv, struct error *err)
{
    struct status_watch w;
    struct snapshot *s;
    int status;

    if (!status_watch_open(&w, inv, option_int(inv, "interval"), option_flag(inv, "follow"), err))
        return verb_fail(err);
    s = status_watch_first(&w, err);
    if (s == NULL) {
        status_watch_close(&w);
        return verb_fail(err);
    }
    show(inv, s);
    status = status_exit(s);
    if (option_flag(inv, "follow"))
        follow(&w, inv, s);
    else
        snapshot_unref(s);
    status_watch_close(&w);
    return status;
}

const struct verb verb_status = {
    .name = "status",
    .summary = "Health in one screenful: mode, state, slots, nodes, keys per node, lag.",
    .options = options,
    .notes =
        "Ends with 0 when all is well and 1 when a finding is a warning or worse. A value with "
        "~ is old: its node does not answer.",
    .examples = "rbconsole status\nrbconsole -e prd status --json --follow\n",
    .run = run,
};
