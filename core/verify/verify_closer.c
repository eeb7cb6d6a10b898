#include "core/verify/verify_worker.h"

#define ITEM_BYTES 96 /* an item, and the table's room to grow */

/* The archive's side once more, by a stream of its own: the worker's stays where it is. */
static bool sum_again(struct verify_worker *w, struct verify_check *c, struct error *err)
{
    struct record_stream *stream =
        record_stream_new(w->s->source, w->group, &w->s->options->filter);
    const struct record *r = NULL;
    bool whole = false;
    bool ok;

    record_stream_seek(stream, c->position);
    ok = record_stream_next(stream, &r, err);
    if (ok && r != NULL)
        ok = verify_sum_lines(w->s, stream, c, r, &whole, err);
    record_stream_free(stream);
    return ok;
}

/* Both sides, only the elements that the focus is on. */
static bool read_again(struct verify_worker *w, struct verify_check *c,
                       const struct value_focus *focus, struct error *err)
{
    value_sum_focus(c->saved, focus);
    value_sum_focus(c->live, focus);
    c->has_value = false;
    return task_checkpoint(w->s->task, err) && sum_again(w, c, err) &&
           verify_read_large(w->s, w->cluster, c, err);
}

static bool look_closer(struct verify_worker *w, struct verify_check *c,
                        const struct value_rule *rule, struct error *err)
{
    size_t items = verify_memory(w->s) / ITEM_BYTES;
    struct value_focus *focus = value_focus_new(c->saved, c->live, rule);
    bool more = value_focus_next(focus, items);
    bool ok = true;

    pthread_mutex_lock(&w->s->lock);
    w->s->report->looked_closer++;
    pthread_mutex_unlock(&w->s->lock);
    while (ok && more) {
        ok = read_again(w, c, focus, err);
        if (!ok || !c->there || !c->has_value || c->why.code != ERROR_NONE)
            break; /* the verdict is about that */
        value_focus_take(focus, c->saved, c->live, rule);
        more = value_focus_next(focus, items);
    }
    if (!more)
        c->difference = value_focus_result(focus);
    value_sum_focus(c->saved, NULL);
    value_sum_focus(c->live, NULL);
    value_focus_free(focus);
    return ok;
}

bool verify_compare(struct verify_worker *w, struct verify_check *c, struct error *err)
{
    struct verify_expiry expiry = verify_expiry_rule(w->s);
    struct value_rule rule = verify_value_rule(&expiry, &c->head);
    bool ok = true;

    c->compared = false;
    if (!verify_worth_reading(c) || !c->has_value)
        return true;
    c->difference = value_sum_compare_by(c->saved, c->live, &rule);
    c->print = value_sum_print(c->live) | 1;
    /* Before the last round the key is looked at again anyway. */
    if (c->difference.unsure && w->last_round)
        ok = look_closer(w, c, &rule, err);
    c->compared = ok;
    return ok;
}
