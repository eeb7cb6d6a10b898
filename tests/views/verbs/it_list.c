/* list, show, download and `latest` over a real bucket and a backup directory that hold good,
 * incomplete, corrupt, foreign and hostile things. What is in the bucket is put there and looked at
 * with curl. */
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "core/base/json.h"
#include "tests/harness/cli_run.h"
#include "tests/harness/lab.h"
#include "tests/harness/proc.h"
#include "tests/harness/s3_curl.h"
#include "tests/harness/tmpdir.h"

#define KEYS 40
#define ID_SIZE 64
#define PREFIX "backups/"
#define ID(day, hex) "redis-backup-local-202001" day "T000000Z-" hex

struct world {
    struct lab *lab;
    const char *backups;    /* the backup directory */
    char real[ID_SIZE];     /* a whole backup, in both places */
    char filtered[ID_SIZE]; /* newer, with a filter */
};

static int open_world(void **state)
{
    static struct world w;

    w.lab = lab_start(&(struct lab_options){.replicas = -1, .s3 = true});
    if (w.lab == NULL)
        return -1;
    w.backups = tmpdir_path(lab_dir(w.lab), "backups");
    *state = &w;
    return 0;
}

static int close_world(void **state)
{
    const struct world *w = *state;

    lab_stop(w->lab);
    return 0;
}

static size_t lines(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += *text == '\n';
    return n;
}

static void put_manifest(const struct world *w, const char *id, const char *text)
{
    char key[200];

    (void)snprintf(key, sizeof(key), PREFIX "%s.metadata.json", id);
    s3_curl_put(lab_s3(w->lab), key, text, strlen(text));
}

static void put_archive(const struct world *w, const char *id, const char *bytes, size_t len)
{
    char key[200];

    (void)snprintf(key, sizeof(key), PREFIX "%s.tar.gz", id);
    s3_curl_put(lab_s3(w->lab), key, bytes, len);
}

/* The id of the newest backup that list shows. */
static void newest(const struct world *w, char id[ID_SIZE])
{
    struct proc_result r;
    const char *at;

    cli_run(w->lab, NULL, &r, "list", "--s3", "--limit", "1", NULL);
    cli_expect(&r, 0, PREFIX "redis-backup-local-", NULL);
    at = strstr(r.out, "redis-backup-");
    (void)snprintf(id, ID_SIZE, "%.*s", (int)(strstr(at, ".tar.gz") - at), at);
    proc_result_release(&r);
}

/* ---- tests, in this order: each leaves what it made ------------------------------------------ */

static void an_empty_place_lists_nothing(void **state)
{
    const struct world *w = *state;
    struct proc_result r;

    cli_run(w->lab, NULL, &r, "list", NULL);
    cli_expect(&r, 0, NULL, NULL);
    assert_string_equal(r.out, "");
    proc_result_release(&r);
    cli_run(w->lab, NULL, &r, "verify", "--from-s3", "latest", NULL);
    cli_expect(&r, 1, NULL, "no backup of local in s3://");
    proc_result_release(&r);
    cli_run(w->lab, NULL, &r, "show", ID("01", "aaaa"), NULL);
    cli_expect(&r, 1, NULL, "there is no backup");
    proc_result_release(&r);
}

static void a_backup_is_listed_in_both_places_in_the_promised_form(void **state)
{
    struct world *w = *state;
    struct proc_result r;
    regex_t form;

    for (int i = 0; i < KEYS; i++) {
        char key[32];

        (void)snprintf(key, sizeof(key), i % 2 == 0 ? "user:%d" : "cart:%d", i);
        free(lab_cli_routed(w->lab, "SET", key, "value", NULL));
    }
    cli_run(w->lab, NULL, &r, "backup", NULL);
    cli_expect(&r, 0, "Uploaded: s3://", NULL);
    proc_result_release(&r);
    newest(w, w->real);

    cli_run(w->lab, NULL, &r, "list-backups", NULL);
    cli_expect(&r, 0, w->real, NULL);
    assert_int_equal(lines(r.out), 2);
    assert_int_equal(regcomp(&form,
                             "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z\t[0-9][^\t]*B\t"
                             "s3://[^\t\n]*/backups/redis-backup-local-[^\t\n]*\\.tar\\.gz\n"
                             "[0-9TZ:-]{20}\t[^\t]+\t/[^\t\n]*\\.tar\\.gz\n$",
                             REG_EXTENDED | REG_NOSUB),
                     0);
    if (regexec(&form, r.out, 0, NULL, 0) != 0)
        fail_msg("%s", r.out);
    regfree(&form);
    proc_result_release(&r);

    cli_run(w->lab, NULL, &r, "list", "--local", NULL);
    cli_expect(&r, 0, w->backups, NULL);
    assert_int_equal(lines(r.out), 1);
    proc_result_release(&r);
    cli_run(w->lab, NULL, &r, "list", "--details", "--s3", NULL);
    cli_expect(&r, 0, "\tcomplete\t40 keys\t", NULL);
    proc_result_release(&r);
    cli_run(w->lab, NULL, &r, "list", "--s3", "--local", NULL);
    cli_expect(&r, 2, NULL, "exclude each other");
    proc_result_release(&r);
}

