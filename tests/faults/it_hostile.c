/*
 * it_hostile.c - fault 25 through the program itself: archives made to harm whoever reads them, put
 * before `restore` and `verify`. Each is refused with a reason; the process never holds 256 MiB,
 * the server is not written to, and no file is left or made anywhere but in the job's directory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/attr.h"
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/codec/gzip.h"
#include "tests/harness/cli_run.h"
#include "tests/harness/lab.h"
#include "tests/harness/proc.h"
#include "tests/harness/tmpdir.h"
#include "tests/harness/wait.h"

#define BLOCK ((size_t)512)
#define PIECE ((size_t)64 << 20)
#define GIB ((uint64_t)1 << 30)
#define DEPTH 10000
#define LIMIT_KIB 262144L
#define RUN_MS 60000

static struct lab *lab;
static const char *archives; /* where they stand */
static const char *home;     /* HOME, TMPDIR and working directory of the program: stays empty */
static const char *state;
static struct error err;

/* ---- an archive, member by member ---------------------------------------------------------------
 */

struct maker {
    const char *path;
    struct gzip *gzip;
};

/* Names are used again: an archive goes once it was refused. */
static struct maker maker_new(const char *name)
{
    return (struct maker){tmpdir_path(archives, name), gzip_new(1)};
}

static void put(struct maker *m, struct str bytes, uint64_t times)
{
    struct buf packed;

    buf_init(&packed, SIZE_MAX / 2);
    assert_true(gzip_member(m->gzip, bytes, &packed, &err));
    while (times-- > 0)
        assert_true(file_append(m->path, buf_str(&packed), false, &err));
    buf_release(&packed);
}

struct entry {
    const char *name;
    const char *link; /* of a link */
    char kind;        /* '0' file, '1' hard link, '2' symbolic link, '3' device */
    uint64_t size;
};

/* As tar has them, but with whatever name. Sizes in base 256, which reach past 8 GiB. */
static void put_header(struct maker *m, const struct entry *e)
{
    static const char magic[8] = {'u', 's', 't', 'a', 'r', '\0', '0', '0'};
    char h[BLOCK] = {0};
    unsigned sum = 0;

    (void)snprintf(h, 100, "%s", e->name);
    (void)snprintf(h + 100, 8, "0000644");
    (void)snprintf(h + 108, 8, "0000000");
    (void)snprintf(h + 116, 8, "0000000");
    h[124] = (char)0x80;
    for (int i = 0; i < 8; i++)
        h[135 - i] = (char)(e->size >> 8 * i & 0xff);
    (void)snprintf(h + 136, 12, "00000000000");
    memset(h + 148, ' ', 8);
    h[156] = e->kind;
    if (e->link != NULL)
        (void)snprintf(h + 157, 100, "%s", e->link);
    memcpy(h + 257, magic, sizeof(magic));
    for (size_t i = 0; i < BLOCK; i++)
        sum += (unsigned char)h[i];
    (void)snprintf(h + 148, 8, "%06o", sum);
    put(m, (struct str){h, BLOCK}, 1);
}

static void put_file(struct maker *m, const char *name, struct str text)
{
    static const char zeros[BLOCK];

    put_header(m, &(struct entry){.name = name, .kind = '0', .size = text.len});
    if (text.len == 0)
        return;
    put(m, text, 1);
    put(m, (struct str){zeros, (BLOCK - text.len % BLOCK) % BLOCK}, 1);
}

#define PART "t/keys/keys-part-0001.jsonl"
#define GOOD "{\"key\":\"a\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v\"}\n"
#define MANIFEST "{\"env\":\"local\"}"

static void finish(struct maker *m)
{
    static const char zeros[2 * BLOCK];

    put(m, (struct str){zeros, sizeof(zeros)}, 1);
    gzip_free(m->gzip);
}

/* ---- the program --------------------------------------------------------------------------------
 */

static long long changes(void)
{
    return lab_info_number(lab, 0, "persistence", "rdb_changes_since_last_save");
}

