/*
 * xml.h - the small XML documents of S3, read by expat under our limits.
 *
 * No DTD and no entities but the five of XML itself; depth, size and text per element are capped.
 * Each element's text is handed out with its path ("ListBucketResult/Contents/Key") when it ends.
 * Input is hostile: anything malformed, cut off or followed by more is ERROR_CORRUPT. One thread.
 */
#ifndef CORE_S3_XML_H
#define CORE_S3_XML_H

#include <stdbool.h>

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/base/str.h"

#define XML_DEPTH_MAX 16
#define XML_SIZE_MAX ((size_t)5 << 20)  /* bytes of a document */
#define XML_TEXT_MAX ((size_t)64 << 10) /* bytes of one element's text */

/* path is of local names without namespaces. text is unescaped; of an element that has children it
 * is what stands outside of them. false stops the parsing with *err set. */
typedef bool (*xml_element)(void *ctx, const char *path, struct str text, struct error *err);

bool xml_parse(struct str document, xml_element on_end, void *ctx, struct error *err) MUST_CHECK;
/* %XX to bytes and '+' to a space, as encoding-type=url listings have it. ERROR_CORRUPT on a bad
 * escape. */
bool xml_percent_decode(struct buf *out, struct str text, struct error *err) MUST_CHECK;

#endif
