#include "core/s3/upload_memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/log.h"
#include "core/s3/multipart.h"

#define NOTE_MAX 900

static void release_known(struct upload_known *u)
{
    free(u->bucket);
    free(u->key);
    free(u->upload_id);
    free(u->encryption);
    free(u->parts);
}

static struct upload_known *place_for(struct upload_memory *m, const struct upload_known *u)
{
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->known[i].key, u->key) == 0 && strcmp(m->known[i].bucket, u->bucket) == 0) {
            release_known(&m->known[i]);
            return &m->known[i];
        }
    return &ARRAY_PUSH(m->known, m->count, m->cap);
}

void upload_memory_begun(struct upload_memory *m, const struct upload_known *u)
{
    struct upload_known *to = place_for(m, u);
    *to = (struct upload_known){.bucket = mem_copy_text(u->bucket),
                                .key = mem_copy_text(u->key),
                                .upload_id = mem_copy_text(u->upload_id),
                                .encryption = mem_copy_text(u->encryption),
                                .checksums = u->checksums,
                                .part_bytes = u->part_bytes,
                                .estimate_bytes = u->estimate_bytes};
    memcpy(to->token, u->token, sizeof(to->token));
}

void upload_memory_sent(struct upload_memory *m, const char *upload_id,
                        const struct upload_part *part)
{
    for (size_t i = 0; i < m->count; i++) {
        struct upload_known *u = &m->known[i];
        if (strcmp(u->upload_id, upload_id) != 0 || part->number == 0 ||
            part->number > MULTIPART_PARTS_MAX)
            continue;
        while (u->count < part->number)
            ARRAY_PUSH(u->parts, u->count, u->cap) = (struct upload_part){.number = 0};
        u->parts[part->number - 1] = *part;
    }
}

bool upload_memory_keeps(const struct upload_memory *m)
{
    return m != NULL && m->begun != NULL;
}

void upload_memory_note(const struct upload_memory *m, bool warn, const char *fmt, ...)
{
    char text[NOTE_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (m != NULL && m->note != NULL)
        m->note(m->arg, warn, text);
    else
        log_write(warn ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "s3", "%s", text);
}

void upload_memory_release(struct upload_memory *m)
{
    for (size_t i = 0; i < m->count; i++)
        release_known(&m->known[i]);
    free(m->known);
    *m = (struct upload_memory){.known = NULL};
}

const struct upload_part *upload_known_part(const struct upload_known *u, unsigned number)
{
    bool has = number > 0 && number <= u->count && u->parts[number - 1].number == number;
    return has ? &u->parts[number - 1] : NULL;
}

size_t upload_known_count(const struct upload_known *u, int64_t *bytes)
{
    size_t count = 0;
    *bytes = 0;
    for (size_t i = 0; i < u->count; i++) {
        count += u->parts[i].number > 0;
        *bytes += u->parts[i].size_bytes;
    }
    return count;
}
