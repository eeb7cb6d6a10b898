/*
 * seed.c - loads the lab's sample data: lab-seed HOST:PORT [N].
 *
 * N keys each of user:* (strings with TTL), profile:* (hashes), queue:* (lists), tags:* (sets) and
 * leaderboard:* (sorted sets), ten streams with groups and pending entries, fifty HyperLogLogs, and
 * the keys of edge_keys: binary, empty, Korean, infinite scores, large values. Loading again gives
 * the same data. The password comes from REDISCLI_AUTH, a CA file from LAB_CA.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/lab/seed_wire.h"

#define MAX_ARGS 512
#define TEXT_SIZE 96
#define STREAMS 10
#define HLLS 50
#define BIG 5000
#define EPOCH_MS 1755497196000LL

/* One command in the making; texts that it formats live in its own store until it is sent. */
struct command {
    size_t count;
    struct bytes args[MAX_ARGS];
    size_t texts;
    char store[MAX_ARGS][TEXT_SIZE];
};

static struct command now;
static char big_text[1 << 20];

static void add(struct bytes b)
{
    if (now.count == MAX_ARGS)
        abort();
    now.args[now.count++] = b;
}

static void addf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void addf(const char *fmt, ...)
{
    va_list args;
    char *out = now.store[now.texts++];
    va_start(args, fmt);
    int n = vsnprintf(out, TEXT_SIZE, fmt, args);
    va_end(args);
    if (n < 0 || n >= TEXT_SIZE)
        abort();
    add((struct bytes){out, (size_t)n});
}

static void begin(const char *name)
{
    now.count = now.texts = 0;
    add(text(name));
}

/* The key is where commands have it: argument 1, or 2 after a subcommand. */
static void end_at(size_t key)
{
    wire_send(now.args[key], now.count, now.args);
}

static void end(void)
{
    end_at(1);
}

static void drop(struct bytes key)
{
    begin("DEL");
    add(key);
    end();
}

/* ---- the big families -------------------------------------------------------------------------
 */
static void put_user(int i)
{
    begin("SET");
    addf("user:%d", i);
    addf("name-%d|email-%d@example.com|age-%d", i, i, 20 + i % 50);
    add(text("EX"));
    addf("%d", 600 + i % 3600);
    end();
}

static void put_profile(int i)
{
    begin("HSET");
    addf("profile:%d", i);
    add(text("name"));
    addf("User%d", i);
    add(text("email"));
    addf("user%d@example.com", i);
    add(text("age"));
    addf("%d", 20 + i % 50);
    add(text("city"));
    addf("City%d", i % 100);
    add(text("score"));
    addf("%d", i * 10);
    end();
}

static void put_queue(int i)
{
    char key[TEXT_SIZE];
    snprintf(key, sizeof(key), "queue:%d", i);
    drop(text(key));
    begin("LPUSH");
    add(text(key));
    for (int j = 1; j <= 5; j++)
        addf("task-%d-%d|priority-%d|timestamp-%lld", i, j, j % 3, EPOCH_MS / 1000 + i);
    end();
}

static void put_tags(int i)
{
    begin("SADD");
    addf("tags:%d", i);
    for (int tag = 1; tag <= 3 + i % 7; tag++)
        addf("tag%d", tag % 20);
    addf("category%d", i % 10);
    end();
}

static void put_leaderboard(int i)
{
    begin("ZADD");
    addf("leaderboard:%d", i);
    for (int j = 1; j <= 10; j++) {
        addf("%d", j * 100 + i % 100);
        addf("player%d", j);
    }
    end();
}

/* ---- streams ----------------------------------------------------------------------------------
 */
static void group_create(struct bytes key, struct bytes group, const char *from)
{
    begin("XGROUP");
    add(text("CREATE"));
    add(key);
    add(group);
    add(text(from));
    end_at(2);
}

static void group_read(struct bytes key, struct bytes group, struct bytes consumer, int count)
{
    begin("XREADGROUP");
    add(text("GROUP"));
    add(group);
    add(consumer);
    add(text("COUNT"));
    addf("%d", count);
    add(text("STREAMS"));
    add(key);
    add(text(">"));
    end_at(7);
}

static void stream_entry_command(const char *name, struct bytes key, const char *group, int j)
{
    begin(name);
    add(key);
    if (group)
        add(text(group));
    addf("%lld-0", EPOCH_MS + j);
    end();
}

