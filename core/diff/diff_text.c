#include "core/diff/diff_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/escape.h"
#include "core/base/format.h"
#include "core/base/json.h"

#define CELL_MAX 1200
#define ROWS_SHOWN 20 /* of prefixes, shards and slots */

/* ---- a table --------------------------------------------------------------------------------- */

struct sheet {
    char **cells;
    size_t count, cap;
    size_t columns;
    size_t text_columns; /* the first ones: left, the others are numbers */
};

struct writer {
    struct buf *out;
    enum diff_style style;
};

static void put(struct writer *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void put(struct writer *w, const char *fmt, ...)
{
    struct error ignored = {0};
    char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) >= 0)
        (void)!buf_text(w->out, text, &ignored);
    va_end(ap);
    free(text);
}

/* '|' would end a cell, '`' '<' and '*' mean something in Markdown, a backslash protects them. */
static char *markdown_cell(const char *text)
{
    char *out = mem_alloc(2 * strlen(text) + 1);
    size_t used = 0;

    for (; *text != '\0'; text++) {
        if (strchr("|`<*_\\", *text) != NULL)
            out[used++] = '\\';
        out[used++] = *text;
    }
    out[used] = '\0';
    return out;
}

static void cell(struct writer *w, struct sheet *s, const char *text)
{
    char shown[CELL_MAX];

    (void)escape_text(shown, sizeof(shown), str_from(text));
    ARRAY_PUSH(s->cells, s->count, s->cap) =
        w->style == DIFF_MARKDOWN ? markdown_cell(shown) : mem_copy_text(shown);
}

static void cell_count(struct writer *w, struct sheet *s, const json_t *row, const char *member)
{
    const json_t *value = json_object_get(row, member);
    char text[FORMAT_MAX];

    cell(w, s,
         json_is_integer(value) ? format_count(text, sizeof(text), json_integer_value(value))
                                : "-");
}

