#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/archive/archive.h"
#include "core/archive/source.h"
#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/codec/gzip.h"
#include "core/codec/tar.h"
#include "tests/harness/tmpdir.h"

#define ID "redis-backup-local-20250818T060635Z-28e5"
#define MEMORY_KIB 262144L
#define PIECE ((size_t)64 << 20)

static struct error seen;

static void need(bool ok)
{
    if (!ok)
        print_error("%s\n", seen.text);
    assert_true(ok);
}

/* The archive being made, gzip member by member. */
struct maker {
    const char *dir;
    const char *path;
    struct gzip *gzip;
};

static struct maker maker_new(void)
{
    struct maker m = {.dir = tmpdir_new(), .gzip = gzip_new(1)};

    m.path = tmpdir_path(m.dir, "hostile.tar.gz");
    return m;
}

static void put(struct maker *m, struct str bytes, size_t times)
{
    struct buf packed;

    buf_init(&packed, SIZE_MAX / 2);
    need(gzip_member(m->gzip, bytes, &packed, &seen));
    while (times-- > 0)
        need(file_append(m->path, buf_str(&packed), false, &seen));
    buf_release(&packed);
}

/* A header whose size is written in base 256, as GNU tar does from 8 GiB on. */
static void put_huge_header(struct maker *m, const char *dir, const char *name, uint64_t size)
{
    char header[TAR_BLOCK];
    unsigned sum = 0;

    need(tar_header(header, dir, name, 0, 0, &seen));
    memset(header + 124, 0, 12);
    header[124] = (char)0x80;
    for (int i = 0; i < 8; i++)
        header[135 - i] = (char)(size >> 8 * i & 0xff);
    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += (unsigned char)header[i];
    (void)snprintf(header + 148, 8, "%06o", sum);
    put(m, (struct str){header, TAR_BLOCK}, 1);
}

static void put_file(struct maker *m, const char *dir, const char *name, struct str text)
{
    static const char zeros[TAR_BLOCK];
    struct buf tar;
    char header[TAR_BLOCK];

    buf_init(&tar, SIZE_MAX / 2);
    need(tar_header(header, dir, name, text.len, 0, &seen));
    need(buf_append(&tar, (struct str){header, TAR_BLOCK}, &seen) &&
         buf_append(&tar, text, &seen) &&
         buf_append(&tar, (struct str){zeros, tar_padding(text.len)}, &seen));
    put(m, buf_str(&tar), 1);
    buf_release(&tar);
}

/* In a process of its own, so that its memory is its own: opened, all parts read. */
static void expect_refused(const char *path, const char *spool, const char *why)
{
    struct rusage usage;
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        struct source_options o = {.path = path, .spool_dir = spool};
        struct source *s;
        bool ok = source_open(&o, &s, &seen) && source_check(s, &seen);

        if (!ok && strstr(seen.text, why) == NULL)
            print_error("%s\n", seen.text);
        _exit(ok ? 1 : strstr(seen.text, why) == NULL ? 2 : 0);
    }
    assert_int_equal(wait4(pid, &status, 0, &usage), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    print_message("%ld KiB\n", usage.ru_maxrss);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(usage.ru_maxrss < MEMORY_KIB);
#endif
}

static void expect_only(const char *dir, size_t wanted)
{
    char **names;
    size_t count;

    need(file_list(dir, &names, &count, &seen));
    assert_int_equal(count, wanted);
    file_list_free(names, count);
}

static void ten_gigabytes_of_zeros_are_refused_early(void **state)
{
    struct maker m = maker_new();
    char *zeros = mem_zero(PIECE, 1);

    (void)state;
    put_huge_header(&m, "t/keys", "a.jsonl", (uint64_t)10 << 30);
    put(&m, (struct str){zeros, PIECE}, 160);
    free(zeros);
    expect_refused(m.path, m.dir, "longer than 64 MiB");
    expect_only(m.dir, 1);
    gzip_free(m.gzip);
}

static void a_line_of_two_gigabytes_is_refused_early(void **state)
{
    static const char begin[] = "{\"key\":\"k\",\"type\":\"string\",\"value\":\"";
    struct maker m = maker_new();
    char *text = mem_alloc(PIECE);

    (void)state;
    memset(text, 'x', PIECE);
    put_huge_header(&m, "t/keys", "a.jsonl", strlen(begin) + 32 * (uint64_t)PIECE);
    put(&m, str_from(begin), 1);
    put(&m, (struct str){text, PIECE}, 32);
    free(text);
    expect_refused(m.path, m.dir, "longer than 64 MiB");
    expect_only(m.dir, 1);
    gzip_free(m.gzip);
}

static void a_manifest_ten_thousand_levels_deep_is_refused(void **state)
{
    struct maker m = maker_new();
    char deep[20001];

    (void)state;
    memset(deep, '[', 10000);
    memset(deep + 10000, ']', 10000);
    put_file(&m, "t/keys", "a.jsonl", STR("{}\n"));
    put_file(&m, "t", "metadata.json", (struct str){deep, 20000});
    expect_refused(m.path, m.dir, "metadata.json");
    gzip_free(m.gzip);
}