/*
 * Stream i has 20*i entries less two deleted ones (one of them still pending), a group that two
 * consumers read part of and acknowledged less, one that has read nothing, one that is up to date.
 */
static void put_stream(int i)
{
    char name[TEXT_SIZE];
    snprintf(name, sizeof(name), "stream:events:%d", i);
    struct bytes key = text(name);
    drop(key);
    for (int j = 1; j <= 20 * i; j++) {
        begin("XADD");
        add(key);
        addf("%lld-0", EPOCH_MS + j);
        add(text("event_type"));
        add(text("user_action"));
        add(text("user_id"));
        addf("%d", i * 1000 + j);
        add(text("action"));
        add(text(j % 3 ? "click" : "view"));
        add(text("data"));
        addf("event_data_%d_%d", i, j);
        end();
    }
    group_create(key, text("processors"), "0");
    group_create(key, text("auditors"), "0");
    group_create(key, text("followers"), "$");
    group_read(key, text("processors"), text("worker-1"), 6);
    group_read(key, text("processors"), text("worker-2"), 4 + i);
    for (int j = 1; j <= 3; j++)
        stream_entry_command("XACK", key, "processors", j);
    stream_entry_command("XDEL", key, NULL, 5);  /* pending with worker-1: a ghost remains */
    stream_entry_command("XDEL", key, NULL, 18); /* never delivered to most groups */
}

static void put_hll(int i)
{
    char key[TEXT_SIZE];
    snprintf(key, sizeof(key), "hll:unique_visitors:%d", i);
    drop(text(key));
    for (int j = 0; j < i; j++) {
        begin("PFADD");
        add(text(key));
        for (int k = 0; k < 100; k++)
            addf("visitor_%d", j * 100 + k);
        end();
    }
}

/* ---- what breaks tools -------------------------------------------------------------------------
 */
/* One command per row; the key is the second word. Rows of one list or stream key begin with DEL.
 */
#define WORDS 12
struct row {
    struct bytes words[WORDS];
};
#define L(s)               \
    {                      \
        (s), sizeof(s) - 1 \
    }

static const struct row edge_rows[] = {
    {{L("SET"), L(""), L("the key without a name")}},
    {{L("SET"), L("edge:empty"), L("")}},
    {{L("SET"), L("edge:bin:\x00\x01\xff\xfe\r\n"), L("\x00\xc3\x28\xed\xa0\x80\xff")}},
    {{L("SET"), L("\xff\xfe\x80only:bytes"), L("not UTF-8 anywhere \xc0\xaf")}},
    {{L("SET"), L("edge:escape:\x1b[31m\x1b]0;title\x07"), L("\x1b[2J\x1b[H\x9b")}},
    {{L("SET"), L("edge:quote:\"'\\/\b\f\n\r\t"), L("{\"json\":\"\\u0000\"}\n")}},
    {{L("SET"), L("edge:nul\x00inside"),
      L("a\x00"
        "b")}},
    {{L("SET"), L("edge:int"), L("-9223372036854775808")}},
    {{L("SET"), L("edge:leading-zero"), L("007")}},
    {{L("SET"), L("{tag}:a"), L("same slot")}},
    {{L("SET"), L("{tag}:b"), L("same slot")}},
    {{L("SET"), L("edge:{}:no-tag"), L("the whole key counts")}},
    {{L("SET"), L("edge:}{:no-tag"), L("the whole key counts")}},
    {{L("SET"), L("사용자:1:이름"), L("홍길동")}},
    {{L("SET"), L("edge:emoji:👩‍🚀"), L("e\xcc\x81 \xe2\x80\xae right to left")}},
    {{L("SET"), L("edge:ttl:long"), L("a year"), L("PX"), L("31536000000")}},
    {{L("SETBIT"), L("edge:bitmap"), L("4095"), L("1")}},
    {{L("HSET"), L("한글:해시"), L("이름"), L("김철수"), L("도시"), L("서울"), L(""),
      L("no field")}},
    {{L("HSET"), L("edge:hash:bin"), L("\x00\xff"), L("\xfe\x00"), L("empty"), L("")}},
    {{L("PEXPIRE"), L("edge:hash:bin"), L("86400000")}},
    {{L("DEL"), L("edge:list")}},
    {{L("RPUSH"), L("edge:list"), L(""), L("a"), L(""), L("\x00\xff"), L("목록"), L("-1")}},
    {{L("EXPIRE"), L("edge:list"), L("86400")}},
    {{L("SADD"), L("edge:set"), L(""), L("\xff\x00"), L("집합"), L("1"), L("01")}},
    {{L("EXPIRE"), L("edge:set"), L("86400")}},
    {{L("SADD"), L("edge:intset"), L("1"), L("-5"), L("9223372036854775807")}},
    {{L("ZADD"), L("edge:scores"), L("inf"), L("plus"), L("-inf"), L("minus"), L("-0"), L("-0"),
      L("0.1"), L("tenth"), L("1e-300"), L("tiny")}},
    {{L("ZADD"), L("edge:scores"), L("9007199254740993"), L("2^53+1"), L("1.7976931348623157e308"),
      L("max"), L("5e-324"), L("denormal"), L("3.0000000000000004"), L("\x00\xff")}},
    {{L("EXPIRE"), L("edge:scores"), L("86400")}},
    {{L("GEOADD"), L("edge:geo"), L("126.978"), L("37.5665"), L("서울")}},
    {{L("DEL"), L("edge:stream:emptied")}},
    {{L("XADD"), L("edge:stream:emptied"), L("1-1"), L("f"), L("v")}},
    {{L("XADD"), L("edge:stream:emptied"), L("2-5"), L("f"), L("v")}},
    {{L("XDEL"), L("edge:stream:emptied"), L("1-1"), L("2-5")}},
    {{L("DEL"), L("edge:stream:bin")}},
    {{L("XADD"), L("edge:stream:bin"), L("0-1"), L("\x00\xff"), L(""), L("필드"), L("값")}},
    {{L("XADD"), L("edge:stream:bin"), L("18446744073709551615-0"), L(""), L("\xff")}},
    {{L("EXPIRE"), L("edge:stream:bin"), L("86400")}},
};

