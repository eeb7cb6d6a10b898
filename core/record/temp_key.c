#include "core/record/temp_key.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/record/record.h"

struct temp_key_table {
    uint32_t tag[SLOT_COUNT]; /* the number whose decimal digits hash to the slot */
};

struct temp_key_table *temp_key_table_new(void)
{
    struct temp_key_table *t = mem_alloc(sizeof(*t));
    uint32_t missing = SLOT_COUNT;

    memset(t->tag, 0xff, sizeof(t->tag));
    for (uint32_t number = 0; missing > 0; number++) {
        char digits[12];
        int len = snprintf(digits, sizeof(digits), "%" PRIu32, number);
        uint16_t slot = slot_of_key((struct str){digits, (size_t)len});

        if (t->tag[slot] == UINT32_MAX) {
            t->tag[slot] = number;
            missing--;
        }
    }
    return t;
}

void temp_key_table_free(struct temp_key_table *t)
{
    free(t);
}

struct str temp_key_name(const struct temp_key_table *t, uint16_t slot, const char *run,
                         uint64_t number, char *out)
{
    int len;

    /* The prefix begins with a zero byte: it is no text. NOLINTNEXTLINE(bugprone-not-null-*) */
    memcpy(out, RECORD_TEMP_PREFIX, RECORD_TEMP_PREFIX_LEN);
    len = snprintf(out + RECORD_TEMP_PREFIX_LEN, TEMP_KEY_MAX - RECORD_TEMP_PREFIX_LEN,
                   "%.32s:{%" PRIu32 "}:%" PRIu64, run, t->tag[slot % SLOT_COUNT], number);
    return (struct str){out, RECORD_TEMP_PREFIX_LEN + (size_t)len};
}
