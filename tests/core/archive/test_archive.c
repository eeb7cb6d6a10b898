#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/archive/archive.h"
#include "core/archive/source.h"
#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/codec/digest.h"
#include "core/codec/gzip.h"
#include "tests/harness/tmpdir.h"

#define ID "redis-backup-local-20250818T060635Z-28e5"
#define PARTS 5

struct fixture {
    const char *dir;
    char *tree;
    char *file;
    struct store *store;
};

static struct error err;

static void must(bool ok)
{
    if (!ok)
        print_error("%s\n", err.text);
    assert_true(ok);
}

static struct part *make_part(int n)
{
    struct part *p = part_new("127.0.0.1:7001", n == PARTS - 1 ? 1 : 0, 1 << 20);

    for (int i = 0; i <= n * 100; i++)
        must(buf_format(&p->text, &err,
                        "{\"key\":\"k%d:%d\",\"type\":\"string\",\"value\":\"v\"}\n", n, i));
    p->info.keys = (uint64_t)n * 100 + 1;
    return p;
}

static struct manifest *make_manifest(void)
{
    struct manifest *m = manifest_new();

    m->backup_id = ID;
    m->env = "local";
    m->mode = "cluster";
    m->complete = true;
    m->tool = "rbconsole";
    m->tool_version = "0";
    m->started_ms = 1755497195000;
    m->slots = arena_array(&m->arena, 1, sizeof(*m->slots));
    m->slots[0] = (struct manifest_slots){0, 16383, "node", 0};
    m->slot_count = 1;
    return m;
}

static void write_backup(struct fixture *f, const struct secret *key)
{
    struct archive_options o = {
        .id = ID, .dir = f->dir, .tree = true, .file = true, .store = f->store, .sign_key = key};
    struct manifest *m = make_manifest();
    struct archiver *a;

    must(archiver_create(&o, &a, &err));
    for (int i = 0; i < PARTS; i++)
        must(archiver_add(a, make_part(i), &err));
    must(archiver_finish(a, m, &err));
    assert_int_equal(m->part_count, PARTS);
    archiver_free(a);
    manifest_free(m);
}

static int setup(void **state)
{
    struct fixture *f = mem_zero(1, sizeof(*f));
    struct store_options options = {0};
    char *bucket;

    f->dir = tmpdir_new();
    f->tree = file_join(f->dir, ID);
    f->file = mem_format("%s/%s.tar.gz", f->dir, ID);
    bucket = file_join(f->dir, "bucket");
    must(store_open(bucket, &options, &f->store, &err));
    free(bucket);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    store_free(f->store);
    (void)tmpdir_remove(f->dir);
    free(f->tree);
    free(f->file);
    free(f);
    return 0;
}

static void expect_parts(struct source *s)
{
    const struct manifest *m = source_manifest(s);

    assert_int_equal(m->part_count, PARTS);
    for (size_t i = PARTS; i-- > 0;) {
        struct part *want = make_part((int)i);
        struct source_part part;
        struct str rest;
        struct str line;
        uint64_t lines = 0;

        must(source_read_part(s, i, &part, &err));
        assert_int_equal(part.text.len, part_text(want).len);
        assert_memory_equal(part.text.ptr, part_text(want).ptr, part.text.len);
        for (rest = part.text; source_next_line(&rest, &line);)
            lines++;
        assert_int_equal(lines, part.info->keys);
        assert_int_equal(part.info->generation, i == PARTS - 1 ? 1 : 0);
        source_part_release(&part);
        part_free(want);
    }
    must(source_check(s, &err));
}

static void every_place_gives_the_parts_back(void **state)
{
    struct fixture *f = *state;
    struct source_options tree = {.path = f->tree};
    struct source_options file = {.path = f->file};
    struct source_options object = {.store = f->store, .name = ID ".tar.gz"};
    const struct source_options *all[] = {&tree, &file, &object};

    write_backup(f, NULL);
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct source *s;

        must(source_open(all[i], &s, &err));
        expect_parts(s);
        source_close(s);
    }
}

