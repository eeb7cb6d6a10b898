/*
 * it_restore_fit.c - what a plan says of a target that does not fit: too little memory, settings
 * and slots in the way; and how near the estimate of memory is to what a server really needs.
 */
#include "tests/engine/restore_kit.h"

#include "core/base/secret.h"
#include "core/restore/restore_fit.h"
#include "tests/harness/lab.h"

static struct lab *lab;

static int start_lab(void **ctx UNUSED)
{
    lab = lab_start(&(struct lab_options){.kind = LAB_CLUSTER, .replicas = -1});
    return lab == NULL ? -1 : 0;
}

static int stop_lab(void **ctx UNUSED)
{
    lab_stop(lab);
    return 0;
}

static void flush(void)
{
    for (size_t i = 0; i < lab_nodes(lab); i++)
        free(lab_cli(lab, i, "FLUSHALL", NULL));
}

static void set(const char *name, const char *value)
{
    for (size_t i = 0; i < lab_nodes(lab); i++)
        free(lab_cli(lab, i, "CONFIG", "SET", name, value, NULL));
}

static long long used(void)
{
    long long sum = 0;

    for (size_t i = 0; i < lab_nodes(lab); i++)
        sum += lab_info_number(lab, i, "memory", "used_memory");
    return sum;
}

/* ---- archives of one shape ------------------------------------------------------------------- */

struct shape {
    const char *name;
    const char *type;
    int keys;
    int items;
    int bytes; /* of a value, item, field value or member */
    int ttl;
};

static void put_text(FILE *f, int salt, int bytes)
{
    for (int i = 0; i < bytes; i++)
        fputc('a' + (salt * 7 + i * 3 + salt / 26) % 26, f);
}

static void put_items(FILE *f, const struct shape *s, int key)
{
    for (int i = 0; i < s->items; i++) {
        fputs(i == 0 ? "" : ",", f);
        if (strcmp(s->type, "zset") == 0)
            fprintf(f, "[\"%06d", i);
        else if (strcmp(s->type, "stream") == 0)
            fprintf(f, "[\"%d-1\",[\"field\",\"", i + 1);
        else
            fprintf(f, "\"%06d", i);
        if (strcmp(s->type, "hash") == 0)
            fputs("\":\"", f);
        put_text(f, key + i, s->bytes);
        fputs(strcmp(s->type, "zset") == 0     ? "\",\"1.5\"]"
              : strcmp(s->type, "stream") == 0 ? "\"]]"
                                               : "\"",
              f);
    }
}

static void put_value(FILE *f, const struct shape *s, int key)
{
    bool braces = strcmp(s->type, "hash") == 0;

    if (strcmp(s->type, "string") == 0) {
        fputc('"', f);
        put_text(f, key, s->bytes);
        fputc('"', f);
        return;
    }
    if (strcmp(s->type, "stream") == 0)
        fputs("{\"entries\":", f);
    fputc(braces ? '{' : '[', f);
    put_items(f, s, key);
    fputc(braces ? '}' : ']', f);
    if (strcmp(s->type, "stream") == 0)
        fprintf(f,
                ",\"last_id\":\"%d-1\",\"entries_added\":\"%d\",\"max_deleted_id\":\"0-0\","
                "\"groups\":[]}",
                s->items, s->items);
}

static const char *archive_of(const struct shape *s)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    const char *dir;

    assert_non_null(f);
    for (int i = 0; i < s->keys; i++) {
        fprintf(f, "{\"key\":\"%s:%06d\",\"type\":\"%s\",\"ttl_millis\":%s,\"value\":", s->name, i,
                s->type, s->ttl ? "9000000" : "null");
        put_value(f, s, i);
        fputs("}\n", f);
    }
    assert_int_equal(fclose(f), 0);
    dir = kit_backup(text, len);
    free(text);
    return dir;
}

static void open_kit(struct kit *k, const struct shape *s)
{
    kit_open(k, archive_of(s), (uint16_t)lab_port(lab, 0));
    k->options.policy = RESTORE_OVERWRITE;
}

static bool survey(struct kit *k)
{
    restore_plan_free(k->plan);
    k->plan = NULL;
    return restore_survey(k->source, &k->target, &k->options, k->task, &k->plan, &k->err);
}

static bool says(char *const *texts, size_t count, const char *what)
{
    for (size_t i = 0; i < count; i++)
        if (strstr(texts[i], what) != NULL)
            return true;
    return false;
}

static bool warns(const struct kit *k, const char *what)
{
    return says(k->plan->warnings, k->plan->warning_count, what);
}

static bool refuses(const struct kit *k, const char *what)
{
    return says(k->plan->blockers, k->plan->blocker_count, what);
}

static uint64_t estimate(const struct kit *k)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < k->plan->node_count; i++)
        sum += k->plan->nodes[i].need_memory;
    return sum;
}

