/* Backup ids, states, `latest` and prune, on a directory that holds all kinds of names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/base/format.h"
#include "core/store/catalog.h"
#include "tests/harness/tmpdir.h"

#define ID(stamp) "redis-backup-dev-" stamp "-28e5"
#define HOUR_MS ((int64_t)3600 * 1000)

static void ids_are_taken_apart(void **state)
{
    (void)state;
    struct backup_id id;
    assert_true(backup_id_parse(STR("redis-backup-my-env.2-20250818T060635Z-28e5"), &id));
    assert_string_equal(id.env, "my-env.2");
    assert_int_equal(id.time_ms, INT64_C(1755497195000));
    assert_true(backup_id_make("dev", INT64_C(1755497195000), &id));
    assert_true(str_starts(str_from(id.text), "redis-backup-dev-20250818T060635Z-"));
    struct backup_id again;
    assert_true(backup_id_parse(str_from(id.text), &again));
    assert_string_equal(again.text, id.text);
}

static void hostile_ids_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",
        "redis-backup-",
        "redis-backup-dev-20250818T060635Z-28e",
        "redis-backup-dev-20250818T060635Z-28e5 ",
        "redis-backup-dev-20250818T060635Z-28E5",
        "redis-backup-dev-20250818t060635Z-28e5",
        "redis-backup-dev-20251318T060635Z-28e5",
        "redis-backup-dev-20250818T060635Z_28e5",
        "redis-backup--20250818T060635Z-28e5",
        "redis-backup-../x-20250818T060635Z-28e5",
        "redis-backup-a/b-20250818T060635Z-28e5",
        "redis-backup-.hid-20250818T060635Z-28e5",
        "redis-backup-\x1b[2J-20250818T060635Z-28e5",
        "Redis-backup-dev-20250818T060635Z-28e5",
        "redis-backup-20250818T060635Z-28e5",
    };
    struct backup_id id;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (backup_id_parse(str_from(names[i]), &id))
            fail_msg("accepted: %s", names[i]);
    char longest[300];
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_false(backup_id_make(longest, 0, &id));
    assert_false(backup_id_make("a/b", 0, &id));
    assert_false(backup_id_make("", 0, &id));
}

static char *manifest(const char *id, const char *env, const char *flags)
{
    return mem_format("{\"format_version\":1,\"backup_id\":\"%s\",\"env\":\"%s\",%s,"
                      "\"started_at\":\"2025-08-18T06:06:35Z\",\"mode\":\"cluster\","
                      "\"cluster\":{\"mode\":\"cluster\",\"names\":[\"aaa\",\"bbb\"]},"
                      "\"servers\":[{\"flavour\":\"redis\",\"version\":\"7.0.15\"}],"
                      "\"totals\":{\"keys\":42,\"bytes\":999,\"with_ttl\":3,\"unreadable\":1,"
                      "\"by_type\":{\"string\":40,\"hash\":2}},\"parts\":[]}",
                      id, env, flags);
}

static void put_file(const char *dir, const char *name, const char *text)
{
    tmpdir_write(tmpdir_path(dir, name), text, strlen(text));
}

/* An archive with its manifest beside it. */
static void put_backup(const char *dir, const char *id, const char *flags)
{
    char name[200];
    struct backup_id parsed;
    assert_true(backup_id_parse(str_from(id), &parsed));
    char *text = manifest(id, parsed.env, flags);
    (void)snprintf(name, sizeof(name), "%s.tar.gz", id);
    put_file(dir, name, "archive");
    (void)snprintf(name, sizeof(name), "%s.metadata.json", id);
    put_file(dir, name, text);
    free(text);
}

#define COMPLETE "\"complete\":true,\"filtered\":false"
#define FILTERED "\"complete\":true,\"filtered\":true"
#define INCOMPLETE "\"complete\":false,\"reason\":\"shard b moved\",\"filtered\":false"

struct shelf {
    const char *dir;
    struct store *store;
    struct catalog *catalog;
};

static struct shelf open_shelf(const char *dir)
{
    const struct store_options options = {.part_bytes = 0};
    struct shelf s = {.dir = dir};
    struct error err = {.text = ""};
    if (!store_open(dir, &options, &s.store, &err))
        fail_msg("%s", err.text);
    s.catalog = catalog_new(s.store);
    if (!catalog_load(s.catalog, &err))
        fail_msg("%s", err.text);
    return s;
}

