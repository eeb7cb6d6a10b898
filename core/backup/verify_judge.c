#include <stdio.h>

#include "core/backup/verify_worker.h"
#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/clock.h"
#include "core/base/escape.h"

/* ---- verdicts ---------------------------------------------------------------------------------
 */

static struct verify_expiry expiry_rule(const struct verify_shared *s)
{
    return (struct verify_expiry){.now_ms = clock_real_ms() + s->clock_ahead_ms,
                                  .tolerance_ms = s->options->tolerance_ms,
                                  .read_ms = s->read_ms,
                                  .restored = s->options->restored};
}

static enum verify_verdict judge_ttl(const struct verify_shared *s, const struct verify_check *c,
                                     enum verify_deadline *saw, char *detail, size_t size)
{
    struct verify_expiry rule = expiry_rule(s);
    int64_t first = 0;
    int64_t last = 0;

    if (verify_deadline_fits(&rule, &c->head, c->deadline_ms, saw))
        return VERIFY_SAME;
    if (!verify_deadline_span(&rule, &c->head, &first, &last))
        (void)snprintf(detail, size, "it expires, the backup's does not");
    else if (c->deadline_ms == RECORD_NO_TIME)
        (void)snprintf(detail, size, "it does not expire, the backup's does");
    else
        (void)snprintf(
            detail, size, "its deadline is %lld ms %s than it may be",
            (long long)(c->deadline_ms > last ? c->deadline_ms - last : first - c->deadline_ms),
            c->deadline_ms > last ? "later" : "earlier");
    return VERIFY_TTL;
}

enum verify_verdict verify_judge(const struct verify_shared *s, struct verify_check *c,
                                 enum verify_deadline *saw, char *detail, size_t size)
{
    struct verify_expiry rule = expiry_rule(s);
    struct value_difference d;
    const char *live_name = record_type_name(c->live_type);

    *saw = VERIFY_DEADLINE_NONE;
    if (c->why.code != ERROR_NONE) {
        (void)snprintf(detail, size, "%.150s", c->why.text);
        return VERIFY_UNREADABLE;
    }
    if (!c->there)
        return verify_absent(&rule, &c->head);
    if (c->live_type != c->head.type) {
        const char *name = record_type_name(c->head.type);

        (void)snprintf(detail, size, "type %s saved, %s there", name == NULL ? "other" : name,
                       live_name == NULL ? "other" : live_name);
        return VERIFY_DIFFERS;
    }
    if (!c->has_value) {
        (void)snprintf(detail, size, "its value was not read");
        return VERIFY_UNREADABLE;
    }
    d = value_sum_compare(c->saved, c->live,
                          rule.now_ms > rule.read_ms ? rule.now_ms - rule.read_ms : 0,
                          rule.tolerance_ms);
    if (!d.same) {
        (void)snprintf(detail, size, "%s", d.what);
        return VERIFY_DIFFERS;
    }
    if (d.deadlines > 0) {
        (void)snprintf(detail, size, "%llu fields expire at another time",
                       (unsigned long long)d.deadlines);
        return VERIFY_TTL;
    }
    return judge_ttl(s, c, saw, detail, size);
}

static void note_finding(struct verify_shared *s, const struct verify_check *c,
                         enum verify_verdict verdict, const char *detail)
{
    struct verify_report *report = s->report;
    char shown[200];

    task_ledger(s->task, c->key, verify_verdict_name(verdict), detail);
    if (report->finding_count >= VERIFY_EXAMPLES_MAX)
        return;
    ARRAY_PUSH(report->findings, report->finding_count, report->finding_cap) =
        (struct verify_finding){
            .key = mem_copy_text(escape_text(shown, sizeof(shown), c->key)),
            .type = c->head.type,
            .verdict = verdict,
        };
    (void)snprintf(report->findings[report->finding_count - 1].detail,
                   sizeof(report->findings->detail), "%s", detail);
}

void verify_settle(struct verify_shared *s, const struct verify_check *c,
                   enum verify_verdict verdict, enum verify_deadline saw, const char *detail)
{
    struct verify_report *report = s->report;

    pthread_mutex_lock(&s->lock);
    report->checked++;
    report->verdicts[verdict]++;
    report->by_type[c->head.type][verdict]++;
    if (verdict == VERIFY_SAME)
        report->deadlines[saw]++;
    if (c->misplaced)
        report->misplaced++;
    if (verdict != VERIFY_SAME && verdict != VERIFY_EXPIRED)
        note_finding(s, c, verdict, detail);
    pthread_mutex_unlock(&s->lock);
    atomic_fetch_add(&s->checked, 1);
}

void verify_settle_extra(struct verify_shared *s, struct str key, enum record_type type)
{
    struct verify_check c = {.key = key, .head = {.type = type}};

    pthread_mutex_lock(&s->lock);
    s->report->verdicts[VERIFY_EXTRA]++;
    s->report->by_type[type][VERIFY_EXTRA]++;
    note_finding(s, &c, VERIFY_EXTRA, "the backup has no such key");
    pthread_mutex_unlock(&s->lock);
}