/* ---- tests ------------------------------------------------------------------------------------
 */

static void the_estimate_of_memory_is_near_what_the_server_needs(void **ctx UNUSED)
{
    static const struct shape shapes[] = {
        {"s-short", "string", 30000, 0, 8, 0},  {"s-ttl", "string", 30000, 0, 40, 1},
        {"s-long", "string", 1000, 0, 9000, 0}, {"h-compact", "hash", 6000, 10, 12, 0},
        {"h-full", "hash", 100, 2000, 30, 0},   {"h-wide", "hash", 3000, 5, 300, 0},
        {"l-short", "list", 5000, 10, 12, 0},   {"l-long", "list", 30, 5000, 30, 0},
        {"t-compact", "set", 5000, 8, 12, 0},   {"t-full", "set", 100, 2000, 24, 0},
        {"z-compact", "zset", 5000, 10, 12, 0}, {"z-full", "zset", 100, 2000, 24, 0},
        {"x-short", "stream", 2000, 5, 20, 0},  {"x-long", "stream", 20, 4000, 40, 0},
    };

    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        struct kit k;
        long long before;
        double ratio;

        flush();
        before = used();
        open_kit(&k, &shapes[i]);
        if (!kit_restore(&k))
            fail_msg("%s", k.err.text);
        assert_int_equal(k.result.written, shapes[i].keys);
        ratio = (double)estimate(&k) / (double)(used() - before);
        print_message("%-10s %.2f of what it needs\n", shapes[i].name, ratio);
        assert_true(ratio > 0.75 && ratio < 1.3);
        kit_close(&k);
    }
    flush();
}

static const struct shape two_megabytes = {"m", "string", 200, 0, 10000, 1};

static void set_room(long long bytes)
{
    for (size_t i = 0; i < lab_nodes(lab); i++) {
        char text[24];

        (void)snprintf(text, sizeof(text), "%lld",
                       bytes == 0 ? 0 : lab_info_number(lab, i, "memory", "used_memory") + bytes);
        free(lab_cli(lab, i, "CONFIG", "SET", "maxmemory", text, NULL));
    }
}

static void a_backup_that_cannot_fit_is_refused_before_the_first_byte(void **ctx UNUSED)
{
    struct kit k;

    flush();
    open_kit(&k, &two_megabytes); /* some 700 kB for each of the three */
    set_room(300000);
    assert_false(kit_restore(&k));
    assert_true(refuses(&k, "has room for"));
    assert_int_equal(lab_keys(lab), 0);
    set_room(720000);
    assert_true(survey(&k));
    assert_int_equal(k.plan->blocker_count, 0);
    assert_true(warns(&k, "may not fit"));
    set_room(20000000);
    assert_true(survey(&k));
    assert_false(warns(&k, "has room for"));
    set_room(0);
    kit_close(&k);
}

/* It replaces what is there, so it needs no room beside that. */
static void replaced_values_make_room(void **ctx UNUSED)
{
    struct kit k;

    flush();
    open_kit(&k, &two_megabytes);
    if (!kit_restore(&k))
        fail_msg("%s", k.err.text);
    set_room(300000);
    assert_true(survey(&k));
    assert_int_equal(k.plan->blocker_count, 0);
    set_room(0);
    flush();
    kit_close(&k);
}

static void a_policy_that_evicts_is_named_and_tune_says_what_it_changes(void **ctx UNUSED)
{
    struct kit k;

    open_kit(&k, &two_megabytes);
    set_room(50000000);
    set("maxmemory-policy", "allkeys-lru");
    assert_true(survey(&k));
    assert_true(warns(&k, "evicts keys when it is full (allkeys-lru)"));
    assert_true(warns(&k, "--tune holds that off"));
    k.options.tune = true;
    assert_true(survey(&k));
    assert_true(warns(&k, "noeviction instead of allkeys-lru"));
    set("maxmemory-policy", "noeviction");
    set_room(0);
    kit_close(&k);
}

static void without_the_right_to_configure_tune_is_refused_in_the_plan(void **ctx UNUSED)
{
    struct secret password = {0};
    struct kit k;

    for (size_t i = 0; i < lab_nodes(lab); i++)
        free(lab_cli(lab, i, "ACL", "SETUSER", "writer", "on", ">word", "~*", "+@all", "-config",
                     NULL));
    open_kit(&k, &two_megabytes);
    secret_set(&password, STR("word"));
    k.target.username = "writer";
    k.target.password = &password;
    assert_true(survey(&k));
    assert_int_equal(k.plan->blocker_count, 0);
    assert_false(k.plan->nodes[0].may_tune);
    k.options.tune = true;
    assert_true(survey(&k));
    assert_true(refuses(&k, "--tune is not possible"));
    assert_true(refuses(&k, "NOPERM"));
    kit_close(&k);
    secret_release(&password);
}

