#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/attr.h"
#include "views/verbs/job_guard.h"

#define LINE(name) \
    "id=7 addr=127.0.0.1:50122 laddr=127.0.0.1:7001 fd=9 name=" name " age=1 db=0 lib-name=x"

static bool meets(const char *line, enum job_kind kind)
{
    struct str name;
    struct str addr;

    return job_guard_line(str_from(line), kind, &name, &addr);
}

static void a_writer_meets_writers_and_readers(void **ctx UNUSED)
{
    static const struct {
        const char *line;
        bool restore, backup;
    } rows[] = {
        {LINE("rbconsole:restore:R-0001"), true, true},
        {LINE("rbconsole:drill:D-0002"), true, true},
        {LINE("rbconsole:backup:B-0001"), true, false}, /* backups stand side by side */
        {LINE("rbconsole:verify:V-0001"), false, false},
        {LINE("rbconsole"), false, false},
        {LINE("rbconsole:"), false, false},
        {LINE("rbconsole:monitor:x"), false, false},
        {LINE("myrbconsole:restore:R-1"), false, false},
        {LINE(""), false, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (meets(rows[i].line, JOB_RESTORE) != rows[i].restore ||
            meets(rows[i].line, JOB_BACKUP) != rows[i].backup)
            fail_msg("%s", rows[i].line);
        assert_false(meets(rows[i].line, JOB_VERIFY));
    }
}

static void the_job_and_its_address_are_given(void **ctx UNUSED)
{
    struct str name;
    struct str addr;

    assert_true(job_guard_line(STR(LINE("rbconsole:restore:R-0001")), JOB_RESTORE, &name, &addr));
    assert_true(str_is(name, "rbconsole:restore:R-0001"));
    assert_true(str_is(addr, "127.0.0.1:50122"));
}

static void odd_lines_stop_nobody(void **ctx UNUSED)
{
    static const char *const lines[] = {
        "",
        " ",
        "name=",
        "name=rbconsole:restore", /* a kind, no id: a kind all the same */
        "lib-name=rbconsole:restore:R-0001",
        "id=1 name=x name=rbconsole:restore:R-1",
        "addr=rbconsole:restore:R-1",
        "name=rbconsole:restorerestorerestorerestorerestorerestore:R-1",
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if (meets(lines[i], JOB_RESTORE) != (i == 3))
            fail_msg("\"%s\"", lines[i]);
}

static void a_line_without_an_address_says_so(void **ctx UNUSED)
{
    struct str name;
    struct str addr;

    assert_true(job_guard_line(STR("name=rbconsole:drill:D-1 id=2"), JOB_BACKUP, &name, &addr));
    assert_true(str_is(addr, "?"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_writer_meets_writers_and_readers),
        cmocka_unit_test(the_job_and_its_address_are_given),
        cmocka_unit_test(odd_lines_stop_nobody),
        cmocka_unit_test(a_line_without_an_address_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
