#include "core/base/array.h"
#include "core/diff/diff_private.h"

/* Which keys are named where there are too many: those with the smallest fingerprints, the same
 * ones in every run. */

/* The heap's top is the largest: whatever is smaller takes its place. */
static void sink(struct diff_named *items, size_t count, size_t at)
{
    for (;;) {
        size_t largest = at;

        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++)
            if (diff_print_compare(items[child].entry.print, items[largest].entry.print) > 0)
                largest = child;
        if (largest == at)
            return;
        struct diff_named swapped = items[at];

        items[at] = items[largest];
        items[largest] = swapped;
        at = largest;
    }
}

static void rise(struct diff_named *items, size_t at)
{
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        struct diff_named swapped = items[at];

        if (diff_print_compare(items[at].entry.print, items[parent].entry.print) <= 0)
            return;
        items[at] = items[parent];
        items[parent] = swapped;
        at = parent;
    }
}

void diff_draw_offer(struct diff_draw *d, uint64_t limit, const struct diff_entry *e,
                     enum diff_verdict verdict)
{
    struct diff_named named = {
        .entry = *e, .verdict = verdict, .deadline_ms = {RECORD_NO_TIME, RECORD_NO_TIME}};

    d->seen++;
    named.deadline_ms[(e->flags & DIFF_IN_A) != 0 ? SIDE_A : SIDE_B] = e->deadline_ms;
    if (d->count < limit) {
        ARRAY_PUSH(d->items, d->count, d->cap) = named;
        rise(d->items, d->count - 1);
    } else if (d->count > 0 && diff_print_compare(e->print, d->items[0].entry.print) < 0) {
        d->items[0] = named;
        sink(d->items, d->count, 0);
    }
}
