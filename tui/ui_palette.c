#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "tui/ui_private.h"

#define SHOWN_MAX 10

struct palette {
    struct overlay overlay; /* first */
    struct lineedit line;
    size_t picked;                  /* candidate that Tab has put in, SIZE_MAX: none yet */
    char prefix_text[LINEEDIT_MAX]; /* what was typed before the first Tab */
};

static const char *command_of(const struct action *a)
{
    return a->command != NULL ? a->command : a->id;
}

static bool in_palette(const struct ui_row *row)
{
    return (row->action->flags & ACTION_REPEAT) == 0;
}

static struct str first_word(struct str line)
{
    return str_slice(line, 0, str_find(line, ' '));
}

static struct str arguments(struct str line)
{
    return str_trim(str_slice(line, str_find(line, ' '), line.len));
}

static bool starts_with(const char *text, struct str prefix)
{
    return strncmp(text, prefix.ptr, prefix.len) == 0;
}

static size_t candidates(const struct ui *ui, struct str prefix, struct ui_row *out)
{
    struct ui_row rows[UI_ROWS_MAX];
    size_t count = ui_rows(ui, rows);
    size_t found = 0;

    for (size_t i = 0; i < count; i++)
        if (in_palette(&rows[i]) && starts_with(command_of(rows[i].action), prefix))
            out[found++] = rows[i];
    return found;
}

/* The row that a word means: its exact name first (the view's own before others), else the only one
 * that starts so. */
static bool find_row(const struct ui *ui, struct str word, struct ui_row *out)
{
    struct ui_row rows[UI_ROWS_MAX];
    size_t count = candidates(ui, word, rows);

    for (size_t i = 0; i < count; i++)
        if (str_is(word, command_of(rows[i].action)) || str_is(word, rows[i].action->id)) {
            *out = rows[i];
            return true;
        }
    if (count == 1)
        *out = rows[0];
    return count == 1;
}

static const char *nearest(const struct ui *ui, struct str word)
{
    struct ui_row rows[UI_ROWS_MAX];
    size_t count = ui_rows(ui, rows);
    const char *near = NULL;
    size_t best = 4;

    for (size_t i = 0; i < count; i++) {
        const char *name = command_of(rows[i].action);
        size_t d = in_palette(&rows[i]) ? str_distance(word, str_from(name), best) : best;

        if (d < best) {
            best = d;
            near = name;
        }
    }
    return near;
}

void ui_run_command(struct ui *ui, struct str line)
{
    struct str word;
    struct ui_row row;
    char shown[60];

    line = str_trim(line);
    word = first_word(line);
    if (word.len == 0)
        return;
    (void)str_copy(word, shown, sizeof(shown));
    if (!find_row(ui, word, &row)) {
        const char *near = nearest(ui, word);

        ui_toast(ui, TOAST_ERROR,
                 near != NULL ? "no command is called %s; did you mean :%s?"
                              : "no command is called %s%s",
                 shown, near != NULL ? near : "; Tab shows them");
        return;
    }
    if ((row.action->flags & ACTION_CONFIRM) != 0)
        ui_confirm_row(ui, &row);
    else
        ui_run_row(ui, &row, arguments(line));
}

/* The n-th completion of the argument that starts with prefix; NULL at the end. */
static const char *argument_at(const struct ui_row *row, struct str prefix, size_t n)
{
    const char *value;

    for (size_t i = 0; row->action->complete != NULL; i++) {
        value = row->action->complete(row->state, i);
        if (value == NULL)
            return NULL;
        if (starts_with(value, prefix) && n-- == 0)
            return value;
    }
    return NULL;
}

/* The n-th completion of the whole line in out; false at the end. */
static bool completion(const struct ui *ui, struct str typed, size_t n, char *out, size_t size)
{
    struct ui_row rows[UI_ROWS_MAX];
    struct ui_row row;
    const char *value;

    if (str_find(typed, ' ') == typed.len) {
        size_t count = candidates(ui, typed, rows);

        if (n >= count)
            return false;
        (void)snprintf(out, size, "%s%s", command_of(rows[n].action),
                       rows[n].action->usage != NULL ? " " : "");
        return true;
    }
    if (!find_row(ui, first_word(typed), &row))
        return false;
    value = argument_at(&row, arguments(typed), n);
    if (value != NULL)
        (void)snprintf(out, size, "%s %s", command_of(row.action), value);
    return value != NULL;
}