/* Characters, as a terminal would count most of them. */
static size_t width_of(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void pad(struct writer *w, size_t n)
{
    put(w, "%*s", (int)n, "");
}

static void end_plain(struct writer *w, const struct sheet *s)
{
    size_t *widths = mem_zero(s->columns + 1, sizeof(*widths));

    for (size_t i = 0; i < s->count; i++)
        if (width_of(s->cells[i]) > widths[i % s->columns] && width_of(s->cells[i]) <= 60)
            widths[i % s->columns] = width_of(s->cells[i]);
    for (size_t i = 0; i < s->count; i++) {
        size_t column = i % s->columns;
        size_t width = width_of(s->cells[i]);
        size_t gap = width < widths[column] ? widths[column] - width : 0;
        bool last = column + 1 == s->columns;

        if (column >= s->text_columns)
            pad(w, gap);
        put(w, "%s", s->cells[i]);
        if (column < s->text_columns && !last)
            pad(w, gap);
        put(w, "%s", last ? "\n" : "  ");
    }
    free(widths);
}

static void end_markdown(struct writer *w, const struct sheet *s)
{
    for (size_t i = 0; i < s->count; i++) {
        bool last = i % s->columns + 1 == s->columns;

        put(w, "| %s %s", s->cells[i], last ? "|\n" : "");
        if (i + 1 != s->columns)
            continue;
        for (size_t c = 0; c < s->columns; c++)
            put(w, "|%s", c < s->text_columns ? "---" : "---:");
        put(w, "|\n");
    }
}

/* Write it and free it; one without rows but its head is left out. */
static void end_sheet(struct writer *w, struct sheet *s)
{
    if (s->count > s->columns && w->style == DIFF_MARKDOWN)
        end_markdown(w, s);
    else if (s->count > s->columns)
        end_plain(w, s);
    for (size_t i = 0; i < s->count; i++)
        free(s->cells[i]);
    free(s->cells);
    *s = (struct sheet){0};
}

static void title(struct writer *w, const char *text)
{
    put(w, w->style == DIFF_MARKDOWN ? "\n## %s\n\n" : "\n%s\n", text);
}

/* ---- the parts of a document ------------------------------------------------------------------
 */

static const char *const verdicts[] = {"same",  "differs", "ttl",   "removed",
                                       "added", "expired", "unsure"};
static const char *const changes[] = {"appeared", "gone", "changed", "stayed"};

static bool is_findings(const json_t *doc)
{
    return strcmp(json_text(doc, "level", ""), "findings") == 0;
}

static void put_side(struct writer *w, struct sheet *s, const json_t *doc, const char *letter)
{
    const json_t *side = json_object_get(doc, letter);
    const char *extent = json_text(side, "extent", "");
    char keys[FORMAT_MAX + 40] = "";
    char count[FORMAT_MAX];

    cell(w, s, letter[0] == 'a' ? "A" : "B");
    cell(w, s, json_text(side, "what", "?"));
    cell(w, s, json_text(side, "name", "?"));
    if (extent[0] != '\0')
        (void)snprintf(keys, sizeof(keys), "%s keys, %.20s",
                       format_count(count, sizeof(count), json_int(side, "checked", 0)), extent);
    else
        (void)snprintf(keys, sizeof(keys), "%s keys",
                       format_count(count, sizeof(count),
                                    json_int(json_object_get(doc, "summary"), letter, 0)));
    cell(w, s, keys);
    cell(w, s, extent[0] != '\0' ? json_text(side, "id", "") : json_text(side, "finished_at", ""));
}

static void put_head(struct writer *w, const json_t *doc)
{
    static const char *const heads[] = {"", "what", "name", "keys", "until"};
    struct sheet s = {.columns = COUNT_OF(heads), .text_columns = COUNT_OF(heads)};
    size_t i;
    const json_t *note;

    put(w, "%s%s\n\n", w->style == DIFF_MARKDOWN ? "# " : "",
        json_flag(doc, "equal", false) ? "No difference found" : "A and B differ");
    for (i = 0; i < COUNT_OF(heads); i++)
        cell(w, &s, heads[i]);
    put_side(w, &s, doc, "a");
    put_side(w, &s, doc, "b");
    end_sheet(w, &s);
    json_array_foreach(json_object_get(doc, "notes"), i, note)
    {
        char shown[CELL_MAX];

        put(w, w->style == DIFF_MARKDOWN ? "\n> %s\n" : "note: %s\n",
            escape_text(shown, sizeof(shown),
                        str_from(json_is_string(note) ? json_string_value(note) : "?")));
    }
}

static int64_t not_same(const json_t *row)
{
    int64_t n = 0;

    for (size_t i = 1; i < COUNT_OF(verdicts); i++)
        n += json_int(row, verdicts[i], 0) > 0;
    return n;
}

static void put_columns(struct writer *w, struct sheet *s, const char *first, bool known)
{
    cell(w, s, first);
    cell(w, s, "A");
    cell(w, s, "B");
    for (size_t i = 0; known && i < COUNT_OF(verdicts); i++)
        cell(w, s, verdicts[i]);
}

static void put_row(struct writer *w, struct sheet *s, const char *name, const json_t *row,
                    bool known)
{
    cell(w, s, name);
    cell_count(w, s, row, "a");
    cell_count(w, s, row, "b");
    for (size_t i = 0; known && i < COUNT_OF(verdicts); i++)
        cell_count(w, s, row, verdicts[i]);
}

/* Every key has a verdict; elsewhere only the keys of a sample have one, or none. */
static bool knows_verdicts(const json_t *doc)
{
    return strcmp(json_text(doc, "level", ""), "keys") == 0;
}

static void put_summary(struct writer *w, const json_t *doc)
{
    bool known = knows_verdicts(doc);
    struct sheet s = {.columns = known ? 3 + COUNT_OF(verdicts) : 3, .text_columns = 1};
    size_t i;
    const json_t *row;

    put(w, "\n");
    put_columns(w, &s, w->style == DIFF_MARKDOWN ? "type" : "", known);
    put_row(w, &s, "all keys", json_object_get(doc, "summary"), known);
    json_array_foreach(json_object_get(doc, "types"), i, row)
    {
        put_row(w, &s, json_text(row, "type", "?"), row, known);
    }
    end_sheet(w, &s);
}

static void put_sample(struct writer *w, const json_t *doc)
{
    struct sheet s = {.columns = 1 + COUNT_OF(verdicts), .text_columns = 1};
    const json_t *summary = json_object_get(doc, "summary");
    char count[FORMAT_MAX];
    char heading[FORMAT_MAX + 40];

    if (strcmp(json_text(doc, "level", ""), "sample") != 0)
        return;
    (void)snprintf(heading, sizeof(heading), "The sample: %s keys",
                   format_count(count, sizeof(count), json_int(summary, "sampled", 0)));
    title(w, heading);
    cell(w, &s, w->style == DIFF_MARKDOWN ? "of the sample" : "");
    for (size_t i = 0; i < COUNT_OF(verdicts); i++)
        cell(w, &s, verdicts[i]);
    cell(w, &s, "all types");
    for (size_t i = 0; i < COUNT_OF(verdicts); i++)
        cell_count(w, &s, summary, verdicts[i]);
    end_sheet(w, &s);
}

/* Rows in which something changed; the rest of them is a number. */
static void put_rows(struct writer *w, const json_t *doc, const char *list_name, const char *member,
                     const char *heading)
{
    const json_t *list = json_object_get(doc, list_name);
    bool known = knows_verdicts(doc);
    struct sheet s = {.columns = known ? 3 + COUNT_OF(verdicts) : 3, .text_columns = 1};
    size_t left = 0;
    size_t i;
    const json_t *row;

    put_columns(w, &s, member, known);
    json_array_foreach(list, i, row)
    {
        const json_t *name = json_object_get(row, member);
        char number[FORMAT_MAX];
        const char *text = json_is_string(name) ? json_string_value(name)
                           : json_is_integer(name)
                               ? format_count(number, sizeof(number), json_integer_value(name))
                               : "(others)";

        if (known ? not_same(row) == 0 : json_int(row, "a", 0) == json_int(row, "b", 0))
            continue;
        if (s.count / s.columns > ROWS_SHOWN)
            left++;
        else
            put_row(w, &s, text[0] == '\0' ? "(none)" : text, row, known);
    }
    if (s.count > s.columns)
        title(w, heading);
    end_sheet(w, &s);
    if (left > 0)
        put(w, "… and %zu more\n", left);
}

static void put_slots(struct writer *w, const json_t *doc)
{
    const json_t *slots = json_object_get(doc, "slots");
    char ranges[200];

    if (slots == NULL)
        return;
    put(w, "\n%lld slots compared, %lld the same, %lld differ",
        (long long)json_int(slots, "compared", 0), (long long)json_int(slots, "same", 0),
        (long long)json_int(slots, "differ", 0));
    if (json_int(slots, "only_deadlines", 0) > 0)
        put(w, " (%lld only in expiries)", (long long)json_int(slots, "only_deadlines", 0));
    if (json_int(slots, "differ", 0) > 0)
        put(w, ": %s",
            escape_text(ranges, sizeof(ranges), str_from(json_text(slots, "ranges", ""))));
    put(w, "\n");
}

/* A string as it is, a number as a number, null as nothing. */
static void cell_value(struct writer *w, struct sheet *s, const json_t *value)
{
    char text[FORMAT_MAX];

    if (json_is_integer(value)) {
        (void)snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
        cell(w, s, text);
    } else {
        cell(w, s, json_is_string(value) ? json_string_value(value) : "-");
    }
}

static void put_facts(struct writer *w, const json_t *doc)
{
    struct sheet s = {.columns = 3, .text_columns = 3};
    size_t i;
    const json_t *fact;

    cell(w, &s, "fact");
    cell(w, &s, "A");
    cell(w, &s, "B");
    json_array_foreach(json_object_get(doc, "facts"), i, fact)
    {
        cell(w, &s, json_text(fact, "fact", "?"));
        cell_value(w, &s, json_object_get(fact, "a"));
        cell_value(w, &s, json_object_get(fact, "b"));
    }
    if (s.count > s.columns)
        title(w, "Beside the keys");
    end_sheet(w, &s);
}

static void put_unnamed(struct writer *w, const json_t *doc)
{
    char count[FORMAT_MAX];

    if (json_int(doc, "unnamed", 0) > 0)
        put(w, "\n… and %s more that are not named\n",
            format_count(count, sizeof(count), json_int(doc, "unnamed", 0)));
}

/* "hash", or "set>list" where it became another one. */
static void cell_type(struct writer *w, struct sheet *s, const json_t *key)
{
    const char *a = json_text(key, "type_a", NULL);
    const char *b = json_text(key, "type_b", NULL);
    char text[80];

    if (a == NULL || b == NULL || strcmp(a, b) == 0)
        (void)snprintf(text, sizeof(text), "%.30s", a != NULL ? a : b != NULL ? b : "?");
    else
        (void)snprintf(text, sizeof(text), "%.30s>%.30s", a, b);
    cell(w, s, text);
}

static void put_keys(struct writer *w, const json_t *doc)
{
    struct sheet s = {.columns = 4, .text_columns = 4};
    size_t i;
    const json_t *key;

    cell(w, &s, "verdict");
    cell(w, &s, "type");
    cell(w, &s, "key");
    cell(w, &s, "detail");
    json_array_foreach(json_object_get(doc, "keys"), i, key)
    {
        cell(w, &s, json_text(key, "verdict", "?"));
        cell_type(w, &s, key);
        cell(w, &s, json_text(key, "key", "?"));
        cell(w, &s, json_text(key, "detail", ""));
    }
    if (s.count > s.columns)
        title(w, "Keys");
    end_sheet(w, &s);
    put_unnamed(w, doc);
}

/* ---- verifications --------------------------------------------------------------------------- */

static void put_verdicts(struct writer *w, const json_t *doc)
{
    struct sheet s = {.columns = 3, .text_columns = 1};
    size_t i;
    const json_t *row;

    put(w, "\n");
    cell(w, &s, "verdict");
    cell(w, &s, "A");
    cell(w, &s, "B");
    json_array_foreach(json_object_get(doc, "verdicts"), i, row)
    {
        cell(w, &s, json_text(row, "verdict", "?"));
        cell_count(w, &s, row, "a");
        cell_count(w, &s, row, "b");
    }
    end_sheet(w, &s);
}

static void put_findings(struct writer *w, const json_t *doc)
{
    static const char *const members[] = {"change",    "type",     "key",     "verdict_a",
                                          "verdict_b", "detail_a", "detail_b"};
    static const char *const heads[] = {"change", "type", "key", "A", "B", "detail A", "detail B"};
    struct sheet s = {.columns = COUNT_OF(members), .text_columns = COUNT_OF(members)};
    size_t i;
    const json_t *row;

    for (i = 0; i < COUNT_OF(heads); i++)
        cell(w, &s, heads[i]);
    json_array_foreach(json_object_get(doc, "keys"), i, row)
    {
        for (size_t m = 0; m < COUNT_OF(members); m++)
            cell(w, &s, json_text(row, members[m], "-"));
    }
    if (s.count > s.columns)
        title(w, "Findings");
    end_sheet(w, &s);
    put_unnamed(w, doc);
}

/* ---- all of it ------------------------------------------------------------------------------- */

void diff_text(const json_t *doc, enum diff_style style, struct buf *out)
{
    struct writer w = {out, style};
    char line[300];

    put_head(&w, doc);
    if (is_findings(doc)) {
        put_verdicts(&w, doc);
        put_findings(&w, doc);
    } else {
        put_summary(&w, doc);
        put_slots(&w, doc);
        put_facts(&w, doc);
        put_rows(&w, doc, "prefixes", "prefix", "Prefixes");
        put_rows(&w, doc, "shards", "shard", "Shards");
        put_sample(&w, doc);
        put_keys(&w, doc);
    }
    put(&w, "\n%s\n", diff_text_line(doc, line, sizeof(line)));
}

char *diff_text_line(const json_t *doc, char *out, size_t size)
{
    const json_t *summary = json_object_get(doc, "summary");
    const char *const *list = is_findings(doc) ? changes : verdicts;
    size_t count = is_findings(doc) ? COUNT_OF(changes) : COUNT_OF(verdicts);
    size_t used;

    (void)snprintf(out, size, "a=%lld b=%lld", (long long)json_int(summary, "a", 0),
                   (long long)json_int(summary, "b", 0));
    for (size_t i = 0; i < count; i++) {
        used = strlen(out);
        if (json_is_integer(json_object_get(summary, list[i])))
            (void)snprintf(out + used, size - used, " %s=%lld", list[i],
                           (long long)json_int(summary, list[i], 0));
    }
    return out;
}
