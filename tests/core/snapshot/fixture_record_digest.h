/*
 * record_digest.h - the keys of an archive, one after another, as a snapshot sees them: all lines
 * of a key become one struct key_facts; runs that were taken back are passed over.
 *
 * An archive may hold a key twice (the later one counts): put what comes out into a key_spool
 * before it is summed. One thread; the stream belongs to it until the end.
 */
#ifndef TESTS_CORE_SNAPSHOT_FIXTURE_RECORD_DIGEST_H
#define TESTS_CORE_SNAPSHOT_FIXTURE_RECORD_DIGEST_H

#include "core/archive/record_stream.h"
#include "core/value/key_facts.h"

struct record_digest;

/* The stream outlives it. dir and memory: for one large key, see key_digest_new. */
struct record_digest *record_digest_new(struct record_stream *stream, const char *dir,
                                        size_t memory);
void record_digest_free(struct record_digest *r); /* NULL is fine */
/* The next whole key; true with *end at the end; false with err. Its strings live until
 * the next call. The slot is that of the name. */
bool record_digest_next(struct record_digest *r, struct key_facts *out, bool *end,
                        struct error *err) MUST_CHECK;

#endif