static void a_manifest_without_end_is_refused(void **state)
{
    struct maker m = maker_new();
    char *text = mem_alloc(PIECE);

    (void)state;
    memset(text, ' ', PIECE);
    put_huge_header(&m, "t", "metadata.json", 64 * (uint64_t)PIECE);
    put(&m, (struct str){text, PIECE}, 64);
    free(text);
    expect_refused(m.path, m.dir, "limit");
    gzip_free(m.gzip);
}

/* ---- damage to an archive of our own ----------------------------------------------------------
 */

static void write_backup(const char *dir)
{
    struct archive_options o = {.id = ID, .dir = dir, .tree = true, .file = true};
    struct manifest *m = manifest_new();
    struct archiver *a;

    m->backup_id = ID;
    m->env = "local";
    m->mode = "cluster";
    m->complete = true;
    need(archiver_create(&o, &a, &seen));
    for (int n = 0; n < 4; n++) {
        struct part *p = part_new("127.0.0.1:7001", 0, 1 << 20);

        for (int i = 0; i < 200; i++) /* parts of one size, different in content */
            need(buf_format(&p->text, &seen,
                            "{\"key\":\"k%d:%03d\",\"type\":\"string\",\"value\":\"v\"}\n", n, i));
        p->info.keys = 200;
        need(archiver_add(a, p, &seen));
    }
    need(archiver_finish(a, m, &seen));
    archiver_free(a);
    manifest_free(m);
}

/* Members stand in the order in which they were compressed, others perhaps between the two. */
static void swap_members(char *to, const char *from, const struct manifest_part *a,
                         const struct manifest_part *b)
{
    const struct manifest_part *low = a->offset < b->offset ? a : b;
    const struct manifest_part *high = low == a ? b : a;
    uint64_t middle = low->offset + low->length;
    char *at = to + low->offset;

    memcpy(at, from + high->offset, high->length);
    at += high->length;
    memcpy(at, from + middle, high->offset - middle);
    at += high->offset - middle;
    memcpy(at, from + low->offset, low->length);
}

static void parts_that_changed_places_are_refused(void **state)
{
    const char *dir = tmpdir_new();
    const char *file = tmpdir_path(dir, ID ".tar.gz");
    const char *tree = tmpdir_path(dir, ID);
    const char *one = tmpdir_path(tree, "keys/keys-part-0001.jsonl");
    const char *two = tmpdir_path(tree, "keys/keys-part-0002.jsonl");
    struct source_options o = {.path = file, .spool_dir = dir};
    const struct manifest_part *p;
    struct source *s;
    size_t size;
    char *bytes;
    char *other;

    (void)state;
    write_backup(dir);
    need(source_open(&o, &s, &seen));
    p = source_manifest(s)->parts;
    bytes = tmpdir_read(file, &size);
    other = mem_alloc(size);
    memcpy(other, bytes, size);
    swap_members(other, bytes, &p[0], &p[1]);
    source_close(s);
    tmpdir_write(file, other, size);
    expect_refused(file, dir, "keys-part-"); /* whichever is read first */
    free(other);
    free(bytes);
    assert_int_equal(rename(one, tmpdir_path(dir, "kept")), 0);
    assert_int_equal(rename(two, one), 0);
    assert_int_equal(rename(tmpdir_path(dir, "kept"), two), 0);
    expect_refused(tree, dir, "keys-part-0001.jsonl");
}

static void a_part_larger_than_any_of_ours_is_refused(void **state)
{
    const char *dir = tmpdir_new();
    const char *tree = tmpdir_path(dir, ID);
    const char *manifest = tmpdir_path(tree, "metadata.json");
    char *text;
    char *at;
    char *forged;

    (void)state;
    write_backup(dir);
    assert_int_equal(truncate(tmpdir_path(tree, "keys/keys-part-0001.jsonl"), (off_t)2 << 30), 0);
    text = tmpdir_read(manifest, NULL);
    at = strstr(text, "\"parts\"");
    assert_non_null(at);
    at = strstr(at, "\"bytes\":");
    assert_non_null(at);
    at += strlen("\"bytes\":");
    forged = mem_format("%.*s%llu%s", (int)(at - text), text, 2ULL << 30,
                        at + strspn(at, " 0123456789"));
    assert_int_equal(unlink(manifest), 0);
    tmpdir_write(manifest, forged, strlen(forged));
    free(forged);
    free(text);
    expect_refused(tree, dir, "larger than");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_gigabytes_of_zeros_are_refused_early),
        cmocka_unit_test(a_line_of_two_gigabytes_is_refused_early),
        cmocka_unit_test(a_manifest_ten_thousand_levels_deep_is_refused),
        cmocka_unit_test(a_manifest_without_end_is_refused),
        cmocka_unit_test(parts_that_changed_places_are_refused),
        cmocka_unit_test(a_part_larger_than_any_of_ours_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
