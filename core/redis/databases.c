#include "core/redis/databases.h"

#include "core/redis/command.h"

bool databases_of(struct cluster *c, const char *id, uint32_t *numbers, size_t *count,
                  struct error *err)
{
    const struct reply *r;
    struct str text;
    struct str line;

    *count = 0;
    if (!cluster_call_node(c, id, COMMAND(STR("INFO"), STR("keyspace")), &r, err) ||
        !reply_want_string(r, "INFO", &text, err))
        return false;
    while (str_split(&text, '\n', &line)) {
        size_t colon = str_find(line, ':');
        uint32_t number;

        if (!str_starts(line, "db") || colon >= line.len ||
            !str_to_u32(str_slice(line, 2, colon), &number))
            continue;
        if (*count == DATABASES_MAX)
            return error_set(err, ERROR_LIMIT, 0, "%s has more than %d databases", id,
                             DATABASES_MAX);
        numbers[(*count)++] = number;
    }
    return true;
}
