#include <strings.h>

#include "core/base/escape.h"
#include "core/redis/reply.h"

/* One row per kind, in the order of enum reply_error. `match` is the first word of the reply, or,
 * when it holds a space, the beginning of the whole text (servers share the word ERR). */
static const struct row {
    const char *match;
    const char *name;
    enum reply_action action;
    enum error_code code;
} rows[REPLY_ERRORS] = {
    [REPLY_ERROR_NONE] = {NULL, "NONE", REPLY_VALUE, ERROR_NONE},
    [REPLY_ERROR_MOVED] = {"MOVED", "MOVED", REPLY_FOLLOW, ERROR_REPLY},
    [REPLY_ERROR_ASK] = {"ASK", "ASK", REPLY_FOLLOW, ERROR_REPLY},
    [REPLY_ERROR_REDIRECT] = {"REDIRECT", "REDIRECT", REPLY_WAIT, ERROR_UNREACHABLE},
    [REPLY_ERROR_TRYAGAIN] = {"TRYAGAIN", "TRYAGAIN", REPLY_RETRY, ERROR_UNREACHABLE},
    [REPLY_ERROR_CLUSTERDOWN] = {"CLUSTERDOWN", "CLUSTERDOWN", REPLY_WAIT, ERROR_UNREACHABLE},
    [REPLY_ERROR_CROSSSLOT] = {"CROSSSLOT", "CROSSSLOT", REPLY_FATAL, ERROR_INTERNAL},
    [REPLY_ERROR_LOADING] = {"LOADING", "LOADING", REPLY_WAIT, ERROR_UNREACHABLE},
    [REPLY_ERROR_READONLY] = {"READONLY", "READONLY", REPLY_WAIT, ERROR_UNREACHABLE},
    [REPLY_ERROR_MASTERDOWN] = {"MASTERDOWN", "MASTERDOWN", REPLY_WAIT, ERROR_UNREACHABLE},
    [REPLY_ERROR_NOREPLICAS] = {"NOREPLICAS", "NOREPLICAS", REPLY_WAIT, ERROR_UNREACHABLE},
    [REPLY_ERROR_OOM] = {"OOM", "OOM", REPLY_FATAL, ERROR_STORAGE},
    [REPLY_ERROR_MISCONF] = {"MISCONF", "MISCONF", REPLY_FATAL, ERROR_STORAGE},
    [REPLY_ERROR_BUSY] = {"BUSY", "BUSY", REPLY_RETRY, ERROR_UNREACHABLE},
    [REPLY_ERROR_NOAUTH] = {"NOAUTH", "NOAUTH", REPLY_FATAL, ERROR_AUTH},
    [REPLY_ERROR_WRONGPASS] = {"WRONGPASS", "WRONGPASS", REPLY_FATAL, ERROR_AUTH},
    [REPLY_ERROR_NOPERM] = {"NOPERM", "NOPERM", REPLY_FATAL, ERROR_AUTH},
    [REPLY_ERROR_DENIED] = {"DENIED", "DENIED", REPLY_FATAL, ERROR_AUTH},
    [REPLY_ERROR_NOPROTO] = {"NOPROTO", "NOPROTO", REPLY_FATAL, ERROR_UNSUPPORTED},
    [REPLY_ERROR_MAXCLIENTS] = {"ERR max number of clients", "MAXCLIENTS", REPLY_WAIT,
                                ERROR_UNREACHABLE},
    [REPLY_ERROR_WRONGTYPE] = {"WRONGTYPE", "WRONGTYPE", REPLY_VALUE, ERROR_REPLY},
    [REPLY_ERROR_BUSYKEY] = {"BUSYKEY", "BUSYKEY", REPLY_VALUE, ERROR_CONFLICT},
    [REPLY_ERROR_BUSYGROUP] = {"BUSYGROUP", "BUSYGROUP", REPLY_VALUE, ERROR_CONFLICT},
    [REPLY_ERROR_NOGROUP] = {"NOGROUP", "NOGROUP", REPLY_VALUE, ERROR_REPLY},
    [REPLY_ERROR_NOSCRIPT] = {"NOSCRIPT", "NOSCRIPT", REPLY_VALUE, ERROR_REPLY},
    [REPLY_ERROR_EXECABORT] = {"EXECABORT", "EXECABORT", REPLY_VALUE, ERROR_REPLY},
    [REPLY_ERROR_UNBLOCKED] = {"UNBLOCKED", "UNBLOCKED", REPLY_VALUE, ERROR_REPLY},
    [REPLY_ERROR_NOGOODSLAVE] = {"NOGOODSLAVE", "NOGOODSLAVE", REPLY_VALUE, ERROR_REPLY},
    [REPLY_ERROR_INPROG] = {"INPROG", "INPROG", REPLY_VALUE, ERROR_REPLY},
    [REPLY_ERROR_UNKNOWN_COMMAND] = {"ERR unknown command", "UNKNOWN_COMMAND", REPLY_FATAL,
                                     ERROR_UNSUPPORTED},
    [REPLY_ERROR_NO_CLUSTER] = {"ERR This instance has cluster support disabled", "NO_CLUSTER",
                                REPLY_FATAL, ERROR_UNSUPPORTED},
    [REPLY_ERROR_NO_PASSWORD_SET] = {"ERR AUTH <password> called without any password",
                                     "NO_PASSWORD_SET", REPLY_FATAL, ERROR_AUTH},
    [REPLY_ERROR_OTHER] = {NULL, "OTHER", REPLY_VALUE, ERROR_REPLY},
};