static void json_lists_say_the_same_and_count_what_curl_counts(void **state)
{
    const struct world *w = *state;
    struct proc_result r;
    struct error err = {.text = ""};
    size_t size = 0;
    char key[200];
    char *object;
    json_t *doc;
    const json_t *row;

    cli_run(w->lab, NULL, &r, "--json", "list", "--s3", "--details", NULL);
    cli_expect(&r, 0, NULL, NULL);
    doc = json_parse(str_from(r.out), "list", &err);
    assert_non_null(doc);
    assert_int_equal(json_array_size(json_object_get(doc, "backups")), 1);
    row = json_array_get(json_object_get(doc, "backups"), 0);
    (void)snprintf(key, sizeof(key), PREFIX "%s.tar.gz", w->real);
    object = s3_curl_get(lab_s3(w->lab), key, &size);
    assert_non_null(object);
    free(object);
    assert_string_equal(json_text(row, "id", ""), w->real);
    assert_string_equal(json_text(row, "state", ""), "complete");
    assert_string_equal(json_text(row, "place", ""), "s3");
    assert_int_equal(json_int(row, "size_bytes", -1), size);
    assert_int_equal(json_int(json_object_get(row, "summary"), "keys", -1), KEYS);
    json_decref(doc);
    proc_result_release(&r);
}

static void show_tells_where_what_and_how_many(void **state)
{
    const struct world *w = *state;
    struct proc_result r;
    char uri[200];

    cli_run(w->lab, NULL, &r, "show", w->real, "--parts", NULL);
    cli_expect(&r, 0, "state        complete\n", NULL);
    cli_expect(&r, 0, "keys         40\n", NULL);
    cli_expect(&r, 0, "  string     40\n", NULL);
    cli_expect(&r, 0, "keys/keys-part-0001.jsonl", NULL);
    cli_expect(&r, 0, w->backups, NULL); /* on disk too */
    proc_result_release(&r);
    (void)snprintf(uri, sizeof(uri), "s3://%s/" PREFIX "%s.tar.gz", lab_s3(w->lab)->bucket,
                   w->real);
    cli_run(w->lab, NULL, &r, "show", uri, "--s3", NULL); /* as list printed it */
    cli_expect(&r, 0, uri, NULL);
    proc_result_release(&r);
}

static void what_is_no_backup_id_is_refused_before_anything_is_asked(void **state)
{
    static const char *const wrong[] = {"latest",
                                        "",
                                        "../../etc/passwd",
                                        "redis-backup-local-20200101T000000Z-AAAA",
                                        "redis-backup-local-20200101T000000Z-aaaa\n",
                                        "redis-backup-../x-20200101T000000Z-aaaa",
                                        "\x1b[31mred"};
    static const char *const verbs[] = {"show", "download", "delete"};
    const struct world *w = *state;
    struct proc_result r;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        for (size_t v = 0; v < sizeof(verbs) / sizeof(verbs[0]); v++) {
            cli_run(w->lab, NULL, &r, verbs[v], wrong[i], NULL);
            cli_expect(&r, 2, NULL, NULL);
            assert_string_equal(r.out, "");
            assert_null(strchr(r.err, '\x1b'));
            proc_result_release(&r);
        }
}

