#include <stdio.h>
#include <stdlib.h>

#include "core/monitor/event_log.h"
#include "views/screens/cluster_json.h"
#include "views/verbs/status_print.h"
#include "views/verbs/status_watch.h"

#define LIMIT 200

static const struct option_row options[] = {
    {"limit", 0, OPTION_INT, "N", "At most this many, the newest (200).", .min = 1, .max = 1000000},
    {"follow", 0, OPTION_FLAG,
     .help = "Watch the cluster and go on with what happens (with --json: one object a line)."},
    {NULL},
};

static void show(const struct invocation *inv, const struct event_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (inv->json)
            status_print_json(event_to_json(&list->items[i]), false);
        else
            status_print_event(&list->items[i]);
    (void)fflush(stdout);
}

/* Our own monitor writes to the log as well, so following the log shows its events and those of
 * other consoles. */
static bool follow(const struct invocation *inv, struct event_follow *f, struct error *err)
{
    struct status_watch w;
    struct snapshot *s;
    bool ok = true;
    uint64_t number = 0;

    if (!status_watch_open(&w, inv, 0, true, err))
        return false;
    while (ok && !ferror(stdout)) {
        struct event_list list = {0};

        s = status_watch_next(&w, number, 1000);
        if (s != NULL)
            number = s->number;
        snapshot_unref(s);
        ok = event_follow_next(f, &list, err);
        show(inv, &list);
        event_list_release(&list);
    }
    status_watch_close(&w);
    return ok;
}

static int run(const struct invocation *inv, struct error *err)
{
    struct event_list list = {0};
    size_t limit = option_given(inv, "limit") ? (size_t)option_int(inv, "limit") : LIMIT;
    char *path = status_watch_log(inv, err);
    struct event_follow *f;
    bool ok;

    if (path == NULL)
        return verb_fail(err);
    f = event_follow_new(path);
    ok = event_log_read(path, limit, &list, NULL, err);
    if (ok && inv->json && !option_flag(inv, "follow")) {
        json_t *doc = json_object();

        (void)json_object_set_new(doc, "events", cluster_events_json(list.items, list.count));
        status_print_json(doc, true);
    } else if (ok) {
        show(inv, &list);
    }
    if (ok && option_flag(inv, "follow"))
        ok = follow(inv, f, err);
    event_follow_free(f);
    event_list_release(&list);
    free(path);
    return ok ? 0 : verb_fail(err);
}

const struct verb verb_events = {
    .name = "events",
    .summary = "Failovers and other changes, with millisecond UTC times, as kept on this machine.",
    .options = options,
    .notes = "Events are found while a console, `status --follow` or `events --follow` watches the "
             "environment; without --follow only what was kept is shown.",
    .examples = "rbconsole events --limit 50\nrbconsole events --follow --json\n",
    .run = run,
};
