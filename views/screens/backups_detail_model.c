#include "views/screens/backups_detail_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/format.h"

#define SLOT_LINES 400
#define PART_LINES 2000

static char *count(char out[FORMAT_MAX], uint64_t n)
{
    return format_count(out, FORMAT_MAX, n > INT64_MAX ? INT64_MAX : (int64_t)n);
}

static void say_state(const struct lines *o, const struct catalog_row *row, const char *uri)
{
    static const enum role roles[BACKUP_STATES] = {
        [BACKUP_UNREAD] = ROLE_DIM,      [BACKUP_COMPLETE] = ROLE_GOOD,
        [BACKUP_INCOMPLETE] = ROLE_WARN, [BACKUP_CORRUPT] = ROLE_BAD,
        [BACKUP_FOREIGN] = ROLE_UNKNOWN, [BACKUP_UNKNOWN] = ROLE_UNKNOWN,
    };
    char size[FORMAT_MAX];

    lines_say(o, ROLE_TITLE, "%s", row->id.text);
    lines_say(o, ROLE_TEXT, "where       %s", uri != NULL ? uri : "?");
    lines_say(o, roles[row->state], "state       %s%s%s", backup_state_name(row->state),
              row->summary.reason[0] != '\0' ? ": " : "", row->summary.reason);
    lines_say(o, ROLE_TEXT, "archive     %s%s",
              row->archive_bytes >= 0 ? format_size(size, sizeof(size), row->archive_bytes)
                                      : "none",
              row->has_directory ? ", unpacked directory beside it" : "");
}

static void say_times(const struct lines *o, const struct manifest *m)
{
    char from[FORMAT_MAX] = "?";
    char to[FORMAT_MAX] = "?";
    char took[FORMAT_MAX];
    int64_t lasted =
        m->started_ms > 0 && m->finished_ms >= m->started_ms ? m->finished_ms - m->started_ms : -1;

    if (m->started_ms > 0)
        format_rfc3339(from, sizeof(from), m->started_ms);
    if (m->finished_ms > 0)
        format_rfc3339(to, sizeof(to), m->finished_ms);
    lines_say(o, ROLE_TEXT, "taken       %s to %s, %s", from, to,
              lasted >= 0 && lasted < 1000 ? "less than 1 s"
                                           : format_duration(took, sizeof(took), lasted));
    lines_say(o, ROLE_TEXT, "of          %s, %s, by %s %s", m->env, m->mode, m->tool,
              m->tool_version);
    for (size_t i = 0; i < m->cluster_count; i++)
        lines_say(o, ROLE_DIM, "            %s", m->cluster[i]);
}

static void say_options(const struct lines *o, const struct manifest *m)
{
    const struct manifest_options *p = &m->options;

    lines_say(o, m->filtered ? ROLE_WARN : ROLE_TEXT, "holds       %s",
              m->filtered ? "a PART of the keys: it was filtered" : "all keys");
    for (size_t i = 0; i < p->match_count; i++)
        lines_say(o, ROLE_TEXT, "  match     %s", p->match[i]);
    for (size_t i = 0; i < p->type_count; i++)
        lines_say(o, ROLE_TEXT, "  type      %s", p->types[i]);
    if (p->slots[0] != '\0')
        lines_say(o, ROLE_TEXT, "  slots     %s", p->slots);
    lines_say(o, ROLE_TEXT, "read from   %s, parts of %" PRIu64 " keys or %" PRIu64 " bytes",
              p->source[0] != '\0' ? p->source : "?", p->chunk_keys, p->chunk_bytes);
}

static void say_problem(const struct lines *o, const char *label, uint64_t n, enum role role,
                        const char *means)
{
    char text[FORMAT_MAX];

    if (n > 0)
        lines_say(o, role, "  %-12s %14s  %s", label, count(text, n), means);
}