static void close_shelf(struct shelf *s)
{
    catalog_free(s->catalog);
    store_free(s->store);
}

static void make_dir(const char *dir, const char *name)
{
    struct error err;
    assert_true(file_make_dirs(tmpdir_path(dir, name), &err));
}

static void rows_are_newest_first_with_their_states(void **state)
{
    (void)state;
    const char *dir = tmpdir_new();
    put_backup(dir, ID("20250801T000000Z"), COMPLETE);
    put_backup(dir, ID("20250803T000000Z"), INCOMPLETE);
    put_backup(dir, ID("20250802T000000Z"), FILTERED);
    put_file(dir, ID("20250804T000000Z") ".tar.gz", "x");
    make_dir(dir, ID("20250805T000000Z"));
    put_file(dir, ID("20250806T000000Z") ".metadata.json", "{\"complete\":tru");
    char *text = manifest(ID("20250807T000000Z"), "dev", COMPLETE);
    put_file(dir, ID("20250807T000000Z") ".metadata.json", text);
    free(text);
    put_file(dir, "notes.txt", "x");
    put_file(dir, "redis-backup-dev-20250801T000000Z-28E5.tar.gz", "x");
    struct shelf s = open_shelf(dir);
    static const enum backup_state states[] = {BACKUP_CORRUPT, BACKUP_CORRUPT,    BACKUP_INCOMPLETE,
                                               BACKUP_FOREIGN, BACKUP_INCOMPLETE, BACKUP_COMPLETE,
                                               BACKUP_COMPLETE};
    assert_int_equal(catalog_count(s.catalog), COUNT_OF(states));
    assert_int_equal(catalog_ignored(s.catalog), 2);
    struct error err;
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        struct catalog_row *row = catalog_row(s.catalog, i);
        assert_int_equal(row->state, BACKUP_UNREAD);
        assert_true(catalog_read_summary(s.catalog, row, &err));
        assert_int_equal(row->state, states[i]);
        assert_true(i == 0 || row->id.time_ms < catalog_row(s.catalog, i - 1)->id.time_ms);
    }
    assert_string_equal(catalog_row(s.catalog, 0)->summary.reason, "the archive is missing");
    assert_string_equal(catalog_row(s.catalog, 4)->summary.reason, "shard b moved");
    const struct backup_summary *summary = &catalog_row(s.catalog, 6)->summary;
    assert_int_equal(summary->keys, 42);
    assert_int_equal(summary->type_count, 2);
    assert_string_equal(summary->types[1].name, "hash");
    assert_string_equal(summary->server, "redis 7.0.15");
    assert_int_equal(summary->cluster_id_count, 2);
    close_shelf(&s);
}

static void a_manifest_of_another_backup_is_corrupt(void **state)
{
    (void)state;
    const char *dir = tmpdir_new();
    char *text = manifest(ID("20250101T000000Z"), "dev", COMPLETE);
    put_file(dir, ID("20250802T000000Z") ".tar.gz", "x");
    put_file(dir, ID("20250802T000000Z") ".metadata.json", text);
    free(text);
    struct shelf s = open_shelf(dir);
    struct error err;
    assert_true(catalog_read_summary(s.catalog, catalog_row(s.catalog, 0), &err));
    assert_int_equal(catalog_row(s.catalog, 0)->state, BACKUP_CORRUPT);
    close_shelf(&s);
}

static void the_head_of_a_long_manifest_is_enough(void **state)
{
    (void)state;
    struct buf text;
    struct error err = {.text = ""};
    struct arena arena = {.head = NULL};
    struct backup_summary summary;
    char *start = manifest("x", "dev", COMPLETE);
    buf_init(&text, 1 << 20);
    buf_put(&text, "%.*s[", (int)(strlen(start) - 3), start);
    while (text.len < CATALOG_HEAD_BYTES)
        buf_put(&text, "{\"name\":\"k,}]\\\"{\",\"bytes\":1},");
    for (size_t cut = strlen(start); cut < CATALOG_HEAD_BYTES; cut += 997) {
        if (!backup_summary_parse(str_slice(buf_str(&text), 0, cut), false, &arena, &summary, &err))
            fail_msg("cut at %zu: %s", cut, err.text);
        assert_int_equal(summary.keys, 42);
        assert_true(summary.complete);
    }
    for (size_t cut = 0; cut < strlen(start); cut++) {
        bool ok =
            backup_summary_parse(str_slice(buf_str(&text), 0, cut), false, &arena, &summary, &err);
        assert_true(ok || err.code == ERROR_CORRUPT);
    }
    buf_release(&text);
    arena_release(&arena);
    free(start);
}

