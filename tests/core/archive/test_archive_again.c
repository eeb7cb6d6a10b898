#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/archive/archive_again.h"
#include "core/archive/source.h"
#include "core/base/alloc.h"
#include "core/base/attr.h"
#include "core/base/file.h"
#include "tests/harness/tmpdir.h"

#define ID "redis-backup-local-20250818T060635Z-28e5"
#define PARTS 8
#define HALF 4

/* A backup of PARTS parts of which an earlier run wrote HALF, and what it remembered of them. */
struct fixture {
    const char *dir;
    struct archive_options o;
    struct part remembered[PARTS];
    _Atomic size_t count; /* counted by the thread that writes, waited for by the test */
};

static struct error why;

static void must(bool ok)
{
    if (!ok)
        print_error("%s\n", why.text);
    assert_true(ok);
}

static bool remember(void *arg, const struct part *part, struct error *err)
{
    struct fixture *f = arg;
    struct part *p = &f->remembered[f->count];

    (void)err;
    *p = *part;
    p->text = (struct buf){0};
    f->count++;
    return true;
}

static char *line_of(size_t number)
{
    return mem_format("{\"key\":\"k%zu\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"%zu\","
                      "\"slot\":%zu}\n",
                      number, number * 1000003, number);
}

static void add(struct archiver *a, size_t number)
{
    struct part *p = part_new("127.0.0.1:7001", 0, 65536);
    char *line = line_of(number);

    must(buf_text(&p->text, line, &why));
    p->info.keys = 1;
    p->pass = 1;
    p->seq = (uint32_t)number;
    must(archiver_add(a, p, &why));
    free(line);
}

static bool is_there(const struct fixture *f, const char *name)
{
    char *path = file_join(f->dir, name);
    bool there = file_exists(path);

    free(path);
    return there;
}

/* What a killed run leaves: parts in tree and file, rubbish behind them, no manifest. */
static void leave_half(struct fixture *f, bool tree)
{
    struct archiver *a;
    char *path;

    *f = (struct fixture){.dir = tmpdir_new()};
    f->o = (struct archive_options){.id = ID,
                                    .dir = f->dir,
                                    .tree = tree,
                                    .file = true,
                                    .part_done = remember,
                                    .part_done_arg = f};
    must(archiver_create(&f->o, &a, &why));
    for (size_t i = 1; i <= HALF; i++)
        add(a, i);
    archiver_leave(a);
    while (f->count < HALF)
        usleep(1000);
    archiver_free(a);
    path = archive_file_path(f->dir, ID, false);
    must(file_append(path, STR("half a member"), false, &why));
    free(path);
    if (tree) {
        path = file_join(f->dir, ID ".partial/keys/keys-part-0005.jsonl");
        must(file_write_atomic(path, STR("half a part"), &why));
        free(path);
    }
    assert_false(is_there(f, ID));
    assert_false(is_there(f, ID ".tar.gz"));
}

static void check(struct fixture *f, struct archive_again *again)
{
    again->count = HALF;
    again->file_bytes = 0;
    again->parts = mem_zero(HALF, sizeof(*again->parts));
    for (size_t i = 0; i < HALF; i++) {
        struct part *p = part_new("127.0.0.1:7001", 0, PART_HEAD);

        p->number = f->remembered[i].number;
        p->info = f->remembered[i].info;
        p->info.name = p->name;
        p->info.shard = p->shard;
        again->parts[i].part = p;
    }
    must(archive_again_check(&f->o, again, &why));
}

static size_t good_parts(const struct archive_again *again)
{
    size_t n = 0;

    for (size_t i = 0; i < again->count; i++)
        n += again->parts[i].good;
    return n;
}

static void expect_readable(const struct source_options *how, size_t parts)
{
    struct source *s;

    must(source_open(how, &s, &why));
    assert_int_equal(source_manifest(s)->part_count, parts);
    must(source_check(s, &why));
    source_close(s);
}

