/*
 * reply.h - RESP2 replies: the parser (hiredis' reader, nothing else of it), the values, and what
 * each kind of error reply asks us to do.
 *
 * A reply and all that hangs on it live in the parser's arena until the next reply_parser_next, so
 * big replies cost no allocation per element; reply_copy keeps one. Limits come from the caller:
 * elements in one reply, bytes of one reply, and 8 levels of nesting. After any failure the parser
 * refuses to go on: the connection must be closed. One thread.
 * Source: Redis serialization protocol specification, RESP2.
 */
#ifndef CORE_REDIS_REPLY_H
#define CORE_REDIS_REPLY_H

#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/base/str.h"

enum reply_type {
    REPLY_NIL, /* null bulk string or null array */
    REPLY_STRING,
    REPLY_STATUS,
    REPLY_ERROR,
    REPLY_INTEGER,
    REPLY_ARRAY,
};

struct reply {
    enum reply_type type;
    struct str str;         /* STRING, STATUS, ERROR; NUL-terminated after len */
    int64_t integer;        /* INTEGER */
    struct reply *elements; /* ARRAY: `count` values side by side */
    size_t count;
};

/* ---- parser ---------------------------------------------------------------------------------- */
#define REPLY_MAX_ELEMENTS ((size_t)1 << 20) /* default; arrays within arrays included */
#define REPLY_MAX_BYTES (((size_t)512 << 20) + (1 << 16)) /* default; of one reply */

struct reply_parser;

struct reply_parser *reply_parser_new(size_t max_elements, size_t max_bytes); /* 0 = the default */
void reply_parser_free(struct reply_parser *p);
/* Take bytes from the wire, any number, cut anywhere. ERROR_LIMIT when they cannot be held. */
bool reply_parser_feed(struct reply_parser *p, struct str bytes, struct error *err) MUST_CHECK;
/* The next complete reply in *out, or NULL in *out when more bytes are needed. The one before is
 * gone. ERROR_CORRUPT: not RESP; ERROR_LIMIT: too many elements or bytes. */
bool reply_parser_next(struct reply_parser *p, const struct reply **out,
                       struct error *err) MUST_CHECK;
size_t reply_parser_waiting(const struct reply_parser *p); /* bytes fed and not yet returned */

struct reply *reply_copy(struct arena *a, const struct reply *r); /* deep */

/* ---- values ---------------------------------------------------------------------------------- */
/* true and untouched err when r is of that type; else ERROR_REPLY naming `what` (an error reply
 * gets the code of its kind, see reply_check). */
bool reply_want_array(const struct reply *r, const char *what, struct error *err) MUST_CHECK;
bool reply_want_string(const struct reply *r, const char *what, struct str *out,
                       struct error *err) MUST_CHECK; /* STRING or STATUS */
bool reply_want_i64(const struct reply *r, const char *what, int64_t *out,
                    struct error *err) MUST_CHECK; /* INTEGER, or a STRING that is one */
bool reply_want_ok(const struct reply *r, const char *what, struct error *err) MUST_CHECK;
bool reply_is(const struct reply *r, const char *text); /* STRING or STATUS with this text */
/* Member of a flat name, value, name, value … array; NULL when absent. */
const struct reply *reply_member(const struct reply *r, const char *name);

/* ---- error replies --------------------------------------------------------------------------- */
enum reply_error {
    REPLY_ERROR_NONE = 0,
    REPLY_ERROR_MOVED,
    REPLY_ERROR_ASK,
    REPLY_ERROR_REDIRECT, /* Valkey 8+, not in cluster mode */
    REPLY_ERROR_TRYAGAIN,
    REPLY_ERROR_CLUSTERDOWN,
    REPLY_ERROR_CROSSSLOT,
    REPLY_ERROR_LOADING,
    REPLY_ERROR_READONLY,
    REPLY_ERROR_MASTERDOWN,
    REPLY_ERROR_NOREPLICAS,
    REPLY_ERROR_OOM,
    REPLY_ERROR_MISCONF,
    REPLY_ERROR_BUSY,
    REPLY_ERROR_NOAUTH,
    REPLY_ERROR_WRONGPASS,
    REPLY_ERROR_NOPERM,
    REPLY_ERROR_DENIED, /* protected mode */
    REPLY_ERROR_NOPROTO,
    REPLY_ERROR_MAXCLIENTS,
    REPLY_ERROR_WRONGTYPE,
    REPLY_ERROR_BUSYKEY,
    REPLY_ERROR_BUSYGROUP,
    REPLY_ERROR_NOGROUP,
    REPLY_ERROR_NOSCRIPT,
    REPLY_ERROR_EXECABORT,
    REPLY_ERROR_UNBLOCKED,
    REPLY_ERROR_NOGOODSLAVE,
    REPLY_ERROR_INPROG,
    REPLY_ERROR_UNKNOWN_COMMAND, /* or an unknown subcommand */
    REPLY_ERROR_NO_CLUSTER,      /* cluster support disabled */
    REPLY_ERROR_NO_PASSWORD_SET, /* AUTH sent to a server that has none */
    REPLY_ERROR_OTHER,
    REPLY_ERRORS
};

/* What the routing layer may do about it. */
enum reply_action {
    REPLY_FATAL,  /* retrying cannot help; err->code of the kind says who can mend it */
    REPLY_FOLLOW, /* go to the address in the reply */
    REPLY_RETRY,  /* the same node, soon */
    REPLY_WAIT,   /* an outage: refresh the map and try again within the outage budget */
    REPLY_VALUE,  /* an answer about the data: the caller's business */
};

enum reply_error reply_error_of(const struct reply *r); /* NONE when it is no error */
const char *reply_error_name(enum reply_error e);       /* "MOVED", …, "OTHER" */
enum reply_action reply_error_action(enum reply_error e);
enum error_code reply_error_code(enum reply_error e);
/* true when r is no error reply. Else err = "<what>: <escaped text>", with the code of the kind and
 * the kind (enum reply_error) as detail. */
bool reply_check(const struct reply *r, const char *what, struct error *err) MUST_CHECK;
/* First error inside r at any depth (EXEC's results), or NULL. */
const struct reply *reply_find_error(const struct reply *r);

#endif
