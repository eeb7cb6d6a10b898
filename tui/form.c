#include "tui/form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

static const struct form_field *field_at(const struct form *f, size_t i)
{
    return &f->spec->fields[i];
}

static void begin_with(struct form *f, size_t i, const char *value)
{
    lineedit_set(&f->value[i], value);
    free(f->first[i]);
    f->first[i] = mem_copy_text(f->value[i].text);
}

static void set_initial(struct form *f, size_t i)
{
    const struct form_field *field = field_at(f, i);
    const char *value = field->initial;

    if (value == NULL && field->kind == FIELD_CHOICE)
        value = field->choices[0];
    if (value == NULL && field->kind == FIELD_CHECK)
        value = "no";
    begin_with(f, i, value != NULL ? value : "");
}

/* Fields 0 to this one are there; those behind a closed fold are not. */
static size_t shown_count(const struct form *f)
{
    return f->fold < f->count && !f->unfolded ? f->fold + 1 : f->count;
}

static bool takes_input(const struct form *f, size_t i)
{
    return i >= f->count || (i < shown_count(f) && field_at(f, i)->kind != FIELD_LABEL);
}

static void step(struct form *f, int by)
{
    size_t places = f->count + 2;

    do {
        f->current = (f->current + places + (size_t)(by + (int)places)) % places;
    } while (!takes_input(f, f->current));
}

void form_init(struct form *f, const struct form_spec *spec)
{
    memset(f, 0, sizeof(*f));
    f->widget.ops = &form_widget;
    f->spec = spec;
    while (f->count < FORM_FIELDS_MAX && spec->fields[f->count].label != NULL) {
        set_initial(f, f->count);
        f->count++;
    }
    while (f->fold < f->count && field_at(f, f->fold)->kind != FIELD_FOLD)
        f->fold++;
    if (!takes_input(f, f->current))
        step(f, 1);
}

void form_release(struct form *f)
{
    for (size_t i = 0; i < f->count; i++) {
        lineedit_clear(&f->value[i]);
        free(f->first[i]);
        f->first[i] = NULL;
    }
}

static size_t find(const struct form *f, const char *id)
{
    for (size_t i = 0; i < f->count; i++)
        if (field_at(f, i)->id != NULL && strcmp(field_at(f, i)->id, id) == 0)
            return i;
    abort(); /* a defect of ours: no such field */
}

void form_set(struct form *f, const char *id, const char *value)
{
    begin_with(f, find(f, id), value);
}

struct str form_value(const struct form *f, const char *id)
{
    return lineedit_str(&f->value[find(f, id)]);
}

bool form_checked(const struct form *f, const char *id)
{
    return str_is(form_value(f, id), "yes");
}

int64_t form_number(const struct form *f, const char *id)
{
    int64_t value = 0;

    return str_to_i64(form_value(f, id), &value) ? value : 0;
}

/* What is wrong with one field; NULL when nothing is. */
static const char *wrong(const struct form *f, size_t i, char *out, size_t size)
{
    const struct form_field *field = field_at(f, i);
    struct str value = lineedit_str(&f->value[i]);
    int64_t number = 0;

    if (field->kind == FIELD_LABEL || field->kind == FIELD_FOLD)
        return NULL;
    if (value.len == 0)
        return field->required ? "is needed" : NULL;
    if (field->kind == FIELD_NUMBER &&
        (!str_to_i64(value, &number) || number < field->min || number > field->max)) {
        (void)snprintf(out, size, "want a number from %lld to %lld", (long long)field->min,
                       (long long)field->max);
        return out;
    }
    return field->check != NULL ? field->check(value) : NULL;
}

bool form_problem(const struct form *f, char *out, size_t size)
{
    for (size_t i = 0; i < f->count; i++) {
        char text[120];
        const char *why = wrong(f, i, text, sizeof(text));

        if (why != NULL) {
            (void)snprintf(out, size, "%s: %s", field_at(f, i)->label, why);
            return true;
        }
    }
    return false;
}

static void turn_choice(struct form *f, size_t i, int by)
{
    const char *const *choices = field_at(f, i)->choices;
    int count = 0;
    int now = 0;

    for (; choices[count] != NULL; count++)
        if (str_is(lineedit_str(&f->value[i]), choices[count]))
            now = count;
    if (count > 0)
        lineedit_set(&f->value[i], choices[(now + by + count) % count]);
}