static void hostile_manifests_are_refused_or_escaped(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "[]",
        "null",
        "{}",
        "{\"complete\":1}",
        "{\"complete\":true,\"complete\":true}",
        "{\"complete\":\"yes\"}",
        "\xff\xfe",
        "{\"complete\":true}}",
    };
    struct arena arena = {.head = NULL};
    struct backup_summary summary;
    struct error err;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (backup_summary_parse(str_from(texts[i]), true, &arena, &summary, &err))
            fail_msg("accepted: %s", texts[i]);
    assert_true(backup_summary_parse(
        STR("{\"complete\":false,\"reason\":\"\\u001b[2Jx\",\"totals\":[],\"cluster\":7,"
            "\"servers\":{}}"),
        true, &arena, &summary, &err));
    assert_null(strchr(summary.reason, 0x1b));
    assert_int_equal(summary.keys, -1);
    arena_release(&arena);
}

struct choice {
    const char *env;
    const char *cluster_id;
    bool any;
    const char *expected; /* NULL: none */
};

static void latest_is_complete_whole_and_of_this_cluster(void **state)
{
    (void)state;
    const char *dir = tmpdir_new();
    put_backup(dir, ID("20250801T000000Z"), COMPLETE);
    put_backup(dir, ID("20250802T000000Z"), FILTERED);
    put_backup(dir, ID("20250803T000000Z"), INCOMPLETE);
    put_file(dir, ID("20250804T000000Z") ".tar.gz", "x");
    put_backup(dir, "redis-backup-prd-20250805T000000Z-0000", COMPLETE);
    static const struct choice choices[] = {
        {"dev", "bbb", false, ID("20250801T000000Z")},
        {"dev", NULL, false, ID("20250801T000000Z")},
        {"dev", "zzz", false, NULL},
        {"prd", "aaa", false, "redis-backup-prd-20250805T000000Z-0000"},
        {"nope", NULL, false, NULL},
        {"dev", "zzz", true, "redis-backup-prd-20250805T000000Z-0000"},
    };
    for (size_t i = 0; i < COUNT_OF(choices); i++) {
        struct shelf s = open_shelf(dir);
        const struct choice *x = &choices[i];
        const struct catalog_want want = {.env = x->env,
                                          .cluster_ids = &x->cluster_id,
                                          .cluster_id_count = x->cluster_id != NULL ? 1 : 0,
                                          .any = x->any};
        struct catalog_row *row = NULL;
        char why[500] = "";
        struct error err = {.text = ""};
        bool ok = catalog_latest(s.catalog, &want, &row, why, sizeof(why), &err);
        assert_int_equal(ok, x->expected != NULL);
        if (x->expected != NULL) {
            assert_string_equal(row->id.text, x->expected);
            assert_non_null(strstr(why, x->expected));
        } else {
            assert_int_equal(err.code, ERROR_NOT_FOUND);
        }
        if (i == 0)
            assert_non_null(strstr(why, "passed over 3 newer"));
        close_shelf(&s);
    }
}

