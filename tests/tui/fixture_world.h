/*
 * fixture_world.h - what the tests of the screen manager share: a made-up application of two
 * screens, driven by the names of keys and seen as text.
 *
 * One world at a time, made before and checked and freed after each test. Screen "first" is a
 * table with one action of every kind, screen "second" a line of text. `world` counts what ran.
 */
#ifndef TESTS_TUI_FIXTURE_WORLD_H
#define TESTS_TUI_FIXTURE_WORLD_H

#include <stdbool.h>
#include <stddef.h>

#include "tui/canvas_mem.h"
#include "tui/ui.h"

struct row {
    const char *id, *name;
    int size;
    bool child;
};

struct world {
    struct ui *ui;
    struct canvas *canvas;
    struct row rows[8];
    size_t row_count;
    const char *write_blocked;
    int destroyed, looked, opened, closed, updates;
    char reason[80], arg[80];
    const char *check;
};

extern struct world *world;

/* Set-up and tear-down of one test, in cmocka's form. */
int world_set_up(void **state);
int world_tear_down(void **state);
/* Presses keys by their names, divided by spaces, and draws. */
void world_keys(const char *names);
/* Types a text letter by letter, and draws. */
void world_type(const char *text);
bool world_sees(const char *text);
/* Fails, and prints the screen, when the text is not on it. */
void world_must_see(const char *text);

#endif
