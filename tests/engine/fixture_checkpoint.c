#include "tests/engine/fixture_checkpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/json.h"
#include "tests/harness/tmpdir.h"

#define PASSES_MAX 64

/* All lines that are whole, as an array. */
static json_t *read_lines(const char *state)
{
    char *text = tmpdir_read(tmpdir_path(state, "jobs/B-0001/parts.jsonl"), NULL);
    char *rest = text;
    char *line;
    json_t *all = json_array();

    while (text != NULL && (line = strsep(&rest, "\n")) != NULL) {
        json_t *doc = json_loads(line, 0, NULL);

        if (doc != NULL)
            json_push(all, doc);
    }
    free(text);
    return all;
}

static bool is_line(const json_t *doc, const char *kind)
{
    return strcmp(json_text(doc, "line", ""), kind) == 0;
}

size_t checkpoint_lines(const char *state, const char *kind, bool since, int64_t *keys)
{
    json_t *all = read_lines(state);
    json_t *doc;
    size_t i;
    size_t count = 0;
    int64_t sum = 0;

    json_array_foreach(all, i, doc)
    {
        if (since && is_line(doc, "run")) {
            count = 0;
            sum = 0;
        }
        if (is_line(doc, kind)) {
            count++;
            sum += json_int(doc, "keys", 0);
        }
    }
    json_decref(all);
    if (keys != NULL)
        *keys = sum;
    return count;
}

size_t checkpoint_solid_marks(const char *state)
{
    json_t *all = read_lines(state);
    json_t *doc;
    size_t i;
    int64_t parts[PASSES_MAX] = {0};
    int64_t wanted[PASSES_MAX] = {0};
    size_t count = 0;

    json_array_foreach(all, i, doc)
    {
        int64_t pass = json_int(doc, "pass", 0);

        assert_in_range(pass, 0, PASSES_MAX - 1);
        if (is_line(doc, "part"))
            parts[pass]++;
        if (is_line(doc, "mark"))
            wanted[pass] = json_int(doc, "after", 0);
    }
    json_decref(all);
    for (i = 0; i < PASSES_MAX; i++)
        count += wanted[i] > 0 && parts[i] >= wanted[i];
    return count;
}