static void put_edge_rows(void)
{
    for (size_t r = 0; r < sizeof(edge_rows) / sizeof(*edge_rows); r++) {
        const struct row *row = &edge_rows[r];
        size_t n = 0;
        while (n < WORDS && row->words[n].data)
            n++;
        wire_send(row->words[1], n, row->words);
    }
    struct bytes bin = LITERAL("edge:stream:bin"), emptied = LITERAL("edge:stream:emptied");
    group_create(bin, LITERAL("그룹\x00\xff"), "0");
    group_read(bin, LITERAL("그룹\x00\xff"), LITERAL("소비자\xfe"), 1);
    group_create(emptied, LITERAL("group"), "1-1");
}

/* Every type beyond its compact encoding, and a value of one MiB of all byte values. */
static void put_big(void)
{
    for (size_t i = 0; i < sizeof(big_text); i++)
        big_text[i] = (char)((i * 31 + (i >> 8)) & 0xff);
    begin("SET");
    add(text("edge:big:string"));
    add((struct bytes){big_text, sizeof(big_text)});
    end();
    drop(text("edge:big:list"));
    for (int i = 0; i < BIG; i++) {
        static const char *const adders[] = {"HSET", "RPUSH", "SADD", "ZADD"};
        static const char *const keys[] = {"edge:big:hash", "edge:big:list", "edge:big:set",
                                           "edge:big:zset"};
        for (int k = 0; k < 4; k++) {
            begin(adders[k]);
            add(text(keys[k]));
            if (k == 0)
                addf("field-%d", i);
            else if (k == 3)
                addf("%d.%d", i * 7 % 1000, i % 10);
            addf("element-%d of five thousand", i);
            end();
        }
    }
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
    long n = argc > 2 ? strtol(argv[2], NULL, 10) : 10000;
    if (argc < 2 || n < 1 || n > 100000000) {
        fputs("usage: lab-seed HOST:PORT [N]\n", stderr);
        return 2;
    }
    int64_t start = now_ms();
    wire_open(argv[1], getenv("REDISCLI_AUTH"), getenv("LAB_CA"));
    for (int i = 1; i <= n; i++) {
        put_user(i);
        put_profile(i);
        put_queue(i);
        put_tags(i);
        put_leaderboard(i);
    }
    for (int i = 1; i <= STREAMS; i++)
        put_stream(i);
    for (int i = 1; i <= HLLS; i++)
        put_hll(i);
    put_edge_rows();
    put_big();
    wire_finish();
    printf("seeded    %ld of each big type, %d streams, %d HyperLogLogs, edge cases; "
           "%zu primaries, %lld ms\n",
           n, STREAMS, HLLS, wire_primaries(), (long long)(now_ms() - start));
    wire_close();
    return 0;
}
