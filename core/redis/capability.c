#include "core/redis/capability.h"

#include <string.h>

#include "core/redis/info.h"

#define NEVER 999999

/* One row per command, in the order of enum capability_command: the name as COMMAND INFO takes it,
 * and the first version of each vendor that has it. Subcommands ("a|b") are known to COMMAND INFO
 * only from 7.0 on: before that the version decides. */
static const struct row {
    const char *name;
    int redis;
    int valkey;
} rows[CAP_COMMANDS] = {
    [CAP_CLUSTER_SHARDS] = {"cluster|shards", 70000, 70000},
    [CAP_CLUSTER_LINKS] = {"cluster|links", 70000, 70000},
    [CAP_CLUSTER_MYSHARDID] = {"cluster|myshardid", 70200, 70200},
    [CAP_CLUSTER_SLOT_STATS] = {"cluster|slot-stats", 80200, 80000},
    [CAP_CLUSTER_MIGRATESLOTS] = {"cluster|migrateslots", NEVER, 90000},
    [CAP_CLUSTERSCAN] = {"clusterscan", NEVER, 90100},
    [CAP_CLIENT_NO_TOUCH] = {"client|no-touch", 70200, 70200},
    [CAP_CLIENT_NO_EVICT] = {"client|no-evict", 70000, 70000},
    [CAP_EXPIRETIME] = {"pexpiretime", 70000, 70000},
    [CAP_HASH_FIELD_EXPIRY] = {"hpexpiretime", 70400, 90000},
    [CAP_HSETEX] = {"hsetex", 80000, 90000},
    [CAP_FUNCTION] = {"function", 70000, 70000},
    [CAP_MEMORY_USAGE] = {"memory", 40000, 70000},
    [CAP_OBJECT] = {"object", 20000, 70000},
    [CAP_CONFIG] = {"config", 20000, 70000},
    [CAP_WAIT] = {"wait", 30000, 70000},
    [CAP_WAITAOF] = {"waitaof", 70200, 70200},
    [CAP_COPY] = {"copy", 60200, 70000},
    [CAP_UNLINK] = {"unlink", 40000, 70000},
    [CAP_DUMP] = {"dump", 20600, 70000},
    [CAP_RESTORE] = {"restore", 20600, 70000},
    [CAP_DEBUG] = {"debug", 10000, 70000},
    [CAP_LATENCY] = {"latency", 20813, 70000},
    [CAP_SLOWLOG] = {"slowlog", 20212, 70000},
    [CAP_ACL_DRYRUN] = {"acl|dryrun", 70000, 70000},
    [CAP_XNACK] = {"xnack", 80800, NEVER},
};

static const char *const flavour_names[] = {
    [FLAVOUR_REDIS] = "redis",
    [FLAVOUR_VALKEY] = "valkey",
    [FLAVOUR_OTHER] = "other",
};

const char *flavour_name(enum flavour f)
{
    return flavour_names[f];
}

const char *capability_command_name(enum capability_command c)
{
    return rows[c].name;
}

static int first_version(const struct row *r, enum flavour f)
{
    return f == FLAVOUR_VALKEY ? r->valkey : r->redis;
}

static void guess_all(struct capability *c)
{
    for (int i = 0; i < CAP_COMMANDS; i++)
        c->has[i] = c->version_number >= first_version(&rows[i], c->flavour);
}

/* "7.0.15" or "8.1.7-rc1": 70015, 80107; 0 when it is no version. */
static int version_number(struct str text)
{
    int number = 0;
    for (int i = 0; i < 3; i++) {
        struct str piece = {0};
        uint32_t value = 0;
        (void)str_split(&text, '.', &piece);
        size_t digits = 0;
        while (digits < piece.len && piece.ptr[digits] >= '0' && piece.ptr[digits] <= '9')
            digits++;
        if (digits > 0 && !str_to_u32(str_slice(piece, 0, digits), &value))
            return 0;
        number = number * 100 + (int)(value < 99 ? value : 99);
    }
    return number;
}

bool capability_from_info(struct str text, struct capability *out, struct error *err)
{
    struct info info;
    info_parse(&info, text);
    if (info.version.len == 0)
        return error_set(err, ERROR_REPLY, 0, "INFO server names no version");
    memset(out, 0, sizeof(*out));
    out->flavour = str_is(info.flavour, "redis")    ? FLAVOUR_REDIS
                   : str_is(info.flavour, "valkey") ? FLAVOUR_VALKEY
                                                    : FLAVOUR_OTHER;
    (void)str_copy(info.version, out->version, sizeof(out->version));
    (void)str_copy(info.redis_mode, out->mode, sizeof(out->mode));
    (void)str_copy(info.run_id, out->run_id, sizeof(out->run_id));
    out->version_number = version_number(info.version);
    out->guessed = true;
    guess_all(out);
    return true;
}

bool capability_command(struct buf *out, struct error *err)
{
    bool ok = command_begin(out, 2 + CAP_COMMANDS, err) && command_arg_text(out, "COMMAND", err) &&
              command_arg_text(out, "INFO", err);
    for (int i = 0; ok && i < CAP_COMMANDS; i++)
        ok = command_arg_text(out, rows[i].name, err);
    return ok;
}

void capability_from_commands(const struct reply *r, struct capability *c)
{
    if (r == NULL || r->type != REPLY_ARRAY || r->count != CAP_COMMANDS)
        return; /* what the version says stays, and `guessed` tells so */
    c->guessed = false;
    for (int i = 0; i < CAP_COMMANDS; i++) {
        bool sub = strchr(rows[i].name, '|') != NULL;
        if (!sub || c->version_number >= 70000)
            c->has[i] = r->elements[i].type == REPLY_ARRAY && r->elements[i].count > 0;
    }
}

bool capability_load(struct conn *c, struct capability *out, struct error *err)
{
    const struct reply *r;
    struct str text;
    struct error ignored;
    if (!conn_call_words(c, "INFO server", 0, &r, err) ||
        !reply_want_string(r, "INFO server", &text, err) || !capability_from_info(text, out, err))
        return false;
    if (!capability_command(conn_out(c), err) || !conn_appended(c, 1, 0, err) ||
        !conn_next_reply(c, &r, err))
        return false;
    if (!reply_check(r, "COMMAND INFO", &ignored))
        r = NULL;
    capability_from_commands(r, out);
    return true;
}

bool capability_at_least(const struct capability *c, enum flavour f, int number)
{
    return c->flavour == f && c->version_number >= number;
}
