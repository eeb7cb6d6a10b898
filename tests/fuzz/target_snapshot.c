#include <string.h>

#include "core/snapshot/snapshot_read.h"
#include "tests/fuzz/target.h"

#define KEYS_MAX 10000

struct memory {
    struct str rest;
};

static bool pull(void *arg, void *out, size_t size, size_t *got, struct error *err)
{
    struct memory *m = arg;

    (void)err;
    *got = m->rest.len < size ? m->rest.len : size;
    if (*got > 0)
        memcpy(out, m->rest.ptr, *got);
    m->rest = str_slice(m->rest, *got, m->rest.len);
    return true;
}

static void touch_key(const struct key_facts *k)
{
    fuzz_touch(k->key);
    fuzz_touch(k->type_name);
    fuzz_expect(k->slot == slot_of_key(k->key), "a key stands in its slot");
    fuzz_expect(k->type < RECORD_TYPES, "a type is one of ours");
}

static void read_report(struct str bytes)
{
    struct snapshot *s;
    struct error err = {0};
    uint64_t keys = 0;

    if (!snapshot_parse(bytes, "fuzz", &s, &err))
        return;
    fuzz_touch(str_from(s->run_id));
    fuzz_touch(str_from(s->reason));
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        keys += slot_sums_at(s->sums, (uint16_t)slot)->keys;
    fuzz_expect(keys == s->total.keys, "the total is the sum of the slots");
    for (size_t i = 0; i < s->by_prefix_count; i++)
        fuzz_touch(str_from(s->by_prefix[i].name));
    for (size_t i = 0; i < s->sample.count; i++)
        touch_key(&s->sample.keys[i]);
    snapshot_free(s);
}

static void read_keys(struct str bytes)
{
    struct memory memory = {bytes};
    struct snapshot_keys *keys;
    struct key_facts k;
    struct error err = {0};
    bool end = false;
    int count = 0;

    if (!snapshot_keys_new(pull, &memory, "fuzz", NULL, &keys, &err))
        return;
    while (count++ < KEYS_MAX && snapshot_keys_next(keys, &k, &end, &err) && !end)
        touch_key(&k);
    snapshot_keys_free(keys);
}

void fuzz_snapshot(struct str bytes)
{
    read_report(bytes);
    read_keys(bytes);
}
