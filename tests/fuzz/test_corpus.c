/* Every corpus file through its target: as it is, cut short at every length up to a limit, and with
 * single bytes changed. What the sanitizers say is the result; every target must have a corpus. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/base/rng.h"
#include "tests/fuzz/target.h"

#define CORPUS "tests/fuzz/corpus"
#define FILE_MAX ((size_t)1 << 20)
#define CUTS 64
#define CHANGES 64

/* An exact copy without a byte behind it, so that reading too far is seen. */
static void run_exact(const struct fuzz_target *t, struct str bytes)
{
    char *copy = malloc(bytes.len > 0 ? bytes.len : 1);
    assert_non_null(copy);
    if (bytes.len > 0)
        memcpy(copy, bytes.ptr, bytes.len);
    t->run((struct str){copy, bytes.len});
    free(copy);
}

static void replay(const struct fuzz_target *t, const char *path)
{
    struct buf text;
    struct error err = {0};
    struct rng random = {42};
    buf_init(&text, FILE_MAX);
    if (!file_read(path, &text, &err))
        fail_msg("%s", err.text);
    run_exact(t, buf_str(&text));
    for (size_t i = 0; i < CUTS && text.len > 0; i++)
        run_exact(t, str_slice(buf_str(&text), 0, text.len * i / CUTS));
    for (size_t i = 0; i < CHANGES && text.len > 0; i++) {
        size_t at = (size_t)(rng_next(&random) % text.len);
        char kept = text.data[at];
        text.data[at] = (char)rng_next(&random);
        run_exact(t, buf_str(&text));
        text.data[at] = kept;
    }
    buf_release(&text);
}

static void corpora_pass_through_their_targets(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < fuzz_target_count; i++) {
        char **names = NULL;
        size_t count = 0;
        struct error err = {0};
        char *dir = file_join(CORPUS, fuzz_targets[i].name);
        if (!file_list(dir, &names, &count, &err))
            fail_msg("%s", err.text);
        assert_true(count >= 2);
        fuzz_targets[i].run((struct str){NULL, 0});
        for (size_t k = 0; k < count; k++) {
            char *path = file_join(dir, names[k]);
            replay(&fuzz_targets[i], path);
            free(path);
        }
        file_list_free(names, count);
        free(dir);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corpora_pass_through_their_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
