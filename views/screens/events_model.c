#include "views/screens/events_model.h"

#include <stdio.h>
#include <string.h>

#include "core/base/format.h"

const struct event *events_model_at(const struct events_model *m, size_t row)
{
    return &m->events[m->count - 1 - row];
}

enum role events_model_role(enum event_level level)
{
    static const enum role roles[] = {[EVENT_INFO] = ROLE_TEXT,
                                      [EVENT_NOTICE] = ROLE_INFO,
                                      [EVENT_WARN] = ROLE_WARN,
                                      [EVENT_CRIT] = ROLE_BAD};

    return roles[level];
}

const char *events_model_level(enum event_level level)
{
    static const char *const names[] = {[EVENT_INFO] = "INFO",
                                        [EVENT_NOTICE] = "EVENT",
                                        [EVENT_WARN] = "WARN",
                                        [EVENT_CRIT] = "CRIT"};

    return names[level];
}

static size_t count(const void *model)
{
    const struct events_model *m = model;

    return m->count;
}

static void cell(const void *model, size_t row, size_t column, struct table_cell *out)
{
    const struct event *e = events_model_at(model, row);
    char time[FORMAT_MAX];

    switch ((enum events_column)column) {
    case EVENTS_TIME:
        (void)format_rfc3339_ms(time, sizeof(time), e->at_ms);
        (void)snprintf(out->scratch, sizeof(out->scratch), "%.5s %s", time + 5, time + 11);
        out->text = str_from(out->scratch);
        break;
    case EVENTS_LEVEL:
        out->text = str_from(events_model_level(e->level));
        out->role = events_model_role(e->level);
        break;
    case EVENTS_KIND:
        out->text = str_from(event_kind_info(e->kind)->name);
        break;
    case EVENTS_SHARD:
        out->text = str_from(e->shard);
        break;
    case EVENTS_TEXT:
        out->text = str_from(e->text);
        break;
    case EVENTS_BY:
        out->text = str_from(e->observer);
        break;
    case EVENTS_COLUMNS:
        break;
    }
}

/* Events have no name of their own: time and text are the same after a refresh. */
static struct str id(const void *model, size_t row)
{
    const struct event *e = events_model_at(model, row);

    return (struct str){(const char *)&e->at_ms, sizeof(e->at_ms)};
}

static const struct table_column columns[EVENTS_COLUMNS] = {
    [EVENTS_TIME] = {"TIME", 19, 0, 0, ALIGN_LEFT, false},
    [EVENTS_LEVEL] = {"LEVEL", 5, 0, 0, ALIGN_LEFT, false},
    [EVENTS_KIND] = {"KIND", 11, 0, 2, ALIGN_LEFT, false},
    [EVENTS_SHARD] = {"SH", 3, 0, 1, ALIGN_LEFT, false},
    [EVENTS_TEXT] = {"TEXT", 42, 1, 0, ALIGN_LEFT, false},
    [EVENTS_BY] = {"SEEN-BY", 21, 0, 3, ALIGN_LEFT, false},
};

static void copy(const void *model, size_t row, struct buf *out)
{
    const struct event *e = events_model_at(model, row);
    char time[FORMAT_MAX];

    buf_put(out, "%s %s %s %s", format_rfc3339_ms(time, sizeof(time), e->at_ms),
            events_model_level(e->level), e->shard, e->text);
}

const struct table_ops events_table_ops = {
    .columns = columns,
    .columns_count = EVENTS_COLUMNS,
    .count = count,
    .cell = cell,
    .id = id,
    .copy = copy,
    .empty = "no event yet: changes are told here as they are seen",
};