static void prune_keeps_what_either_rule_keeps(void **state)
{
    (void)state;
    const char *dir = tmpdir_new();
    put_backup(dir, ID("20250810T000000Z"), INCOMPLETE);  /* 0: too young to go */
    put_backup(dir, ID("20250809T000000Z"), COMPLETE);    /* 1 */
    put_backup(dir, ID("20250808T000000Z"), COMPLETE);    /* 2 */
    put_backup(dir, ID("20250807T000000Z"), FILTERED);    /* 3: the last filtered one */
    put_backup(dir, ID("20250806T000000Z"), INCOMPLETE);  /* 4 */
    put_file(dir, ID("20250805T000000Z") ".tar.gz", "x"); /* 5: foreign */
    put_backup(dir, ID("20250804T000000Z"), COMPLETE);    /* 6 */
    put_backup(dir, "redis-backup-prd-20250101T000000Z-0000", COMPLETE); /* 7: another's */
    struct backup_id newest;
    assert_true(backup_id_parse(STR(ID("20250810T000000Z")), &newest));
    struct shelf s = open_shelf(dir);
    struct error err;
    static const struct {
        size_t count;
        int64_t days;
        const char *doomed;
    } cases[] = {{1, 0, "00101010"},
                 {2, 0, "00001010"},
                 {1, 3, "00001010"},
                 {0, 1, "00101010"},
                 {9, 0, "00001000"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct catalog_keep keep = {.env = "dev",
                                          .keep_count = cases[i].count,
                                          .keep_days = cases[i].days,
                                          .now_ms = newest.time_ms + HOUR_MS};
        bool doomed[8] = {false};
        assert_true(catalog_plan_prune(s.catalog, &keep, doomed, &err));
        for (size_t r = 0; r < 8; r++)
            if (doomed[r] != (cases[i].doomed[r] == '1'))
                fail_msg("case %zu, row %zu", i, r);
    }
    const struct catalog_keep nothing = {.env = "dev"};
    bool doomed[8];
    assert_false(catalog_plan_prune(s.catalog, &nothing, doomed, &err));
    close_shelf(&s);
}

static void removing_takes_all_of_a_backup_and_nothing_else(void **state)
{
    (void)state;
    const char *dir = tmpdir_new();
    put_backup(dir, ID("20250801T000000Z"), COMPLETE);
    put_backup(dir, ID("20250802T000000Z"), COMPLETE);
    make_dir(dir, ID("20250801T000000Z") "/keys");
    put_file(dir, ID("20250801T000000Z") "/keys/keys-part-0001.jsonl", "x");
    put_file(dir, ID("20250801T000000Z") ".metadata.hmac", "x");
    struct shelf s = open_shelf(dir);
    struct error err = {.text = ""};
    if (!catalog_remove(s.catalog, catalog_find(s.catalog, ID("20250801T000000Z")), &err))
        fail_msg("%s", err.text);
    close_shelf(&s);
    char **names = NULL;
    size_t count = 0;
    assert_true(file_list(dir, &names, &count, &err));
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++)
        assert_true(str_starts(str_from(names[i]), ID("20250802T000000Z")));
    file_list_free(names, count);
}

static void an_archive_shorter_than_its_manifest_says_is_corrupt(void **state)
{
    (void)state;
    static const struct {
        const char *archive_bytes;
        enum backup_state expected;
    } cases[] = {{"6", BACKUP_COMPLETE}, {"7", BACKUP_CORRUPT}, {"9000", BACKUP_CORRUPT}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *dir = tmpdir_new();
        struct error err;
        char text[300];
        put_file(dir, ID("20250810T000000Z") ".tar.gz", "7 bytes");
        (void)snprintf(text, sizeof(text),
                       "{\"backup_id\":\"" ID(
                           "20250810T000000Z") "\",\"env\":\"dev\"," COMPLETE
                                               ",\"totals\":{\"keys\":1,\"archive_bytes\":%s}}",
                       cases[i].archive_bytes);
        put_file(dir, ID("20250810T000000Z") ".metadata.json", text);
        struct shelf s = open_shelf(dir);
        struct catalog_row *row = catalog_row(s.catalog, 0);
        assert_true(catalog_read_summary(s.catalog, row, &err));
        assert_int_equal(row->state, cases[i].expected);
        close_shelf(&s);
    }
}

