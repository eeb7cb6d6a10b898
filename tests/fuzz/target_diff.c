#include <stdlib.h>

#include "core/base/json.h"
#include "core/diff/diff.h"
#include "core/diff/diff_findings.h"
#include "core/diff/diff_text.h"
#include "core/snapshot/snapshot_read.h"
#include "tests/fuzz/target.h"

#define TEXT_MAX ((size_t)16 << 20)
#define NAMED 20

static const struct diff_options options = {
    .tolerance_ms = 1000, .limit = NAMED, .max_memory = (uint64_t)4 << 20};

/* No byte of a difference drives a terminal, in UTF-8 neither. */
static void expect_clean(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        fuzz_expect(c >= ' ' || c == '\n' || c == '\t', "a difference has no control character");
        fuzz_expect(c != 0x7f, "a difference has no DEL");
        fuzz_expect(c != 0xc2 || i + 1 == text.len || (unsigned char)text.ptr[i + 1] >= 0xa0,
                    "a difference has no C1 character");
    }
}

static void print_difference(const json_t *doc)
{
    struct error err = {0};
    struct buf text;

    buf_init(&text, TEXT_MAX);
    diff_text(doc, DIFF_PLAIN, &text);
    diff_text(doc, DIFF_MARKDOWN, &text);
    expect_clean(buf_str(&text));
    buf_clear(&text);
    fuzz_expect(json_print(doc, true, &text, &err), "a difference can be printed");
    expect_clean(buf_str(&text));
    buf_release(&text);
}

/* ---- the reports of two verifications ---------------------------------------------------------
 */

static int64_t count_of(const json_t *difference, const char *change)
{
    return json_int(json_object_get(difference, "summary"), change, -1);
}

static json_t *compare_reports(const json_t *a, const json_t *b)
{
    struct error err = {0};
    json_t *difference = diff_verifications(a, "a", b, "b", NAMED, &err);

    if (difference != NULL)
        print_difference(difference);
    return difference;
}

static void compare_verifications(const json_t *a, const json_t *b)
{
    json_t *there = compare_reports(a, b);
    json_t *back = compare_reports(b, a);
    json_t *itself = compare_reports(a, a);

    fuzz_expect((there == NULL) == (back == NULL), "either order is refused");
    if (there != NULL) {
        fuzz_expect(count_of(there, "appeared") == count_of(back, "gone"),
                    "what appears one way is gone the other way");
        fuzz_expect(count_of(there, "changed") == count_of(back, "changed"),
                    "what changed one way changed the other way");
    }
    if (itself != NULL)
        fuzz_expect(json_int(itself, "findings", -1) == 0, "a report equals itself");
    json_decref(there);
    json_decref(back);
    json_decref(itself);
}

/* ---- the reports of two snapshots --------------------------------------------------------------
 */

static void compare_snapshots(struct snapshot *a, struct snapshot *b)
{
    struct diff_side *sides[2] = {diff_side_snapshot(a, NULL, "a"),
                                  diff_side_snapshot(b, NULL, "b")};
    struct task *task = task_new_plain();
    struct diff_report report = {0};
    struct error err = {0};
    json_t *doc;

    if (diff_run(sides[0], sides[1], &options, task, &report, &err)) {
        doc = diff_report_json(&report, sides[0], sides[1], &options);
        print_difference(doc);
        if (a == b)
            fuzz_expect(diff_report_findings(&report) == 0, "a snapshot equals itself");
        json_decref(doc);
    }
    diff_report_release(&report);
    task_free(task);
    diff_side_free(sides[0]);
    diff_side_free(sides[1]);
}

static void parse_snapshots(struct str a, struct str b)
{
    struct snapshot *first = NULL;
    struct snapshot *second = NULL;
    struct error err = {0};

    if (snapshot_parse(a, "a", &first, &err)) {
        compare_snapshots(first, first);
        if (snapshot_parse(b, "b", &second, &err)) {
            compare_snapshots(first, second);
            snapshot_free(second);
        }
        snapshot_free(first);
    }
}

/* Two reports, with a NUL byte between them; what `diff` does with two files. */
void fuzz_diff(struct str bytes)
{
    size_t middle = str_find(bytes, '\0');
    struct str a = str_slice(bytes, 0, middle);
    struct str b = str_slice(bytes, middle < bytes.len ? middle + 1 : middle, bytes.len);
    struct error err = {0};
    json_t *left = json_parse(a, "a", &err);
    json_t *right = left != NULL ? json_parse(b, "b", &err) : NULL;

    if (left != NULL && snapshot_is_report(left))
        parse_snapshots(a, b);
    else if (right != NULL)
        compare_verifications(left, right);
    json_decref(left);
    json_decref(right);
}
