/*
 * it_data.c - faults 9 to 11 where a line or another server has part in them: a key that becomes
 * another type while its replies trickle in, 10,000 keys that expire on the way into a backup and
 * out of it again, deadlines that one flavour takes and the other refuses.
 */
#include "tests/engine/restore_kit.h"

#include <inttypes.h>
#include <signal.h>

#include "core/base/clock.h"
#include "tests/engine/fixture_backup.h"
#include "tests/harness/fault_proxy.h"
#include "tests/harness/proc.h"

#define MORTAL 10000
#define SOON (MORTAL / 2) /* of them die while they are read */
#define FAR_MS 600000
#define TOLERANCE_MS 30000

static struct lab *single(const char *flavor)
{
    return lab_start(&(struct lab_options){.kind = LAB_SINGLE, .flavor = flavor, .replicas = -1});
}

/* ---- 9: another type between TYPE and the reading ----------------------------------------------
 */

static const char flip[] =
    "for i = 1, 200 do local k = 'flip:' .. i redis.call('DEL', k) local t = math.random(4) "
    "if t == 1 then redis.call('SET', k, 'string') "
    "elseif t == 2 then redis.call('HSET', k, 't', 'hash') "
    "elseif t == 3 then redis.call('RPUSH', k, 'list') "
    "else redis.call('SADD', k, 'set') end end";

static void expect_of_one_piece(const json_t *line)
{
    static const char *const forms[][2] = {{"string", "\"string\""},
                                           {"hash", "{\"t\":\"hash\"}"},
                                           {"list", "[\"list\"]"},
                                           {"set", "[\"set\"]"}};
    const char *type = json_string_value(json_object_get(line, "type"));
    char *value = json_dumps(json_object_get(line, "value"), JSON_COMPACT | JSON_ENCODE_ANY);
    bool known = false;

    for (size_t i = 0; i < COUNT_OF(forms); i++)
        known = known || (strcmp(forms[i][0], type) == 0 && strcmp(forms[i][1], value) == 0);
    if (!known)
        fail_msg("%s with the value %s", type, value);
    free(value);
}

static void a_type_that_changes_behind_a_slow_line_is_recorded_in_one_piece(void **ctx UNUSED)
{
    struct lab *lab = single(NULL);
    struct fault_options slow = {.kind = FAULT_SLOW};
    struct fault_proxy *proxy;
    struct setting s;
    char path[LAB_PATH];
    char port[8];
    pid_t writer;
    size_t seen = 0;

    assert_non_null(lab);
    free(lab_cli(lab, 0, "EVAL", flip, "0", NULL));
    proxy = fault_proxy_start("127.0.0.1", (uint16_t)lab_port(lab, 0), &slow);
    lab_client_path(lab, path);
    (void)snprintf(port, sizeof(port), "%d", lab_port(lab, 0));
    writer = proc_start(
        (const char *const[]){path, "-p", port, "-r", "-1", "EVAL", flip, "0", NULL}, NULL, NULL);
    assert_true(writer > 0);
    for (int round = 0; round < 6; round++) {
        struct task *task = task_new_plain();
        struct backup_result done;
        struct map *keys;

        setting_init(&s, lab);
        s.seeds[0].port = fault_proxy_port(proxy);
        setting_run(&s, task, &done);
        keys = read_lines(&s, done.manifest);
        for (int i = 1; i <= 200; i++) {
            char key[24];
            const json_t *lines;

            (void)snprintf(key, sizeof(key), "flip:%d", i);
            lines = map_get(keys, str_from(key));
            if (lines != NULL)
                expect_of_one_piece(json_array_get(lines, 0));
            seen += lines != NULL;
        }
        assert_int_equal(done.manifest->totals.keys + done.manifest->totals.unreadable +
                             done.manifest->totals.vanished,
                         200);
        map_free(keys, free_lines);
        backup_result_release(&done);
        task_free(task);
    }
    (void)proc_stop(writer, SIGTERM);
    assert_true(seen > 600);
    fault_proxy_stop(proxy);
    lab_stop(lab);
}

/* ---- 10: deadlines, there and back --------------------------------------------------------------
 */

static int64_t deadline_of(struct lab *lab, int i)
{
    char key[24];
    char *said;
    int64_t at;

    (void)snprintf(key, sizeof(key), "mortal:%d", i);
    said = lab_cli(lab, 0, "PEXPIRETIME", key, NULL);
    at = strtoll(said, NULL, 10);
    free(said);
    return at;
}