static void complete(struct palette *p, const struct ui *ui)
{
    char text[LINEEDIT_MAX];

    if (p->picked == SIZE_MAX) {
        (void)str_copy(lineedit_str(&p->line), p->prefix_text, sizeof(p->prefix_text));
        p->picked = 0;
    } else {
        p->picked++;
    }
    if (!completion(ui, str_from(p->prefix_text), p->picked, text, sizeof(text))) {
        p->picked = 0;
        if (!completion(ui, str_from(p->prefix_text), 0, text, sizeof(text)))
            return;
    }
    lineedit_set(&p->line, text);
}

static void draw_candidates(const struct palette *p, const struct ui *ui, struct canvas *c,
                            struct rect area)
{
    struct ui_row rows[UI_ROWS_MAX];
    struct str typed = p->picked == SIZE_MAX ? lineedit_str(&p->line) : str_from(p->prefix_text);
    size_t count = candidates(ui, first_word(typed), rows);
    int h = count > SHOWN_MAX ? SHOWN_MAX : (int)count;
    size_t top = p->picked != SIZE_MAX && p->picked >= SHOWN_MAX ? p->picked - SHOWN_MAX + 1 : 0;

    if (area.h < h + 3)
        h = area.h - 3 > 0 ? area.h - 3 : 0;
    for (int i = 0; i < h; i++) {
        const struct ui_row *row = &rows[top + (size_t)i];
        const char *why = ui_row_blocked(ui, row);
        struct rect line = {area.x, area.y + area.h - 1 - h + i, area.w, 1};

        canvas_fill(c, line, ROLE_DIALOG);
        (void)canvas_format(c, line, why != NULL ? ROLE_DIM : ROLE_DIALOG,
                            "  :%-18s %-14s %s%s%s%s", command_of(row->action),
                            row->action->usage != NULL ? row->action->usage : "",
                            why != NULL ? "(" : "", why != NULL ? why : "", why != NULL ? ") " : "",
                            row->action->help);
        if (top + (size_t)i == p->picked && str_find(typed, ' ') == typed.len)
            canvas_tint(c, line, ROLE_SELECTED);
    }
}

static void draw(const struct overlay *o, const struct ui *ui, struct canvas *c, struct rect area)
{
    const struct palette *p = (const struct palette *)o;
    struct rect line = {area.x, area.y + area.h - 1, area.w, 1};

    draw_candidates(p, ui, c, area);
    canvas_fill(c, line, ROLE_INPUT);
    (void)canvas_print(c, line, ROLE_KEY, ":");
    lineedit_draw(&p->line, c, (struct rect){line.x + 1, line.y, line.w - 1, 1}, true);
}

static void from_history(struct palette *p, struct ui *ui, int step)
{
    const char *line = history_move(&ui->history, step);

    if (line != NULL)
        lineedit_set(&p->line, line);
}

static void key(struct overlay *o, struct ui *ui, uint32_t pressed)
{
    struct palette *p = (struct palette *)o;
    struct lineedit line;

    if (pressed == TK_TAB) {
        complete(p, ui);
        return;
    }
    p->picked = SIZE_MAX;
    if (pressed == TK_ESC || pressed == (TK_CTRL | 'c') ||
        (pressed == TK_BACKSPACE && p->line.len == 0)) {
        ui_pop_overlay(ui, o);
    } else if (pressed == TK_UP || pressed == TK_DOWN) {
        from_history(p, ui, pressed == TK_UP ? -1 : 1);
    } else if (pressed == TK_ENTER) {
        line = p->line;
        history_add(&ui->history, lineedit_str(&line));
        ui_pop_overlay(ui, o);
        ui_run_command(ui, lineedit_str(&line));
    } else {
        (void)lineedit_key(&p->line, pressed);
    }
}

static void release(struct overlay *o)
{
    free(o);
}

static const struct overlay_ops palette_ops = {.draw = draw, .key = key, .release = release};

void ui_open_palette(struct ui *ui, const char *start)
{
    struct palette *p = mem_zero(1, sizeof(*p));

    p->overlay = (struct overlay){.ops = &palette_ops,
                                  .owner = ui_top(ui) != NULL ? ui_top(ui)->state : NULL};
    p->picked = SIZE_MAX;
    if (start[0] != '\0') {
        lineedit_set(&p->line, start);
        (void)lineedit_key(&p->line, ' ');
    }
    ui->history.at = ui->history.count;
    ui_push_overlay(ui, &p->overlay);
}