static int run(char *const *argv)
{
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        (void)execvp(argv[0], argv);
        _exit(127);
    }
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void plain_tar_unpacks_the_archive_to_the_same_tree(void **state)
{
    struct fixture *f = *state;
    char tool[][5] = {"tar", "-xzf", "-C", "diff", "-r"};
    char *out = file_join(f->dir, "out");
    char *unpacked = file_join(out, ID);
    char *tar[] = {tool[0], tool[1], f->file, tool[2], out, NULL};
    char *diff[] = {tool[3], tool[4], f->tree, unpacked, NULL};

    write_backup(f, NULL);
    must(file_make_dirs(out, &err));
    assert_int_equal(run(tar), 0);
    assert_int_equal(run(diff), 0);
    free(unpacked);
    free(out);
}

static void flip(const char *path, int64_t at)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    char byte = 0;

    assert_true(fd >= 0 && pread(fd, &byte, 1, at) == 1);
    byte = (char)(byte ^ 0x10);
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    (void)close(fd);
}

/* The whole way of a reader that trusts nothing. */
static bool reads_well(const struct source_options *o)
{
    struct source *s;
    bool ok = source_open(o, &s, &err);

    ok = ok && source_check(s, &err);
    source_close(s);
    return ok;
}

static void one_flipped_bit_anywhere_is_noticed(void **state)
{
    struct fixture *f = *state;
    struct source_options file = {.path = f->file, .spool_dir = f->dir};
    int64_t size;
    int noticed = 0;
    int tried = 0;

    write_backup(f, NULL);
    size = file_size(f->file) - 1100; /* before the trailer: its zeros hold no data */
    assert_true(size > 1000);
    for (int64_t at = 0; at < size; at += 7) {
        flip(f->file, at);
        tried++;
        err = (struct error){0};
        if (!reads_well(&file)) {
            noticed++;
            assert_true(err.code == ERROR_CORRUPT || err.code == ERROR_LIMIT);
        }
        flip(f->file, at);
    }
    /* Only time and system in a member's head (6 bytes of each) say nothing about data. */
    assert_true(noticed >= tried * 95 / 100);
    must(reads_well(&file));
}

static void a_cut_archive_is_refused_at_every_length(void **state)
{
    struct fixture *f = *state;
    struct source_options file = {.path = f->file, .spool_dir = f->dir};
    int64_t size;

    write_backup(f, NULL);
    size = file_size(f->file);
    for (int64_t cut = size - 1; cut >= 0; cut -= cut > 2000 ? 411 : 97) {
        assert_int_equal(truncate(f->file, cut), 0);
        if (size - cut < 1200) /* only the tar trailer is gone: all data is still there */
            continue;
        assert_false(reads_well(&file));
    }
}

static void damage_in_the_tree_names_the_part(void **state)
{
    struct fixture *f = *state;
    struct source_options tree = {.path = f->tree};
    char *part = file_join(f->tree, "keys/keys-part-0003.jsonl");

    write_backup(f, NULL);
    flip(part, 100);
    assert_false(reads_well(&tree));
    assert_int_equal(err.code, ERROR_CORRUPT);
    assert_non_null(strstr(err.text, "keys-part-0003.jsonl"));
    assert_int_equal(truncate(part, 10), 0);
    assert_false(reads_well(&tree));
    assert_int_equal(unlink(part), 0);
    assert_false(reads_well(&tree));
    assert_int_equal(err.code, ERROR_CORRUPT);
    free(part);
}

static void a_tree_without_manifest_is_incomplete(void **state)
{
    struct fixture *f = *state;
    struct source_options tree = {.path = f->tree};
    char *manifest = file_join(f->tree, MANIFEST_NAME);

    write_backup(f, NULL);
    assert_int_equal(unlink(manifest), 0);
    assert_false(reads_well(&tree));
    assert_int_equal(err.code, ERROR_CORRUPT);
    free(manifest);
}

