/* S3 answers as XML: what is read, and all that is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/s3/xml.h"

static bool note(void *ctx, const char *path, struct str text, struct error *err)
{
    struct buf *out = ctx;
    return buf_text(out, path, err) && buf_byte(out, '=', err) && buf_append(out, text, err) &&
           buf_byte(out, ';', err);
}

static bool refuse(void *ctx, const char *path, struct str text, struct error *err)
{
    (void)ctx;
    (void)path;
    (void)text;
    return error_set(err, ERROR_CONFLICT, 7, "no more");
}

static void elements_come_with_path_and_unescaped_text(void **state)
{
    (void)state;
    struct buf out;
    struct error err;
    buf_init(&out, 4096);
    assert_true(xml_parse(STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                              "<s:R xmlns:s=\"urn:x\"><s:K>a&apos;b&amp;&#233;</s:K>x<E/>y"
                              "<K><![CDATA[<z>]]></K></s:R>"),
                          note, &out, &err));
    assert_string_equal(out.data, "R/K=a'b&\xC3\xA9;R/E=;R/K=<z>;R=xy;");
    buf_release(&out);
}

static void hostile_documents_are_refused(void **state)
{
    (void)state;
    static const char *const documents[] = {
        "",
        "   ",
        "text",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<a>&undefined;</a>",
        "<!DOCTYPE a><a/>",
        "<!DOCTYPE a [<!ENTITY x \"y\"><!ENTITY z \"&x;&x;&x;\">]><a>&z;</a>",
        "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>",
        "<a>\xff</a>",
        "<a b=\"1\" b=\"2\"/>",
    };
    for (size_t i = 0; i < COUNT_OF(documents); i++) {
        struct buf out;
        struct error err = {.code = ERROR_NONE};
        buf_init(&out, 4096);
        if (xml_parse(str_from(documents[i]), note, &out, &err))
            fail_msg("accepted: %s", documents[i]);
        assert_int_equal(err.code, ERROR_CORRUPT);
        buf_release(&out);
    }
}

static void depth_and_text_are_capped(void **state)
{
    (void)state;
    struct buf text;
    struct buf out;
    struct error err;
    buf_init(&text, XML_SIZE_MAX + 100);
    buf_init(&out, 4096);
    for (int i = 0; i <= XML_DEPTH_MAX; i++)
        buf_put(&text, "<a>");
    assert_false(xml_parse(buf_str(&text), note, &out, &err));
    assert_non_null(strstr(err.text, "too deep"));
    buf_clear(&text);
    buf_put(&text, "<a>");
    for (size_t i = 0; i <= XML_TEXT_MAX; i += 64)
        buf_put(&text, "%064d", 0);
    buf_put(&text, "</a>");
    assert_false(xml_parse(buf_str(&text), note, &out, &err));
    assert_non_null(strstr(err.text, "too long"));
    while (text.len <= XML_SIZE_MAX)
        buf_put(&text, "%064d", 0);
    assert_false(xml_parse(buf_str(&text), note, &out, &err));
    assert_int_equal(err.code, ERROR_LIMIT);
    buf_release(&text);
    buf_release(&out);
}

static void a_refusal_of_the_reader_is_passed_on(void **state)
{
    (void)state;
    struct error err;
    assert_false(xml_parse(STR("<a><b/></a>"), refuse, NULL, &err));
    assert_int_equal(err.code, ERROR_CONFLICT);
    assert_int_equal(err.detail, 7);
}

static void percent_escapes_become_bytes(void **state)
{
    (void)state;
    struct buf out;
    struct error err;
    buf_init(&out, 4096);
    assert_true(xml_percent_decode(&out, STR("a%2Fb+c%2b%C3%A9%00'"), &err));
    assert_true(str_equal(buf_str(&out), STR("a/b c+\xC3\xA9\0'")));
    static const char *const broken[] = {"%", "%4", "%zz", "a%", "%-1", "%+1"};
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        buf_clear(&out);
        assert_false(xml_percent_decode(&out, str_from(broken[i]), &err));
        assert_int_equal(err.code, ERROR_CORRUPT);
    }
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_come_with_path_and_unescaped_text),
        cmocka_unit_test(hostile_documents_are_refused),
        cmocka_unit_test(depth_and_text_are_capped),
        cmocka_unit_test(a_refusal_of_the_reader_is_passed_on),
        cmocka_unit_test(percent_escapes_become_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
