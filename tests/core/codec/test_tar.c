#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/hex.h"
#include "core/codec/digest.h"
#include "core/codec/jsonl.h"
#include "core/codec/tar.h"

static struct error err;

static void a_header_reads_back(void **state)
{
    char block[TAR_BLOCK];
    char name[TAR_NAME_MAX + 2];
    uint64_t size = 0;

    (void)state;
    assert_true(tar_header(block, "top/keys", "a.jsonl", 123456789, 1755497196, &err));
    assert_true(tar_header_parse(block, name, &size, &err));
    assert_string_equal(name, "top/keys/a.jsonl");
    assert_int_equal(size, 123456789);
    block[0] ^= 1;
    assert_false(tar_header_parse(block, name, &size, &err));
    assert_int_equal(err.code, ERROR_CORRUPT);
}

static void names_and_sizes_that_do_not_fit_are_refused(void **state)
{
    char block[TAR_BLOCK];
    char text[200];

    (void)state;
    memset(text, 'x', sizeof(text));
    text[101] = '\0';
    assert_false(tar_header(block, "top", text, 1, 0, &err));
    text[100] = '\0';
    assert_true(tar_header(block, "top", text, 1, 0, &err));
    assert_false(tar_header(block, "top", "a", (uint64_t)8 << 30, 0, &err));
    assert_int_equal(err.code, ERROR_LIMIT);
}

static void padding_fills_the_last_block(void **state)
{
    (void)state;
    assert_int_equal(tar_padding(0), 0);
    assert_int_equal(tar_padding(1), 511);
    assert_int_equal(tar_padding(512), 0);
    assert_int_equal(tar_padding(513), 511);
}

static void names_that_could_lead_elsewhere_are_not_safe(void **state)
{
    static const char *const bad[] = {"",    "/a",   "a/",   "a//b",  "..",   "a/../b", "./a",
                                      "a/.", "a\\b", "a\nb", "a\x1b", "\xff", "a/\x7f"};
    static const char *const good[] = {"a", "a/b.jsonl", "..a/b..", "\xed\x95\x9c"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(tar_name_is_safe(bad[i]));
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(tar_name_is_safe(good[i]));
}

/* Hands out the bytes that `arg` points to, then the end. */
static bool pull_once(void *arg, void *out, size_t size, size_t *got, struct error *e)
{
    struct str *rest = arg;

    (void)e;
    *got = rest->len < size ? rest->len : size;
    memcpy(out, rest->ptr, *got);
    *rest = str_slice(*rest, *got, rest->len);
    return true;
}

static void an_archive_may_end_with_a_directory(void **state)
{
    char bytes[TAR_BLOCK + TAR_TRAILER] = {0};
    struct str rest = {bytes, sizeof(bytes)};
    struct tar_reader *r = tar_reader_new(pull_once, &rest);
    const char *name = "not asked yet";
    uint64_t size = 0;

    (void)state;
    assert_true(tar_header(bytes, "top", "keys/", 0, 0, &err));
    assert_true(tar_next(r, &name, &size, &err));
    assert_null(name);
    tar_reader_free(r);
}

static void digests_are_the_published_ones(void **state)
{
    unsigned char out[SHA256_SIZE];
    unsigned char pieces[SHA256_SIZE];
    char hex[SHA256_TEXT];
    struct sha256 *h = sha256_new();

    (void)state;
    sha256_of(STR("abc"), out);
    assert_string_equal(hex_encode(hex, out, sizeof(out)),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    for (int i = 0; i < 2; i++) { /* it begins anew after the end */
        sha256_add(h, STR("a"));
        sha256_add(h, STR(""));
        sha256_add(h, STR("bc"));
        sha256_end(h, pieces);
        assert_true(sha256_equal(out, pieces));
    }
    sha256_hmac(STR("Jefe"), STR("what do ya want for nothing?"), out); /* RFC 4231, case 2 */
    assert_string_equal(hex_encode(hex, out, sizeof(out)),
                        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_false(sha256_equal(out, pieces));
    sha256_free(h);
}

static void lines_are_cut_whatever_their_ends(void **state)
{
    struct str rest = STR("one\n\n\r\ntwo\r\nthree");
    struct str line;

    (void)state;
    assert_true(jsonl_next(&rest, &line) && str_is(line, "one"));
    assert_true(jsonl_next(&rest, &line) && str_is(line, "two"));
    assert_true(jsonl_next(&rest, &line) && str_is(line, "three"));
    assert_false(jsonl_next(&rest, &line));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_reads_back),
        cmocka_unit_test(names_and_sizes_that_do_not_fit_are_refused),
        cmocka_unit_test(padding_fills_the_last_block),
        cmocka_unit_test(names_that_could_lead_elsewhere_are_not_safe),
        cmocka_unit_test(an_archive_may_end_with_a_directory),
        cmocka_unit_test(digests_are_the_published_ones),
        cmocka_unit_test(lines_are_cut_whatever_their_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
