#include "views/screens/cluster_json.h"
#include "views/verbs/status_print.h"
#include "views/verbs/status_watch.h"

static const struct option_row options[] = {
    {"limit", 0, OPTION_INT, "N", "At most this many nodes.", .min = 1, .max = 100000},
    {NULL},
};

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
    if (inv->json) {
        json_t *nodes = cluster_nodes_json(s);
        json_t *doc = json_object();
        size_t limit = (size_t)option_int(inv, "limit");

        while (limit > 0 && json_array_size(nodes) > limit)
            (void)json_array_remove(nodes, json_array_size(nodes) - 1);
        (void)json_object_set_new(doc, "nodes", nodes);
        status_print_json(doc, true);
    } else {
        status_print_nodes(s, (size_t)option_int(inv, "limit"));
    }
    status = status_exit(s);
    snapshot_unref(s);
    return status;
}

const struct verb verb_nodes = {
    .name = "nodes",
    .summary = "One row per node: role, state, slots, keys, memory, lag.",
    .options = options,
    .examples = "rbconsole nodes\nrbconsole nodes --json\n",
    .run = run,
};
