/*
 * target.h - what is fuzzed: one function per kind of bytes that come from outside.
 *
 * Each takes any bytes whatever, and looks at everything the parser hands out. It returns; a crash,
 * a sanitizer's report or an abort is the finding. The table names the corpus folder of each.
 */
#ifndef TESTS_FUZZ_TARGET_H
#define TESTS_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/str.h"

typedef void (*fuzz_function)(struct str bytes);

struct fuzz_target {
    const char *name; /* tests/fuzz/corpus/<name>/ */
    fuzz_function run;
};

extern const struct fuzz_target fuzz_targets[];
extern const size_t fuzz_target_count;

/* Keeps the compiler from dropping reads, and lets sanitizers see every byte. */
void fuzz_touch(struct str bytes);
/* A property that must hold; aborts otherwise. */
void fuzz_expect(bool holds, const char *what);

void fuzz_record(struct str bytes);
void fuzz_manifest(struct str bytes);
void fuzz_gzip(struct str bytes);
void fuzz_tar(struct str bytes);
void fuzz_reply(struct str bytes);
void fuzz_topology(struct str bytes);
void fuzz_info(struct str bytes);
void fuzz_sentinel(struct str bytes);
void fuzz_xml(struct str bytes);
void fuzz_aws_files(struct str bytes);
void fuzz_config(struct str bytes);
void fuzz_dotenv(struct str bytes);
void fuzz_job_files(struct str bytes);
void fuzz_text(struct str bytes);
void fuzz_snapshot(struct str bytes);
void fuzz_diff(struct str bytes);

#endif
