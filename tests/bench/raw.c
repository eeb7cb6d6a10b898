/*
 * raw.c - what the servers and the protocol cost, without any of our work: the reference that
 * `make bench` divides by.
 *
 *   raw fill PORT KIND N
 *       KIND mixed: N keys, strings with TTL, hashes of 5, lists of 5, sets of 5 to 9, sorted sets
 *       of 10; KIND small: N small strings; KIND big: N strings of 4 KiB that do not compress well
 *   raw read PORT
 *       SCAN, TYPE + PTTL, then each key by its type; replies are dropped
 *   raw write PORT
 *       read into memory, FLUSHALL, then (timed) typed writes
 *   raw flush PORT
 *   raw cpu PORT
 *       CPU seconds the primaries have used so far
 *   raw slow-reset PORT
 *       note commands of more than 10 ms from now on
 *   raw slow PORT
 *       such commands of clients called rbconsole…: "count worst_ms"
 *
 * One thread and one connection a primary, pipelines of DEPTH. Prints "keys wall_s". Plain hiredis,
 * none of the product's code.
 */
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEPTH 1000
#define PRIMARIES_MAX 16

struct key {
    char *name;
    size_t len;
    char type; /* first letter of the TYPE word; 'z' zset, 'e' set */
    long long pttl;
    redisReply *value;
};

struct primary {
    int port;
    int first, last; /* slots */
    pthread_t thread;
    redisContext *c;
    struct key *keys;
    size_t count, cap;
    size_t total;
};

static struct primary primaries[PRIMARIES_MAX];
static int primary_count;
static int keep; /* values are kept for writing */
static const char *fill_kind;
static long fill_count;

static void die(const char *what)
{
    fprintf(stderr, "raw: %s\n", what);
    exit(1);
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static redisReply *take(redisContext *c)
{
    void *r = NULL;

    if (redisGetReply(c, &r) != REDIS_OK)
        die(c->errstr);
    if (((redisReply *)r)->type == REDIS_REPLY_ERROR)
        die(((redisReply *)r)->str);
    return r;
}

static void drop(redisContext *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        freeReplyObject(take(c));
}

static unsigned crc16(const char *s, size_t len)
{
    unsigned crc = 0;

    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned)(unsigned char)s[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x8000 ? (crc << 1 ^ 0x1021) & 0xffff : crc << 1 & 0xffff;
    }
    return crc & 16383;
}

/* ---- read ------------------------------------------------------------------------------------ */

static void ask_value(redisContext *c, const struct key *k)
{
    switch (k->type) {
    case 's':
        redisAppendCommand(c, "GET %b", k->name, k->len);
        break;
    case 'h':
        redisAppendCommand(c, "HGETALL %b", k->name, k->len);
        break;
    case 'l':
        redisAppendCommand(c, "LRANGE %b 0 -1", k->name, k->len);
        break;
    case 'e':
        redisAppendCommand(c, "SMEMBERS %b", k->name, k->len);
        break;
    default:
        redisAppendCommand(c, "ZRANGE %b 0 -1 WITHSCORES", k->name, k->len);
    }
}

static struct key *add_key(struct primary *p)
{
    if (p->count == p->cap) {
        p->cap = p->cap == 0 ? 4096 : p->cap * 2;
        p->keys = realloc(p->keys, p->cap * sizeof(*p->keys));
        if (p->keys == NULL)
            die("out of memory");
    }
    memset(&p->keys[p->count], 0, sizeof(*p->keys));
    return &p->keys[p->count++];
}

static void read_batch(struct primary *p, const redisReply *names)
{
    size_t from = p->count;

    for (size_t i = 0; i < names->elements; i++) {
        struct key *k = add_key(p);

        k->len = names->element[i]->len;
        k->name = malloc(k->len + 1);
        memcpy(k->name, names->element[i]->str, k->len + 1);
        redisAppendCommand(p->c, "TYPE %b", k->name, k->len);
        redisAppendCommand(p->c, "PTTL %b", k->name, k->len);
    }
    for (size_t i = from; i < p->count; i++) {
        redisReply *type = take(p->c);
        redisReply *pttl = take(p->c);

        p->keys[i].type = strcmp(type->str, "set") == 0 ? 'e' : type->str[0];
        p->keys[i].pttl = pttl->integer;
        freeReplyObject(type);
        freeReplyObject(pttl);
    }
    for (size_t i = from; i < p->count; i++)
        ask_value(p->c, &p->keys[i]);
    for (size_t i = from; i < p->count; i++) {
        p->keys[i].value = take(p->c);
        if (!keep) {
            freeReplyObject(p->keys[i].value);
            free(p->keys[i].name);
        }
    }
    p->total += p->count - from;
    if (!keep)
        p->count = 0;
}

