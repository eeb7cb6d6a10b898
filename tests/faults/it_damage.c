/*
 * it_damage.c - fault 24: archives with one bit flipped, cut short, parts exchanged or the manifest
 * gone. A restore writes nothing at all from them, a verification names the part. Every 997th byte
 * with FAULTS=full, else every 4,999th. The server itself says whether anything was written.
 */
#include "tests/engine/restore_kit.h"

#include <unistd.h>

#include "core/archive/archive.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/verify/verify.h"
#include "tests/harness/lab.h"

#define ID "redis-backup-local-20250818T060635Z-28e5"
#define PARTS 24
#define KEYS 300 /* of a part: all are of one size, so that only the content tells them apart */

static struct lab *lab;
static const char *work; /* where archive and tree stand */
static char *archive;
static size_t archive_size;
static char *digest;
static struct {
    char name[64];
    uint64_t from, to; /* in the archive */
} parts[PARTS];

static void must(bool ok, const struct error *err)
{
    if (!ok)
        fail_msg("%s", err->text);
}

/* ---- a backup, and the server that holds it ----------------------------------------------------
 */

static void write_backup(void)
{
    struct archive_options o = {.id = ID, .dir = work, .tree = true, .file = true};
    struct rng random = {0};
    struct manifest *m = manifest_new();
    struct error err = {0};
    struct archiver *a;

    m->backup_id = ID;
    m->env = "local";
    m->mode = "single";
    m->complete = true;
    must(archiver_create(&o, &a, &err), &err);
    for (int n = 0; n < PARTS; n++) {
        struct part *p = part_new("127.0.0.1:7001", 0, 1 << 20);

        for (int i = 0; i < KEYS; i++)
            must(buf_format(&p->text, &err,
                            "{\"key\":\"k%02d:%03d\",\"type\":\"string\",\"ttl_millis\":null,"
                            "\"value\":\"%016llx%016llx\"}\n",
                            n, i, (unsigned long long)rng_next(&random),
                            (unsigned long long)rng_next(&random)),
                 &err);
        p->info.keys = KEYS;
        must(archiver_add(a, p, &err), &err);
    }
    must(archiver_finish(a, m, &err), &err);
    archiver_free(a);
    manifest_free(m);
}

static void learn_parts(void)
{
    struct source_options o = {.path = tmpdir_path(work, ID ".tar.gz"), .spool_dir = work};
    struct error err = {0};
    const struct manifest *m;
    struct source *s;

    must(source_open(&o, &s, &err), &err);
    m = source_manifest(s);
    assert_int_equal(m->part_count, PARTS);
    for (size_t i = 0; i < PARTS; i++) {
        const char *name = strrchr(m->parts[i].name, '/');

        (void)snprintf(parts[i].name, sizeof(parts[i].name), "%s",
                       name != NULL ? name + 1 : m->parts[i].name);
        parts[i].from = m->parts[i].offset;
        parts[i].to = m->parts[i].offset + m->parts[i].length;
    }
    source_close(s);
}

static long long changes(void)
{
    return lab_info_number(lab, 0, "persistence", "rdb_changes_since_last_save");
}

static bool restore(const char *path, struct error *err)
{
    struct source_options o = {.path = path, .spool_dir = work};
    struct kit k = {.task = task_new_plain()};
    bool ok = false;

    k.seed = (struct address){.host = "127.0.0.1", .port = (uint16_t)lab_port(lab, 0)};
    k.target = (struct redis_options){.seeds = &k.seed, .seed_count = 1};
    k.options.policy = RESTORE_OVERWRITE;
    if (source_open(&o, &k.source, &k.err)) {
        ok = kit_restore(&k) && restore_result_findings(&k.result) == 0;
        restore_plan_free(k.plan);
        source_close(k.source);
    }
    *err = k.err;
    task_free(k.task);
    return ok;
}