/* Its exit status, and the most memory it had; killed at the deadline. */
static int wait_for(pid_t pid, long *kib)
{
    int64_t deadline = clock_after(wait_scale(RUN_MS));
    struct rusage usage = {0};
    int status = 0;
    pid_t ended;

    while ((ended = wait4(pid, &status, WNOHANG, &usage)) == 0 && clock_mono_ms() < deadline)
        clock_sleep_ms(10);
    if (ended == 0) {
        (void)kill(pid, SIGKILL);
        ended = wait4(pid, &status, 0, &usage);
    }
    assert_int_equal(ended, pid);
    *kib = usage.ru_maxrss;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static size_t entries_of(const char *dir)
{
    char **names;
    size_t count;

    assert_true(file_list(dir, &names, &count, &err));
    file_list_free(names, count);
    return count;
}

static void expect_refusal(const char *path, const char *why, const char *const *words)
{
    char program[PATH_MAX];
    const char *env[] = {mem_format("HOME=%s", home), mem_format("TMPDIR=%s", home), NULL};
    const char *argv[16] = {program, "-c", lab_config_file(lab), "--state-dir", state};
    const char *said = tmpdir_path(state, "said");
    size_t before = entries_of(archives);
    long long written = changes();
    char *text;
    int status;
    long kib;
    size_t n = 5;

    assert_non_null(realpath(proc_rbconsole(), program));
    while (*words != NULL)
        argv[n++] = *words++;
    (void)unlink(said);
    status = wait_for(proc_start(argv, &(struct proc_options){.env = env, .directory = home}, said),
                      &kib);
    text = tmpdir_read(said, NULL);
    print_message("%s of %s: %ld MiB\n", argv[5], strrchr(path, '/') + 1, kib / 1024);
    if (status != 1 || strstr(text, why) == NULL)
        fail_msg("%s: status %d, not 1, or not \"%s\":\n%s", path, status, why, text);
    assert_null(strstr(text, "was looked at"));
    cli_expect_clean(text);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(kib < LIMIT_KIB);
#endif
    assert_int_equal(changes(), written);
    assert_int_equal(entries_of(home), 0);
    assert_int_equal(entries_of(archives), before);
    free(text);
    free(mem_unconst(env[0]));
    free(mem_unconst(env[1]));
}

static void expect_refused(const char *path, const char *why)
{
    expect_refusal(path, why, (const char *const[]){"restore", "-i", path, "--overwrite", NULL});
    expect_refusal(path, why, (const char *const[]){"verify", "-i", path, "--full", NULL});
}

/* manifest: its text; NULL: the archive has had one. */
static void expect_refused_archive(struct maker *m, const char *manifest, const char *why)
{
    if (manifest != NULL)
        put_file(m, "t/metadata.json", str_from(manifest));
    finish(m);
    expect_refused(m->path, why);
    assert_int_equal(unlink(m->path), 0);
}

/* ---- what is too much ---------------------------------------------------------------------------
 */

static void put_much(struct maker *m, const char *name, char byte, uint64_t size)
{
    char *piece = mem_alloc(PIECE);

    memset(piece, byte, PIECE);
    put_header(m, &(struct entry){.name = name, .kind = '0', .size = size});
    put(m, (struct str){piece, PIECE}, size / PIECE);
    free(piece);
}

static void ten_gigabytes_of_zeros_are_refused(void **ctx UNUSED)
{
    static const char *const names[][2] = {{PART, "longer than 64 MiB"},
                                           {"t/metadata.json", "limit"},
                                           {"t/functions.jsonl", "longer than 64 MiB"}};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct maker m = maker_new("zeros.tar.gz");

        put_much(&m, names[i][0], '\0', 10 * GIB);
        expect_refused_archive(&m, i == 1 ? NULL : MANIFEST, names[i][1]);
    }
}

static void a_line_of_two_gigabytes_is_refused(void **ctx UNUSED)
{
    struct maker m = maker_new("line.tar.gz");

    put_file(&m, "t/keys/keys-part-0000.jsonl", STR(GOOD));
    put_much(&m, PART, 'x', 2 * GIB);
    expect_refused_archive(&m, MANIFEST, "longer than 64 MiB");
}

static void levels_without_end_are_refused(void **ctx UNUSED)
{
    char *deep = mem_alloc((size_t)2 * DEPTH);
    char *record;
    struct maker m;

    memset(deep, '[', DEPTH);
    memset(deep + DEPTH, ']', DEPTH);
    record = mem_format(
        "{\"key\":\"a\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v\",\"new\":%.*s}\n",
        2 * DEPTH, deep);
    m = maker_new("record.tar.gz");
    put_file(&m, PART, str_from(record));
    expect_refused_archive(&m, MANIFEST, "deep");
    m = maker_new("manifest.tar.gz");
    put_file(&m, PART, STR(GOOD));
    put_file(&m, "t/metadata.json", (struct str){deep, (size_t)2 * DEPTH});
    expect_refused_archive(&m, NULL, "metadata.json: ");
    free(record);
    free(deep);
}

/* ---- what has no place in a backup --------------------------------------------------------------
 */