static void a_signature_must_fit_the_key(void **state)
{
    struct fixture *f = *state;
    struct secret key = {0};
    struct secret other = {0};
    struct source_options all[] = {
        {.path = f->tree}, {.path = f->file}, {.store = f->store, .name = ID ".tar.gz"}};

    secret_set(&key, STR("first"));
    secret_set(&other, STR("second"));
    write_backup(f, &key);
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        all[i].verify_key = &key;
        must(reads_well(&all[i]));
        all[i].verify_key = &other;
        assert_false(reads_well(&all[i]));
        assert_int_equal(err.code, ERROR_CORRUPT);
    }
    secret_release(&key);
    secret_release(&other);
}

static void an_existing_backup_is_never_touched(void **state)
{
    struct fixture *f = *state;
    struct archive_options o = {.id = ID, .dir = f->dir, .tree = true, .file = true};
    struct source_options tree = {.path = f->tree};
    struct archiver *a;

    write_backup(f, NULL);
    assert_false(archiver_create(&o, &a, &err));
    assert_int_equal(err.code, ERROR_CONFLICT);
    must(reads_well(&tree));
}

static void an_abandoned_backup_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct archive_options o = {
        .id = ID, .dir = f->dir, .tree = true, .file = true, .store = f->store};
    struct store_page page = {0};
    struct archiver *a;
    char **names;
    size_t count;

    must(archiver_create(&o, &a, &err));
    for (int i = 0; i < PARTS; i++)
        must(archiver_add(a, make_part(i), &err));
    archiver_free(a);
    must(file_list(f->dir, &names, &count, &err));
    for (size_t i = 0; i < count; i++)
        assert_string_equal(names[i], "bucket");
    file_list_free(names, count);
    must(store_list(f->store, NULL, 0, &page, &err));
    assert_int_equal(page.count, 0);
    store_page_release(&page);
}

/* ---- archives of other hands ------------------------------------------------------------------
 */

struct entry {
    const char *dir;
    const char *name;
    const char *text;
};

/* One gzip member over all of it, as other tools write. Patch: a byte of the first header. */
static void write_foreign(struct fixture *f, const struct entry *entries, size_t count, int type)
{
    struct gzip *z = gzip_new(6);
    struct buf tar;
    struct buf packed;

    buf_init(&tar, 1 << 20);
    buf_init(&packed, 1 << 20);
    for (size_t i = 0; i < count; i++) {
        char header[TAR_BLOCK];
        static const char zeros[TAR_TRAILER];
        size_t len = strlen(entries[i].text);

        must(tar_header(header, entries[i].dir, entries[i].name, len, 0, &err));
        if (type != '0') { /* its checksum must follow */
            unsigned sum = 0;

            header[156] = (char)type;
            memset(header + 148, ' ', 8);
            for (size_t b = 0; b < TAR_BLOCK; b++)
                sum += (unsigned char)header[b];
            (void)snprintf(header + 148, 8, "%06o", sum);
        }
        must(buf_append(&tar, (struct str){header, sizeof(header)}, &err));
        must(buf_append(&tar, (struct str){entries[i].text, len}, &err));
        must(buf_append(&tar, (struct str){zeros, tar_padding(len)}, &err));
        if (i + 1 == count)
            must(buf_append(&tar, (struct str){zeros, sizeof(zeros)}, &err));
    }
    must(gzip_member(z, buf_str(&tar), &packed, &err));
    (void)unlink(f->file);
    must(file_append(f->file, buf_str(&packed), false, &err));
    buf_release(&packed);
    buf_release(&tar);
    gzip_free(z);
}

