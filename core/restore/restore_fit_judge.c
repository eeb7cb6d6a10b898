#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/format.h"
#include "core/restore/restore_fit.h"

/* Estimates are within a fifth: less than four fifths of them is certainly too little room, and
 * where a tenth more would not fit, it may not. */
#define SURE(bytes) ((bytes) / 5 * 4)
#define SAFE(bytes) ((bytes) + (bytes) / 10)
#define CLOCK_SPREAD_MS 1000
#define TEXT_MAX 600

enum weight { NAMED, REFUSED };

static void say(struct restore_plan *p, enum weight weight, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void say(struct restore_plan *p, enum weight weight, const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (weight == NAMED)
        ARRAY_PUSH(p->warnings, p->warning_count, p->warning_cap) = mem_copy_text(text);
    else
        ARRAY_PUSH(p->blockers, p->blocker_count, p->blocker_cap) = mem_copy_text(text);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* What the restore itself frees: all of it, or the values that it replaces. */
static double freed(const struct restore_plan *p, const struct restore_options *o,
                    const struct restore_node *n)
{
    double data = (double)n->used_memory - (double)(n->startup_memory > 0 ? n->startup_memory : 0);
    double share;

    if (data <= 0 || n->keys <= 0 || p->keys == 0)
        return 0;
    if (o->flush_first)
        return data;
    if (o->policy != RESTORE_OVERWRITE)
        return 0;
    share = (double)p->existing / (double)p->keys * (double)n->to_write / (double)n->keys;
    return data * (share > 1 ? 1 : share);
}

static double needed(const struct restore_plan *p, const struct restore_options *o,
                     const struct restore_node *n)
{
    double share = p->keys == 0 ? 0 : (double)p->existing / (double)p->keys;

    return (double)n->need_memory * (o->policy == RESTORE_SKIP_EXISTING ? 1 - share : 1);
}

static void judge_limit(struct restore_plan *p, const struct restore_node *n, double room,
                        double need)
{
    char has[FORMAT_MAX];
    char wants[FORMAT_MAX];
    char limit[FORMAT_MAX];

    format_size(has, sizeof(has), room < 0 ? 0 : (int64_t)room);
    format_size(wants, sizeof(wants), (int64_t)need);
    format_size(limit, sizeof(limit), n->maxmemory);
    if (SURE(need) > room)
        say(p, REFUSED,
            "%s has room for %s (maxmemory is %s), its part of the backup needs about %s there",
            n->addr, has, limit, wants);
    else if (SAFE(need) > room)
        say(p, NAMED,
            "%s has room for %s (maxmemory is %s), its part of the backup needs about %s there: it "
            "may not fit, and the restore would stop",
            n->addr, has, limit, wants);
}

static void judge_memory(struct restore_plan *p, const struct restore_options *o)
{
    for (size_t i = 0; i < p->node_count; i++) {
        const struct restore_node *n = &p->nodes[i];
        double need = needed(p, o, n);
        double used = (double)n->used_memory - freed(p, o, n);
        char wants[FORMAT_MAX];
        char all[FORMAT_MAX];

        if (n->used_memory < 0 || n->need_memory == 0)
            continue;
        if (n->maxmemory > 0)
            judge_limit(p, n, (double)n->maxmemory - used, need);
        else if (n->system_memory > 0 && used + SAFE(need) > (double)n->system_memory)
            say(p, NAMED,
                "%s has no maxmemory and would hold about %s, its machine has %s for everything",
                n->addr, format_size(wants, sizeof(wants), (int64_t)(used + need)),
                format_size(all, sizeof(all), n->system_memory));
    }
}

/* ---- settings -------------------------------------------------------------------------------- */

static bool evicts(const struct restore_node *n)
{
    return n->maxmemory > 0 && n->policy[0] != '\0' && strcmp(n->policy, "noeviction") != 0;
}

static void judge_saving(struct restore_plan *p, const struct restore_options *o,
                         const struct restore_node *n)
{
    if (n->aof_failed)
        say(p, REFUSED, "%s refuses writes (MISCONF): it could not write its append-only file",
            n->addr);
    if (!n->save_failed || o->tune)
        return;
    if (n->stops_writes)
        say(p, REFUSED,
            "%s refuses writes (MISCONF): its last save failed. Mend that, or give --tune",
            n->addr);
    else if (!n->settings_known)
        say(p, NAMED, "the last save of %s failed: it may refuse writes (MISCONF)", n->addr);
}

static void judge_settings(struct restore_plan *p, const struct restore_options *o)
{
    for (size_t i = 0; i < p->node_count; i++) {
        const struct restore_node *n = &p->nodes[i];

        judge_saving(p, o, n);
        if (o->tune && !n->may_tune)
            say(p, REFUSED, "--tune is not possible on %s: %s", n->addr, n->why_not_tune);
        else if (o->tune && evicts(n))
            say(p, NAMED, "--tune: %s gets maxmemory-policy noeviction instead of %s meanwhile",
                n->addr, n->policy);
        else if (evicts(n))
            say(p, NAMED, "%s evicts keys when it is full (%s): the restore would fail then%s",
                n->addr, n->policy, n->may_tune ? "; --tune holds that off" : "");
    }
}

static void judge_clocks(struct restore_plan *p, const struct restore_options *o)
{
    size_t low = 0;
    size_t high = 0;
    int64_t spread;
    char text[FORMAT_MAX];

    for (size_t i = 1; i < p->node_count; i++) {
        low = p->nodes[i].clock_ahead_ms < p->nodes[low].clock_ahead_ms ? i : low;
        high = p->nodes[i].clock_ahead_ms > p->nodes[high].clock_ahead_ms ? i : high;
    }
    if (p->node_count == 0 || p->with_ttl + p->needs.field_deadlines == 0 ||
        o->ttl == RESTORE_TTL_NONE)
        return;
    spread = p->nodes[high].clock_ahead_ms - p->nodes[low].clock_ahead_ms;
    if (spread > CLOCK_SPREAD_MS)
        say(p, NAMED, "the clock of %s is %s ahead of that of %s: deadlines are off by that much",
            p->nodes[high].addr, format_duration(text, sizeof(text), spread), p->nodes[low].addr);
}

/* ---- slots ----------------------------------------------------------------------------------- */

static void judge_slots(struct restore_plan *p)
{
    const struct restore_needs *needs = &p->needs;

    if (needs->uncovered_keys > 0)
        say(p, REFUSED, "%" PRIu64 " keys belong to slots that no node serves, the first is %u",
            needs->uncovered_keys, (unsigned)needs->uncovered_slot);
    if (needs->open_keys > 0)
        say(p, REFUSED,
            "%" PRIu64 " keys belong to slots that are open (being moved), the first is %u: let "
            "the move end, or close the slot",
            needs->open_keys, (unsigned)needs->open_slot);
}

/* ---- types and versions ---------------------------------------------------------------------- */

static const struct restore_node *lacking(const struct restore_plan *p,
                                          bool (*has)(const struct restore_node *n,
                                                      const struct restore_needs *needs))
{
    for (size_t i = 0; i < p->node_count; i++)
        if (!has(&p->nodes[i], &p->needs))
            return &p->nodes[i];
    return NULL;
}

static bool has_field_ttl(const struct restore_node *n, const struct restore_needs *needs UNUSED)
{
    return n->keeps_field_ttl;
}

static bool has_counters(const struct restore_node *n, const struct restore_needs *needs UNUSED)
{
    return n->keeps_counters;
}

static bool has_unowned(const struct restore_node *n, const struct restore_needs *needs UNUSED)
{
    return n->keeps_unowned;
}

static bool has_functions(const struct restore_node *n, const struct restore_needs *needs UNUSED)
{
    return n->keeps_functions;
}

static bool has_rdb(const struct restore_node *n, const struct restore_needs *needs)
{
    return restore_fit_reads_rdb(n->flavour, n->version_number, needs->rdb_version);
}

static void judge_fields(struct restore_plan *p, const struct restore_options *o)
{
    const struct restore_node *n = lacking(p, has_field_ttl);
    uint64_t count = p->needs.field_deadlines;

    if (count == 0 || o->ttl == RESTORE_TTL_NONE)
        return;
    if (n != NULL && o->drop_field_ttl)
        say(p, NAMED, "%" PRIu64 " hash fields lose their deadline: %s (%s) keeps none", count,
            n->addr, n->version);
    else if (n != NULL)
        say(p, REFUSED,
            "%" PRIu64 " hash fields have a deadline, which %s (%s) cannot keep: they would stay "
            "for good. --drop-field-ttl accepts that",
            count, n->addr, n->version);
    else if (p->needs.clamped > 0)
        say(p, NAMED,
            "%" PRIu64 " hash fields have a deadline beyond 2^46 ms, which Redis refuses: they get "
            "the latest that is possible (the year 4199)",
            p->needs.clamped);
}

static void judge_streams(struct restore_plan *p, const struct restore_options *o)
{
    const struct restore_needs *needs = &p->needs;
    enum weight weight = o->allow_downgrade ? NAMED : REFUSED;
    const char *hint = o->allow_downgrade ? "" : " (--allow-downgrade accepts that)";
    const struct restore_node *n = lacking(p, has_counters);

    if (needs->counted_streams > 0 && n != NULL)
        say(p, weight, "%" PRIu64 " streams lose their counters on %s (%s)%s",
            needs->counted_streams, n->addr, n->version, hint);
    if (needs->uncounted_streams > 0 && n == NULL)
        say(p, NAMED,
            "%" PRIu64 " streams come from a server before 7.0: how many entries were ever added "
            "and how far each group has read is not known",
            needs->uncounted_streams);
    n = lacking(p, has_unowned);
    if (needs->unowned > 0 && n != NULL && !o->no_stream_groups)
        say(p, weight,
            "%" PRIu64 " pending entries belong to no consumer (XNACK), which %s (%s) does not "
            "know: they would be left out%s",
            needs->unowned, n->addr, n->version, hint);
}

void restore_fit_judge(struct restore_plan *plan, const struct restore_options *o,
                       const struct manifest *m, bool trusted)
{
    const struct restore_node *n;

    judge_slots(plan);
    judge_memory(plan, o);
    judge_settings(plan, o);
    judge_clocks(plan, o);
    judge_fields(plan, o);
    judge_streams(plan, o);
    n = lacking(plan, has_rdb);
    if (plan->needs.rdb_version > 0 && n != NULL)
        say(plan, REFUSED,
            "%" PRIu64 " keys are DUMP payloads of version %" PRIu32
            ", which %s (%s) does not read: leave them out with --type",
            plan->by_type[RECORD_OPAQUE], plan->needs.rdb_version, n->addr, n->version);
    n = lacking(plan, has_functions);
    if (m->functions && trusted && n != NULL)
        say(plan, o->allow_downgrade ? NAMED : REFUSED,
            "the backup has functions, which %s (%s) does not know: they are left out%s", n->addr,
            n->version, o->allow_downgrade ? "" : " (--allow-downgrade accepts that)");
}

/* Source: RDB_VERSION of each release. */
uint32_t restore_fit_rdb_version(enum flavour flavour, int version_number)
{
    static const struct {
        int redis;
        uint32_t rdb;
    } steps[] = {{80800, 14}, {80600, 13}, {70400, 12}, {70200, 11}, {70000, 10}};

    if (flavour == FLAVOUR_VALKEY)
        return version_number >= 90000 ? 80 : 11;
    for (size_t i = 0; i < COUNT_OF(steps); i++)
        if (version_number >= steps[i].redis)
            return steps[i].rdb;
    return 9;
}

/* Lower ones are read too, but Valkey takes 12 to 79 for another vendor's. */
bool restore_fit_reads_rdb(enum flavour flavour, int version_number, uint32_t rdb_version)
{
    if (flavour == FLAVOUR_OTHER)
        return true; /* nobody knows: the server will say */
    if (flavour == FLAVOUR_VALKEY && rdb_version >= 12 && rdb_version < 80)
        return false;
    return rdb_version <= restore_fit_rdb_version(flavour, version_number);
}