static void *read_primary(void *arg)
{
    struct primary *p = arg;
    char cursor[32] = "0";

    do {
        redisReply *r = redisCommand(p->c, "SCAN %s COUNT %d", cursor, DEPTH);

        if (r == NULL || r->type != REDIS_REPLY_ARRAY)
            die("SCAN");
        snprintf(cursor, sizeof(cursor), "%s", r->element[0]->str);
        read_batch(p, r->element[1]);
        freeReplyObject(r);
    } while (strcmp(cursor, "0") != 0);
    return NULL;
}

/* ---- write ----------------------------------------------------------------------------------- */

static size_t write_key(redisContext *c, const struct key *k)
{
    const char *argv[128];
    size_t len[128];
    int n = 2;

    argv[1] = k->name;
    len[1] = k->len;
    argv[0] = k->type == 's'   ? "SET"
              : k->type == 'h' ? "HSET"
              : k->type == 'l' ? "RPUSH"
              : k->type == 'e' ? "SADD"
                               : "ZADD";
    len[0] = strlen(argv[0]);
    if (k->type == 's') {
        argv[n] = k->value->str;
        len[n++] = k->value->len;
    }
    for (size_t i = 0; k->type != 's' && i < k->value->elements; i++) {
        size_t from = k->type == 'z' ? i ^ 1 : i; /* the score goes first */

        argv[n] = k->value->element[from]->str;
        len[n++] = k->value->element[from]->len;
    }
    redisAppendCommandArgv(c, n, argv, len);
    if (k->pttl < 0)
        return 1;
    redisAppendCommand(c, "PEXPIRE %b %lld", k->name, k->len, k->pttl);
    return 2;
}

static void *write_primary(void *arg)
{
    struct primary *p = arg;
    size_t queued = 0;

    for (size_t i = 0; i < p->count; i++) {
        queued += write_key(p->c, &p->keys[i]);
        if (queued >= DEPTH) {
            drop(p->c, queued);
            queued = 0;
        }
    }
    drop(p->c, queued);
    return NULL;
}

/* ---- fill ------------------------------------------------------------------------------------ */

#define BIG_VALUE 4096

/* Letters and digits drawn by a xorshift of the key's number: six bits in each byte. */
static void fill_big(redisContext *c, long i, const char *name)
{
    static const char letters[65] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
    char value[BIG_VALUE];
    uint64_t x = (uint64_t)i * 0x9e3779b97f4a7c15u + 1;

    for (size_t at = 0; at < sizeof(value); at++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        value[at] = letters[x >> 32 & 63];
    }
    redisAppendCommand(c, "SET %s %b", name, value, sizeof(value));
}

static void fill_key(redisContext *c, long i, const char *name)
{
    if (strcmp(fill_kind, "small") == 0) {
        redisAppendCommand(c, "SET %s value-%ld", name, i);
        return;
    }
    if (strcmp(fill_kind, "big") == 0) {
        fill_big(c, i, name);
        return;
    }
    switch (i % 5) {
    case 0:
        redisAppendCommand(c, "SET %s name-%ld|mail-%ld@example.com PX %ld", name, i, i,
                           3600000 + i);
        break;
    case 1:
        redisAppendCommand(c, "HSET %s name n%ld age %ld city c%ld score %ld note x%ld", name, i,
                           i % 90, i % 100, i % 1000, i);
        break;
    case 2:
        redisAppendCommand(c, "RPUSH %s item-%ld a%ld b%ld c%ld d%ld", name, i, i, i, i, i);
        break;
    case 3:
        redisAppendCommand(c, i / 5 % 2 ? "SADD %s t%ld u v w x y z" : "SADD %s t%ld u v w x", name,
                           i);
        break;
    default:
        redisAppendCommand(c,
                           "ZADD %s 0.1 a 1.5 b 2.25 c 3 d 4.7 e 5.5 f 6.125 g 7.9 h 8 i %ld.5 j",
                           name, i % 100000);
    }
}

static void *fill_primary(void *arg)
{
    struct primary *p = arg;
    size_t queued = 0;

    for (long i = 0; i < fill_count; i++) {
        char name[40];
        int len = snprintf(name, sizeof(name), "bench:%ld", i);
        int slot = (int)crc16(name, (size_t)len);

        if (slot < p->first || slot > p->last)
            continue;
        fill_key(p->c, i, name);
        p->total++;
        if (++queued >= DEPTH) {
            drop(p->c, queued);
            queued = 0;
        }
    }
    drop(p->c, queued);
    return NULL;
}

/* ---- main ------------------------------------------------------------------------------------ */