static void an_older_tools_archive_is_read(void **state)
{
    static const struct entry entries[] = {
        {"old/keys", "b.jsonl", "{\"key\":\"b\",\"type\":\"string\",\"value\":\"2\"}\n"},
        {"old", "metadata.json", "{\"backup_id\":\"old\",\"total_keys\":2}"},
        {"old/keys", "a.jsonl", "{\"key\":\"a\",\"type\":\"string\",\"value\":\"1\"}"},
    };
    struct fixture *f = *state;
    struct source_options o = {.path = f->file, .spool_dir = f->dir};
    struct source_part part;
    struct source *s;

    write_foreign(f, entries, COUNT_OF(entries), '0');
    must(source_open(&o, &s, &err));
    assert_int_equal(source_manifest(s)->format_version, 0);
    assert_int_equal(source_manifest(s)->part_count, 2);
    must(source_read_part(s, 0, &part, &err));
    assert_string_equal(part.info->name, "keys/a.jsonl");
    assert_int_equal(part.text.len, strlen(entries[2].text));
    assert_memory_equal(part.text.ptr, entries[2].text, part.text.len);
    source_part_release(&part);
    must(source_check(s, &err));
    source_close(s);
}

static void hostile_archives_are_refused(void **state)
{
    static const struct entry good = {"t/keys", "a.jsonl", "{}\n"};
    static const struct {
        struct entry entry;
        int type;
    } bad[] = {
        {{"..", "metadata.json", "{}"}, '0'},
        {{"/t", "metadata.json", "{}"}, '0'},
        {{"t/keys/..", "a.jsonl", "{}"}, '0'},
        {{"t", "evil.sh", "x"}, '0'},
        {{"t/keys", "a.jsonl", "{}"}, '0'},
        {{"u", "metadata.json", "{}"}, '0'},
        {{"t/keys/deep", "a.jsonl", "{}"}, '0'},
        {{"t", "metadata.json", ""}, '2'},
        {{"t", "metadata.json", ""}, '1'},
        {{"t", "metadata.json", ""}, '3'},
        {{"t/keys", "a\x1b[2J.jsonl", "{}"}, '0'},
        {{"t", "metadata.json", "{"}, '0'},
        {{"t", "metadata.json", "[1]"}, '0'},
        {{"t", "metadata.json", "{\"format_version\":2}"}, '0'},
    };
    struct fixture *f = *state;
    struct source_options o = {.path = f->file, .spool_dir = f->dir};
    char **names;
    size_t count;

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const struct entry entries[] = {good, bad[i].entry};

        write_foreign(f, entries, 2, bad[i].type);
        if (reads_well(&o))
            fail_msg("accepted %s/%s", bad[i].entry.dir, bad[i].entry.name);
    }
    must(file_list(f->dir, &names, &count, &err));
    assert_int_equal(count, 1); /* the archive; no spool, nothing unpacked */
    file_list_free(names, count);
}

static void an_archive_that_unpacks_to_too_much_is_refused(void **state)
{
    struct fixture *f = *state;
    struct source_options o = {.path = f->file, .spool_dir = f->dir, .max_unpacked = 100000};
    char *big = mem_alloc(200001);
    struct entry entries[] = {{"t/keys", "a.jsonl", big}, {"t", "metadata.json", "{}"}};

    memset(big, 'x', 200000);
    big[200000] = '\0';
    write_foreign(f, entries, 2, '0');
    assert_false(reads_well(&o));
    assert_int_equal(err.code, ERROR_LIMIT);
    free(big);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_place_gives_the_parts_back),
        TEST(plain_tar_unpacks_the_archive_to_the_same_tree),
        TEST(one_flipped_bit_anywhere_is_noticed),
        TEST(a_cut_archive_is_refused_at_every_length),
        TEST(damage_in_the_tree_names_the_part),
        TEST(a_tree_without_manifest_is_incomplete),
        TEST(a_signature_must_fit_the_key),
        TEST(an_existing_backup_is_never_touched),
        TEST(an_abandoned_backup_leaves_nothing),
        TEST(an_older_tools_archive_is_read),
        TEST(hostile_archives_are_refused),
        TEST(an_archive_that_unpacks_to_too_much_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
