/*
 * key_sample.h - some keys, chosen by the hash of their names, so that two snapshots of one cluster
 * choose the same ones whenever they were taken.
 *
 * Kept are the keys with the smallest ranks (key_digest_rank). key_sample_below says what that
 * means: every key of a smaller rank that was offered is in the sample, so one that is not is not
 * there. One thread.
 */
#ifndef CORE_VALUE_KEY_SAMPLE_H
#define CORE_VALUE_KEY_SAMPLE_H

#include "core/value/key_facts.h"

#define KEY_SAMPLE_MAX 20000
#define KEY_SAMPLE_NAME_MAX \
    512 /* bytes; longer names are in no sample, so that reports stay small */

struct key_sample;

struct key_sample *key_sample_new(size_t max);
void key_sample_free(struct key_sample *s); /* NULL is fine */
/* A key is offered once. Names over KEY_SAMPLE_NAME_MAX are passed over. */
void key_sample_offer(struct key_sample *s, const struct key_facts *k);
uint64_t key_sample_below(const struct key_sample *s); /* UINT64_MAX: nothing was left out */
/* From now on only keys of a rank below this count; what is in and is not goes. */
void key_sample_limit(struct key_sample *s, uint64_t below);
size_t key_sample_count(const struct key_sample *s);
/* Ordered by key_facts_compare once key_sample_sort was called, which ends the offering. */
void key_sample_sort(struct key_sample *s);
const struct key_facts *key_sample_at(const struct key_sample *s, size_t i);

#endif
