#include "core/record/key_bloom.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/base/rng.h"

#define BITS_PER_KEY 16
#define BYTES_MIN ((uint64_t)4096)
#define BYTES_MAX ((uint64_t)64 << 20)
#define HASHES 4
#define LINE_BITS 512 /* a key's bits lie together: one miss of the cache, not four */
#define LOCKS 16

static const char magic[8] = {'r', 'b', 'c', 'k', 'e', 'y', 's', '2'};

/* The file is this memory as it stands, for the machine that wrote it. */
struct image {
    char magic[8];
    uint64_t seed;
    uint64_t bytes; /* of bits; a power of two */
    uint64_t check; /* XXH3 of bits, when in a file */
    _Atomic unsigned char bits[];
};

struct key_bloom {
    struct image *image;
    pthread_mutex_t locks[LOCKS]; /* by hash: who adds a key that another thread adds, waits */
};

static struct key_bloom *own(struct image *image)
{
    struct key_bloom *b = mem_zero(1, sizeof(*b));

    b->image = image;
    for (size_t i = 0; i < LOCKS; i++)
        (void)pthread_mutex_init(&b->locks[i], NULL);
    return b;
}

struct key_bloom *key_bloom_new(uint64_t keys)
{
    uint64_t bytes = BYTES_MIN;
    struct image *image;

    while (bytes < BYTES_MAX && bytes / (BITS_PER_KEY / 8) < keys)
        bytes *= 2;
    image = mem_zero(1, sizeof(*image) + bytes);
    memcpy(image->magic, magic, sizeof(magic));
    image->bytes = bytes;
    rng_bytes(&image->seed, sizeof(image->seed));
    return own(image);
}

void key_bloom_free(struct key_bloom *b)
{
    if (b == NULL)
        return;
    for (size_t i = 0; i < LOCKS; i++)
        (void)pthread_mutex_destroy(&b->locks[i]);
    free(b->image);
    free(b);
}

static XXH128_hash_t hash_of(const struct key_bloom *b, uint32_t db, struct str key)
{
    return XXH3_128bits_withSeed(key.len > 0 ? key.ptr : "", key.len, b->image->seed + db);
}

static uint64_t bit_of(const struct key_bloom *b, XXH128_hash_t hash, unsigned i)
{
    uint64_t line = hash.low64 & (b->image->bytes * 8 / LINE_BITS - 1);

    return line * LINE_BITS + (hash.high64 >> (9 * i)) % LINE_BITS;
}

static unsigned char byte_of(const struct key_bloom *b, uint64_t bit)
{
    return atomic_load_explicit(&b->image->bits[bit / 8], memory_order_relaxed);
}

/* The locks keep apart who adds the same key; keys under different locks may share bytes. */
bool key_bloom_add(struct key_bloom *b, uint32_t db, struct str key)
{
    XXH128_hash_t hash = hash_of(b, db, key);
    pthread_mutex_t *lock = &b->locks[(hash.high64 >> 60) % LOCKS];
    bool had = true;

    (void)pthread_mutex_lock(lock);
    for (unsigned i = 0; i < HASHES; i++) {
        uint64_t bit = bit_of(b, hash, i);
        unsigned char mask = (unsigned char)(1u << (bit % 8));

        if ((byte_of(b, bit) & mask) != 0)
            continue;
        had = false;
        (void)atomic_fetch_or_explicit(&b->image->bits[bit / 8], mask, memory_order_relaxed);
    }
    (void)pthread_mutex_unlock(lock);
    return had;
}

bool key_bloom_has(const struct key_bloom *b, uint32_t db, struct str key)
{
    XXH128_hash_t hash = hash_of(b, db, key);

    for (unsigned i = 0; i < HASHES; i++) {
        uint64_t bit = bit_of(b, hash, i);

        if ((byte_of(b, bit) & (1u << (bit % 8))) == 0)
            return false;
    }
    return true;
}

bool key_bloom_save(const struct key_bloom *b, const char *path, struct error *err)
{
    struct image *image = b->image;

    image->check = XXH3_64bits(image->bits, image->bytes);
    return file_write_atomic(path, (struct str){(const char *)image, sizeof(*image) + image->bytes},
                             err);
}

static bool is_whole(const struct image *image, size_t len)
{
    return len > sizeof(*image) && memcmp(image->magic, magic, sizeof(magic)) == 0 &&
           image->bytes == len - sizeof(*image) && image->bytes >= BYTES_MIN &&
           (image->bytes & (image->bytes - 1)) == 0 &&
           image->check == XXH3_64bits(image->bits, image->bytes);
}

bool key_bloom_load(const char *path, struct key_bloom **out, struct error *err)
{
    struct buf text;
    struct image *image;
    bool ok;

    buf_init(&text, BYTES_MAX + sizeof(*image));
    if (!file_read(path, &text, err)) {
        buf_release(&text);
        return false;
    }
    image = mem_zero(1, sizeof(*image) + text.len);
    if (text.len > 0)
        memcpy(image, text.data, text.len);
    ok = is_whole(image, text.len);
    buf_release(&text);
    if (!ok) {
        free(image);
        return error_set(err, ERROR_CORRUPT, 0, "%s is damaged", path);
    }
    *out = own(image);
    return true;
}
