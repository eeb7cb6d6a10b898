/* One program per target: FUZZ_TARGET is the function, given by the make rule. */
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FUZZ_TARGET((struct str){size > 0 ? (const char *)data : NULL, size});
    return 0;
}
