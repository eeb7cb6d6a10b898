#include <stdio.h>
#include <string.h>

#include "core/base/format.h"
#include "core/base/rng.h"
#include "core/store/catalog.h"

#define PREFIX "redis-backup-"
#define STAMP_LEN 16 /* YYYYMMDDTHHMMSSZ */
#define HEX_LEN 4

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool env_is_valid(struct str env)
{
    if (env.len == 0 || env.len >= BACKUP_ENV_MAX || !is_alnum(env.ptr[0]))
        return false;
    for (size_t i = 0; i < env.len; i++)
        if (!is_alnum(env.ptr[i]) && env.ptr[i] != '.' && env.ptr[i] != '_' && env.ptr[i] != '-')
            return false;
    return true;
}

static bool hex_is_valid(struct str hex)
{
    for (size_t i = 0; i < hex.len; i++)
        if (!((hex.ptr[i] >= '0' && hex.ptr[i] <= '9') || (hex.ptr[i] >= 'a' && hex.ptr[i] <= 'f')))
            return false;
    return hex.len == HEX_LEN;
}

bool backup_id_parse(struct str text, struct backup_id *out)
{
    const size_t tail = 1 + STAMP_LEN + 1 + HEX_LEN; /* "-stamp-hex" */
    size_t head = sizeof(PREFIX) - 1;
    if (text.len >= BACKUP_ID_MAX || text.len <= head + tail || !str_starts(text, PREFIX))
        return false;
    size_t at = text.len - tail;
    struct str env = str_slice(text, head, at);
    struct str stamp = str_slice(text, at + 1, at + 1 + STAMP_LEN);
    struct str hex = str_slice(text, text.len - HEX_LEN, text.len);
    int64_t time_ms;
    if (text.ptr[at] != '-' || text.ptr[at + 1 + STAMP_LEN] != '-' || !env_is_valid(env) ||
        !hex_is_valid(hex) || stamp.ptr[8] != 'T' || !format_parse_utc(stamp, &time_ms))
        return false;
    *out = (struct backup_id){.time_ms = time_ms};
    return str_copy(text, out->text, sizeof(out->text)) &&
           str_copy(env, out->env, sizeof(out->env));
}

bool backup_id_make(const char *env, int64_t real_ms, struct backup_id *out)
{
    char stamp[FORMAT_MAX];
    char hex[HEX_LEN + 1];
    char text[BACKUP_ID_MAX + BACKUP_ENV_MAX];
    if (!env_is_valid(str_from(env)))
        return false;
    (void)snprintf(text, sizeof(text), PREFIX "%s-%s-%s", env,
                   format_compact_utc(stamp, sizeof(stamp), real_ms), rng_hex(hex, HEX_LEN));
    return backup_id_parse(str_from(text), out);
}