static bool field_key(struct form *f, uint32_t key)
{
    const struct form_field *field = field_at(f, f->current);

    switch (field->kind) {
    case FIELD_CHOICE:
        if (key == TK_LEFT || key == TK_RIGHT || key == TK_SPACE)
            turn_choice(f, f->current, key == TK_LEFT ? -1 : 1);
        return true;
    case FIELD_CHECK:
        if (key == TK_SPACE || key == TK_LEFT || key == TK_RIGHT)
            lineedit_set(&f->value[f->current],
                         str_is(lineedit_str(&f->value[f->current]), "yes") ? "no" : "yes");
        return true;
    case FIELD_FOLD:
        if (key == TK_SPACE || key == TK_LEFT || key == TK_RIGHT)
            f->unfolded = key == TK_SPACE ? !f->unfolded : key == TK_RIGHT;
        return true;
    case FIELD_TEXT:
    case FIELD_NUMBER:
    case FIELD_PATH:
    case FIELD_LABEL:
        break;
    }
    return lineedit_key(&f->value[f->current], key);
}

/* A field that is wrong and cannot be seen is shown. */
static void accept(struct form *f)
{
    char why[200];

    f->accepted = !form_problem(f, why, sizeof(why));
    for (size_t i = shown_count(f); i < f->count && !f->accepted; i++)
        if (wrong(f, i, why, sizeof(why)) != NULL) {
            f->unfolded = true;
            f->current = i;
            break;
        }
}

static void enter(struct form *f)
{
    if (f->current < f->count)
        step(f, 1);
    else if (f->current == f->count + 1)
        f->cancelled = true;
    else
        accept(f);
}

static bool form_key(void *widget, uint32_t key)
{
    struct form *f = widget;

    if (key == TK_ESC || key == (TK_CTRL | 'c'))
        f->cancelled = true;
    else if (key == TK_ENTER)
        enter(f);
    else if (key == TK_TAB || key == TK_DOWN)
        step(f, 1);
    else if (key == TK_BACKTAB || key == TK_UP)
        step(f, -1);
    else if (f->current >= f->count && (key == TK_LEFT || key == TK_RIGHT))
        f->current = f->current == f->count ? f->count + 1 : f->count;
    else if (f->current < f->count)
        return field_key(f, key);
    return true;
}

static bool grabs(const void *widget UNUSED)
{
    return true;
}

static int label_width(const struct form *f)
{
    int width = 0;

    for (size_t i = 0; i < f->count; i++) {
        int w = text_width(str_from(field_at(f, i)->label), false);

        if (field_at(f, i)->kind != FIELD_LABEL && field_at(f, i)->kind != FIELD_FOLD && w > width)
            width = w;
    }
    return width;
}

static void draw_value(const struct form *f, size_t i, struct canvas *c, struct rect at)
{
    bool current = i == f->current;
    enum role role = current ? ROLE_SELECTED : ROLE_INPUT;
    const char *text = f->value[i].text;

    switch (field_at(f, i)->kind) {
    case FIELD_CHOICE:
        (void)canvas_format(c, at, role, "< %s >", text);
        return;
    case FIELD_CHECK:
        (void)canvas_print(c, at, role, strcmp(text, "yes") == 0 ? "[x]" : "[ ]");
        return;
    case FIELD_TEXT:
    case FIELD_NUMBER:
    case FIELD_PATH:
        lineedit_draw(&f->value[i], c, at, current);
        return;
    case FIELD_LABEL:
    case FIELD_FOLD:
        return;
    }
}

/* "[+] More options (Space)", and how many behind it are not what they began with. */
static void draw_fold(const struct form *f, struct canvas *c, struct rect at)
{
    size_t changed = 0;
    int used;

    for (size_t i = f->fold + 1; i < f->count; i++)
        if (strcmp(f->value[i].text, f->first[i]) != 0)
            changed++;
    used = canvas_format(c, at, f->current == f->fold ? ROLE_SELECTED : ROLE_DIALOG, "[%c] %s",
                         f->unfolded ? '-' : '+', field_at(f, f->fold)->label);
    at.x += used + 2;
    at.w -= used + 2;
    if (changed > 0)
        (void)canvas_format(c, at, ROLE_WARN, "%zu changed", changed);
    else if (!f->unfolded)
        (void)canvas_print(c, at, ROLE_DIM, "Space shows them");
}

