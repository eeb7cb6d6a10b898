/*
 * fixture_demo.h - a small console made of the kit alone: one table of odd names, with hostile,
 * wide and broken bytes, in a real terminal. A screen test runs itself as this program.
 */
#ifndef TESTS_TUI_FIXTURE_DEMO_H
#define TESTS_TUI_FIXTURE_DEMO_H

#include <stdbool.h>

/* Runs until somebody leaves; an exit status. Prints "left in peace" after the screen is gone. */
int demo_main(bool ascii);

#endif