/* The second run: the parts that are not kept, and those that had never been written. */
static void finish(struct fixture *f, struct archive_again *again)
{
    struct manifest *m = manifest_new();
    bool have[PARTS + 1] = {false};
    struct source_options file = {.path = mem_format("%s/%s.tar.gz", f->dir, ID)};
    struct source_options tree = {.path = mem_format("%s/%s", f->dir, ID)};
    struct archiver *a;

    for (size_t i = 0; i < again->count; i++)
        if (again->parts[i].good)
            have[again->parts[i].part->number] = true;
    f->o.again = again;
    f->o.part_done = NULL;
    must(archiver_create(&f->o, &a, &why));
    for (size_t i = 1; i <= PARTS; i++)
        if (!have[i])
            add(a, i);
    m->backup_id = ID;
    m->env = "local";
    m->complete = true;
    m->tool = m->tool_version = m->mode = m->options.source = m->reason = m->options.slots = "";
    must(archiver_finish(a, m, &why));
    archiver_free(a);
    manifest_free(m);
    expect_readable(&file, PARTS);
    if (f->o.tree)
        expect_readable(&tree, PARTS);
    assert_false(is_there(f, ID ".partial"));
    assert_false(is_there(f, ID ".tar.gz.partial"));
    free(mem_unconst(file.path));
    free(mem_unconst(tree.path));
    archive_again_release(again);
}

static void what_was_finished_is_kept_and_the_file_goes_on(void **state UNUSED)
{
    struct archive_again again = {0};
    struct fixture f;

    leave_half(&f, true);
    check(&f, &again);
    assert_int_equal(good_parts(&again), HALF);
    assert_int_equal(again.file_bytes,
                     f.remembered[HALF - 1].info.offset + f.remembered[HALF - 1].info.length);
    assert_false(is_there(&f, ID ".partial/keys/keys-part-0005.jsonl"));
    finish(&f, &again);
}

static void an_archive_alone_goes_on_as_well(void **state UNUSED)
{
    struct archive_again again = {0};
    struct fixture f;

    leave_half(&f, false);
    check(&f, &again);
    assert_int_equal(good_parts(&again), HALF);
    finish(&f, &again);
}

/* Change one byte in the middle of a file, from `at` on. */
static void damage(const struct fixture *f, const char *name, uint64_t at)
{
    char *path = file_join(f->dir, name);
    FILE *file = fopen(path, "r+");
    int byte;

    assert_non_null(file);
    assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
    byte = fgetc(file);
    assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
    assert_int_not_equal(fputc(byte ^ 0x20, file), EOF);
    assert_int_equal(fclose(file), 0);
    free(path);
}

static void a_part_that_is_damaged_everywhere_is_not_kept(void **state UNUSED)
{
    struct archive_again again = {0};
    struct fixture f;
    char name[160];

    leave_half(&f, true);
    (void)snprintf(name, sizeof(name), ID ".partial/%s", f.remembered[1].name);
    damage(&f, name, 10); /* same size, another digest */
    damage(&f, ID ".tar.gz.partial", f.remembered[1].info.offset + 60);
    check(&f, &again);
    assert_int_equal(good_parts(&again), HALF - 1);
    for (size_t i = 0; i < again.count; i++)
        if (!again.parts[i].good)
            assert_non_null(strstr(again.parts[i].why, f.remembered[1].name));
    assert_int_equal(again.file_bytes, f.remembered[1].info.offset); /* the rest is packed again */
    finish(&f, &again);
}

static void a_copy_in_the_tree_is_mended_from_the_file(void **state UNUSED)
{
    struct archive_again again = {0};
    struct fixture f;
    char name[160];

    leave_half(&f, true);
    (void)snprintf(name, sizeof(name), ID ".partial/%s", f.remembered[2].name);
    damage(&f, name, 10);
    check(&f, &again);
    assert_int_equal(good_parts(&again), HALF);
    finish(&f, &again);
}

