/*
 * stream_claim.h - gives the consumers of one group their pending entries back, with delivery time
 * and count.
 *
 * Servers leave out, without a word, what they cannot claim: every reply is held against what was
 * asked. Blocking, one thread, on a connection with nothing pending; nothing is pending after.
 */
#ifndef CORE_VALUE_STREAM_CLAIM_H
#define CORE_VALUE_STREAM_CLAIM_H

#include "core/redis/conn.h"
#include "core/redis/stream_value.h"

/* Group and consumers exist, and so does a message for every id. unowned: the server knows XNACK;
 * without it an entry that has no consumer is ERROR_UNSUPPORTED. ERROR_CORRUPT: the server claimed
 * other entries than asked. */
bool stream_claim(struct conn *c, struct str key, const struct stream_group *g, bool unowned,
                  struct error *err) MUST_CHECK;

#endif
