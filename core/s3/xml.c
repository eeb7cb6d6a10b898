#include "core/s3/xml.h"

#include <expat.h>
#include <string.h>

#include "core/base/hex.h"

#define PATH_MAX_BYTES 512

struct level {
    size_t path_len;  /* of the parent */
    size_t text_from; /* where this element's text begins in `text` */
};

struct parse {
    XML_Parser parser;
    struct level levels[XML_DEPTH_MAX];
    size_t depth;
    char path[PATH_MAX_BYTES];
    size_t path_len;
    struct buf text;
    xml_element on_end;
    void *ctx;
    bool failed;
    struct error *err;
};

static void stop(struct parse *p)
{
    p->failed = true;
    XML_StopParser(p->parser, XML_FALSE);
}

static void XMLCALL start_element(void *ctx, const char *name, const char **attributes)
{
    struct parse *p = ctx;
    (void)attributes;
    const char *colon = strrchr(name, ':');
    const char *local = colon != NULL ? colon + 1 : name;
    size_t len = strlen(local);
    if (p->depth == XML_DEPTH_MAX || p->path_len + len + 2 > sizeof(p->path)) {
        error_set(p->err, ERROR_CORRUPT, 0, "XML answer is nested too deep");
        stop(p);
        return;
    }
    p->levels[p->depth++] = (struct level){p->path_len, p->text.len};
    if (p->path_len > 0)
        p->path[p->path_len++] = '/';
    memcpy(p->path + p->path_len, local, len + 1);
    p->path_len += len;
}

static void XMLCALL end_element(void *ctx, const char *name)
{
    struct parse *p = ctx;
    (void)name;
    if (p->failed || p->depth == 0)
        return;
    struct level *level = &p->levels[p->depth - 1];
    struct str text = str_slice(buf_str(&p->text), level->text_from, p->text.len);
    if (!p->on_end(p->ctx, p->path, text, p->err)) {
        stop(p);
        return;
    }
    if (p->text.len > level->text_from) {
        p->text.len = level->text_from;
        p->text.data[p->text.len] = '\0';
    }
    p->path_len = level->path_len;
    p->path[p->path_len] = '\0';
    p->depth--;
}

static void XMLCALL characters(void *ctx, const char *text, int len)
{
    struct parse *p = ctx;
    if (p->failed || p->depth == 0 || len <= 0)
        return;
    size_t from = p->levels[p->depth - 1].text_from;
    if (p->text.len - from + (size_t)len > XML_TEXT_MAX) {
        error_set(p->err, ERROR_CORRUPT, 0, "XML answer holds an element that is too long");
        stop(p);
    } else if (!buf_append(&p->text, (struct str){text, (size_t)len}, p->err)) {
        stop(p);
    }
}

static void XMLCALL start_doctype(void *ctx, const char *name, const char *system_id,
                                  const char *public_id, int has_internal)
{
    struct parse *p = ctx;
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_internal;
    error_set(p->err, ERROR_CORRUPT, 0, "XML answer declares a document type");
    stop(p);
}

static bool run(struct parse *p, struct str document)
{
    XML_SetUserData(p->parser, p);
    XML_SetElementHandler(p->parser, start_element, end_element);
    XML_SetCharacterDataHandler(p->parser, characters);
    XML_SetStartDoctypeDeclHandler(p->parser, start_doctype);
    if (XML_Parse(p->parser, document.ptr, (int)document.len, 1) == XML_STATUS_OK && !p->failed)
        return true;
    if (p->failed)
        return false;
    return error_set(p->err, ERROR_CORRUPT, 0, "XML answer is broken at line %lu: %s",
                     (unsigned long)XML_GetCurrentLineNumber(p->parser),
                     XML_ErrorString(XML_GetErrorCode(p->parser)));
}

bool xml_parse(struct str document, xml_element on_end, void *ctx, struct error *err)
{
    if (document.len > XML_SIZE_MAX)
        return error_set(err, ERROR_LIMIT, 0, "XML answer is larger than %zu bytes", XML_SIZE_MAX);
    if (str_trim(document).len == 0)
        return error_set(err, ERROR_CORRUPT, 0, "XML answer is empty");
    struct parse p = {.on_end = on_end, .ctx = ctx, .err = err};
    p.parser = XML_ParserCreate(NULL);
    if (p.parser == NULL)
        return error_set(err, ERROR_INTERNAL, 0, "no XML parser");
    buf_init(&p.text, XML_SIZE_MAX);
    bool ok = run(&p, document);
    buf_release(&p.text);
    XML_ParserFree(p.parser);
    return ok;
}

bool xml_percent_decode(struct buf *out, struct str text, struct error *err)
{
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];
        if (byte == '%') {
            if (!hex_decode(&byte, 1, str_slice(text, i + 1, i + 3)))
                return error_set(err, ERROR_CORRUPT, 0, "listing holds a bad percent escape");
            i += 2;
        } else if (byte == '+') {
            byte = ' ';
        }
        if (!buf_byte(out, byte, err))
            return false;
    }
    return true;
}