static void a_file_that_is_gone_is_written_from_the_tree(void **state UNUSED)
{
    struct archive_again again = {0};
    struct fixture f;
    char *path;

    leave_half(&f, true);
    path = archive_file_path(f.dir, ID, false);
    assert_int_equal(unlink(path), 0);
    free(path);
    check(&f, &again);
    assert_int_equal(good_parts(&again), HALF);
    assert_int_equal(again.file_bytes, 0);
    finish(&f, &again);
}

static void an_archive_alone_keeps_what_stands_before_the_damage(void **state UNUSED)
{
    struct archive_again again = {0};
    struct fixture f;

    leave_half(&f, false);
    damage(&f, ID ".tar.gz.partial", f.remembered[2].info.offset + 60);
    check(&f, &again);
    assert_int_equal(good_parts(&again), 2);
    finish(&f, &again);
}

static void a_finish_that_was_interrupted_is_taken_back(void **state UNUSED)
{
    struct archive_again again = {0};
    struct fixture f;
    char *from;
    char *to;

    leave_half(&f, true);
    from = file_join(f.dir, ID ".partial");
    to = file_join(f.dir, ID);
    assert_int_equal(rename(from, to), 0); /* killed before anybody was told */
    free(from);
    free(to);
    check(&f, &again);
    assert_int_equal(good_parts(&again), HALF);
    assert_false(is_there(&f, ID));
    finish(&f, &again);
}

static void expect_names(const struct fixture *f, size_t wanted)
{
    char **names;
    size_t count;

    must(file_list(f->dir, &names, &count, &why));
    assert_int_equal(count, wanted);
    file_list_free(names, count);
}

/* A user who may not read, a map without owners: there is nothing to go on with. */
static void a_run_that_finished_no_part_leaves_nothing(void **state UNUSED)
{
    struct fixture f = {.dir = tmpdir_new()};
    struct archiver *a;

    f.o = (struct archive_options){.id = ID, .dir = f.dir, .tree = true, .file = true};
    must(archiver_create(&f.o, &a, &why));
    expect_names(&f, 2);
    archiver_leave(a);
    archiver_free(a);
    expect_names(&f, 0);
}

static void a_second_run_that_adds_nothing_leaves_what_the_first_one_finished(void **state UNUSED)
{
    struct archive_again again = {0};
    struct archiver *a;
    struct fixture f;
    char *path;

    leave_half(&f, true);
    path = archive_file_path(f.dir, ID, false);
    assert_int_equal(unlink(path), 0); /* so all of them stand in the tree alone */
    free(path);
    check(&f, &again);
    f.o.again = &again;
    f.o.part_done = NULL;
    must(archiver_create(&f.o, &a, &why));
    archiver_leave(a);
    archiver_free(a);
    archive_again_release(&again);
    check(&f, &again);
    assert_int_equal(good_parts(&again), HALF);
    finish(&f, &again);
}

static void what_is_left_behind_can_be_removed(void **state UNUSED)
{
    struct fixture f;

    leave_half(&f, true);
    must(archive_remove_partial(f.dir, ID, &why));
    assert_false(is_there(&f, ID ".partial"));
    assert_false(is_there(&f, ID ".tar.gz.partial"));
    must(archive_remove_partial(f.dir, ID, &why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_finished_is_kept_and_the_file_goes_on),
        cmocka_unit_test(an_archive_alone_goes_on_as_well),
        cmocka_unit_test(a_part_that_is_damaged_everywhere_is_not_kept),
        cmocka_unit_test(a_copy_in_the_tree_is_mended_from_the_file),
        cmocka_unit_test(a_file_that_is_gone_is_written_from_the_tree),
        cmocka_unit_test(an_archive_alone_keeps_what_stands_before_the_damage),
        cmocka_unit_test(a_finish_that_was_interrupted_is_taken_back),
        cmocka_unit_test(a_run_that_finished_no_part_leaves_nothing),
        cmocka_unit_test(a_second_run_that_adds_nothing_leaves_what_the_first_one_finished),
        cmocka_unit_test(what_is_left_behind_can_be_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