static bool verify(const char *path, struct error *err)
{
    struct verify_options v = {.extent = VERIFY_FULL, .tolerance_ms = 30000, .rounds = 1};
    struct source_options o = {.path = path, .spool_dir = work};
    struct address seed = {.host = "127.0.0.1", .port = (uint16_t)lab_port(lab, 0)};
    struct redis_options target = {.seeds = &seed, .seed_count = 1};
    struct task *task = task_new_plain();
    struct verify_report r = {0};
    struct source *s;
    bool ok = false;

    if (source_open(&o, &s, err)) {
        ok = verify_run(s, &target, &v, task, &r, err) && verify_report_findings(&r) == 0;
        verify_report_release(&r);
        source_close(s);
    }
    task_free(task);
    return ok;
}

static int set_up(void **ctx UNUSED)
{
    struct error err = {0};

    work = tmpdir_new();
    lab = lab_start(&(struct lab_options){.kind = LAB_SINGLE, .replicas = -1});
    if (lab == NULL)
        return -1;
    write_backup();
    learn_parts();
    archive = tmpdir_read(tmpdir_path(work, ID ".tar.gz"), &archive_size);
    must(restore(tmpdir_path(work, ID ".tar.gz"), &err), &err);
    must(verify(tmpdir_path(work, ID ".tar.gz"), &err), &err);
    must(verify(tmpdir_path(work, ID), &err), &err);
    assert_int_equal(lab_keys(lab), PARTS * KEYS);
    digest = lab_cli(lab, 0, "DEBUG", "DIGEST", NULL);
    return 0;
}

static int tear_down(void **ctx UNUSED)
{
    lab_stop(lab);
    free(archive);
    free(digest);
    return 0;
}

/* ---- what must happen ---------------------------------------------------------------------------
 */

/* Parts are read side by side: of two that are damaged either may be named. */
static void expect_named(const struct error *err, const char *name, const char *other,
                         const char *what)
{
    bool named = name == NULL || strstr(err->text, name) != NULL ||
                 (other != NULL && strstr(err->text, other) != NULL);

    if (err->text[0] == '\0' || !named)
        fail_msg("%s: %s is not named: %s", what, name != NULL ? name : "nothing", err->text);
}

static void expect_either_refused(const char *path, const char *name, const char *other,
                                  const char *what)
{
    long long before = changes();
    struct error err = {0};

    if (restore(path, &err))
        fail_msg("%s: restored", what);
    expect_named(&err, name, other, what);
    if (changes() != before)
        fail_msg("%s: %lld writes before it was refused", what, changes() - before);
    err = (struct error){0};
    if (verify(path, &err))
        fail_msg("%s: verified", what);
    expect_named(&err, name, other, what);
}

static void expect_refused(const char *path, const char *name, const char *what)
{
    expect_either_refused(path, name, NULL, what);
}

/* The part that a place in the archive belongs to; NULL: manifest, or what frames the members. */
static const char *part_at(size_t offset)
{
    for (size_t i = 0; i < PARTS; i++)
        if (offset >= parts[i].from && offset < parts[i].to)
            return parts[i].name;
    return NULL;
}

static size_t stride(void)
{
    const char *size = getenv("FAULTS");

    return size != NULL && strcmp(size, "full") == 0 ? 997 : 4999;
}

/* A gzip header has bits that mean nothing (time, system): then the data must be right. */
static bool is_harmless(const char *path)
{
    struct error err = {0};
    char *now;
    bool same;

    if (!verify(path, &err) || !restore(path, &err))
        return false;
    now = lab_cli(lab, 0, "DEBUG", "DIGEST", NULL);
    same = strcmp(now, digest) == 0 && lab_keys(lab) == 1LL * PARTS * KEYS;
    if (!same)
        fail_msg("%s: restored something else", path);
    free(now);
    return same;
}

static void one_flipped_bit_is_refused_or_means_nothing(void **ctx UNUSED)
{
    const char *path = tmpdir_path(work, "flipped.tar.gz");
    size_t harmless = 0;
    size_t count = 0;

    for (size_t at = 0; at < archive_size; at += stride(), count++) {
        char what[80];

        archive[at] = (char)(archive[at] ^ (1 << at % 8));
        tmpdir_write(path, archive, archive_size);
        archive[at] = (char)(archive[at] ^ (1 << at % 8));
        (void)snprintf(what, sizeof(what), "bit %zu of byte %zu", at % 8, at);
        if (is_harmless(path))
            harmless++;
        else
            expect_refused(path, part_at(at), what);
    }
    print_message("%zu bits of %zu bytes, %zu of them mean nothing\n", count, archive_size,
                  harmless);
    assert_true(count >= 10);
    assert_true(harmless * 20 <= count);
}