static void members_that_lead_elsewhere_are_refused(void **ctx UNUSED)
{
    static const struct {
        struct entry entry;
        const char *why;
    } members[] = {
        {{"../x", NULL, '0', 0}, "forbidden name"},
        {{"t/keys/../../x.jsonl", NULL, '0', 0}, "forbidden name"},
        {{"/tmp/x", NULL, '0', 0}, "forbidden name"},
        {{"t/keys/a\033]52;c;eA==\007.jsonl", NULL, '0', 0}, "forbidden name"},
        {{"t/keys/link.jsonl", "/etc/passwd", '2', 0}, "a link"},
        {{"t/keys/hard.jsonl", "t/metadata.json", '1', 0}, "a link"},
        {{"t/keys/device.jsonl", NULL, '3', 0}, "neither a file nor a directory"},
        {{"other/keys/a.jsonl", NULL, '0', 0}, "more than one top folder"},
    };

    for (size_t i = 0; i < COUNT_OF(members); i++) {
        struct maker m = maker_new("member.tar.gz");

        put_file(&m, PART, STR(GOOD));
        put_header(&m, &members[i].entry);
        expect_refused_archive(&m, MANIFEST, members[i].why);
    }
}

/* A directory with one thing in it that is no file, at that name: reading a pipe would never end.
 */
static void expect_refused_tree(const char *name, mode_t kind)
{
    const char *dir = tmpdir_path(archives, "tree");
    char *path = mem_format("%s/%s", dir, name);

    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(mkdir(tmpdir_path(dir, "keys"), 0700), 0);
    tmpdir_write(tmpdir_path(dir, "metadata.json"), MANIFEST, strlen(MANIFEST));
    tmpdir_write(tmpdir_path(dir, "keys/keys-part-0000.jsonl"), GOOD, strlen(GOOD));
    (void)unlink(path);
    if (kind == S_IFLNK)
        assert_int_equal(symlink("/etc/passwd", path), 0);
    else if (kind == S_IFDIR)
        assert_int_equal(mkdir(path, 0700), 0);
    else
        assert_int_equal(mkfifo(path, 0600), 0);
    expect_refused(dir, name);
    assert_true(tmpdir_remove(dir));
    free(path);
}

static void what_is_no_file_is_refused(void **ctx UNUSED)
{
    static const mode_t kinds[] = {S_IFIFO, S_IFLNK, S_IFDIR};

    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        expect_refused_tree("metadata.json", kinds[i]);
        expect_refused_tree("metadata.json.hmac", kinds[i]);
        expect_refused_tree("keys/keys-part-0001.jsonl", kinds[i]);
    }
}

static void what_stands_there_twice_is_refused(void **ctx UNUSED)
{
    static const char *const records[] = {
        "{\"key\":\"a\",\"type\":\"string\",\"key\":\"b\",\"ttl_millis\":null,\"value\":\"v\"}\n",
        "{\"key\":\"a\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v\",\"value\":\"w\"}\n",
    };
    struct maker m = maker_new("members.tar.gz");

    put_file(&m, PART, STR(GOOD));
    put_file(&m, PART, STR(GOOD));
    expect_refused_archive(&m, MANIFEST, "stands in it twice");
    m = maker_new("manifest.tar.gz");
    put_file(&m, PART, STR(GOOD));
    put_file(&m, "t/metadata.json", STR("{\"env\":\"local\",\"env\":\"prd\"}"));
    expect_refused_archive(&m, NULL, "metadata.json: ");
    for (size_t i = 0; i < COUNT_OF(records); i++) {
        m = maker_new("record.tar.gz");
        put_file(&m, PART, str_from(records[i]));
        expect_refused_archive(&m, MANIFEST, "twice");
    }
}

static void base64_that_is_none_is_refused(void **ctx UNUSED)
{
    static const char *const texts[] = {"eQ=", "eR==", "e===", "ey-=", "eQ==eQ==", "\\u0000"};

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct maker m = maker_new("base64.tar.gz");
        char *record = mem_format(
            "%s{\"key\":\"b\",\"type\":\"string\",\"ttl_millis\":null,\"value_b64\":\"%s\"}\n",
            GOOD, texts[i]);

        put_file(&m, PART, str_from(record));
        expect_refused_archive(&m, MANIFEST, "base64");
        free(record);
    }
}

/* ---- the lab ------------------------------------------------------------------------------------
 */

static int set_up(void **ctx UNUSED)
{
    archives = tmpdir_new();
    home = tmpdir_new();
    state = tmpdir_new();
    lab = lab_start(&(struct lab_options){.kind = LAB_SINGLE, .replicas = -1});
    return lab == NULL ? -1 : 0;
}

static int tear_down(void **ctx UNUSED)
{
    lab_stop(lab);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_gigabytes_of_zeros_are_refused),
        cmocka_unit_test(a_line_of_two_gigabytes_is_refused),
        cmocka_unit_test(levels_without_end_are_refused),
        cmocka_unit_test(members_that_lead_elsewhere_are_refused),
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(what_stands_there_twice_is_refused),
        cmocka_unit_test(base64_that_is_none_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