static void filtered_and_broken_newer_ones_are_passed_over_by_latest(void **state)
{
    struct world *w = *state;
    struct proc_result r;

    do { /* ids have whole seconds: the filtered one must be the newer */
        cli_run(w->lab, NULL, &r, "backup", "--match", "user:*", NULL);
        cli_expect(&r, 0, "Uploaded: s3://", NULL);
        proc_result_release(&r);
        newest(w, w->filtered);
    } while (strncmp(w->filtered, w->real, strlen("redis-backup-local-20200101T000000Z")) == 0);
    put_archive(w, "redis-backup-local-20990101T000000Z-aaaa", "cut", 3);
    put_archive(w, "redis-backup-local-20990102T000000Z-bbbb", "cut", 3);
    put_manifest(w, "redis-backup-local-20990102T000000Z-bbbb",
                 "{\"backup_id\":\"redis-backup-local-20990102T000000Z-bbbb\",\"env\":\"local\","
                 "\"complete\":false}");
    put_archive(w, "redis-backup-local-20990103T000000Z-cccc", "x", 1);
    put_manifest(w, "redis-backup-local-20990103T000000Z-cccc",
                 "{\"backup_id\":\"redis-backup-local-20990103T000000Z-cccc\",\"env\":\"local\","
                 "\"complete\":true,\"cluster\":{\"names\":[\"another-cluster\"]}}");
    put_archive(w, "redis-backup-dev-20990104T000000Z-dddd", "x", 1);
    put_manifest(w, "redis-backup-dev-20990104T000000Z-dddd",
                 "{\"backup_id\":\"redis-backup-dev-20990104T000000Z-dddd\",\"env\":\"dev\","
                 "\"complete\":true}");

    cli_run(w->lab, NULL, &r, "verify", "--from-s3", "latest", "--full", NULL);
    cli_expect(&r, 0, "checked=40 same=40 ", w->real);
    cli_expect(&r, 0, NULL,
               "passed over 4 newer, the newest being "
               "redis-backup-local-20990103T000000Z-cccc (it is of another cluster)");
    proc_result_release(&r);
}

static void each_state_is_told_apart_with_its_reason(void **state)
{
    static const struct {
        const char *id, *state, *because;
    } rows[] = {
        {ID("01", "aaaa"), "foreign", "no manifest beside the archive"},
        {ID("02", "bbbb"), "incomplete", "the manifest says that it is not complete"},
        {ID("03", "cccc"), "corrupt", "manifest"},
        {ID("04", "dddd"), "corrupt", "the archive is missing"},
        {ID("05", "eeee"), "corrupt", "the manifest is another backup's"},
        {ID("06", "ffff"), "corrupt", "does not say whether the backup is complete"},
    };
    const struct world *w = *state;
    struct proc_result list, r;

    put_archive(w, rows[0].id, "x", 1);
    put_archive(w, rows[1].id, "x", 1);
    put_manifest(w, rows[1].id, "{\"complete\":false}");
    put_archive(w, rows[2].id, "x", 1);
    put_manifest(w, rows[2].id, "{\"complete\":tr");
    put_manifest(w, rows[3].id, "{\"complete\":true}");
    put_archive(w, rows[4].id, "x", 1);
    put_manifest(w, rows[4].id, "{\"backup_id\":\"" ID("01", "aaaa") "\",\"complete\":true}");
    put_archive(w, rows[5].id, "x", 1);
    put_manifest(w, rows[5].id, "[1,2,3]");

    cli_run(w->lab, NULL, &list, "list", "--s3", "--details", NULL);
    cli_expect(&list, 0, NULL, NULL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char line[100];
        const char *at = strstr(list.out, rows[i].id);

        (void)snprintf(line, sizeof(line), "state        %s\n", rows[i].state);
        assert_non_null(at);
        assert_non_null(strchr(at, '\t'));
        assert_memory_equal(strchr(at, '\t') + 1, rows[i].state, strlen(rows[i].state));
        cli_run(w->lab, NULL, &r, "show", rows[i].id, NULL);
        cli_expect(&r, 1, line, NULL);
        cli_expect(&r, 1, rows[i].because, NULL);
        proc_result_release(&r);
    }
    proc_result_release(&list);
}

static void a_directory_without_manifest_is_a_backup_that_did_not_finish(void **state)
{
    const struct world *w = *state;
    const char *dir = tmpdir_path(w->backups, ID("07", "1111"));
    struct proc_result r;

    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(mkdir(tmpdir_path(dir, "keys"), 0700), 0);
    cli_run(w->lab, NULL, &r, "show", ID("07", "1111"), NULL);
    cli_expect(&r, 1, "state        incomplete\n", NULL);
    cli_expect(&r, 1, "no manifest: the backup did not finish", NULL);
    proc_result_release(&r);
    cli_run(w->lab, NULL, &r, "list", "--local", NULL);
    cli_expect(&r, 0, "2020-01-07T00:00:00Z\t-\t", NULL);
    proc_result_release(&r);
}