static void deadlines_survive_a_backup_in_which_keys_expire(void **ctx UNUSED)
{
    struct lab *lab = single(NULL);
    struct task *task = task_new_plain();
    struct backup_result done;
    struct setting s;
    struct kit k;
    char now[24];

    assert_non_null(lab);
    (void)snprintf(now, sizeof(now), "%" PRId64, clock_real_ms());
    CLI_ON(lab, 0, "", "EVAL",
           "for i=1,5000 do redis.call('SET','mortal:'..i,'v','PXAT',ARGV[1]+500+i) "
           "redis.call('SET','mortal:'..(5000+i),'v','PXAT',ARGV[1]+600000+i) end",
           "0", now);
    setting_init(&s, lab);
    s.backup.rate = 2500;
    setting_run(&s, task, &done);
    assert_true(done.manifest->complete);
    assert_int_equal(done.findings, 0);
    assert_true(done.manifest->totals.keys >= MORTAL - SOON);
    assert_true(done.manifest->totals.keys + done.manifest->totals.vanished <= MORTAL);
    CLI_ON(lab, 0, "OK", "FLUSHALL");
    kit_open(&k, tmpdir_path(s.dir, ID), (uint16_t)lab_port(lab, 0));
    k.options.ttl = RESTORE_TTL_ABSOLUTE;
    if (!kit_restore(&k))
        fail_msg("%s", k.err.text);
    assert_int_equal(restore_result_findings(&k.result), 0);
    assert_int_equal(k.result.written + k.result.expired, done.manifest->totals.keys);
    assert_true(k.result.written >= MORTAL - SOON);
    kit_close(&k);
    for (int i = 1; i <= MORTAL - SOON; i += 97) {
        int64_t wanted = strtoll(now, NULL, 10) + FAR_MS + i;

        assert_true(llabs(deadline_of(lab, SOON + i) - wanted) <= TOLERANCE_MS);
    }
    backup_result_release(&done);
    task_free(task);
    lab_stop(lab);
}

/* ---- 11: a deadline that the target refuses ----------------------------------------------------
 */

static void a_deadline_beyond_the_targets_is_clamped_and_said(void **ctx UNUSED)
{
    struct lab *from = single("valkey9");
    struct lab *to = from == NULL ? NULL : single("redis8");
    struct task *task = task_new_plain();
    struct backup_result done;
    struct setting s;
    struct kit k;
    bool said = false;
    char *at;

    if (to == NULL) {
        print_message("fields with deadlines on both sides need valkey9 and redis8\n");
        lab_stop(from);
        task_free(task);
        skip();
    }
    CLI_ON(from, 0, "2", "HSET", "hash", "late", "1", "ever", "2");
    CLI_ON(from, 0, "1", "HPEXPIREAT", "hash", "70368744177700", "FIELDS", "1", "late");
    CLI_ON(from, 0, "1", "HSET", "shell", "gone", "1");
    CLI_ON(from, 0, "1", "HPEXPIRE", "shell", "1", "FIELDS", "1", "gone");
    setting_init(&s, from);
    setting_run(&s, task, &done);
    assert_true(done.manifest->complete);
    assert_int_equal(done.findings, 0);
    assert_int_equal(done.manifest->totals.keys, 1); /* a hash without a living field is none */
    kit_open(&k, tmpdir_path(s.dir, ID), (uint16_t)lab_port(to, 0));
    if (!kit_restore(&k))
        fail_msg("%s", k.err.text);
    assert_int_equal(restore_result_findings(&k.result), 0);
    for (size_t i = 0; i < k.plan->warning_count; i++)
        said = said || strstr(k.plan->warnings[i], "2^46") != NULL;
    assert_true(said);
    kit_close(&k);
    at = lab_cli(to, 0, "HPEXPIRETIME", "hash", "FIELDS", "1", "late", NULL);
    assert_string_equal(at, "70368744177662");
    free(at);
    at = lab_cli(to, 0, "HGET", "hash", "ever", NULL);
    assert_string_equal(at, "2");
    free(at);
    backup_result_release(&done);
    task_free(task);
    lab_stop(from);
    lab_stop(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_type_that_changes_behind_a_slow_line_is_recorded_in_one_piece),
        cmocka_unit_test(deadlines_survive_a_backup_in_which_keys_expire),
        cmocka_unit_test(a_deadline_beyond_the_targets_is_clamped_and_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
