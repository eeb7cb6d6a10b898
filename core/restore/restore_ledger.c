#include "core/restore/restore_ledger.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/base64.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/record/fingerprints.h"

#define MEMORY ((size_t)32 << 20)
#define KEY_MAX ((size_t)64 << 10) /* the ledger shortens longer ones */

struct restore_ledger {
    struct fingerprints *keys;
    bool any; /* not all of them are known by name */
};

static void take_line(void *arg, const json_t *doc)
{
    struct restore_ledger *l = arg;
    const char *reason = json_text(doc, "reason", "");
    const json_t *text = json_object_get(doc, "key");
    const json_t *coded = json_object_get(doc, "key_b64");
    struct error ignored = {0};
    struct buf key;

    if (strcmp(reason, "write") != 0 && strcmp(reason, "unsure") != 0)
        return;
    buf_init(&key, KEY_MAX);
    if (json_is_string(text))
        (void)fingerprints_add(l->keys,
                               (struct str){json_string_value(text), json_string_length(text)});
    else if (json_is_string(coded) &&
             base64_decode(&key, (struct str){json_string_value(coded), json_string_length(coded)},
                           &ignored))
        (void)fingerprints_add(l->keys, buf_str(&key));
    else
        l->any = true;
    buf_release(&key);
}

bool restore_ledger_read(const struct task *task, uint64_t from, struct restore_ledger **out,
                         struct error *err)
{
    struct restore_ledger *l = mem_zero(1, sizeof(*l));
    bool whole = true;

    l->keys = fingerprints_new(MEMORY);
    if (!task_ledger_read(task, from, take_line, l, &whole, err)) {
        restore_ledger_free(l);
        return false;
    }
    l->any = l->any || !whole || fingerprints_is_full(l->keys);
    *out = l;
    return true;
}

void restore_ledger_free(struct restore_ledger *l)
{
    if (l == NULL)
        return;
    fingerprints_free(l->keys);
    free(l);
}

bool restore_ledger_has(const struct restore_ledger *l, struct str key)
{
    return l->any || fingerprints_has(l->keys, key);
}
