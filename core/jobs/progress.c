#include "core/jobs/progress.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/array.h"
#include "core/base/format.h"
#include "core/base/json.h"

#define SAMPLE_EVERY_MS 1000
#define RATE_WINDOW_MS 15000

void progress_init(struct progress *p)
{
    *p = (struct progress){.unit = "keys", .total = {.rate = -1, .eta_ms = -1}};
}

void progress_release(struct progress *p)
{
    free(p->rows);
    *p = (struct progress){0};
}

void progress_copy(struct progress *to, const struct progress *from)
{
    if (to == from)
        return;
    struct progress_bar *rows = to->rows;
    size_t cap = to->row_cap;
    *to = *from;
    if (from->row_count > 0) {
        rows = array_reserve(rows, &cap, from->row_count, sizeof(*rows));
        memcpy(rows, from->rows, from->row_count * sizeof(*rows));
    }
    to->rows = rows;
    to->row_cap = cap;
}

static struct progress_bar *row_at(struct progress *p, size_t row)
{
    if (row >= PROGRESS_ROWS)
        row = PROGRESS_ROWS - 1;
    while (p->row_count <= row) {
        ARRAY_PUSH(p->rows, p->row_count, p->row_cap) =
            (struct progress_bar){.rate = -1, .eta_ms = -1};
    }
    return &p->rows[row];
}

void progress_set_row(struct progress *p, size_t row, const char *name, uint64_t done,
                      uint64_t total)
{
    struct progress_bar *bar = row_at(p, row);
    if (name != NULL)
        progress_set_name(p, row, name);
    bar->done = done;
    bar->total = total;
}

void progress_set_name(struct progress *p, size_t row, const char *name)
{
    struct progress_bar *bar = row_at(p, row);
    (void)str_copy(str_from(name), bar->name, sizeof(bar->name));
}

void progress_set_word(struct progress *p, size_t row, const char *word)
{
    struct progress_bar *bar = row_at(p, row);
    (void)str_copy(str_from(word), bar->word, sizeof(bar->word));
}

void progress_set_total(struct progress *p, uint64_t done, uint64_t total)
{
    p->total_set = true;
    p->total.done = done;
    p->total.total = total;
}

static struct progress_counter *counter_at(struct progress *p, const char *name)
{
    char cut[sizeof(p->counters[0].name)];
    (void)str_copy(str_from(name), cut, sizeof(cut));
    for (size_t i = 0; i < p->counter_count; i++)
        if (strcmp(p->counters[i].name, cut) == 0)
            return &p->counters[i];
    if (p->counter_count == PROGRESS_COUNTERS)
        return NULL;
    struct progress_counter *c = &p->counters[p->counter_count++];
    memcpy(c->name, cut, sizeof(cut));
    c->value = 0;
    return c;
}

void progress_set_counter(struct progress *p, const char *name, int64_t value)
{
    struct progress_counter *c = counter_at(p, name);
    if (c != NULL)
        c->value = value;
}

void progress_add_counter(struct progress *p, const char *name, int64_t more)
{
    struct progress_counter *c = counter_at(p, name);
    if (c != NULL && __builtin_add_overflow(c->value, more, &c->value))
        c->value = more > 0 ? INT64_MAX : INT64_MIN;
}

int64_t progress_counter(const struct progress *p, const char *name)
{
    for (size_t i = 0; i < p->counter_count; i++)
        if (strcmp(p->counters[i].name, name) == 0)
            return p->counters[i].value;
    return 0;
}

/* ---- rates ------------------------------------------------------------------------------------
 */

static void take_sample(struct progress_samples *s, uint64_t done, int64_t mono_ms)
{
    size_t newest = s->count > 0 ? (s->count - 1) % PROGRESS_SAMPLES : 0;
    if (s->count > 0 && done < s->done[newest])
        s->count = 0; /* started again: the old samples say nothing about it */
    if (s->count > 0 && mono_ms - s->mono_ms[newest] < SAMPLE_EVERY_MS)
        return;
    s->done[s->count % PROGRESS_SAMPLES] = done;
    s->mono_ms[s->count % PROGRESS_SAMPLES] = mono_ms;
    s->count++;
}

/* Units per second since the oldest sample in the window; -1 before a whole second was seen. */
static int64_t rate_of(const struct progress_samples *s, uint64_t done, int64_t mono_ms)
{
    size_t kept = s->count < PROGRESS_SAMPLES ? s->count : PROGRESS_SAMPLES;
    for (size_t back = kept; back > 0; back--) {
        size_t at = (s->count - back) % PROGRESS_SAMPLES;
        int64_t span = mono_ms - s->mono_ms[at];
        if (span > RATE_WINDOW_MS && back > 1)
            continue;
        if (span < SAMPLE_EVERY_MS || done < s->done[at])
            return -1;
        double rate = (double)(done - s->done[at]) * 1000.0 / (double)span;
        return rate < 9.0e18 ? (int64_t)(rate + 0.5) : INT64_MAX;
    }
    return -1;
}

static bool bar_is_done(const struct progress_bar *bar)
{
    return strcmp(bar->word, "done") == 0 || (bar->total > 0 && bar->done >= bar->total);
}

static int64_t eta_of(const struct progress_bar *bar)
{
    if (bar_is_done(bar))
        return 0;
    if (bar->total == 0 || bar->rate <= 0)
        return -1;
    double ms = (double)(bar->total - bar->done) * 1000.0 / (double)bar->rate;
    return ms < 9.0e18 ? (int64_t)ms : -1;
}

