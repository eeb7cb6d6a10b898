/* Reports and keys files of snapshots, whole and damaged: what is wrong is named, nothing wrong is
 * taken. */
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
#include "core/base/json.h"
#include "core/snapshot/snapshot_private.h"
#include "core/snapshot/snapshot_read.h"
#include "tests/harness/schema.h"
#include "tests/harness/tmpdir.h"

#define CORPUS "tests/fuzz/corpus/snapshot/"

static char *report; /* a whole one */
static const char *keys_path;

static int read_corpus(void **ctx UNUSED)
{
    keys_path = tmpdir_path(tmpdir_new(), "keys");
    report = tmpdir_read(CORPUS "report", NULL);
    return report == NULL;
}

static int drop_corpus(void **ctx UNUSED)
{
    free(report);
    return 0;
}

/* The report with one place changed. */
static char *changed(const char *from, const char *into)
{
    char *at = strstr(report, from);

    assert_non_null(at);
    return mem_format("%.*s%s%s", (int)(at - report), report, into, at + strlen(from));
}

static void expect_refused(const char *from, const char *into, enum error_code code,
                           const char *names)
{
    char *text = changed(from, into);
    struct snapshot *s = NULL;
    struct error err = {0};

    if (snapshot_parse(str_from(text), "r.json", &s, &err))
        fail_msg("taken: %s for %s", into, from);
    if (err.code != code || strstr(err.text, names) == NULL)
        fail_msg("%s for %s: %s", into, from, err.text);
    assert_non_null(strstr(err.text, "r.json"));
    free(text);
}

static void a_whole_report_is_read(void **ctx UNUSED)
{
    struct snapshot *s;
    struct error err = {0};
    char *path;

    assert_true(snapshot_parse(str_from(report), "r.json", &s, &err));
    assert_true(snapshot_is_report(s->doc));
    schema_expect("docs/schema/snapshot.schema.json", s->doc);
    assert_string_equal(s->id, "S-0001");
    assert_true(s->complete);
    assert_int_equal(s->total.keys, 2);
    assert_int_equal(s->total.with_ttl, 1);
    assert_int_equal(slot_sums_at(s->sums, 7)->types[RECORD_STRING], 1);
    assert_int_equal(slot_sums_at(s->sums, 10778)->content.low, 0x20);
    assert_int_equal(slot_sums_at(s->sums, 8)->keys, 0);
    assert_int_equal(slot_set_count(&s->covered), SLOT_COUNT);
    assert_int_equal(s->by_prefix_count, 1);
    assert_string_equal(s->by_prefix[0].name, "user:");
    assert_true(s->by_prefix[0].at_least);
    assert_int_equal(s->sample.count, 1);
    assert_int_equal(s->sample.below, UINT64_MAX);
    assert_int_equal(s->sample.keys[0].deadline, 1755497196412);
    assert_int_equal(s->node_count, 1);
    path = snapshot_keys_path(s, "/some/where/a.json");
    assert_string_equal(path, "/some/where/a.keys.jsonl.gz");
    free(path);
    path = snapshot_keys_path(s, "a.json");
    assert_string_equal(path, "a.keys.jsonl.gz");
    free(path);
    snapshot_free(s);
}

