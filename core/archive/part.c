#include "core/archive/part.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

struct part *part_new(const char *shard, uint32_t generation, size_t max)
{
    struct part *p = mem_zero(1, sizeof(*p));
    struct error err;

    buf_init(&p->text, max + 2 * TAR_BLOCK);
    if (!buf_reserve(&p->text, PART_HEAD, &err))
        abort(); /* the ceiling is larger than a block */
    memset(p->text.data, 0, PART_HEAD);
    p->text.len = PART_HEAD;
    (void)str_copy(str_from(shard), p->shard, sizeof(p->shard));
    p->info.generation = generation;
    p->info.shard = p->shard;
    p->info.name = p->name;
    return p;
}

void part_free(struct part *p)
{
    if (p == NULL)
        return;
    buf_release(&p->text);
    free(p);
}

void part_name(struct part *p)
{
    if (p->functions)
        (void)snprintf(p->name, sizeof(p->name), "functions.jsonl");
    else
        (void)snprintf(p->name, sizeof(p->name), "keys/keys-part-%04" PRIu64 ".jsonl", p->number);
}

struct str part_text(const struct part *p)
{
    return str_slice(buf_str(&p->text), PART_HEAD, p->text.len);
}

bool part_is_empty(const struct part *p)
{
    return p->text.len == PART_HEAD;
}

bool part_is_full(const struct part *p, uint64_t keys, uint64_t bytes)
{
    return p->info.keys >= keys || p->text.len - PART_HEAD >= bytes;
}