static size_t end_of_parts(void)
{
    uint64_t end = 0;

    for (size_t i = 0; i < PARTS; i++)
        end = parts[i].to > end ? parts[i].to : end;
    return (size_t)end;
}

/* Behind the manifest stands the end mark of tar: without it all is still there, and proven. */
static void an_archive_cut_short_is_refused(void **ctx UNUSED)
{
    const char *path = tmpdir_path(work, "short.tar.gz");
    size_t whole = 0;

    for (size_t at = 0; at < archive_size; at += stride()) {
        char what[80];

        tmpdir_write(path, archive, at);
        (void)snprintf(what, sizeof(what), "cut at byte %zu", at);
        if (at > end_of_parts() && is_harmless(path))
            whole++;
        else
            expect_refused(path, NULL, what);
    }
    assert_true(whole <= 1);
}

static void exchange(const char *a, const char *b)
{
    const char *kept = tmpdir_path(work, "kept");

    assert_int_equal(rename(a, kept), 0);
    assert_int_equal(rename(b, a), 0);
    assert_int_equal(rename(kept, b), 0);
}

static void parts_that_changed_places_are_refused_by_name(void **ctx UNUSED)
{
    const char *keys = tmpdir_path(tmpdir_path(work, ID), "keys");

    for (size_t i = 0; i + 1 < PARTS; i += PARTS / 3) {
        const char *one = tmpdir_path(keys, parts[i].name);
        const char *other = tmpdir_path(keys, parts[i + 1].name);

        exchange(one, other);
        expect_either_refused(tmpdir_path(work, ID), parts[i].name, parts[i + 1].name,
                              "parts changed places");
        exchange(one, other);
    }
}

static void a_damaged_part_of_a_directory_is_refused_by_name(void **ctx UNUSED)
{
    const char *keys = tmpdir_path(tmpdir_path(work, ID), "keys");

    for (size_t i = 0; i < PARTS; i += PARTS / 3) {
        const char *path = tmpdir_path(keys, parts[i].name);
        size_t size;
        char *text = tmpdir_read(path, &size);

        for (size_t at = 0; at < size; at += stride()) {
            text[at] = (char)(text[at] ^ 1);
            tmpdir_write(path, text, size);
            text[at] = (char)(text[at] ^ 1);
            expect_refused(tmpdir_path(work, ID), parts[i].name, "a bit of a part");
        }
        tmpdir_write(path, text, size - 1);
        expect_refused(tmpdir_path(work, ID), parts[i].name, "a part that is too short");
        assert_int_equal(unlink(path), 0);
        expect_refused(tmpdir_path(work, ID), parts[i].name, "a part that is missing");
        tmpdir_write(path, text, size);
        free(text);
    }
}

static void a_backup_without_its_manifest_is_refused(void **ctx UNUSED)
{
    const char *tree = tmpdir_path(work, ID);
    const char *manifest = tmpdir_path(tree, "metadata.json");
    const char *path = tmpdir_path(work, "headless.tar.gz");

    tmpdir_write(path, archive, end_of_parts());
    expect_refused(path, NULL, "an archive that ends before its manifest");
    assert_int_equal(rename(manifest, tmpdir_path(work, "away")), 0);
    expect_refused(tree, "metadata.json", "a directory without its manifest");
    assert_int_equal(rename(tmpdir_path(work, "away"), manifest), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_flipped_bit_is_refused_or_means_nothing),
        cmocka_unit_test(an_archive_cut_short_is_refused),
        cmocka_unit_test(parts_that_changed_places_are_refused_by_name),
        cmocka_unit_test(a_damaged_part_of_a_directory_is_refused_by_name),
        cmocka_unit_test(a_backup_without_its_manifest_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
