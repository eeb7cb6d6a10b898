#include "tests/engine/fixture_stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/attr.h"

char *stream_facts(struct lab *lab, const char *name)
{
    static const char *const not_restorable[] = {"seen-time", "active-time", "radix-tree-keys",
                                                 "radix-tree-nodes"};
    char *all = lab_cli(lab, 0, "XINFO", "STREAM", name, "FULL", "COUNT", "0", NULL);
    char *facts = NULL;
    size_t len;
    FILE *f = open_memstream(&facts, &len);
    char *rest = all;
    char *line;
    bool skip = false;

    assert_non_null(all);
    while ((line = strsep(&rest, "\n")) != NULL) {
        bool drop = skip;

        skip = false;
        for (size_t i = 0; i < COUNT_OF(not_restorable); i++)
            skip = skip || strcmp(line, not_restorable[i]) == 0;
        if (!drop && !skip)
            fprintf(f, "%s\n", line);
    }
    assert_int_equal(fclose(f), 0);
    free(all);
    return facts;
}
