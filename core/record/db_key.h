/*
 * db_key.h - a key's name together with its database: keys of one name in two databases are two
 * keys. For sets of names. One thread.
 */
#ifndef CORE_RECORD_DB_KEY_H
#define CORE_RECORD_DB_KEY_H

#include <stdint.h>

#include "core/base/str.h"

struct db_key {
    char small[256];
    char *large;     /* NULL: the name is in small */
    struct str text; /* until it is released or moved */
};

void db_key_init(struct db_key *k, uint32_t db, struct str key);
void db_key_release(struct db_key *k);

#endif
