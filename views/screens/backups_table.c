#include <stdio.h>
#include <string.h>

#include "core/base/format.h"
#include "views/screens/backups_model.h"

/* Cells, comparison and the lines below the table. */

enum column {
    COLUMN_TAKEN,
    COLUMN_AGE,
    COLUMN_WHERE,
    COLUMN_ENV,
    COLUMN_STATE,
    COLUMN_HOLDS,
    COLUMN_KEYS,
    COLUMN_SIZE,
    COLUMN_VERIFIED,
    COLUMN_TTL,
    COLUMN_SERVER,
    COLUMN_ID,
    COLUMNS
};

static const struct table_column columns[COLUMNS] = {
    [COLUMN_TAKEN] = {"TAKEN (UTC)", 19, 0, 0, ALIGN_LEFT},
    [COLUMN_AGE] = {"AGE", 4, 0, 1, ALIGN_RIGHT},
    [COLUMN_WHERE] = {"WHERE", 5, 0, 0, ALIGN_LEFT},
    [COLUMN_ENV] = {"ENV", 9, 1, 4, ALIGN_LEFT},
    [COLUMN_STATE] = {"STATE", 10, 0, 0, ALIGN_LEFT},
    [COLUMN_HOLDS] = {"HOLDS", 5, 0, 3, ALIGN_LEFT},
    [COLUMN_KEYS] = {"KEYS", 6, 0, 1, ALIGN_RIGHT},
    [COLUMN_SIZE] = {"SIZE", 6, 0, 1, ALIGN_RIGHT},
    [COLUMN_VERIFIED] = {"VERIFIED", 13, 0, 3, ALIGN_LEFT},
    [COLUMN_TTL] = {"TTL", 6, 0, 5, ALIGN_RIGHT},
    [COLUMN_SERVER] = {"SERVER", 13, 0, 6, ALIGN_LEFT},
    [COLUMN_ID] = {"ID", 42, 0, 7, ALIGN_LEFT, .hidden = true},
};

const char *backups_state_text(const struct backups_row *r)
{
    return r->writer[0] != '\0' ? "writing" : backup_state_name(r->row.state);
}

enum role backups_state_role(const struct backups_row *r)
{
    static const enum role roles[BACKUP_STATES] = {
        [BACKUP_UNREAD] = ROLE_DIM,      [BACKUP_COMPLETE] = ROLE_GOOD,
        [BACKUP_INCOMPLETE] = ROLE_WARN, [BACKUP_CORRUPT] = ROLE_BAD,
        [BACKUP_FOREIGN] = ROLE_UNKNOWN, [BACKUP_UNKNOWN] = ROLE_UNKNOWN,
    };

    return r->writer[0] != '\0' ? ROLE_INFO : roles[r->row.state];
}

const char *backups_unusable(const struct backups_row *r)
{
    if (r->writer[0] != '\0')
        return "it is being written";
    if (r->row.state == BACKUP_CORRUPT)
        return "it is corrupt";
    if (r->row.state == BACKUP_INCOMPLETE && !r->row.has_archive && r->row.summary.keys < 0)
        return "it has no manifest: the backup did not finish";
    return NULL;
}

static bool is_read(const struct backups_row *r)
{
    return r->row.state == BACKUP_COMPLETE ||
           (r->row.state == BACKUP_INCOMPLETE && r->row.summary.started_ms > 0);
}

static int64_t number(const struct backups_row *r, int64_t n)
{
    return is_read(r) ? n : -1;
}

/* "3h": one unit, at most four columns. */
static char *age_text(char *out, size_t size, int64_t ms)
{
    static const struct {
        int64_t ms;
        char letter;
    } units[] = {{86400000, 'd'}, {3600000, 'h'}, {60000, 'm'}, {1000, 's'}};

    (void)snprintf(out, size, "0s");
    for (size_t i = 0; i < COUNT_OF(units); i++)
        if (ms >= units[i].ms) {
            (void)snprintf(out, size, "%lld%c", (long long)(ms / units[i].ms), units[i].letter);
            break;
        }
    return out;
}

