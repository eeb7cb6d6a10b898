#include "tests/fuzz/target.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/attr.h"

const struct fuzz_target fuzz_targets[] = {
    {"record", fuzz_record},     {"manifest", fuzz_manifest},
    {"gzip", fuzz_gzip},         {"tar", fuzz_tar},
    {"reply", fuzz_reply},       {"topology", fuzz_topology},
    {"info", fuzz_info},         {"sentinel", fuzz_sentinel},
    {"xml", fuzz_xml},           {"aws_files", fuzz_aws_files},
    {"config", fuzz_config},     {"dotenv", fuzz_dotenv},
    {"text", fuzz_text},         {"job_files", fuzz_job_files},
    {"snapshot", fuzz_snapshot}, {"diff", fuzz_diff},
};
const size_t fuzz_target_count = COUNT_OF(fuzz_targets);

void fuzz_touch(struct str bytes)
{
    volatile unsigned char sum = 0;
    for (size_t i = 0; i < bytes.len; i++)
        sum = (unsigned char)(sum + (unsigned char)bytes.ptr[i]);
}

void fuzz_expect(bool holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "fuzz: %s does not hold\n", what);
        abort();
    }
}
