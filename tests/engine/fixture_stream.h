/*
 * fixture_stream.h - what a server knows of a stream, to be compared before and after.
 */
#ifndef TESTS_ENGINE_FIXTURE_STREAM_H
#define TESTS_ENGINE_FIXTURE_STREAM_H

#include "tests/harness/lab.h"

/* XINFO STREAM FULL of the lab's first node, without what no command can set: when a consumer was
 * last seen, and how the server keeps the nodes. To be freed. */
char *stream_facts(struct lab *lab, const char *name);

#endif
