#include "core/base/arena.h"
#include "core/net/address.h"
#include "core/redis/info.h"
#include "core/redis/reply.h"
#include "core/redis/sentinel.h"
#include "core/redis/topology_parse.h"
#include "tests/fuzz/target.h"

#define ELEMENTS_MAX 100000
#define BYTES_MAX ((size_t)8 << 20)
#define ADDRESS_SHOWN 400

typedef void (*reply_function)(const struct reply *r);

static void touch_reply(const struct reply *r) /* NOLINT(misc-no-recursion): eight levels */
{
    fuzz_touch(r->str);
    for (size_t i = 0; i < r->count; i++)
        touch_reply(&r->elements[i]);
}

/* The first byte chooses how the rest is cut into pieces. */
static void each_reply(struct str bytes, reply_function look)
{
    struct error err = {0};
    struct reply_parser *p = reply_parser_new(ELEMENTS_MAX, BYTES_MAX);
    size_t step = bytes.len > 0 ? (size_t)(unsigned char)bytes.ptr[0] + 1 : 1;
    bool ok = true;
    for (size_t at = 1; at < bytes.len && ok; at += step) {
        const struct reply *r = NULL;
        ok = reply_parser_feed(p, str_slice(bytes, at, at + step), &err);
        while (ok && (ok = reply_parser_next(p, &r, &err)) && r != NULL)
            look(r);
    }
    reply_parser_free(p);
}

static void look_at_reply(const struct reply *r)
{
    struct arena arena = {0};
    struct error err = {0};
    touch_reply(r);
    touch_reply(reply_copy(&arena, r));
    if (!reply_check(r, "test", &err))
        fuzz_touch(str_from(err.text));
    (void)reply_find_error(r);
    (void)reply_member(r, "flags");
    arena_release(&arena);
}

void fuzz_reply(struct str bytes)
{
    each_reply(bytes, look_at_reply);
}

static const struct topology_self self = {{"127.0.0.1", 9}, 7001};

static void look_at_topology(const struct reply *r)
{
    struct error err = {0};
    topology_free(topology_parse_shards(r, self, &err));
    topology_free(topology_parse_slots(r, self, &err));
}

void fuzz_topology(struct str bytes)
{
    struct error err = {0};
    struct str host;
    uint16_t port = 0;
    struct address address;
    char text[ADDRESS_SHOWN];
    topology_free(topology_parse_nodes(bytes, self, &err));
    each_reply(bytes, look_at_topology);
    if (topology_parse_address(bytes, &host, &port))
        fuzz_touch(host);
    if (address_parse(bytes, 0, &address, &err) || address_parse_server(bytes, &address, &err))
        fuzz_touch(str_from(address_text(text, sizeof(text), &address)));
}

void fuzz_info(struct str bytes)
{
    struct info info;
    struct cluster_info cluster;
    struct str value;
    info_parse(&info, bytes);
    cluster_info_parse(&cluster, bytes);
    fuzz_expect(info.replica_count <= INFO_REPLICAS_MAX, "the limit of replicas");
    for (size_t i = 0; i < info.replica_count; i++)
        fuzz_touch(info.replicas[i].host);
    fuzz_touch(info.version);
    fuzz_touch(info.run_id);
    fuzz_touch(cluster.state);
    if (info_field(bytes, "role", &value))
        fuzz_touch(value);
}

static void look_at_sentinels(const struct reply *r)
{
    struct arena arena = {0};
    struct error err = {0};
    struct sentinel_list list = {0};
    struct str host;
    uint16_t port = 0;
    if (sentinel_parse_list(r, &arena, &list, &err)) {
        for (size_t i = 0; i < list.count; i++) {
            fuzz_touch(list.items[i].name);
            fuzz_touch(list.items[i].host);
        }
    }
    (void)sentinel_parse_address(r, &host, &port);
    arena_release(&arena);
}

void fuzz_sentinel(struct str bytes)
{
    static const char *const channels[] = {"+switch-master", "+sdown", "+new-epoch",
                                           "+vote-for-leader"};
    struct sentinel_event event;
    for (size_t i = 0; i < COUNT_OF(channels); i++) {
        (void)sentinel_parse_event(str_from(channels[i]), bytes, &event);
        fuzz_touch(event.extra);
        fuzz_touch(event.host);
    }
    each_reply(bytes, look_at_sentinels);
}
