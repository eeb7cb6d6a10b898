#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/codec/gzip.h"

static struct error err;

static void fill(char *bytes, size_t len)
{
    uint32_t x = 12345;

    for (size_t i = 0; i < len; i++) {
        x = x * 1664525 + 1013904223;
        bytes[i] = (char)(x >> 29); /* eight different bytes: packs, but not to nothing */
    }
}

static void members_side_by_side_read_back_as_one_stream(void **state)
{
    struct gzip *z = gzip_new(6);
    char raw[100000];
    struct buf packed;
    struct buf back;

    (void)state;
    fill(raw, sizeof(raw));
    buf_init(&packed, 1 << 20);
    buf_init(&back, 1 << 20);
    assert_true(gzip_member(z, (struct str){raw, 70000}, &packed, &err));
    assert_true(gzip_member(z, (struct str){NULL, 0}, &packed, &err));
    assert_true(gzip_member(z, (struct str){raw + 70000, 30000}, &packed, &err));
    assert_true(packed.len < sizeof(raw));
    assert_true(gunzip_all(buf_str(&packed), &back, &err));
    assert_int_equal(back.len, sizeof(raw));
    assert_memory_equal(back.data, raw, sizeof(raw));
    buf_release(&back);
    buf_release(&packed);
    gzip_free(z);
}

static void a_stored_member_carries_its_extra_bytes(void **state)
{
    struct str extra = {"12345678", 8};
    struct buf packed;
    struct buf back;

    (void)state;
    buf_init(&packed, 4096);
    buf_init(&back, 4096);
    assert_true(gzip_stored(STR("data"), "RB", extra, &packed, &err));
    assert_int_equal(packed.len, gzip_stored_size(4, 8));
    assert_true(str_equal(gzip_stored_extra(buf_str(&packed), "RB"), extra));
    assert_int_equal(gzip_stored_extra(buf_str(&packed), "XX").len, 0);
    for (size_t cut = 0; cut < 16; cut++)
        assert_true(gzip_stored_extra(str_slice(buf_str(&packed), 0, cut), "RB").len < 8);
    assert_true(gunzip_all(buf_str(&packed), &back, &err));
    assert_string_equal(back.data, "data");
    buf_release(&back);
    buf_release(&packed);
}

static void every_cut_and_every_flipped_byte_of_the_data_is_noticed(void **state)
{
    struct gzip *z = gzip_new(1);
    char raw[500];
    struct buf packed;
    struct buf back;

    (void)state;
    fill(raw, sizeof(raw));
    buf_init(&packed, 4096);
    buf_init(&back, 4096);
    assert_true(gzip_member(z, (struct str){raw, sizeof(raw)}, &packed, &err));
    for (size_t cut = 0; cut < packed.len; cut++) {
        buf_clear(&back);
        assert_false(gunzip_all(str_slice(buf_str(&packed), 0, cut), &back, &err));
        assert_int_equal(err.code, ERROR_CORRUPT);
    }
    for (size_t i = 10; i < packed.len; i++) {
        packed.data[i] = (char)(packed.data[i] ^ 4);
        buf_clear(&back);
        assert_false(gunzip_all(buf_str(&packed), &back, &err));
        packed.data[i] = (char)(packed.data[i] ^ 4);
    }
    buf_release(&back);
    buf_release(&packed);
    gzip_free(z);
}

static void padding_behind_is_allowed_and_rubbish_is_not(void **state)
{
    struct gzip *z = gzip_new(6);
    struct buf packed;
    struct buf back;

    (void)state;
    buf_init(&packed, 4096);
    buf_init(&back, 4096);
    assert_true(gzip_member(z, STR("data"), &packed, &err));
    assert_true(buf_append(&packed, (struct str){"\0\0\0", 3}, &err));
    assert_true(gunzip_all(buf_str(&packed), &back, &err));
    assert_true(buf_text(&packed, "rubbish", &err));
    buf_clear(&back);
    assert_false(gunzip_all(buf_str(&packed), &back, &err));
    buf_release(&back);
    buf_release(&packed);
    gzip_free(z);
}

static void a_bomb_stops_at_the_limit(void **state)
{
    struct gzip *z = gzip_new(9);
    char *zeros = mem_zero(1, 10 << 20);
    struct buf packed;
    struct buf back;

    (void)state;
    buf_init(&packed, 1 << 24);
    buf_init(&back, 1 << 20);
    assert_true(gzip_member(z, (struct str){zeros, 10 << 20}, &packed, &err));
    assert_true(packed.len < 20000);
    assert_false(gunzip_all(buf_str(&packed), &back, &err));
    assert_int_equal(err.code, ERROR_LIMIT);
    assert_true(back.len <= 1 << 20);
    buf_release(&back);
    buf_release(&packed);
    free(zeros);
    gzip_free(z);
}

static void what_is_exactly_as_large_as_allowed_fits(void **state)
{
    struct gzip *z = gzip_new(6);
    struct buf packed;
    struct buf back;

    (void)state;
    buf_init(&packed, 4096);
    buf_init(&back, 4);
    assert_true(gzip_member(z, STR("data"), &packed, &err));
    assert_true(gunzip_all(buf_str(&packed), &back, &err));
    assert_string_equal(back.data, "data");
    buf_release(&back);
    buf_release(&packed);
    gzip_free(z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_side_by_side_read_back_as_one_stream),
        cmocka_unit_test(a_stored_member_carries_its_extra_bytes),
        cmocka_unit_test(every_cut_and_every_flipped_byte_of_the_data_is_noticed),
        cmocka_unit_test(padding_behind_is_allowed_and_rubbish_is_not),
        cmocka_unit_test(a_bomb_stops_at_the_limit),
        cmocka_unit_test(what_is_exactly_as_large_as_allowed_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
