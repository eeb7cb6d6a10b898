#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/attr.h"
#include "core/record/record.h"
#include "core/record/temp_key.h"

/* CRC16/XMODEM bit by bit, and the hash tag by hand: not the code under test. */
static uint16_t slot_by_hand(const char *tag, size_t len)
{
    unsigned crc = 0;

    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned)(unsigned char)tag[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000) != 0 ? (crc << 1 ^ 0x1021) & 0xffff : crc << 1 & 0xffff;
    }
    return (uint16_t)(crc % SLOT_COUNT);
}

static void every_slot_has_a_name_that_hashes_to_it(void **ctx UNUSED)
{
    struct temp_key_table *t = temp_key_table_new();

    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        char text[TEMP_KEY_MAX];
        struct str name = temp_key_name(t, (uint16_t)slot, "run0", 7, text);
        const char *open = memchr(name.ptr, '{', name.len);
        const char *end = memchr(name.ptr, '}', name.len);

        assert_non_null(open);
        assert_non_null(end);
        assert_true(end > open + 1);
        assert_int_equal(slot_by_hand(open + 1, (size_t)(end - open - 1)), slot);
        assert_int_equal(slot_of_key(name), slot);
        assert_true(record_is_temp(name));
    }
    temp_key_table_free(t);
}

static void a_key_that_holds_braces_gets_a_name_in_its_slot(void **ctx UNUSED)
{
    static const char *const keys[] = {"a}b", "{}x", "}{", "{a}{b}", "{", "}", "x{y", "{{a}}"};
    struct temp_key_table *t = temp_key_table_new();

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        uint16_t slot = slot_of_key(str_from(keys[i]));
        char text[TEMP_KEY_MAX];

        assert_int_equal(slot_of_key(temp_key_name(t, slot, "r", 1, text)), slot);
    }
    temp_key_table_free(t);
}

static void names_differ_by_run_and_number(void **ctx UNUSED)
{
    struct temp_key_table *t = temp_key_table_new();
    char a[TEMP_KEY_MAX];
    char b[TEMP_KEY_MAX];
    struct str first = temp_key_name(t, 5, "run1", 1, a);

    assert_false(str_equal(first, temp_key_name(t, 5, "run1", 2, b)));
    assert_false(str_equal(first, temp_key_name(t, 5, "run2", 1, b)));
    assert_false(str_equal(first, temp_key_name(t, 6, "run1", 1, b)));
    assert_true(str_equal(first, temp_key_name(t, 5, "run1", 1, b)));
    temp_key_table_free(t);
}

static void the_longest_name_fits(void **ctx UNUSED)
{
    struct temp_key_table *t = temp_key_table_new();
    char text[TEMP_KEY_MAX + 8];
    struct str name;

    memset(text, 'z', sizeof(text));
    name = temp_key_name(t, SLOT_COUNT - 1, "0123456789012345678901234567890123456789", UINT64_MAX,
                         text);
    assert_true(name.len < TEMP_KEY_MAX);
    assert_int_equal(slot_of_key(name), SLOT_COUNT - 1);
    assert_non_null(memmem(name.ptr, name.len, "18446744073709551615", 20));
    for (size_t i = TEMP_KEY_MAX; i < sizeof(text); i++)
        assert_int_equal(text[i], 'z');
    temp_key_table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_slot_has_a_name_that_hashes_to_it),
        cmocka_unit_test(a_key_that_holds_braces_gets_a_name_in_its_slot),
        cmocka_unit_test(names_differ_by_run_and_number),
        cmocka_unit_test(the_longest_name_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
