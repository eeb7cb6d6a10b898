/* What the forms of backup, restore and verify ask for becomes the same command line that one would
 * type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "views/screens/backup_form.h"
#include "views/screens/form_fields.h"
#include "views/screens/restore_form.h"
#include "views/screens/verify_form.h"

#define ID "redis-backup-local-20250102T030405Z-0002"
#define S3 "s3://bucket/prefix"

static const char from_id[] = "--from-s3=" ID;

static void expect_words(struct arg_list *a, const char *const *words)
{
    size_t count = 0;

    for (; words[count] != NULL; count++) {
        assert_true(count < a->count);
        assert_string_equal(a->items[count], words[count]);
    }
    assert_int_equal(a->count, count);
    assert_null(args_words(a)[count]);
    args_release(a);
}

static void expect_backup(const struct backup_order *order, const char *const *words)
{
    struct arg_list args = {0};
    struct error err;

    assert_true(backup_order_args(order, S3, &args, &err));
    expect_words(&args, words);
}

static void backup_as_it_stands_names_only_what_it_must(void **state)
{
    static const char *const words[] = {"backup", "--backup-dir=/b", "--from=primaries",
                                        "--rate=none", NULL};
    struct backup_order b = {.where = STR("disk and S3"),
                             .dir = STR("/b"),
                             .s3_uri = STR(S3),
                             .from = STR("primaries"),
                             .rate = STR("none"),
                             .level = 6,
                             .memory_mib = 256,
                             .outage_s = 60,
                             .tree = true};

    (void)state;
    expect_backup(&b, words);
}

static void every_choice_for_a_backup_reaches_the_command(void **state)
{
    static const char *const disk[] = {"backup",
                                       "--no-upload",
                                       "--backup-dir=/b",
                                       "--no-dir",
                                       "--from=auto",
                                       "--rate=100",
                                       "--match=a*",
                                       "--match=b",
                                       "--type=hash",
                                       "--type=set",
                                       "--slots=0-5",
                                       "--level=9",
                                       "--chunk-keys=100",
                                       "--chunk-bytes=2097152",
                                       "--max-memory=512",
                                       "--outage-timeout=300",
                                       "--sign-key-file=/k",
                                       "--strict",
                                       "--reason=why not",
                                       NULL};
    struct backup_order b = {.where = STR("disk"),
                             .dir = STR("/b"),
                             .s3_uri = STR(S3),
                             .match = STR("a*  b"),
                             .types = STR("hash set"),
                             .slots = STR("0-5"),
                             .from = STR("auto"),
                             .rate = STR("100"),
                             .sign_key = STR("/k"),
                             .reason = STR(" why not "),
                             .level = 9,
                             .chunk_keys = 100,
                             .chunk_mib = 2,
                             .memory_mib = 512,
                             .outage_s = 300,
                             .strict = true};

    (void)state;
    expect_backup(&b, disk);
}

static void backup_to_s3_alone_streams_and_needs_somewhere_to_go(void **state)
{
    static const char *const here[] = {"backup", "--stream", NULL};
    static const char *const there[] = {"backup", "--stream", "--s3-uri=s3://other", NULL};
    struct backup_order b = {.where = STR("S3"), .s3_uri = STR(S3)};
    struct arg_list args = {0};
    struct error err;

    (void)state;
    expect_backup(&b, here);
    b.s3_uri = STR("s3://other");
    expect_backup(&b, there);
    b.s3_uri = STR("");
    assert_false(backup_order_args(&b, NULL, &args, &err));
    assert_int_equal(err.code, ERROR_CONFIG);
    args_release(&args);
}

static void every_choice_for_a_restore_reaches_the_command(void **state)
{
    static const char *const usual[] = {"restore",    "--input=/b/x.tar.gz",      "--skip-existing",
                                        "--ttl=none", "--recreate-stream-groups", "--rate=none",
                                        NULL};
    static const char *const all[] = {"restore",
                                      from_id,
                                      "--verify-key-file=/k",
                                      "--overwrite",
                                      "--ttl=absolute",
                                      "--no-stream-groups",
                                      "--match=a*",
                                      "--type=hash",
                                      "--type=set",
                                      "--slots=0-5",
                                      "--shard=2",
                                      "--rate=auto",
                                      "--outage-timeout=300",
                                      "--tune",
                                      "--drop-field-ttl",
                                      "--allow-downgrade",
                                      "--trust-dump",
                                      "--exact",
                                      NULL};
    struct restore_order r = {.place = PLACE_LOCAL,
                              .id = ID,
                              .path = "/b/x.tar.gz",
                              .policy = STR("skip-existing"),
                              .ttl = STR("none"),
                              .rate = STR("none"),
                              .outage_s = 60,
                              .stream_groups = true};
    struct arg_list args = {0};

    (void)state;
    restore_order_args(&r, &args);
    expect_words(&args, usual);
    r = (struct restore_order){.place = PLACE_S3,
                               .id = ID,
                               .policy = STR("overwrite"),
                               .ttl = STR("absolute"),
                               .match = STR("a*"),
                               .types = STR("hash set"),
                               .slots = STR("0-5"),
                               .rate = STR("auto"),
                               .verify_key = STR("/k"),
                               .shard = 2,
                               .outage_s = 300,
                               .exact = true,
                               .tune = true,
                               .trust_dump = true,
                               .drop_field_ttl = true,
                               .allow_downgrade = true};
    restore_order_args(&r, &args);
    expect_words(&args, all);
}

static void every_choice_for_a_verify_reaches_the_command(void **state)
{
    static const char *const usual[] = {"verify", from_id, "--sample=1000",
                                        "--ttl-tolerance-ms=5000", NULL};
    static const char *const all[] = {"verify",
                                      from_id,
                                      "--verify-key-file=/k",
                                      "--subset=2/10",
                                      "--extra",
                                      "--match=a*",
                                      "--type=hash",
                                      "--slots=0-5",
                                      "--ttl-tolerance-ms=5000",
                                      "--no-stream-groups",
                                      "--rounds=9",
                                      "--outage-timeout=300",
                                      "--reason=why",
                                      NULL};
    struct verify_order v = {.place = PLACE_S3,
                             .id = ID,
                             .extent = STR("sample"),
                             .sample = 1000,
                             .tolerance_s = 5,
                             .rounds = 3,
                             .outage_s = 60,
                             .stream_groups = true};
    struct arg_list args = {0};

    (void)state;
    verify_order_args(&v, &args);
    expect_words(&args, usual);
    v = (struct verify_order){.place = PLACE_S3,
                              .id = ID,
                              .extent = STR("subset"),
                              .subset = STR("2/10"),
                              .match = STR("a*"),
                              .types = STR("hash"),
                              .slots = STR("0-5"),
                              .verify_key = STR("/k"),
                              .reason = STR("why"),
                              .tolerance_s = 5,
                              .rounds = 9,
                              .outage_s = 300,
                              .extra = true};
    verify_order_args(&v, &args);
    expect_words(&args, all);
}

static void more_words_than_fit_are_refused_not_dropped(void **state)
{
    char many[1000] = "";
    struct backup_order b = {.where = STR("disk"), .tree = true};
    struct arg_list args = {0};
    struct error err;

    (void)state;
    for (size_t i = 0; i < 200; i++)
        memcpy(many + 2 * i, "a ", 3);
    b.match = str_from(many);
    assert_false(backup_order_args(&b, S3, &args, &err));
    assert_int_equal(err.code, ERROR_LIMIT);
    assert_null(args_words(&args)[ARGS_MAX]);
    args_release(&args);
}

static void what_is_mistyped_is_named_before_a_job_starts(void **state)
{
    (void)state;
    assert_null(form_check_types(STR("")));
    assert_null(form_check_types(STR(" hash  zset ")));
    assert_non_null(form_check_types(STR("hash, set")));
    assert_non_null(form_check_types(STR("all")));
    assert_null(form_check_rate(STR("auto")));
    assert_null(form_check_rate(STR("none")));
    assert_null(form_check_rate(STR("5000")));
    assert_non_null(form_check_rate(STR("0")));
    assert_non_null(form_check_rate(STR("fast")));
    assert_null(form_check_slots(STR("0-5,9")));
    assert_non_null(form_check_slots(STR("9-")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backup_as_it_stands_names_only_what_it_must),
        cmocka_unit_test(every_choice_for_a_backup_reaches_the_command),
        cmocka_unit_test(backup_to_s3_alone_streams_and_needs_somewhere_to_go),
        cmocka_unit_test(every_choice_for_a_restore_reaches_the_command),
        cmocka_unit_test(every_choice_for_a_verify_reaches_the_command),
        cmocka_unit_test(more_words_than_fit_are_refused_not_dropped),
        cmocka_unit_test(what_is_mistyped_is_named_before_a_job_starts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