static char *taken_text(char *out, size_t size, int64_t ms)
{
    char text[FORMAT_MAX];

    format_rfc3339(text, sizeof(text), ms);
    text[10] = ' ';
    text[19] = '\0';
    (void)snprintf(out, size, "%s", text);
    return out;
}

static char *count_text(char *out, size_t size, int64_t n)
{
    if (n < 0)
        (void)snprintf(out, size, "-");
    else
        format_count_short(out, size, n);
    return out;
}

static const struct backups_row *row_at(const void *model, size_t row)
{
    return ((const struct backups_model *)model)->shown[row];
}

static size_t count(const void *model)
{
    return ((const struct backups_model *)model)->shown_count;
}

static struct str id_of(const void *model, size_t row)
{
    return str_from(row_at(model, row)->key);
}

static const char *holds_text(const struct backups_row *r)
{
    return !is_read(r) ? "-" : r->row.summary.filtered ? "part" : "all";
}

static const char *cell_number(const struct backups_row *r, enum column column, char *out,
                               size_t size)
{
    const struct backup_summary *s = &r->row.summary;

    if (column == COLUMN_KEYS)
        return count_text(out, size, number(r, s->keys));
    if (column == COLUMN_TTL)
        return count_text(out, size, number(r, s->with_ttl));
    return format_size_short(out, size, r->row.archive_bytes);
}

static void cell(const void *model, size_t row, size_t column, struct table_cell *out)
{
    const struct backups_model *m = model;
    const struct backups_row *r = row_at(model, row);
    size_t size = sizeof(out->scratch);
    const char *text = "-";

    switch ((enum column)column) {
    case COLUMN_TAKEN:
        text = taken_text(out->scratch, size, r->row.id.time_ms);
        break;
    case COLUMN_AGE:
        text = age_text(out->scratch, size, m->now_ms - r->row.id.time_ms);
        break;
    case COLUMN_WHERE:
        text = backups_place_name(r->place);
        break;
    case COLUMN_ENV:
        text = r->row.id.env;
        break;
    case COLUMN_STATE:
        text = backups_state_text(r);
        out->role = backups_state_role(r);
        break;
    case COLUMN_HOLDS:
        text = holds_text(r);
        out->role = strcmp(text, "part") == 0 ? ROLE_WARN : ROLE_TEXT;
        break;
    case COLUMN_KEYS:
    case COLUMN_TTL:
    case COLUMN_SIZE:
        text = cell_number(r, (enum column)column, out->scratch, size);
        break;
    case COLUMN_VERIFIED:
        text = r->verified;
        out->role = r->verified_role;
        break;
    case COLUMN_SERVER:
        text = is_read(r) && r->row.summary.server[0] != '\0' ? r->row.summary.server : "-";
        break;
    case COLUMN_ID:
        text = r->row.id.text;
        break;
    case COLUMNS:
        break;
    }
    out->text = str_from(text);
}

