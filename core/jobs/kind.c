#include "core/jobs/kind.h"

#include <stdio.h>
#include <string.h>

static const struct kind_row {
    const char *name;
    char letter;
    enum job_danger danger;
} kinds[JOB_KINDS] = {
    [JOB_BACKUP] = {"backup", 'B', JOB_READS},
    [JOB_RESTORE] = {"restore", 'R', JOB_WRITES},
    [JOB_VERIFY] = {"verify", 'V', JOB_HARMLESS},
    [JOB_SNAPSHOT] = {"snapshot", 'S', JOB_HARMLESS},
    [JOB_TEST] = {"test", 'T', JOB_HARMLESS},
    [JOB_POLL] = {"poll", 'P', JOB_HARMLESS},
    [JOB_DRILL] = {"drill", 'D', JOB_WRITES},
    [JOB_MAINTENANCE] = {"maintain", 'M', JOB_WRITES},
    [JOB_PLAN] = {"plan", 'O', JOB_WRITES},
    [JOB_DIFF] = {"diff", 'C', JOB_HARMLESS},
    [JOB_DOWNLOAD] = {"download", 'L', JOB_HARMLESS},
};

static const char *const dangers[JOB_DANGERS] = {
    [JOB_HARMLESS] = "harmless",
    [JOB_READS] = "reads",
    [JOB_WRITES] = "writes",
};

static const bool agree[JOB_DANGERS][JOB_DANGERS] = {
    [JOB_HARMLESS] = {true, true, true},
    [JOB_READS] = {true, true, false},
    [JOB_WRITES] = {true, false, false},
};

const char *job_kind_name(enum job_kind kind)
{
    return kind < JOB_KINDS ? kinds[kind].name : "unknown";
}

char job_kind_letter(enum job_kind kind)
{
    return kind < JOB_KINDS ? kinds[kind].letter : '?';
}

enum job_danger job_kind_danger(enum job_kind kind)
{
    return kind < JOB_KINDS ? kinds[kind].danger : JOB_WRITES;
}

bool job_kind_parse(const char *name, enum job_kind *kind)
{
    for (size_t i = 0; name != NULL && i < JOB_KINDS; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            *kind = (enum job_kind)i;
            return true;
        }
    }
    return false;
}

const char *job_danger_name(enum job_danger danger)
{
    return danger < JOB_DANGERS ? dangers[danger] : "unknown";
}

bool job_danger_parse(const char *name, enum job_danger *danger)
{
    for (size_t i = 0; name != NULL && i < JOB_DANGERS; i++) {
        if (strcmp(dangers[i], name) == 0) {
            *danger = (enum job_danger)i;
            return true;
        }
    }
    return false;
}

bool job_dangers_agree(enum job_danger a, enum job_danger b)
{
    return a < JOB_DANGERS && b < JOB_DANGERS && agree[a][b];
}

char *job_id_format(char *out, enum job_kind kind, uint32_t number)
{
    (void)snprintf(out, JOB_ID_MAX, "%c-%04u", job_kind_letter(kind), (unsigned)number);
    return out;
}

bool job_id_parse(struct str id, enum job_kind *kind, uint32_t *number)
{
    if (id.len < 6 || id.len >= JOB_ID_MAX || id.ptr[1] != '-')
        return false;
    struct str digits = str_slice(id, 2, id.len);
    uint32_t n = 0;
    if (!str_to_u32(digits, &n) || n == 0 || (digits.len > 4 && digits.ptr[0] == '0'))
        return false;
    for (size_t i = 0; i < JOB_KINDS; i++) {
        if (kinds[i].letter == id.ptr[0]) {
            *kind = (enum job_kind)i;
            *number = n;
            return true;
        }
    }
    return false;
}