static void hostile_names_and_manifests_reach_the_terminal_escaped(void **state)
{
    static const char *const names[] = {
        PREFIX "\x1b[2J\x1b[31mred",
        PREFIX "redis-backup-local-20200108T000000Z-aaaa.tar.gz\nx",
        PREFIX "redis-backup-\x1b[31m-20200108T000000Z-aaaa.tar.gz",
        PREFIX "redis-backup-..-20200108T000000Z-aaaa.tar.gz",
        PREFIX "\xc2\x9b",
        PREFIX "<&>\"'",
        "backups-old/redis-backup-local-20200108T000000Z-aaaa.tar.gz"};
    const struct world *w = *state;
    struct proc_result r;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        s3_curl_put(lab_s3(w->lab), names[i], "x", 1);
    put_archive(w, ID("09", "aaaa"), "x", 1);
    put_manifest(
        w, ID("09", "aaaa"),
        "{\"backup_id\":\"" ID(
            "09",
            "aaaa") "\",\"env\":\"\\u001b[31m\","
                    "\"complete\":false,\"reason\":\"a\\u001b]0;b\\u0007\\u009bc\\nd\","
                    "\"mode\":\"\\u009b\",\"servers\":[{\"version\":\"\\u001b\"}],"
                    "\"totals\":{\"by_type\":{\"\\u001b[1mx\":7}},\"warnings\":[\"\\u001bw\"],"
                    "\"parts\":[{\"name\":\"\\u001b[3mp\",\"keys\":1,\"bytes\":1}]}");
    cli_run(w->lab, NULL, &r, "list", "--details", NULL);
    cli_expect(&r, 0, ID("09", "aaaa"), NULL);
    assert_null(strstr(r.out, "20200108"));
    cli_expect_clean(r.out);
    proc_result_release(&r);
    cli_run(w->lab, NULL, &r, "show", ID("09", "aaaa"), "--parts", NULL);
    cli_expect(&r, 1, "state        incomplete\n", NULL);
    cli_expect_clean(r.out);
    proc_result_release(&r);
    cli_run(w->lab, NULL, &r, "--json", "show", ID("09", "aaaa"), NULL);
    cli_expect(&r, 1, ID("09", "aaaa"), NULL);
    cli_expect_clean(r.out);
    proc_result_release(&r);
}

static void download_gives_the_very_bytes_and_replaces_nothing_unasked(void **state)
{
    const struct world *w = *state;
    const char *dir = tmpdir_new();
    const char *file;
    struct proc_result r;
    char name[200], key[200];
    size_t got = 0, want = 0;
    char *a, *b;

    cli_run(w->lab, NULL, &r, "download", w->real, "--backup-dir", dir, NULL);
    cli_expect(&r, 0, "Downloaded: ", NULL);
    proc_result_release(&r);
    (void)snprintf(name, sizeof(name), "%s.tar.gz", w->real);
    (void)snprintf(key, sizeof(key), PREFIX "%s.tar.gz", w->real);
    file = tmpdir_path(dir, name);
    a = tmpdir_read(file, &got);
    b = s3_curl_get(lab_s3(w->lab), key, &want);
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(got, want);
    assert_memory_equal(a, b, want);
    free(a);
    free(b);
    tmpdir_write(file, "mine", 4);
    cli_run(w->lab, NULL, &r, "download", w->real, "--backup-dir", dir, NULL);
    cli_expect(&r, 1, NULL, "already there");
    proc_result_release(&r);
    a = tmpdir_read(file, &got);
    assert_int_equal(got, 4);
    free(a);
    cli_run(w->lab, NULL, &r, "download", w->real, "--backup-dir", dir, "--overwrite", NULL);
    cli_expect(&r, 0, NULL, NULL);
    proc_result_release(&r);
    a = tmpdir_read(file, &got);
    assert_int_equal(got, want);
    free(a);
    cli_run(w->lab, NULL, &r, "download", "redis-backup-local-20300101T000000Z-aaaa",
            "--backup-dir", dir, NULL);
    cli_expect(&r, 1, NULL, "there is no backup");
    proc_result_release(&r);
}