static int order(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare(const void *model, size_t a, size_t b, size_t column)
{
    const struct backups_row *x = row_at(model, a);
    const struct backups_row *y = row_at(model, b);
    struct table_cell left = {.role = ROLE_TEXT};
    struct table_cell right = {.role = ROLE_TEXT};

    switch ((enum column)column) {
    case COLUMN_TAKEN:
        return order(x->row.id.time_ms, y->row.id.time_ms);
    case COLUMN_AGE:
        return order(y->row.id.time_ms, x->row.id.time_ms);
    case COLUMN_KEYS:
        return order(number(x, x->row.summary.keys), number(y, y->row.summary.keys));
    case COLUMN_TTL:
        return order(number(x, x->row.summary.with_ttl), number(y, y->row.summary.with_ttl));
    case COLUMN_SIZE:
        return order(x->row.archive_bytes, y->row.archive_bytes);
    case COLUMN_WHERE:
    case COLUMN_ENV:
    case COLUMN_STATE:
    case COLUMN_HOLDS:
    case COLUMN_VERIFIED:
    case COLUMN_SERVER:
    case COLUMN_ID:
    case COLUMNS:
        break;
    }
    cell(model, a, column, &left);
    cell(model, b, column, &right);
    return str_compare(left.text, right.text);
}

const struct table_ops backups_table_ops = {
    .columns = columns,
    .columns_count = COLUMNS,
    .count = count,
    .cell = cell,
    .id = id_of,
    .compare = compare,
    .empty = "no backups here yet; B starts one",
};

/* ---- the pane below ---------------------------------------------------------------------------
 */

char *backups_state_line(char *out, size_t size, const struct backups_row *r, int64_t now_ms)
{
    char age[FORMAT_MAX];
    char bytes[FORMAT_MAX];
    const char *why = r->row.summary.reason;

    (void)snprintf(
        out, size, "%s, %s old, %s%s%s%s%s%s", backups_state_text(r),
        age_text(age, sizeof(age), now_ms - r->row.id.time_ms),
        r->row.archive_bytes >= 0 ? format_size(bytes, sizeof(bytes), r->row.archive_bytes)
                                  : "no archive",
        r->row.has_directory ? " and an unpacked directory" : "",
        r->writer[0] != '\0' ? ", by job " : "", r->writer, why[0] != '\0' ? ": " : "", why);
    return out;
}

char *backups_keys_line(char *out, size_t size, const struct backups_row *r)
{
    const struct backup_summary *s = &r->row.summary;
    char n[FORMAT_MAX];
    size_t len;

    if (!is_read(r)) {
        (void)snprintf(out, size, "keys      not known");
        return out;
    }
    (void)snprintf(out, size, "keys      %s%s",
                   s->keys >= 0 ? format_count(n, sizeof(n), s->keys) : "-",
                   s->filtered ? " (a part: filtered)" : "");
    for (size_t i = 0; i < s->type_count; i++) {
        len = strlen(out);
        (void)snprintf(out + len, size - len, "%s%s %s", i == 0 ? ":  " : "  ", s->types[i].name,
                       format_count(n, sizeof(n), s->types[i].keys));
    }
    return out;
}

char *backups_about_line(char *out, size_t size, const struct backups_row *r)
{
    const struct backup_summary *s = &r->row.summary;
    char ttl[FORMAT_MAX];
    char bad[FORMAT_MAX];

    if (!is_read(r))
        (void)snprintf(out, size, "server    not known");
    else
        (void)snprintf(out, size, "server    %s, %s; with TTL %s, unreadable %s; rbconsole %s",
                       s->server[0] != '\0' ? s->server : "?", s->mode[0] != '\0' ? s->mode : "?",
                       count_text(ttl, sizeof(ttl), s->with_ttl),
                       count_text(bad, sizeof(bad), s->unreadable), s->tool_version);
    return out;
}

char *backups_time_line(char *out, size_t size, const struct backups_row *r)
{
    const struct backup_summary *s = &r->row.summary;
    int64_t lasted = s->finished_ms - s->started_ms;
    char from[FORMAT_MAX];
    char took[FORMAT_MAX];

    if (!is_read(r) || s->started_ms <= 0 || lasted < 0)
        (void)snprintf(out, size, "taken     %s",
                       format_rfc3339(from, sizeof(from), r->row.id.time_ms));
    else
        (void)snprintf(
            out, size, "taken     %s, in %s", format_rfc3339(from, sizeof(from), s->started_ms),
            lasted < 1000 ? "less than 1 s" : format_duration(took, sizeof(took), lasted));
    return out;
}

char *backups_verify_line(char *out, size_t size, const struct backups_row *r)
{
    if (r->verified[0] == '-')
        (void)snprintf(out, size, "verified  not by a job of this console's state; v compares it");
    else
        (void)snprintf(out, size, "verified  %s", r->verified);
    return out;
}