static void tick_bar(struct progress_bar *bar, int64_t mono_ms, bool paused)
{
    if (paused) {
        bar->samples.count = 0;
        bar->rate = 0;
        bar->eta_ms = bar_is_done(bar) ? 0 : -1;
        return;
    }
    take_sample(&bar->samples, bar->done, mono_ms);
    bar->rate = rate_of(&bar->samples, bar->done, mono_ms);
    bar->eta_ms = eta_of(bar);
}

static void sum_rows(struct progress *p)
{
    uint64_t done = 0;
    uint64_t total = 0;
    bool known = p->row_count > 0;
    for (size_t i = 0; i < p->row_count; i++) {
        const struct progress_bar *bar = &p->rows[i];
        done += bar->done;
        total += bar->total;
        known = known && (bar->total > 0 || strcmp(bar->word, "done") == 0);
    }
    p->total.done = done;
    p->total.total = known ? total : 0;
}

void progress_tick(struct progress *p, int64_t mono_ms, bool paused)
{
    for (size_t i = 0; i < p->row_count; i++)
        tick_bar(&p->rows[i], mono_ms, paused);
    if (!p->total_set)
        sum_rows(p);
    tick_bar(&p->total, mono_ms, paused);
}

/* ---- the file ---------------------------------------------------------------------------------
 */

static int64_t signed_of(uint64_t n)
{
    return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

static void put_known(json_t *obj, const char *name, int64_t value)
{
    json_put(obj, name, value < 0 ? json_null() : json_integer(value));
}

static json_t *bar_to_json(const struct progress_bar *bar)
{
    json_t *obj = json_object();
    if (bar->name[0] != '\0')
        json_put_text(obj, "name", bar->name);
    if (bar->word[0] != '\0')
        json_put_text(obj, "word", bar->word);
    json_put_int(obj, "done", signed_of(bar->done));
    put_known(obj, "total", bar->total == 0 ? -1 : signed_of(bar->total));
    put_known(obj, "rate", bar->rate);
    put_known(obj, "eta_ms", bar->eta_ms);
    return obj;
}

static json_t *waiting_to_json(const struct progress_waiting *w)
{
    json_t *obj = json_object();
    char time[FORMAT_MAX];
    json_put_text(obj, "why", w->why);
    json_put_text(obj, "since", format_rfc3339_ms(time, sizeof(time), w->since_ms));
    json_put_text(obj, "until", format_rfc3339_ms(time, sizeof(time), w->until_ms));
    return obj;
}

json_t *progress_to_json(const struct progress *p)
{
    json_t *doc = json_object();
    json_put_text(doc, "stage", p->stage);
    json_put_text(doc, "unit", p->unit);
    json_put(doc, "total", bar_to_json(&p->total));
    json_t *rows = json_array();
    for (size_t i = 0; i < p->row_count; i++)
        json_push(rows, bar_to_json(&p->rows[i]));
    json_put(doc, "rows", rows);
    json_t *counters = json_object();
    for (size_t i = 0; i < p->counter_count; i++)
        json_put_int(counters, p->counters[i].name, p->counters[i].value);
    json_put(doc, "counters", counters);
    if (p->waiting.why[0] != '\0')
        json_put(doc, "waiting", waiting_to_json(&p->waiting));
    return doc;
}

static void bar_from_json(struct progress_bar *bar, const json_t *obj)
{
    int64_t done = json_int(obj, "done", 0);
    int64_t total = json_int(obj, "total", 0);
    *bar = (struct progress_bar){
        .done = done > 0 ? (uint64_t)done : 0,
        .total = total > 0 ? (uint64_t)total : 0,
        .rate = json_int(obj, "rate", -1),
        .eta_ms = json_int(obj, "eta_ms", -1),
    };
    (void)str_copy(str_from(json_text(obj, "name", "")), bar->name, sizeof(bar->name));
    (void)str_copy(str_from(json_text(obj, "word", "")), bar->word, sizeof(bar->word));
}

static void waiting_from_json(struct progress_waiting *w, const json_t *obj)
{
    *w = (struct progress_waiting){0};
    if (format_parse_utc(str_from(json_text(obj, "since", "")), &w->since_ms) &&
        format_parse_utc(str_from(json_text(obj, "until", "")), &w->until_ms))
        (void)str_copy(str_from(json_text(obj, "why", "")), w->why, sizeof(w->why));
}

void progress_from_json(struct progress *p, const json_t *doc)
{
    waiting_from_json(&p->waiting, json_object_get(doc, "waiting"));
    (void)str_copy(str_from(json_text(doc, "stage", "")), p->stage, sizeof(p->stage));
    (void)str_copy(str_from(json_text(doc, "unit", "keys")), p->unit, sizeof(p->unit));
    bar_from_json(&p->total, json_object_get(doc, "total"));
    const json_t *rows = json_object_get(doc, "rows");
    for (size_t i = 0; i < json_array_size(rows) && i < PROGRESS_ROWS; i++)
        bar_from_json(row_at(p, i), json_array_get(rows, i));
    json_t *counters = json_object_get(doc, "counters");
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(counters, name, value)
    {
        if (json_is_integer(value))
            progress_set_counter(p, name, json_integer_value(value));
    }
}
