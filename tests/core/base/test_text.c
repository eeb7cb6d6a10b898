/*
 * test_text.c - views, numbers, escapes, encodings and formats of core/base.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/base/base64.h"
#include "core/base/escape.h"
#include "core/base/format.h"
#include "core/base/hex.h"
#include "core/base/rng.h"

static void numbers_take_the_whole_text_and_refuse_what_does_not_fit(void **ctx UNUSED)
{
    uint64_t u;
    int64_t i;
    uint32_t w;
    int n;

    assert_true(str_to_u64(STR("18446744073709551615"), &u));
    assert_true(u == UINT64_MAX);
    assert_false(str_to_u64(STR("18446744073709551616"), &u));
    assert_false(str_to_u64(STR(""), &u));
    assert_false(str_to_u64(STR("+1"), &u));
    assert_false(str_to_u64(STR("1 "), &u));
    assert_true(str_to_i64(STR("-9223372036854775808"), &i));
    assert_true(i == INT64_MIN);
    assert_false(str_to_i64(STR("9223372036854775808"), &i));
    assert_false(str_to_i64(STR("-"), &i));
    assert_false(str_to_u32(STR("4294967296"), &w));
    assert_false(str_to_int(STR("10"), 1, 9, &n));
    assert_true(str_to_int(STR("9"), 1, 9, &n));
}

static void doubles_accept_infinity_and_refuse_nan_and_hex(void **ctx UNUSED)
{
    double d;

    assert_true(str_to_double(STR("-inf"), &d) && isinf(d) && d < 0);
    assert_true(str_to_double(STR("5e-324"), &d) && d > 0);
    assert_false(str_to_double(STR("nan"), &d));
    assert_false(str_to_double(STR("0x10"), &d));
    assert_false(str_to_double(STR(" 1"), &d));
    assert_false(str_to_double((struct str){"1\0002", 3}, &d));
}

static void double_text_reads_back_to_the_same_bits(void **ctx UNUSED)
{
    static const double fixed[] = {0.1, 1.5, -0.0, DBL_MAX, DBL_MIN, 4.9406564584124654e-324, 1e21};
    struct rng rng = {.state = 42};
    char text[FORMAT_MAX];
    double back;

    for (size_t i = 0; i < COUNT_OF(fixed); i++) {
        assert_true(str_to_double(str_from(format_double(text, sizeof(text), fixed[i])), &back));
        assert_memory_equal(&back, &fixed[i], sizeof(back));
    }
    assert_string_equal(format_double(text, sizeof(text), 0.1), "0.1");
    assert_string_equal(format_double(text, sizeof(text), -HUGE_VAL), "-inf");
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = rng_next(&rng);
        double value;

        memcpy(&value, &bits, sizeof(value));
        if (!isfinite(value))
            continue;
        assert_true(str_to_double(str_from(format_double(text, sizeof(text), value)), &back));
        assert_memory_equal(&back, &value, sizeof(back));
    }
}

static void text_is_valid_utf8_without_nul(void **ctx UNUSED)
{
    assert_true(str_is_text(STR("")));
    assert_true(str_is_text(STR("plain text that is longer than a word")));
    assert_true(str_is_text(STR("\xed\x95\x9c\xea\xb5\xad\xec\x96\xb4")));
    assert_false(str_is_text((struct str){"a\0b", 3}));
    assert_false(str_is_text((struct str){"1234567\0", 8}));
    assert_false(str_is_text(STR("12345678\xff")));
    assert_false(str_is_text(STR("\xc0\x80")));         /* overlong */
    assert_false(str_is_text(STR("\xed\xa0\x80")));     /* surrogate */
    assert_false(str_is_text(STR("\xf4\x90\x80\x80"))); /* past U+10FFFF */
    assert_false(str_is_text(STR("\xe2\x82")));         /* cut */
}

static void split_gives_empty_pieces_and_ends_after_the_last(void **ctx UNUSED)
{
    struct str rest = STR("a,,b");
    struct str piece;

    assert_true(str_split(&rest, ',', &piece) && str_is(piece, "a"));
    assert_true(str_split(&rest, ',', &piece) && str_is(piece, ""));
    assert_true(str_split(&rest, ',', &piece) && str_is(piece, "b"));
    assert_false(str_split(&rest, ',', &piece));
}