static void say_totals(const struct lines *o, const struct manifest *m)
{
    const struct manifest_totals *t = &m->totals;
    char keys[FORMAT_MAX];
    char ttl[FORMAT_MAX];
    char size[FORMAT_MAX];

    lines_say(o, ROLE_TEXT, "%s", "");
    lines_say(o, ROLE_TITLE, "Totals");
    lines_say(o, ROLE_TEXT, "  keys         %14s  (%s unpacked, %s with a TTL)",
              count(keys, t->keys), format_size(size, sizeof(size), (int64_t)t->bytes),
              count(ttl, t->with_ttl));
    for (size_t i = 0; i < t->type_count; i++)
        lines_say(o, ROLE_TEXT, "  %-12.20s %14s", t->by_type[i].name,
                  count(keys, t->by_type[i].keys));
    say_problem(o, "hyperloglog", t->hyperloglog, ROLE_TEXT, "among the strings");
    say_problem(o, "vanished", t->vanished, ROLE_TEXT, "expired or deleted while it ran");
    say_problem(o, "fuzzy", t->fuzzy, ROLE_WARN, "changed while they were read");
    say_problem(o, "unreadable", t->unreadable, ROLE_BAD, "could not be read: NOT in the backup");
    say_problem(o, "too large", t->too_large, ROLE_BAD, "too large: NOT in the backup");
    say_problem(o, "superseded", t->superseded, ROLE_DIM, "read again later");
    if (m->functions)
        lines_say(o, ROLE_TEXT, "  function libraries are in it");
    lines_say(o, ROLE_TITLE, "By node");
    for (size_t i = 0; i < t->node_count; i++)
        lines_say(o, ROLE_TEXT, "  %-24.60s %14s keys", t->by_node[i].name,
                  count(keys, t->by_node[i].keys));
}

static void say_servers(const struct lines *o, const struct manifest *m)
{
    lines_say(o, ROLE_TITLE, "Servers");
    for (size_t i = 0; i < m->server_count; i++)
        lines_say(o, ROLE_TEXT, "  %-24.60s %-8.20s %.20s %.30s", m->servers[i].addr,
                  m->servers[i].role, m->servers[i].flavour, m->servers[i].version);
}

static void say_notes(const struct lines *o, const struct manifest *m)
{
    if (m->warning_count > 0)
        lines_say(o, ROLE_TITLE, "Warnings");
    for (size_t i = 0; i < m->warning_count; i++)
        lines_say(o, ROLE_WARN, "  %s", m->warnings[i]);
    if (m->event_count > 0)
        lines_say(o, ROLE_TITLE, "What happened to the cluster meanwhile");
    for (size_t i = 0; i < m->event_count; i++)
        lines_say(o, ROLE_WARN, "  %s", m->topology_events[i]);
}

static void say_slots(const struct lines *o, const struct manifest *m)
{
    if (m->slot_count == 0)
        return;
    lines_say(o, ROLE_TITLE, "Slots (%zu ranges)", m->slot_count);
    for (size_t i = 0; i < m->slot_count && i < SLOT_LINES; i++)
        lines_say(o, ROLE_TEXT, "  %5u-%-5u  %.60s%s", m->slots[i].first, m->slots[i].last,
                  m->slots[i].owner, m->slots[i].generation > 0 ? "  read again" : "");
    if (m->slot_count > SLOT_LINES)
        lines_say(o, ROLE_DIM, "  and %zu more", m->slot_count - SLOT_LINES);
}

static void say_parts(const struct lines *o, const struct manifest *m)
{
    char keys[FORMAT_MAX];
    char size[FORMAT_MAX];

    lines_say(o, ROLE_TITLE, "Parts (%zu)", m->part_count);
    lines_say(o, ROLE_DIM, "  %-28s %-22s %10s %8s %4s  %s", "NAME", "SHARD", "KEYS", "BYTES",
              "GEN", "SHA-256");
    for (size_t i = 0; i < m->part_count && i < PART_LINES; i++) {
        const struct manifest_part *p = &m->parts[i];
        char sha[65] = "none";

        if (p->has_sha256)
            (void)snprintf(sha, sizeof(sha), "%02x%02x%02x%02x..%02x", p->sha256[0], p->sha256[1],
                           p->sha256[2], p->sha256[3], p->sha256[31]);
        lines_say(o, ROLE_TEXT, "  %-28.60s %-22.60s %10s %8s %4u  %s", p->name, p->shard,
                  count(keys, p->keys), format_size_short(size, sizeof(size), (int64_t)p->bytes),
                  p->generation, sha);
    }
    if (m->part_count > PART_LINES)
        lines_say(o, ROLE_DIM, "  and %zu more: rbconsole show ID --parts",
                  m->part_count - PART_LINES);
}

void backups_detail_lines(const struct catalog_row *row, const char *uri, const struct manifest *m,
                          const char *why, line_sink add, void *arg)
{
    struct lines o = {add, arg};

    say_state(&o, row, uri);
    if (m == NULL) {
        lines_say(&o, ROLE_WARN, "manifest    none to read%s%s", why[0] != '\0' ? ": " : "", why);
        lines_say(&o, ROLE_TEXT, "            what it holds is not known until it is read in full");
        return;
    }
    if (!m->complete)
        lines_say(&o, ROLE_BAD, "because     %s",
                  m->reason[0] != '\0' ? m->reason : "it does not say");
    say_times(&o, m);
    say_options(&o, m);
    say_notes(&o, m);
    say_totals(&o, m);
    say_servers(&o, m);
    say_slots(&o, m);
    say_parts(&o, m);
}