static void draw_field(const struct form *f, size_t i, struct canvas *c, struct rect at, int labels)
{
    const struct form_field *field = field_at(f, i);
    struct rect value = {at.x + labels + 4, at.y, at.w - labels - 4, at.h};
    char text[120];
    const char *why = wrong(f, i, text, sizeof(text));

    if (field->kind == FIELD_LABEL) {
        (void)canvas_print(c, at, ROLE_TITLE, field->label);
        return;
    }
    (void)canvas_print(c, at, ROLE_DIALOG, i == f->current ? ">" : " ");
    if (field->kind == FIELD_FOLD) {
        draw_fold(f, c, (struct rect){at.x + 2, at.y, at.w - 2, 1});
        return;
    }
    (void)canvas_print(c, (struct rect){at.x + 2, at.y, labels, 1}, ROLE_DIALOG, field->label);
    if (why != NULL && value.w > 40) {
        struct rect note = {value.x + value.w / 2 + 1, value.y, value.w - value.w / 2 - 1, 1};

        value.w /= 2;
        (void)canvas_print(c, note, ROLE_WARN, why);
    }
    draw_value(f, i, c, value);
}

static void draw_buttons(const struct form *f, struct canvas *c, struct rect at)
{
    char why[200];
    bool stuck = form_problem(f, why, sizeof(why));
    enum role accept = f->current == f->count ? ROLE_SELECTED
                       : stuck                ? ROLE_DIM
                       : f->spec->danger      ? ROLE_DANGER
                                              : ROLE_KEY;
    int used = canvas_format(c, at, accept, f->current == f->count ? ">[ %s ]<" : " [ %s ] ",
                             f->spec->accept);
    struct rect cancel = {at.x + used + 2, at.y, at.w - used - 2, at.h};

    used += 2 + canvas_print(c, cancel, f->current > f->count ? ROLE_SELECTED : ROLE_KEY,
                             f->current > f->count ? ">[ Cancel ]<" : " [ Cancel ] ");
    if (stuck)
        (void)canvas_format(c, (struct rect){at.x + used + 2, at.y, at.w - used - 2, 1}, ROLE_WARN,
                            "%s", why);
}

/* That there is more than the window shows, at the end of its first and last row. */
static void draw_edges(struct canvas *c, struct rect rows, bool above, bool below)
{
    static const char up[] = " ^ more";
    static const char down[] = " v more";
    int w = (int)sizeof(up) - 1;

    if (rows.w < 2 * w || rows.h < 1)
        return;
    if (above)
        (void)canvas_print(c, (struct rect){rows.x + rows.w - w, rows.y, w, 1}, ROLE_DIM, up);
    if (below)
        (void)canvas_print(c, (struct rect){rows.x + rows.w - w, rows.y + rows.h - 1, w, 1},
                           ROLE_DIM, down);
}

void form_draw(const struct form *f, struct canvas *c, struct rect at)
{
    int labels = label_width(f);
    struct rect rows = at;
    struct rect buttons = rect_take_bottom(&rows, 1);
    struct rect help = rect_take_bottom(&rows, 2);
    int shown = (int)shown_count(f);
    int current = (int)f->current < shown ? (int)f->current : shown - 1;
    int top = current >= rows.h ? current - rows.h + 1 : 0;

    for (int y = 0; y < rows.h && top + y < shown; y++)
        draw_field(f, (size_t)top + (size_t)y, c, rect_row(rows, y), labels);
    draw_edges(c, rows, top > 0, top + rows.h < shown);
    if (f->current < f->count && field_at(f, f->current)->help != NULL)
        (void)canvas_wrap(c, help, ROLE_DIM, str_from(field_at(f, f->current)->help));
    draw_buttons(f, c, buttons);
}

struct rect form_wants(const struct form *f)
{
    return (struct rect){0, 0, label_width(f) + 60, (int)shown_count(f) + 4};
}

const struct widget_ops form_widget = {.name = "Form", .grabs = grabs, .key = form_key};
