#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "core/redis/reply.h"
#include "core/redis/topology_parse.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccc"

static const struct topology_self self = {{"10.0.0.9", 8}, 7001};

static struct topology *nodes(const char *text)
{
    struct error err = {0};
    struct topology *t = topology_parse_nodes(str_from(text), self, &err);

    if (t == NULL)
        fail_msg("%s", err.text);
    return t;
}

static void nodes_gives_roles_owners_and_flags(void **state)
{
    struct topology *t =
        nodes(A " 127.0.0.1:7001@17001 myself,master - 0 0 1 connected 0-8191 9000\n" B
                " 127.0.0.1:7002@17002 master,fail? - 1 2 7 disconnected 8192-8999\n" C
                " 127.0.0.1:7003@17003 slave,nofailover " A " 0 1426238316232 1 connected\n");

    (void)state;
    assert_int_equal(t->count, 3);
    assert_int_equal(t->self, 0);
    assert_int_equal(t->assigned, 9001);
    assert_int_equal(t->nodes[0].slots, 8193);
    assert_int_equal(t->max_epoch, 7);
    assert_int_equal(t->nodes[1].flags, NODE_PFAIL);
    assert_false(t->nodes[1].link_up);
    assert_int_equal(t->nodes[2].role, NODE_ROLE_REPLICA);
    assert_int_equal(t->nodes[2].primary, 0);
    assert_int_equal(t->nodes[2].flags, NODE_NOFAILOVER);
    assert_int_equal(t->nodes[2].bus_port, 17003);
    assert_ptr_equal(topology_owner(t, 8500), &t->nodes[1]);
    assert_null(topology_owner(t, 9001));
    assert_int_equal(t->ignored, 0);
    topology_free(t);
}

static void nodes_reads_every_form_of_address(void **state)
{
    struct topology *t =
        nodes(A " :7001@17001 myself,master - 0 0 1 connected\n" B
                " ::1:7002@17002,redis-2.example master - 0 0 2 connected\n" C
                " 10.0.0.3:7003@17003,,shard-id=" B " slave " A " 0 0 1 connected some new words\n"
                "dddd :0@0 master,noaddr - 0 0 0 disconnected\n"
                "eeee 10.0.0.5:7005 handshake - 0 0 0 connected\n");

    (void)state;
    assert_string_equal(t->nodes[0].host.ptr, "10.0.0.9");
    assert_string_equal(t->nodes[1].host.ptr, "::1");
    assert_int_equal(t->nodes[1].port, 7002);
    assert_string_equal(t->nodes[1].hostname.ptr, "redis-2.example");
    assert_int_equal(t->nodes[2].hostname.len, 0);
    assert_string_equal(t->nodes[2].shard_id.ptr, B);
    assert_int_equal(t->nodes[3].host.len, 0);
    assert_int_equal(t->nodes[4].flags, NODE_HANDSHAKE);
    assert_int_equal(topology_find_address(t, STR("redis-2.example"), 7002), 1);
    assert_int_equal(topology_find_id(t, STR(C)), 2);
    topology_free(t);
}

static void nodes_reads_open_slots(void **state)
{
    struct topology *t =
        nodes(A " 127.0.0.1:7001@17001 myself,master - 0 0 1 connected 0-99 [77->-" B "] [93-<-" C
                "] [x->-" B "] [94->>" C "]\n");
    struct slot_set open;

    (void)state;
    assert_int_equal(t->open_count, 2);
    assert_int_equal(t->open[0].slot, 77);
    assert_false(t->open[0].importing);
    assert_string_equal(t->open[0].peer_id.ptr, B);
    assert_true(t->open[1].importing);
    topology_open_slots(t, &open);
    assert_int_equal(slot_set_count(&open), 2);
    assert_int_equal(t->assigned, 100);
    topology_free(t);
}

static void nodes_leaves_out_lines_that_are_none(void **state)
{
    struct error err;
    struct topology *t =
        nodes("txt:rubbish\n" A " 127.0.0.1:7001@17001 myself,master - 0 0 1 "
              "connected 0-16383 99999 7-x\n" B " nocolon master - 0 0 1 connected\n");

    (void)state;
    assert_int_equal(t->count, 1);
    assert_int_equal(t->ignored, 2);
    assert_int_equal(t->assigned, SLOT_COUNT);
    topology_free(t);
    assert_null(topology_parse_nodes(STR("\n\nnothing here\n"), self, &err));
    assert_int_equal(err.code, ERROR_CORRUPT);
}

static void differ_compares_owners_not_epochs(void **state)
{
    struct topology *a = nodes(A " h:1@2 myself,master - 0 0 1 connected 0-100\n" B
                                 " h:2@3 master - 0 0 2 connected 101-200\n");
    struct topology *b = nodes(B " h:2@3 master - 0 0 2 connected 91-200\n" A
                                 " h:1@2 myself,master - 0 0 1 connected 0-90\n");
    struct topology *same = nodes(B " h:2@3 master - 0 0 9 connected 101-200\n" A
                                    " h:1@2 myself,master,fail? - 0 0 1 connected 0-100\n");
    struct slot_set moved;

    (void)state;
    assert_int_equal(topology_differ(a, b, &moved), 10);
    assert_true(slot_set_has(&moved, 91) && slot_set_has(&moved, 100));
    assert_int_equal(topology_differ(a, same, NULL), 0);
    assert_true(topology_fingerprint(a) == topology_fingerprint(same));
    assert_true(topology_fingerprint(a) != topology_fingerprint(b));
    topology_free(a);
    topology_free(b);
    topology_free(same);
}

