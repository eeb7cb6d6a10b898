#include <string.h>

#include "core/base/clock.h"
#include "core/base/format.h"
#include "core/jobs/task_internal.h"

/* Who waits through an outage, so that people can see it. A thread that waits is heard of before
 * each of its waits and reaches a checkpoint when it has got through; one that is not heard of for
 * long has ended. Retries of a few milliseconds are no news. */

#define NEWS_MS 1000 /* a wait that lasts this long is shown */
#define LINGER_MS                                                                                 \
    1000                /* and for as long after a checkpoint, which may lie between two attempts \
                         */
#define SILENT_MS 30000 /* longer than any attempt: its thread is gone */

static bool is_on(const struct task_wait *w, int64_t now)
{
    return w->used && now - w->told_ms < SILENT_MS &&
           (w->over_ms == 0 || now - w->over_ms < LINGER_MS);
}

static struct task_wait *find(struct task *t, pthread_t thread)
{
    for (size_t i = 0; i < TASK_WAITS; i++)
        if (t->waits[i].used && pthread_equal(t->waits[i].thread, thread))
            return &t->waits[i];
    return NULL;
}

static struct task_wait *place_for(struct task *t, int64_t now)
{
    struct task_wait *mine = find(t, pthread_self());
    for (size_t i = 0; i < TASK_WAITS && mine == NULL; i++)
        if (!t->waits[i].used)
            mine = &t->waits[i];
    if (mine == NULL)
        return NULL;
    if (!is_on(mine, now) && !mine->noted) {
        if (mine->used && mine->over_ms == 0)
            (void)atomic_fetch_sub(&t->waiting, 1);
        *mine = (struct task_wait){.since_ms = now};
    }
    return mine;
}

void task_waits(struct task *t, const char *why, int64_t left_ms)
{
    int64_t now = clock_mono_ms();
    (void)pthread_mutex_lock(&t->lock);
    struct task_wait *w = place_for(t, now);
    if (w != NULL) {
        if (!w->used || w->over_ms != 0)
            (void)atomic_fetch_add(&t->waiting, 1);
        w->used = true;
        w->thread = pthread_self();
        w->over_ms = 0;
        w->told_ms = now;
        w->until_ms = now + left_ms;
        (void)str_copy(str_from(why), w->why, sizeof(w->why));
        t->dirty = true;
    }
    (void)pthread_mutex_unlock(&t->lock);
}

void task_goes_on(struct task *t)
{
    if (atomic_load(&t->waiting) == 0)
        return;
    (void)pthread_mutex_lock(&t->lock);
    struct task_wait *w = find(t, pthread_self());
    if (w != NULL && w->over_ms == 0) {
        w->over_ms = clock_mono_ms();
        (void)atomic_fetch_sub(&t->waiting, 1);
        t->dirty = true;
    }
    (void)pthread_mutex_unlock(&t->lock);
}

void task_waits_show(struct task *t)
{
    int64_t now = clock_mono_ms();
    int64_t real = clock_real_ms();
    const struct task_wait *longest = NULL;
    for (size_t i = 0; i < TASK_WAITS; i++) {
        const struct task_wait *w = &t->waits[i];
        if (is_on(w, now) && now - w->since_ms >= NEWS_MS &&
            (longest == NULL || w->since_ms < longest->since_ms))
            longest = w;
    }
    t->progress.waiting = (struct progress_waiting){0};
    if (longest == NULL)
        return;
    t->progress.waiting.since_ms = real - (now - longest->since_ms);
    t->progress.waiting.until_ms = real + (longest->until_ms - now);
    memcpy(t->progress.waiting.why, longest->why, sizeof(longest->why));
}

/* What there is to say about one thread now; it is forgotten once all was said. */
static bool take_news(struct task_wait *w, int64_t now, bool last, struct task_wait *out)
{
    if (!w->used)
        return false;
    *out = *w;
    if (is_on(w, now) && !(last && w->over_ms != 0)) {
        bool lasts = !w->noted && now - w->since_ms >= NEWS_MS;
        w->noted = w->noted || lasts;
        return lasts;
    }
    bool ends = w->noted && w->over_ms != 0;
    *w = (struct task_wait){0};
    return ends;
}

void task_waits_note(struct task *t, bool last)
{
    char took[FORMAT_MAX];
    for (size_t i = 0; i < TASK_WAITS; i++) {
        int64_t now = clock_mono_ms();
        struct task_wait w;
        (void)pthread_mutex_lock(&t->lock);
        bool still = t->waits[i].used && t->waits[i].over_ms == 0;
        bool news = take_news(&t->waits[i], now, last, &w);
        if (still && !t->waits[i].used)
            (void)atomic_fetch_sub(&t->waiting, 1);
        (void)pthread_mutex_unlock(&t->lock);
        if (news && !w.noted)
            task_note(t, TASK_WARN, "waits for the cluster, %s at most: %s",
                      format_duration(took, sizeof(took), w.until_ms - w.since_ms), w.why);
        else if (news)
            task_note(t, TASK_INFO, "goes on after waiting for %s",
                      format_duration(took, sizeof(took), w.over_ms - w.since_ms));
    }
}
