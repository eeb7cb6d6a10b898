/*
 * console.h - the full-screen console's front door, called by main when no verb was given.
 *
 * Takes over the terminal until the operator leaves and always gives it back. inv->env is NULL
 * when nothing is configured: the console then asks for a seed address.
 */
#ifndef VIEWS_CONSOLE_H
#define VIEWS_CONSOLE_H

#include "views/verbs/verb.h"

/* Exit status; err is set when the console could not run (no terminal …). Main thread only. */
int console_run(const struct invocation *inv, struct error *err);

#endif
