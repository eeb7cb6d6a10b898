#include "core/record/db_key.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

void db_key_init(struct db_key *k, uint32_t db, struct str key)
{
    size_t len = sizeof(db) + key.len;
    char *at;

    k->large = len > sizeof(k->small) ? mem_alloc(len) : NULL;
    at = k->large != NULL ? k->large : k->small;
    memcpy(at, &db, sizeof(db));
    if (key.len > 0)
        memcpy(at + sizeof(db), key.ptr, key.len);
    k->text = (struct str){at, len};
}

void db_key_release(struct db_key *k)
{
    free(k->large);
}