/* Other texts of the same kinds. */
static const struct {
    const char *match;
    enum reply_error kind;
} aliases[] = {
    {"ERR unknown subcommand", REPLY_ERROR_UNKNOWN_COMMAND},
    {"ERR Client sent AUTH, but no password is set", REPLY_ERROR_NO_PASSWORD_SET},
    {"ERR invalid password", REPLY_ERROR_WRONGPASS},
    {"ERR operation not permitted", REPLY_ERROR_NOAUTH},
};

static bool begins(struct str text, const char *match)
{
    struct str m = str_from(match);
    bool whole = str_find(m, ' ') != m.len;
    if (text.len < m.len || strncasecmp(text.ptr, m.ptr, m.len) != 0)
        return false;
    return whole || text.len == m.len || text.ptr[m.len] == ' ';
}

enum reply_error reply_error_of(const struct reply *r)
{
    if (r->type != REPLY_ERROR)
        return REPLY_ERROR_NONE;
    for (int i = 0; i < REPLY_ERRORS; i++)
        if (rows[i].match != NULL && begins(r->str, rows[i].match))
            return (enum reply_error)i;
    for (size_t i = 0; i < COUNT_OF(aliases); i++)
        if (begins(r->str, aliases[i].match))
            return aliases[i].kind;
    return REPLY_ERROR_OTHER;
}

const char *reply_error_name(enum reply_error e)
{
    return rows[e].name;
}

enum reply_action reply_error_action(enum reply_error e)
{
    return rows[e].action;
}

enum error_code reply_error_code(enum reply_error e)
{
    return rows[e].code;
}

bool reply_check(const struct reply *r, const char *what, struct error *err)
{
    enum reply_error kind = reply_error_of(r);
    char shown[300];
    if (kind == REPLY_ERROR_NONE)
        return true;
    return error_set(err, rows[kind].code, (int)kind, "%s: %s", what,
                     escape_text(shown, sizeof(shown), r->str));
}

const struct reply *reply_find_error(const struct reply *r)
{
    if (r->type == REPLY_ERROR)
        return r;
    for (size_t i = 0; i < r->count; i++) {
        const struct reply *found = reply_find_error(&r->elements[i]); /* at most 8 levels */
        if (found != NULL)
            return found;
    }
    return NULL;
}