/* An older tool's archive: one part and a small metadata.json, packed by tar, no sidecar. */
static void a_foreign_archive_is_taken_by_its_id_only(void **state)
{
    static const char id[] = ID("10", "abcd");
    static const char record[] = "{\"key\":\"old:1\",\"type\":\"string\",\"ttl_millis\":null,"
                                 "\"value\":\"from elsewhere\"}\n";
    static const char meta[] = "{\"backup_id\":\"" ID("10", "abcd") "\",\"env\":\"local\"}\n";
    const struct world *w = *state;
    const char *dir = tmpdir_new();
    const char *top = tmpdir_path(dir, id);
    const char *archive = tmpdir_path(dir, "a.tar.gz");
    const char *const tar[] = {"tar", "-czf", archive, "-C", dir, id, NULL};
    struct proc_result r;
    size_t len = 0;
    char *bytes, *value;

    assert_int_equal(mkdir(top, 0700), 0);
    assert_int_equal(mkdir(tmpdir_path(top, "keys"), 0700), 0);
    tmpdir_write(tmpdir_path(top, "keys/part.jsonl"), record, strlen(record));
    tmpdir_write(tmpdir_path(top, "metadata.json"), meta, strlen(meta));
    assert_true(proc_run(tar, NULL, &r));
    assert_int_equal(r.status, 0);
    proc_result_release(&r);
    bytes = tmpdir_read(archive, &len);
    put_archive(w, id, bytes, len);
    free(bytes);
    cli_run(w->lab, NULL, &r, "show", id, NULL);
    cli_expect(&r, 1, "state        foreign\n", NULL);
    proc_result_release(&r);
    cli_run(w->lab, NULL, &r, "restore", "--from-s3", id, "--overwrite", "--dry-run", NULL);
    cli_expect(&r, 0, "1 keys, 0 of them with a TTL", " restore done\n");
    proc_result_release(&r);
    cli_run(w->lab, NULL, &r, "restore", "--from-s3", id, "--overwrite", NULL);
    cli_expect(&r, 0, "written=1 ", NULL);
    proc_result_release(&r);
    value = lab_cli_routed(w->lab, "GET", "old:1", NULL);
    assert_string_equal(value, "from elsewhere");
    free(value);
}

static void a_bucket_that_cannot_be_asked_never_hides_what_is_on_disk(void **state)
{
    static const char *const dead[] = {"AWS_ENDPOINT_URL_S3=http://127.0.0.1:1",
                                       "AWS_MAX_ATTEMPTS=1", NULL};
    const struct world *w = *state;
    char key[200], secret[200];
    const char *const other[] = {key, secret, NULL};
    struct proc_result r;

    (void)snprintf(key, sizeof(key), "AWS_ACCESS_KEY_ID=%s", lab_s3(w->lab)->other_access_key);
    (void)snprintf(secret, sizeof(secret), "AWS_SECRET_ACCESS_KEY=%s",
                   lab_s3(w->lab)->other_secret_key);
    cli_run(w->lab, dead, &r, "list", NULL);
    cli_expect(&r, 3, w->real, "127.0.0.1:1");
    assert_null(strstr(r.out, "s3://"));
    proc_result_release(&r);
    cli_run(w->lab, dead, &r, "list", "--local", NULL);
    cli_expect(&r, 0, w->real, NULL);
    proc_result_release(&r);
    cli_run(w->lab, other, &r, "list", NULL);
    cli_expect(&r, 4, w->real, NULL);
    assert_null(strstr(r.err, lab_s3(w->lab)->other_secret_key));
    proc_result_release(&r);
    cli_run(w->lab, NULL, &r, "list", "--s3-uri", "s3://no-such-bucket-here/x", NULL);
    cli_expect(&r, 6, w->real, "no-such-bucket-here");
    proc_result_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_place_lists_nothing),
        cmocka_unit_test(a_backup_is_listed_in_both_places_in_the_promised_form),
        cmocka_unit_test(json_lists_say_the_same_and_count_what_curl_counts),
        cmocka_unit_test(show_tells_where_what_and_how_many),
        cmocka_unit_test(what_is_no_backup_id_is_refused_before_anything_is_asked),
        cmocka_unit_test(filtered_and_broken_newer_ones_are_passed_over_by_latest),
        cmocka_unit_test(each_state_is_told_apart_with_its_reason),
        cmocka_unit_test(a_directory_without_manifest_is_a_backup_that_did_not_finish),
        cmocka_unit_test(hostile_names_and_manifests_reach_the_terminal_escaped),
        cmocka_unit_test(download_gives_the_very_bytes_and_replaces_nothing_unasked),
        cmocka_unit_test(a_foreign_archive_is_taken_by_its_id_only),
        cmocka_unit_test(a_bucket_that_cannot_be_asked_never_hides_what_is_on_disk),
    };
    return cmocka_run_group_tests_name("list", tests, open_world, close_world);
}