/* The primaries, by asking the first port that answers. */
static void find_primaries(int port)
{
    redisContext *c = redisConnect("127.0.0.1", port);
    redisReply *r;

    if (c == NULL || c->err != 0)
        die("cannot connect");
    r = redisCommand(c, "CLUSTER SLOTS");
    if (r == NULL || r->type != REDIS_REPLY_ARRAY)
        die("CLUSTER SLOTS");
    for (size_t i = 0; i < r->elements && primary_count < PRIMARIES_MAX; i++) {
        struct primary *p = &primaries[primary_count++];

        p->first = (int)r->element[i]->element[0]->integer;
        p->last = (int)r->element[i]->element[1]->integer;
        p->port = (int)r->element[i]->element[2]->element[1]->integer;
        p->c = redisConnect("127.0.0.1", p->port);
        if (p->c == NULL || p->c->err != 0)
            die("cannot connect to a primary");
        p->c->reader->maxbuf = 0; /* never shrink: not what is measured */
    }
    freeReplyObject(r);
    redisFree(c);
}

static void on_all(void *(*work)(void *))
{
    for (int i = 0; i < primary_count; i++)
        if (pthread_create(&primaries[i].thread, NULL, work, &primaries[i]) != 0)
            die("cannot start a thread");
    for (int i = 0; i < primary_count; i++)
        pthread_join(primaries[i].thread, NULL);
}

static double server_cpu(void)
{
    double sum = 0;

    for (int i = 0; i < primary_count; i++) {
        redisReply *r = redisCommand(primaries[i].c, "INFO cpu");
        const char *sys = strstr(r->str, "used_cpu_sys:");
        const char *user = strstr(r->str, "used_cpu_user:");

        sum += strtod(sys + strlen("used_cpu_sys:"), NULL);
        sum += strtod(user + strlen("used_cpu_user:"), NULL);
        freeReplyObject(r);
    }
    return sum;
}

static void print_cpu(void)
{
    printf("%.3f\n", server_cpu());
}

static void flush_all(void)
{
    for (int i = 0; i < primary_count; i++)
        freeReplyObject(redisCommand(primaries[i].c, "FLUSHALL"));
}

static void slow_reset(void)
{
    for (int i = 0; i < primary_count; i++) {
        freeReplyObject(redisCommand(primaries[i].c, "CONFIG SET slowlog-log-slower-than 1000"));
        freeReplyObject(redisCommand(primaries[i].c, "CONFIG SET slowlog-max-len 10000"));
        freeReplyObject(redisCommand(primaries[i].c, "SLOWLOG RESET"));
    }
}

/* An entry is id, time, microseconds, arguments, address, client name. */
static void slow_print(void)
{
    size_t count = 0;
    long long worst = 0;
    char name[32] = "none";

    for (int i = 0; i < primary_count; i++) {
        redisReply *r = redisCommand(primaries[i].c, "SLOWLOG GET 10000");

        for (size_t at = 0; r != NULL && at < r->elements; at++) {
            const redisReply *e = r->element[at];

            if (e->elements < 6 || strncmp(e->element[5]->str, "rbconsole", 9) != 0)
                continue;
            count++;
            if (e->element[2]->integer > worst) {
                worst = e->element[2]->integer;
                (void)snprintf(name, sizeof(name), "%s", e->element[3]->element[0]->str);
            }
        }
        freeReplyObject(r);
    }
    printf("%zu %.1f %s\n", count, (double)worst / 1000, name);
}

/* Process ids of the primaries, for chrt. */
static void print_pids(void)
{
    for (int i = 0; i < primary_count; i++) {
        redisReply *r = redisCommand(primaries[i].c, "INFO server");
        const char *id = r != NULL && r->str != NULL ? strstr(r->str, "process_id:") : NULL;

        if (id == NULL)
            die("INFO server");
        printf("%ld\n", strtol(id + strlen("process_id:"), NULL, 10));
        freeReplyObject(r);
    }
}

static const struct {
    const char *word;
    void (*run)(void);
} verbs[] = {
    {"cpu", print_cpu},   {"flush", flush_all}, {"slow-reset", slow_reset},
    {"slow", slow_print}, {"pids", print_pids},
};

int main(int argc, char **argv)
{
    double start;
    size_t total = 0;

    if (argc < 3)
        die("usage: raw fill|read|write|flush|cpu|slow-reset|slow|pids PORT [KIND N]");
    find_primaries((int)strtol(argv[2], NULL, 10));
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(argv[1], verbs[i].word) == 0) {
            verbs[i].run();
            return 0;
        }
    }
    keep = strcmp(argv[1], "write") == 0;
    if (strcmp(argv[1], "fill") == 0) {
        if (argc < 5)
            die("fill needs KIND N");
        fill_kind = argv[3];
        fill_count = strtol(argv[4], NULL, 10);
        flush_all();
    }
    if (keep) {
        on_all(read_primary);
        flush_all();
    }
    start = now_s();
    on_all(strcmp(argv[1], "read") == 0 ? read_primary : keep ? write_primary : fill_primary);
    for (int i = 0; i < primary_count; i++)
        total += primaries[i].total;
    printf("%zu %.3f\n", total, now_s() - start);
    return 0;
}