static void further_volumes_belong_to_their_archive(void **state)
{
    (void)state;
    const char *dir = tmpdir_new();
    struct error err;
    put_backup(dir, ID("20250810T000000Z"), COMPLETE);
    put_file(dir, ID("20250810T000000Z") ".tar.gz.001", "second");
    put_file(dir, ID("20250810T000000Z") ".tar.gz.002", "third");
    put_file(dir, ID("20250809T000000Z") ".tar.gz.001", "alone");
    put_file(dir, ID("20250808T000000Z") ".tar.gz.000", "no volume");
    put_file(dir, ID("20250808T000000Z") ".tar.gz.0x1", "no volume");
    put_file(dir, ID("20250808T000000Z") ".001", "no volume");
    struct shelf s = open_shelf(dir);
    assert_int_equal(catalog_count(s.catalog), 2);
    assert_int_equal(catalog_ignored(s.catalog), 3);
    struct catalog_row *row = catalog_row(s.catalog, 0);
    assert_int_equal(row->archive_bytes, strlen("archive") + strlen("second") + strlen("third"));
    assert_int_equal(row->volumes, 3);
    row = catalog_row(s.catalog, 1);
    assert_false(row->has_archive);
    assert_true(catalog_read_summary(s.catalog, row, &err));
    assert_int_equal(row->state, BACKUP_CORRUPT);
    close_shelf(&s);
}

static void many_summaries_are_read_side_by_side(void **state)
{
    (void)state;
    enum { BACKUPS = 300 };
    const char *dir = tmpdir_new();
    struct catalog_row *rows[BACKUPS];
    struct error why = {.text = ""};
    struct error err = {.text = ""};
    size_t unknown = 0;
    for (int i = 0; i < BACKUPS; i++) {
        char id[100];
        (void)snprintf(id, sizeof(id), "redis-backup-dev-20250810T%02d%02d00Z-%04x", i / 60, i % 60,
                       (unsigned)i);
        put_backup(dir, id, i % 3 == 0 ? INCOMPLETE : COMPLETE);
    }
    struct shelf s = open_shelf(dir);
    for (size_t i = 0; i < BACKUPS; i++)
        rows[i] = catalog_row(s.catalog, i);
    assert_true(catalog_read_summaries(s.catalog, rows, BACKUPS, &unknown, &why, &err));
    assert_int_equal(unknown, 0);
    for (size_t i = 0; i < BACKUPS; i++) {
        assert_int_equal(rows[i]->state,
                         (BACKUPS - 1 - i) % 3 == 0 ? BACKUP_INCOMPLETE : BACKUP_COMPLETE);
        assert_string_equal(rows[i]->summary.id, rows[i]->id.text);
        assert_int_equal(rows[i]->summary.cluster_id_count, 2);
    }
    close_shelf(&s);
}

static void pages_add_up(void **state)
{
    (void)state;
    const char *dir = tmpdir_new();
    const struct store_options options = {.part_bytes = 0};
    for (int i = 0; i < 1100; i++) {
        char name[100];
        (void)snprintf(name, sizeof(name), "redis-backup-dev-20250801T%02d%02d%02dZ-28e5.tar.gz",
                       i / 3600, i / 60 % 60, i % 60);
        put_file(dir, name, "");
    }
    struct store *store = NULL;
    struct error err;
    assert_true(store_open(dir, &options, &store, &err));
    struct catalog *c = catalog_new(store);
    bool more = false;
    assert_true(catalog_next_page(c, &more, &err));
    assert_true(more);
    assert_int_equal(catalog_count(c), 1000);
    assert_true(catalog_next_page(c, &more, &err));
    assert_false(more);
    assert_int_equal(catalog_count(c), 1100);
    catalog_free(c);
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_taken_apart),
        cmocka_unit_test(hostile_ids_are_refused),
        cmocka_unit_test(rows_are_newest_first_with_their_states),
        cmocka_unit_test(a_manifest_of_another_backup_is_corrupt),
        cmocka_unit_test(the_head_of_a_long_manifest_is_enough),
        cmocka_unit_test(hostile_manifests_are_refused_or_escaped),
        cmocka_unit_test(latest_is_complete_whole_and_of_this_cluster),
        cmocka_unit_test(prune_keeps_what_either_rule_keeps),
        cmocka_unit_test(removing_takes_all_of_a_backup_and_nothing_else),
        cmocka_unit_test(an_archive_shorter_than_its_manifest_says_is_corrupt),
        cmocka_unit_test(further_volumes_belong_to_their_archive),
        cmocka_unit_test(many_summaries_are_read_side_by_side),
        cmocka_unit_test(pages_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
