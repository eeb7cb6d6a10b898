/*
 * command.h - commands as RESP arrays of bulk strings: binary safe, ready for a pipeline.
 *
 * Two ways: a struct command (argv of struct str) appended as a whole, or command_begin with the
 * number of arguments followed by exactly that many command_arg calls, straight into the buffer.
 * Pure; a buf belongs to one thread.
 */
#ifndef CORE_REDIS_COMMAND_H
#define CORE_REDIS_COMMAND_H

#include "core/base/buf.h"

struct command {
    const struct str *argv;
    size_t argc;
};

/* COMMAND(STR("GET"), key): lives until the end of the enclosing block. */
#define COMMAND(...)                                     \
    ((struct command){(const struct str[]){__VA_ARGS__}, \
                      sizeof((const struct str[]){__VA_ARGS__}) / sizeof(struct str)})

bool command_append(struct buf *out, struct command c, struct error *err) MUST_CHECK;
/* Words separated by single spaces: for fixed commands such as "CLUSTER SHARDS". */
bool command_words(struct buf *out, const char *words, struct error *err) MUST_CHECK;

bool command_begin(struct buf *out, size_t argc, struct error *err) MUST_CHECK;
bool command_arg(struct buf *out, struct str arg, struct error *err) MUST_CHECK;
bool command_arg_text(struct buf *out, const char *arg, struct error *err) MUST_CHECK;
bool command_arg_i64(struct buf *out, int64_t arg, struct error *err) MUST_CHECK;
bool command_arg_u64(struct buf *out, uint64_t arg, struct error *err) MUST_CHECK;

#endif
