/*
 * dotenv.h - a file of lines NAME=VALUE, as `.env.<env>` beside the config.
 *
 * Blank lines and lines with # are skipped; `export ` in front is allowed; a value may stand in
 * single quotes (verbatim) or double quotes (\n \t \" \\ \$ are undone); outside of quotes " #"
 * starts a comment. Nothing is expanded or executed. Which names matter is the caller's business.
 */
#ifndef CORE_CONFIG_DOTENV_H
#define CORE_CONFIG_DOTENV_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/base/str.h"

#define DOTENV_SIZE_MAX ((size_t)256 << 10)

struct dotenv_line {
    char *name;
    char *value;
    int line;
};

struct dotenv {
    struct dotenv_line *items;
    size_t count, cap;
};

/* `name` is the file's, for messages ("config/.env.dev:3: …"). ERROR_CONFIG names the line. */
bool dotenv_parse(struct str text, const char *name, struct dotenv *out,
                  struct error *err) MUST_CHECK;
void dotenv_release(struct dotenv *d); /* wipes the values */
/* The last line with that name counts; NULL when there is none. */
const char *dotenv_get(const struct dotenv *d, const char *name);

#endif