/* ---- replies ---- */

struct parsed {
    struct reply_parser *parser;
    const struct reply *reply;
};

static struct parsed parse(const char *resp)
{
    struct parsed p = {.parser = reply_parser_new(0, 0)};
    struct error err;

    assert_true(reply_parser_feed(p.parser, str_from(resp), &err));
    assert_true(reply_parser_next(p.parser, &p.reply, &err));
    assert_non_null(p.reply);
    return p;
}

static void shards_reads_health_and_endpoints(void **state)
{
    struct parsed p =
        parse("*1\r\n*4\r\n$5\r\nslots\r\n*2\r\n:0\r\n:5460\r\n$5\r\nnodes\r\n*2\r\n"
              "*12\r\n$2\r\nid\r\n$3\r\naaa\r\n$4\r\nport\r\n:7001\r\n$2\r\nip\r\n"
              "$0\r\n\r\n$8\r\nendpoint\r\n$-1\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
              "$6\r\nhealth\r\n$6\r\nonline\r\n"
              "*14\r\n$2\r\nid\r\n$3\r\nbbb\r\n$8\r\ntls-port\r\n:7004\r\n$2\r\nip\r\n"
              "$8\r\n10.0.0.4\r\n$8\r\nendpoint\r\n$7\r\nx.local\r\n$4\r\nrole\r\n"
              "$7\r\nreplica\r\n$18\r\nreplication-offset\r\n:42\r\n$6\r\nhealth\r\n"
              "$7\r\nloading\r\n");
    struct error err;
    struct topology *t = topology_parse_shards(p.reply, self, &err);

    (void)state;
    assert_non_null(t);
    assert_int_equal(t->count, 2);
    assert_string_equal(t->nodes[0].host.ptr, "10.0.0.9");
    assert_int_equal(t->self, 0);
    assert_int_equal(t->nodes[0].slots, 5461);
    assert_string_equal(t->nodes[1].host.ptr, "x.local");
    assert_int_equal(t->nodes[1].port, 7004);
    assert_int_equal(t->nodes[1].primary, 0);
    assert_int_equal(t->nodes[1].offset, 42);
    assert_int_equal(t->nodes[1].flags, NODE_LOADING);
    topology_free(t);
    reply_parser_free(p.parser);
}

static void slots_joins_ranges_of_one_node(void **state)
{
    struct parsed p =
        parse("*2\r\n*4\r\n:0\r\n:10\r\n*3\r\n$9\r\n127.0.0.1\r\n:7001\r\n$3\r\naaa\r\n"
              "*3\r\n$9\r\n127.0.0.1\r\n:7002\r\n$3\r\nbbb\r\n*3\r\n:20\r\n:30\r\n"
              "*4\r\n$-1\r\n:7001\r\n$3\r\naaa\r\n*2\r\n$8\r\nhostname\r\n$1\r\nh\r\n");
    struct error err;
    struct topology *t = topology_parse_slots(p.reply, self, &err);

    (void)state;
    assert_non_null(t);
    assert_int_equal(t->count, 2);
    assert_int_equal(t->nodes[0].slots, 22);
    assert_int_equal(t->nodes[1].role, NODE_ROLE_REPLICA);
    assert_int_equal(t->nodes[1].primary, 0);
    topology_free(t);
    reply_parser_free(p.parser);
}

static void replies_of_another_shape_are_refused_or_ignored(void **state)
{
    static const char *const bad[] = {"*1\r\n:5\r\n", "*1\r\n*2\r\n:1\r\n:2\r\n",
                                      "*1\r\n*3\r\n:0\r\n:99999\r\n*1\r\n:1\r\n", "*0\r\n"};
    struct error err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct parsed p = parse(bad[i]);
        struct topology *t = topology_parse_slots(p.reply, self, &err);

        assert_non_null(t);
        assert_int_equal(t->assigned, 0);
        topology_free(t);
        assert_null(topology_parse_shards(p.reply, self, &err));
        reply_parser_free(p.parser);
    }
}

static void parser_survives_damaged_text(void **state)
{
    static const char good[] =
        A " 127.0.0.1:7001@17001,h,shard-id=" C " myself,master - 0 0 1 connected 0-8191 [77->-" B
          "]\n" B " ::1:7002@17002 slave " A " 0 0 1 connected\n";
    struct rng r = {7};
    size_t parsed = 0;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        char text[sizeof(good)];
        struct error err;
        struct topology *t;

        memcpy(text, good, sizeof(good));
        for (int k = 0; k < 4; k++)
            text[rng_next(&r) % (sizeof(good) - 1)] = (char)rng_next(&r);
        t = topology_parse_nodes((struct str){text, rng_next(&r) % sizeof(good)}, self, &err);
        parsed += t != NULL;
        for (size_t n = 0; t != NULL && n < t->count; n++)
            assert_true(t->nodes[n].primary == TOPOLOGY_NONE || t->nodes[n].primary < t->count);
        topology_free(t);
    }
    assert_in_range(parsed, 1, 19999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_gives_roles_owners_and_flags),
        cmocka_unit_test(nodes_reads_every_form_of_address),
        cmocka_unit_test(nodes_reads_open_slots),
        cmocka_unit_test(nodes_leaves_out_lines_that_are_none),
        cmocka_unit_test(differ_compares_owners_not_epochs),
        cmocka_unit_test(shards_reads_health_and_endpoints),
        cmocka_unit_test(slots_joins_ranges_of_one_node),
        cmocka_unit_test(replies_of_another_shape_are_refused_or_ignored),
        cmocka_unit_test(parser_survives_damaged_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