static void what_a_server_cannot_keep_is_refused_or_named(void **ctx UNUSED)
{
    static const char text[] =
        "{\"key\":\"h\",\"type\":\"hash\",\"ttl_millis\":null,\"value\":{\"f\":\"v\",\"g\":\"w\"},"
        "\"field_expire_at_millis\":{\"f\":4102444800000}}\n"
        "{\"key\":\"s\",\"type\":\"stream\",\"ttl_millis\":null,\"value\":{\"entries\":[[\"1-1\","
        "[\"a\",\"b\"]]],\"last_id\":\"1-1\",\"groups\":[{\"name\":\"g\",\"last_delivered_id\":"
        "\"1-1\",\"consumers\":[],\"pending\":[[\"1-1\",null,1755497196412,1]]}]}}\n";
    struct kit k;
    char *said;

    flush();
    kit_open(&k, kit_backup(text, sizeof(text) - 1), (uint16_t)lab_port(lab, 0));
    k.options.policy = RESTORE_OVERWRITE;
    assert_true(survey(&k));
    assert_true(warns(&k, "streams come from a server before 7.0"));
    assert_true(refuses(&k, "belong to no consumer (XNACK)"));
    assert_true(refuses(&k, "--drop-field-ttl"));
    assert_false(kit_restore(&k));
    assert_int_equal(lab_keys(lab), 0);
    k.options.drop_field_ttl = true;
    k.options.allow_downgrade = true;
    if (!kit_restore(&k))
        fail_msg("%s", k.err.text);
    assert_true(warns(&k, "1 hash fields lose their deadline"));
    assert_true(warns(&k, "would be left out"));
    assert_int_equal(k.result.written, 2);
    assert_int_equal(restore_result_findings(&k.result), 0);
    said = lab_cli_routed(lab, "XPENDING", "s", "g", NULL);
    assert_int_equal(said[0], '0');
    free(said);
    kit_close(&k);
    flush();
}

static void an_open_slot_that_holds_keys_is_refused(void **ctx UNUSED)
{
    uint16_t slot = slot_of_key(STR("{x}"));
    char number[8];
    struct kit k;
    size_t owner = slot < 5461 ? 0 : slot < 10923 ? 1 : 2;
    char *other = lab_cli(lab, (owner + 1) % 3, "CLUSTER", "MYID", NULL);

    open_kit(&k, &(struct shape){"{x}", "string", 2, 0, 5, 0});
    (void)snprintf(number, sizeof(number), "%u", (unsigned)slot);
    free(lab_cli(lab, owner, "CLUSTER", "SETSLOT", number, "MIGRATING", other, NULL));
    assert_true(survey(&k));
    assert_true(refuses(&k, "slots that are open"));
    free(lab_cli(lab, owner, "CLUSTER", "SETSLOT", number, "STABLE", NULL));
    assert_true(survey(&k));
    assert_int_equal(k.plan->blocker_count, 0);
    kit_close(&k);
    free(other);
}

static void the_versions_of_dump_payloads_follow_the_releases(void **ctx UNUSED)
{
    assert_int_equal(restore_fit_rdb_version(FLAVOUR_REDIS, 60216), 9);
    assert_int_equal(restore_fit_rdb_version(FLAVOUR_REDIS, 70015), 10);
    assert_int_equal(restore_fit_rdb_version(FLAVOUR_REDIS, 70401), 12);
    assert_int_equal(restore_fit_rdb_version(FLAVOUR_VALKEY, 80107), 11);
    assert_int_equal(restore_fit_rdb_version(FLAVOUR_VALKEY, 90100), 80);
    assert_true(restore_fit_reads_rdb(FLAVOUR_REDIS, 80000, 10));
    assert_false(restore_fit_reads_rdb(FLAVOUR_REDIS, 70015, 11));
    assert_false(restore_fit_reads_rdb(FLAVOUR_VALKEY, 90100, 12));
    assert_true(restore_fit_reads_rdb(FLAVOUR_VALKEY, 90100, 11));
    assert_false(restore_fit_reads_rdb(FLAVOUR_REDIS, 80800, 80));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_versions_of_dump_payloads_follow_the_releases),
        cmocka_unit_test(the_estimate_of_memory_is_near_what_the_server_needs),
        cmocka_unit_test(a_backup_that_cannot_fit_is_refused_before_the_first_byte),
        cmocka_unit_test(replaced_values_make_room),
        cmocka_unit_test(a_policy_that_evicts_is_named_and_tune_says_what_it_changes),
        cmocka_unit_test(without_the_right_to_configure_tune_is_refused_in_the_plan),
        cmocka_unit_test(what_a_server_cannot_keep_is_refused_or_named),
        cmocka_unit_test(an_open_slot_that_holds_keys_is_refused),
    };

    return cmocka_run_group_tests(tests, start_lab, stop_lab);
}