static void distance_counts_edits_up_to_its_limit(void **ctx UNUSED)
{
    assert_int_equal(str_distance(STR("chunk_key"), STR("chunk_keys"), 3), 1);
    assert_int_equal(str_distance(STR("abc"), STR("acb"), 3), 2);
    assert_int_equal(str_distance(STR("abc"), STR("xyzxyz"), 2), 3);
}

static const char *escaped(struct str raw)
{
    static char out[200];

    return escape_text(out, sizeof(out), raw);
}

static void nothing_that_drives_a_terminal_survives_the_escape(void **ctx UNUSED)
{
    assert_string_equal(escaped(STR("a\tb\n")), "a\\x09b\\x0a");
    assert_string_equal(escaped(STR("\x1b]52;c;eA==\a")), "\\x1b]52;c;eA==\\x07");
    assert_string_equal(escaped(STR("\xc2\x9b"
                                    "31m")),
                        "\\xc2\\x9b31m");                                 /* C1 CSI */
    assert_string_equal(escaped(STR("\xe2\x80\xae")), "\\xe2\\x80\\xae"); /* bidi */
    assert_string_equal(escaped(STR("\xe2\x80\x8b")), "\\xe2\\x80\\x8b"); /* zero width */
    assert_string_equal(escaped(STR("\xff\x7f")), "\\xff\\x7f");          /* invalid, DEL */
    assert_string_equal(escaped(STR("\xed\x95\x9c")), "\xed\x95\x9c");    /* Hangul stays */
    assert_string_equal(escaped((struct str){"a\0b", 3}), "a\\x00b");
}

static void escape_gives_the_same_text_in_a_buffer_and_in_an_array(void **ctx UNUSED)
{
    struct rng rng = {.state = 7};

    for (int round = 0; round < 2000; round++) {
        struct error err = {0};
        unsigned char raw[24];
        char text[200];
        struct buf b;

        for (size_t i = 0; i < sizeof(raw); i++)
            raw[i] = (unsigned char)rng_next(&rng);
        buf_init(&b, 1000);
        assert_true(escape_append(&b, (struct str){(char *)raw, sizeof(raw)}, &err));
        escape_text(text, sizeof(text), (struct str){(char *)raw, sizeof(raw)});
        assert_string_equal(text, b.data);
        assert_true(str_is_text(buf_str(&b)));
        buf_release(&b);
    }
}

static void a_long_text_is_cut_between_characters_with_an_ellipsis(void **ctx UNUSED)
{
    char out[10];

    escape_text(out, sizeof(out), STR("abcdefghijkl"));
    assert_string_equal(out, "abcdef\xe2\x80\xa6");
    escape_text(out, sizeof(out), STR("ab\xed\x95\x9c\xed\x95\x9c\xed\x95\x9c"));
    assert_string_equal(out, "ab\xed\x95\x9c\xe2\x80\xa6");
    escape_text(out, sizeof(out), STR("abcdefghi"));
    assert_string_equal(out, "abcdefghi");
}

static void base64_is_strict_and_reversible(void **ctx UNUSED)
{
    static const char *const bad[] = {
        "A", "AA", "AA=", "A===", "AB==", "AAB=", "AA=A", "A A=", "====", "AAAA\n"};
    struct error err = {0};
    struct buf text;
    struct buf back;
    char raw[50];

    buf_init(&text, 1000);
    buf_init(&back, 1000);
    for (size_t len = 0; len < sizeof(raw); len++) {
        rng_bytes(raw, len);
        buf_clear(&text);
        buf_clear(&back);
        assert_true(base64_encode(&text, (struct str){raw, len}, &err));
        assert_true(base64_decode(&back, buf_str(&text), &err));
        assert_true(str_equal(buf_str(&back), (struct str){raw, len}));
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(base64_decode(&back, str_from(bad[i]), &err));
        assert_int_equal(err.code, ERROR_CORRUPT);
    }
    buf_release(&text);
    buf_release(&back);
}

