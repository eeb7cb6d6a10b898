#include <stdio.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/clock.h"
#include "core/base/escape.h"
#include "core/verify/verify_worker.h"

struct verify_expiry verify_expiry_rule(const struct verify_shared *s)
{
    return (struct verify_expiry){.now_ms = clock_real_ms() + s->clock_ahead_ms,
                                  .tolerance_ms = s->options->tolerance_ms,
                                  .read_ms = s->read_ms,
                                  .restored = s->options->restored};
}

bool verify_is_finding(enum verify_verdict verdict)
{
    return verdict != VERIFY_SAME && verdict != VERIFY_EXPIRED;
}

static enum verify_verdict judge_ttl(const struct verify_shared *s, const struct verify_check *c,
                                     enum verify_deadline *saw, char *detail, size_t size)
{
    struct verify_expiry rule = verify_expiry_rule(s);
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

/* A hash whose fields have all died is gone as well. */
static enum verify_verdict judge_absent(const struct verify_expiry *rule,
                                        const struct verify_check *c)
{
    struct value_rule fields = verify_value_rule(rule, &c->head);

    if (value_sum_may_be_gone(c->saved, &fields))
        return VERIFY_EXPIRED;
    return verify_absent(rule, &c->head);
}

enum verify_verdict verify_judge(const struct verify_shared *s, struct verify_check *c,
                                 enum verify_deadline *saw, char *detail, size_t size)
{
    struct verify_expiry rule = verify_expiry_rule(s);

    *saw = VERIFY_DEADLINE_NONE;
    if (c->why.code != ERROR_NONE) {
        (void)snprintf(detail, size, "%.150s", c->why.text);
        return VERIFY_UNREADABLE;
    }
    if (!c->there)
        return judge_absent(&rule, c);
    if (c->live_type != c->head.type) {
        const char *name = record_type_name(c->head.type);
        const char *live_name = record_type_name(c->live_type);

        (void)snprintf(detail, size, "type %s saved, %s there", name == NULL ? "other" : name,
                       live_name == NULL ? "other" : live_name);
        return VERIFY_DIFFERS;
    }
    if (!c->compared) {
        (void)snprintf(detail, size, "its value was not read");
        return VERIFY_UNREADABLE;
    }
    if (!c->difference.same) {
        (void)snprintf(detail, size, "%s", c->difference.what);
        return VERIFY_DIFFERS;
    }
    if (c->difference.deadlines > 0) {
        (void)snprintf(detail, size, "%llu fields expire at another time",
                       (unsigned long long)c->difference.deadlines);
        return VERIFY_TTL;
    }
    return judge_ttl(s, c, saw, detail, size);
}

static void note_finding(struct verify_shared *s, struct str key, enum record_type type,
                         enum verify_verdict verdict, const char *detail)
{
    struct verify_report *report = s->report;
    char shown[200];

    task_ledger(s->task, key, verify_verdict_name(verdict), detail);
    report->found++;
    if (report->finding_count >= VERIFY_EXAMPLES_MAX)
        return;
    ARRAY_PUSH(report->findings, report->finding_count, report->finding_cap) =
        (struct verify_finding){
            .key = mem_copy_text(escape_text(shown, sizeof(shown), key)),
            .type = type,
            .verdict = verdict,
        };
    (void)snprintf(report->findings[report->finding_count - 1].detail,
                   sizeof(report->findings->detail), "%s", detail);
}

/* When a key that was there dies; 0: never. A hash dies with its last field too; one whose fields
 * were not read may do so at any time. */
static int64_t death_of(const struct verify_shared *s, const struct verify_check *c)
{
    int64_t fields = RECORD_NO_TIME;

    if (c->live_type == RECORD_HASH && c->compared)
        fields = value_sum_last_death(c->live);
    else if (c->live_type == RECORD_HASH && s->field_ttl)
        fields = 1;
    if (c->deadline_ms == RECORD_NO_TIME)
        return fields == RECORD_NO_TIME ? 0 : fields;
    return fields == RECORD_NO_TIME || c->deadline_ms < fields ? c->deadline_ms : fields;
}

/* A key that was there is one of those that the slot's count must explain. */
static void note_slot(struct verify_shared *s, const struct verify_check *c,
                      enum verify_verdict verdict)
{
    uint16_t slot = slot_of_key(c->key);
    struct verify_slot *sum = &s->slots[slot];
    int64_t death = death_of(s, c);

    sum->verdicts[verdict]++;
    if (verdict != VERIFY_SAME && verdict != VERIFY_DIFFERS && verdict != VERIFY_TTL)
        return;
    if (death != 0 && (sum->next_death == 0 || death < sum->next_death))
        sum->next_death = death;
    if (s->seen != NULL && key_bloom_add(s->seen, c->head.db, c->key))
        slot_set_add(&s->repeated, slot);
}

void verify_settle(struct verify_shared *s, const struct verify_check *c,
                   enum verify_verdict verdict, enum verify_deadline saw, const char *detail)
{
    struct verify_report *report = s->report;

    pthread_mutex_lock(&s->lock);
    report->checked++;
    report->verdicts[verdict]++;
    report->by_type[c->head.type][verdict]++;
    note_slot(s, c, verdict);
    if (verdict == VERIFY_SAME) {
        report->deadlines[saw]++;
        report->expired_fields += c->difference.expired;
        report->partly += c->difference.partly ? 1 : 0;
    }
    if (c->misplaced) {
        report->misplaced++;
        note_finding(s, c->key, c->head.type, VERIFY_MISPLACED,
                     "the backup says another slot than its name does");
    }
    if (verify_is_finding(verdict)) {
        report->changing += c->changing ? 1 : 0;
        note_finding(s, c->key, c->head.type, verdict, detail);
    }
    pthread_mutex_unlock(&s->lock);
    atomic_fetch_add(&s->checked, 1);
}

void verify_settle_other(struct verify_shared *s, struct str key, enum record_type type,
                         enum verify_verdict verdict, const char *detail)
{
    struct verify_report *report = s->report;

    pthread_mutex_lock(&s->lock);
    if (verdict == VERIFY_MISPLACED)
        report->stray++;
    report->verdicts[verdict]++;
    report->by_type[type][verdict]++;
    s->slots[slot_of_key(key)].verdicts[verdict]++;
    note_finding(s, key, type, verdict, detail);
    pthread_mutex_unlock(&s->lock);
}
