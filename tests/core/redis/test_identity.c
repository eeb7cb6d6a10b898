#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/json.h"
#include "core/redis/identity.h"
#include "core/redis/topology_parse.h"

static struct identity cluster(const char *const *ids, size_t count)
{
    struct identity id = {.mode = IDENTITY_CLUSTER};

    for (size_t i = 0; i < count; i++)
        identity_add(&id, str_from(ids[i]));
    return id;
}

static void cluster_is_the_same_while_one_id_is_shared(void **state)
{
    struct identity a = cluster((const char *[]){"c", "a", "b", "a"}, 4);
    struct identity b = cluster((const char *[]){"x", "b"}, 2);
    struct identity other = cluster((const char *[]){"x", "y"}, 2);
    struct identity none = {0};

    (void)state;
    assert_int_equal(a.count, 3);
    assert_string_equal(a.names[0], "a");
    assert_true(identity_same(&a, &b));
    assert_false(identity_same(&a, &other));
    assert_false(identity_same(&none, &none));
    identity_release(&a);
    identity_release(&b);
    identity_release(&other);
}

static void sentinel_needs_the_same_master_name(void **state)
{
    const struct str ids[] = {STR("r1"), STR("r2")};
    struct identity a;
    struct identity b;

    (void)state;
    identity_from_sentinel(&a, STR("mymaster"), ids, 2);
    identity_from_sentinel(&b, STR("other"), ids, 2);
    assert_false(identity_same(&a, &b));
    identity_release(&b);
    identity_from_sentinel(&b, STR("mymaster"), ids, 1);
    assert_true(identity_same(&a, &b));
    b.mode = IDENTITY_CLUSTER;
    assert_false(identity_same(&a, &b));
    identity_release(&a);
    identity_release(&b);
}

static void handshakes_are_no_part_of_it(void **state)
{
    struct error err;
    struct topology *t = topology_parse_nodes(
        STR("aa h:1@2 myself,master - 0 0 1 connected\nbb h:2@3 handshake - 0 0 0 connected\n"),
        (struct topology_self){STR("h"), 1}, &err);
    struct identity id;

    (void)state;
    assert_non_null(t);
    identity_from_topology(&id, t);
    assert_int_equal(id.count, 1);
    identity_release(&id);
    topology_free(t);
}

static void json_brings_back_what_was_written(void **state)
{
    struct identity a;
    struct identity b;
    struct error err;
    json_t *doc;

    (void)state;
    identity_from_address(&a, STR("::1"), 7001);
    doc = identity_to_json(&a);
    assert_true(identity_from_json(&b, doc, &err));
    assert_true(identity_same(&a, &b));
    json_decref(doc);
    identity_release(&a);
    identity_release(&b);
}

static void damaged_json_is_refused(void **state)
{
    static const char *const bad[] = {
        "{}", "{\"mode\":\"x\",\"names\":[]}", "{\"mode\":\"cluster\"}",
        "{\"mode\":\"cluster\",\"names\":[1]}", "{\"mode\":\"cluster\",\"names\":[\"\"]}"};
    struct identity id = {0};
    struct error err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        json_t *doc = json_parse(str_from(bad[i]), "test", &err);

        assert_non_null(doc);
        assert_false(identity_from_json(&id, doc, &err));
        assert_int_equal(err.code, ERROR_CORRUPT);
        assert_int_equal(id.count, 0);
        json_decref(doc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cluster_is_the_same_while_one_id_is_shared),
        cmocka_unit_test(sentinel_needs_the_same_master_name),
        cmocka_unit_test(handshakes_are_no_part_of_it),
        cmocka_unit_test(json_brings_back_what_was_written),
        cmocka_unit_test(damaged_json_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