static void hex_refuses_other_lengths_and_digits(void **ctx UNUSED)
{
    unsigned char two[2];
    char text[5];

    assert_true(hex_decode(two, 2, STR("00fF")));
    assert_string_equal(hex_encode(text, two, 2), "00ff");
    assert_false(hex_decode(two, 2, STR("00f")));
    assert_false(hex_decode(two, 2, STR("00fg")));
}

static void sizes_counts_and_durations_read_well(void **ctx UNUSED)
{
    char t[FORMAT_MAX];

    assert_string_equal(format_size(t, sizeof(t), 1023), "1023 B");
    assert_string_equal(format_size(t, sizeof(t), 1536), "1.5 KiB");
    assert_string_equal(format_size(t, sizeof(t), 1024 * 1024 - 1), "1.0 MiB");
    assert_string_equal(format_size(t, sizeof(t), -1), "-");
    assert_string_equal(format_size_short(t, sizeof(t), 1234567), "1.18M");
    assert_string_equal(format_count(t, sizeof(t), 1234567), "1,234,567");
    assert_string_equal(format_count_short(t, sizeof(t), 999), "999");
    assert_string_equal(format_count_short(t, sizeof(t), 50010), "50.0k");
    assert_string_equal(format_duration(t, sizeof(t), 850), "850 ms");
    assert_string_equal(format_duration(t, sizeof(t), 12345), "12.3 s");
    assert_string_equal(format_duration(t, sizeof(t), 245000), "4m 05s");
    assert_string_equal(format_duration(t, sizeof(t), 7380000), "2h 03m");
    assert_string_equal(format_percent(t, sizeof(t), 9999, 10000), "99.9%");
    assert_string_equal(format_percent(t, sizeof(t), 0, 0), "-");
}

static void short_forms_never_pass_five_columns(void **ctx UNUSED)
{
    char t[FORMAT_MAX];

    for (int64_t n = 1; n > 0 && n < INT64_MAX / 3; n = n * 3 + 1) {
        assert_true(strlen(format_size_short(t, sizeof(t), n)) <= 5);
        assert_true(strlen(format_count_short(t, sizeof(t), n)) <= 5);
    }
}

static void utc_times_are_written_and_read_back(void **ctx UNUSED)
{
    const int64_t when = 1755497195123;
    char t[FORMAT_MAX];
    int64_t back;

    assert_string_equal(format_rfc3339(t, sizeof(t), when), "2025-08-18T06:06:35Z");
    assert_true(format_parse_utc(str_from(t), &back) && back == when - 123);
    assert_string_equal(format_rfc3339_ms(t, sizeof(t), when), "2025-08-18T06:06:35.123Z");
    assert_true(format_parse_utc(str_from(t), &back) && back == when);
    assert_string_equal(format_compact_utc(t, sizeof(t), when), "20250818T060635Z");
    assert_true(format_parse_utc(str_from(t), &back) && back == when - 123);
    assert_string_equal(format_clock_ms(t, sizeof(t), when), "06:06:35.123");
    assert_false(format_parse_utc(STR("2025-13-18T06:06:35Z"), &back));
    assert_false(format_parse_utc(STR("2025-08-18T06:06:35"), &back));
    assert_false(format_parse_utc(STR("2025-08-18T06:06:35Zx"), &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_take_the_whole_text_and_refuse_what_does_not_fit),
        cmocka_unit_test(doubles_accept_infinity_and_refuse_nan_and_hex),
        cmocka_unit_test(double_text_reads_back_to_the_same_bits),
        cmocka_unit_test(text_is_valid_utf8_without_nul),
        cmocka_unit_test(split_gives_empty_pieces_and_ends_after_the_last),
        cmocka_unit_test(distance_counts_edits_up_to_its_limit),
        cmocka_unit_test(nothing_that_drives_a_terminal_survives_the_escape),
        cmocka_unit_test(escape_gives_the_same_text_in_a_buffer_and_in_an_array),
        cmocka_unit_test(a_long_text_is_cut_between_characters_with_an_ellipsis),
        cmocka_unit_test(base64_is_strict_and_reversible),
        cmocka_unit_test(hex_refuses_other_lengths_and_digits),
        cmocka_unit_test(sizes_counts_and_durations_read_well),
        cmocka_unit_test(short_forms_never_pass_five_columns),
        cmocka_unit_test(utc_times_are_written_and_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
