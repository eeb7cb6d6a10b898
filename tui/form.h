/*
 * form.h - fields to fill in, checked as they are typed. A form is one const table of fields.
 *
 * Up, Down, Tab move; Left, Right or Space change a choice; Enter on a field goes to the next one
 * and on the accept button accepts. Nothing is accepted while a field is wrong: the reason stands
 * beside it. What is seldom needed stands behind a FIELD_FOLD, which says how much of it was
 * changed. Shown in a window by ui_form (tui/ui.h) or drawn by a view that embeds it. UI thread.
 */
#ifndef TUI_FORM_H
#define TUI_FORM_H

#include "tui/lineedit.h"
#include "tui/widget.h"

#define FORM_FIELDS_MAX 24

enum field_kind {
    FIELD_TEXT,
    FIELD_NUMBER, /* within min and max */
    FIELD_CHOICE, /* one of choices[] */
    FIELD_CHECK,  /* yes or no */
    FIELD_PATH,   /* of a file that is read later (password, CA): a text; ~ is not expanded */
    FIELD_LABEL,  /* no input: a heading or note */
    FIELD_FOLD    /* Space shows or hides all fields behind it; at most one in a form */
};

struct form_field {
    const char *id;
    const char *label;
    const char *help; /* shown below the form while the field is current */
    enum field_kind kind;
    const char *initial; /* text, number, choice; "yes" or "no" for FIELD_CHECK; NULL = empty */
    const char *const *choices; /* FIELD_CHOICE: ends with NULL */
    int64_t min, max;           /* FIELD_NUMBER */
    bool required;
    /* NULL when the value is good, else what is wrong ("no such environment"). May be NULL. */
    const char *(*check)(struct str value);
};

struct form_spec {
    const char *title;
    const char *accept;              /* label of the button: "Start backup" */
    const struct form_field *fields; /* ends with an all-zero row */
    bool danger;                     /* the button is drawn as one that changes things */
};

struct form {
    struct widget widget; /* first */
    const struct form_spec *spec;
    size_t count, current; /* current == count: accept, count + 1: cancel */
    size_t fold;           /* index of the FIELD_FOLD; count: none */
    bool unfolded;
    struct lineedit value[FORM_FIELDS_MAX];
    char *first[FORM_FIELDS_MAX]; /* what a field began with: tells what was changed */
    bool accepted, cancelled;
};

void form_init(struct form *f, const struct form_spec *spec);
void form_release(struct form *f); /* wipes the values */
/* Set the value that a field begins with; unknown ids are a defect of ours and abort. */
void form_set(struct form *f, const char *id, const char *value);
struct str form_value(const struct form *f, const char *id);
bool form_checked(const struct form *f, const char *id);
int64_t form_number(const struct form *f, const char *id); /* 0 when empty */
/* The first thing that is wrong, "label: reason" in out; false when all is good. */
bool form_problem(const struct form *f, char *out, size_t size);
void form_draw(const struct form *f, struct canvas *c, struct rect at);
struct rect form_wants(const struct form *f); /* w and h it would like to have */

extern const struct widget_ops form_widget;

#endif
