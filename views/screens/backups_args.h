/*
 * backups_args.h - the words of a command line that the forms put together. UI thread.
 *
 * Only ever handed to app_start_job and app_command_text, which quote what needs it: no shell reads
 * them.
 */
#ifndef VIEWS_SCREENS_BACKUPS_ARGS_H
#define VIEWS_SCREENS_BACKUPS_ARGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/str.h"

#define ARGS_MAX 96

/* Zeroed memory is the empty list. More than ARGS_MAX words are left out and `full` is set. */
struct arg_list {
    char *items[ARGS_MAX + 1]; /* ends with NULL */
    size_t count;
    bool full;
};

void args_release(struct arg_list *a);
void args_add(struct arg_list *a, const char *word);
void args_option(struct arg_list *a, const char *name, struct str value); /* "" adds nothing */
void args_number(struct arg_list *a, const char *name, long long value);
/* The option once for each word between blanks in `value`. */
void args_each(struct arg_list *a, const char *name, struct str value);
/* The option once for each text in a JSON list. */
void args_list(struct arg_list *a, const char *name, const json_t *list);
const char *const *args_words(const struct arg_list *a);

#endif