static void what_does_not_fit_is_named(void **ctx UNUSED)
{
    static const struct {
        const char *from, *into;
        enum error_code code;
        const char *names;
    } rows[] = {
        {"{\"kind\"", "[\"kind\"", ERROR_CORRUPT, ""},
        {"\"snapshot\"", "\"verify\"", ERROR_CORRUPT, "no snapshot"},
        {"\"v\":1", "\"v\":2", ERROR_UNSUPPORTED, "version 2"},
        {"\"v\":1", "\"v\":\"1\"", ERROR_CORRUPT, "\"v\""},
        {"rbc-digest-1", "rbc-digest-9", ERROR_UNSUPPORTED, "rbc-digest-1"},
        {"\"complete\":true", "\"complete\":1", ERROR_CORRUPT, "complete"},
        {"\"match\":[\"user:*\"]", "\"match\":[7]", ERROR_CORRUPT, "match"},
        {"2026-11-22T05:55:19.000Z", "yesterday", ERROR_CORRUPT, "started_at"},
        {"\"covered\":\"0-16383\"", "\"covered\":\"0-16384\"", ERROR_CORRUPT, "covered"},
        {"\"totals\":{\"keys\":2", "\"totals\":{\"keys\":3", ERROR_CORRUPT, "sum of its slots"},
        {"\"deadlines\":\"00000000000000000000000000000005\"},\"types\"",
         "\"deadlines\":\"00000000000000000000000000000006\"},\"types\"", ERROR_CORRUPT,
         "sum of its slots"},
        {"\"keys\":1,\"with_ttl\":0", "\"keys\":-1,\"with_ttl\":0", ERROR_CORRUPT, "keys"},
        {"\"types\":[1,0,0,0,0,0,0]", "\"types\":[1,1,0,0,0,0,0]", ERROR_CORRUPT, "types"},
        {"\"types\":[1,0,0,0,0,0,0]", "\"types\":[1]", ERROR_CORRUPT, "types"},
        {"\"slot\":7", "\"slot\":16384", ERROR_CORRUPT, "slot"},
        {"\"slot\":7", "\"slot\":10778", ERROR_CORRUPT, "slot"},
        {"\"content\":\"00000000000000000000000000000010\"", "\"content\":\"10\"", ERROR_CORRUPT,
         "content"},
        {"\"below\":\"ffffffffffffffff\"", "\"below\":\"0000000000000000\"", ERROR_CORRUPT,
         "does not belong"},
        {"\"below\":\"ffffffffffffffff\"", "\"below\":\"fffffffffffffff\"", ERROR_CORRUPT, "below"},
        {"\"key\":\"user:1\",\"slot\":10778", "\"key\":\"user:1\",\"slot\":10779", ERROR_CORRUPT,
         "slot"},
        {"\"key\":\"user:1\"", "\"key\":\"user:1\",\"key_b64\":\"\"", ERROR_CORRUPT, "key"},
        {"\"name\":\"a.keys.jsonl.gz\"", "\"name\":\"../passwd\"", ERROR_CORRUPT, "keys_file"},
        {"\"name\":\"a.keys.jsonl.gz\"", "\"name\":\"..\"", ERROR_CORRUPT, "keys_file"},
        {"\"nodes\":[{", "\"nodes\":[7,{", ERROR_CORRUPT, "id"},
        {"\"prefixes\":{", "\"prefix\":{", ERROR_CORRUPT, "prefix"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        expect_refused(rows[i].from, rows[i].into, rows[i].code, rows[i].names);
}

static void a_report_cut_anywhere_is_refused(void **ctx UNUSED)
{
    for (size_t len = 0; len + 2 < strlen(report); len += 7) {
        struct snapshot *s = NULL;
        struct error err = {0};

        assert_false(snapshot_parse((struct str){report, len}, "r.json", &s, &err));
    }
}

/* ---- keys files -------------------------------------------------------------------------------
 */

static struct error reading;

/* Reads a keys file to its end: how many keys, or -1 and the error in `reading`. */
static int read_keys(const char *text, size_t len)
{
    struct snapshot_keys *keys;
    struct key_facts k;
    bool end = false;
    int count = 0;

    tmpdir_write(keys_path, text, len);
    reading = (struct error){0};
    if (!snapshot_keys_open(keys_path, NULL, &keys, &reading))
        return -1;
    while (!end && count >= 0)
        count = snapshot_keys_next(keys, &k, &end, &reading) ? count + !end : -1;
    snapshot_keys_free(keys);
    return count;
}

static void plain_and_packed_keys_files_are_read(void **ctx UNUSED)
{
    static const char *const names[] = {CORPUS "keys", CORPUS "keys-packed"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        size_t len;
        char *text = tmpdir_read(names[i], &len);

        assert_non_null(text);
        assert_int_equal(read_keys(text, len), 3);
        free(text);
    }
}

static void a_keys_file_that_was_cut_off_is_refused(void **ctx UNUSED)
{
    static const char *const names[] = {CORPUS "keys", CORPUS "keys-packed"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        size_t len;
        char *text = tmpdir_read(names[i], &len);

        for (size_t cut = 0; cut < len; cut += 5)
            if (read_keys(text, cut) != -1)
                fail_msg("%s was taken with %zu of %zu bytes", names[i], cut, len);
        free(text);
    }
}

#define HEAD                                                           \
    "{\"kind\":\"snapshot-keys\",\"v\":1,\"digest\":\"rbc-digest-1\"," \
    "\"run_id\":\"b178144458d0a43a78e3f3a085796007\"}\n"
#define KEY(name, slot)                                            \
    "{\"key\":\"" name "\",\"slot\":" slot ",\"type\":\"string\"," \
    "\"digest\":\"00000000000000000000000000000001\",\"bytes\":2}\n"
#define END(count) "{\"end\":true,\"keys\":" count "}\n"

static void expect_keys_refused(const char *text, const char *names)
{
    assert_int_equal(read_keys(text, strlen(text)), -1);
    if (strstr(reading.text, names) == NULL)
        fail_msg("%s: %s", reading.text, text);
}

static void keys_files_are_checked_line_by_line(void **ctx UNUSED)
{
    assert_int_equal(read_keys(HEAD END("0"), strlen(HEAD END("0"))), 0);
    expect_keys_refused("", "cut off");
    expect_keys_refused(END("0"), "no snapshot-keys");
    expect_keys_refused(HEAD KEY("user:1", "10778") END("2"), "2 keys and has 1");
    expect_keys_refused(HEAD KEY("user:1", "10779") END("1"), "slot");
    expect_keys_refused(HEAD KEY("user:1", "10778") KEY("user:1", "10778") END("2"), "order");
    expect_keys_refused(HEAD KEY("user:1", "10778") KEY("", "0") END("2"), "order");
    expect_keys_refused(HEAD "{\"slot\":0}\n" END("1"), "line 2");
    expect_keys_refused(HEAD "no json\n" END("1"), "line 2");
    expect_keys_refused(HEAD END("0") END("0"), "follows its end");
}

static void a_keys_file_of_another_snapshot_is_refused(void **ctx UNUSED)
{
    char *other = changed("b178144458d0a43a78e3f3a085796007", "00000000000000000000000000000000");
    struct snapshot_keys *keys;
    struct snapshot *s;
    struct error err = {0};

    assert_true(snapshot_parse(str_from(report), "r.json", &s, &err));
    assert_true(snapshot_keys_open(CORPUS "keys", s, &keys, &err));
    snapshot_keys_free(keys);
    snapshot_free(s);
    assert_true(snapshot_parse(str_from(other), "r.json", &s, &err));
    assert_false(snapshot_keys_open(CORPUS "keys", s, &keys, &err));
    assert_non_null(strstr(err.text, "another snapshot"));
    snapshot_free(s);
    free(other);
}

/* ---- what was written is read back --------------------------------------------------------------
 */

static void add_key(struct keys_writer *w, struct str key, int64_t deadline)
{
    struct key_facts k = {.key = key,
                          .db = 2,
                          .slot = slot_of_key(key),
                          .type = RECORD_HASH,
                          .type_name = STR("hash"),
                          .content = {3, 4},
                          .deadline = deadline,
                          .bytes = 77,
                          .fuzzy = true};
    struct error err = {0};

    assert_true(keys_writer_add(w, &k, &err));
}

static void write_and_read(const char *name, uint32_t count)
{
    const char *path = tmpdir_path(tmpdir_new(), name);
    struct keys_writer *w;
    struct snapshot_keys *keys;
    struct key_facts k;
    struct error err = {0};
    bool end;

    assert_true(keys_writer_open(path, "run", &w, &err));
    for (uint32_t i = 0; i < count; i++) {
        char key[32];
        int len = snprintf(key, sizeof(key), "{tag}\n%08u\xff", (unsigned)i);

        add_key(w, (struct str){key, (size_t)len}, i % 2 == 0 ? RECORD_NO_TIME : 5);
    }
    assert_false(file_exists(path));
    assert_true(keys_writer_finish(w, &err));
    keys_writer_free(w);
    assert_true(snapshot_keys_open(path, NULL, &keys, &err));
    for (uint32_t i = 0; i < count; i++) {
        if (!snapshot_keys_next(keys, &k, &end, &err))
            fail_msg("%s", err.text);
        assert_false(end);
        assert_int_equal(k.key.len, 15);
        assert_int_equal(k.db, 2);
        assert_int_equal(k.deadline, i % 2 == 0 ? RECORD_NO_TIME : 5);
        assert_int_equal(k.content.high, 3);
        assert_int_equal(k.bytes, 77);
        assert_true(k.fuzzy);
    }
    assert_true(snapshot_keys_next(keys, &k, &end, &err));
    assert_true(end);
    snapshot_keys_free(keys);
}

static void what_is_written_is_read_back(void **ctx UNUSED)
{
    write_and_read("k.jsonl", 1);
    write_and_read("k.jsonl", 20000); /* several writes, several members */
    write_and_read("k.jsonl.gz", 20000);
}

static void an_unfinished_keys_file_leaves_nothing(void **ctx UNUSED)
{
    const char *dir = tmpdir_new();
    struct keys_writer *w;
    struct error err = {0};
    char **names;
    size_t count;

    assert_true(keys_writer_open(tmpdir_path(dir, "k.jsonl.gz"), "run", &w, &err));
    add_key(w, STR("a"), 1);
    keys_writer_free(w);
    assert_true(file_list(dir, &names, &count, &err));
    assert_int_equal(count, 0);
    file_list_free(names, count);
}

static void the_lines_fit_their_schema(void **ctx UNUSED)
{
    char *text = tmpdir_read(CORPUS "keys", NULL);
    struct str rest = str_from(text);
    struct error err = {0};
    struct str line;

    while (str_split(&rest, '\n', &line) && line.len > 0) {
        json_t *doc = json_parse(line, "a line", &err);

        assert_non_null(doc);
        schema_expect("docs/schema/snapshot-key-line.schema.json", doc);
        json_decref(doc);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_report_is_read),
        cmocka_unit_test(what_does_not_fit_is_named),
        cmocka_unit_test(a_report_cut_anywhere_is_refused),
        cmocka_unit_test(plain_and_packed_keys_files_are_read),
        cmocka_unit_test(a_keys_file_that_was_cut_off_is_refused),
        cmocka_unit_test(keys_files_are_checked_line_by_line),
        cmocka_unit_test(a_keys_file_of_another_snapshot_is_refused),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(an_unfinished_keys_file_leaves_nothing),
        cmocka_unit_test(the_lines_fit_their_schema),
    };

    return cmocka_run_group_tests(tests, read_corpus, drop_corpus);
}
