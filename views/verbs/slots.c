#include "views/screens/cluster_json.h"
#include "views/verbs/status_print.h"
#include "views/verbs/status_watch.h"

static int run(const struct invocation *inv, struct error *err)
{
    struct status_watch w;
    struct snapshot *s = NULL;
    int status;

    if (status_watch_open(&w, inv, 0, false, err)) {
        s = status_watch_first(&w, err);
        status_watch_close(&w);
    }
    if (s == NULL)
        return verb_fail(err);
    if (!s->slots->known) {
        if (s->mode == REDIS_MODE_CLUSTER)
            (void)status_watch_refused(s, err);
        else
            (void)error_set(err, ERROR_USAGE, 0, "%s has no slots: it is no cluster",
                            inv->env->name);
        snapshot_unref(s);
        return verb_fail(err);
    }
    if (inv->json)
        status_print_json(cluster_slots_json(s), true);
    else
        status_print_slots(s);
    status = s->slots->ok == SLOT_COUNT && s->slots->disputed == 0 ? 0 : 1;
    snapshot_unref(s);
    return status;
}

const struct verb verb_slots = {
    .name = "slots",
    .summary = "Which shard serves which slots, and what is uncovered, open or disputed.",
    .notes = "Ends with 1 when a slot is not served or disputed.",
    .examples = "rbconsole slots\nrbconsole slots --json\n",
    .run = run,
};
