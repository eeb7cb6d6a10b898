#include "tui/text.h"

#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include <wchar.h>

#include "core/base/escape.h"

bool text_start(bool *cjk)
{
    /* Before any thread, once: this is what decides how bytes become characters. */
    const char *name = setlocale(LC_CTYPE, "");             /* NOLINT(concurrency-mt-unsafe) */
    bool utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0; /* NOLINT(concurrency-mt-unsafe) */

    *cjk = name != NULL && (strncmp(name, "zh", 2) == 0 || strncmp(name, "ja", 2) == 0 ||
                            strncmp(name, "ko", 2) == 0);
    if (!utf8)
        (void)setlocale(LC_CTYPE, "C.UTF-8"); /* NOLINT(concurrency-mt-unsafe) */
    return utf8;
}

static int width_of(uint32_t point)
{
    if (point < 0x7f)
        return point >= 0x20 ? 1 : -1;
    return escape_is_visible(point) ? wcwidth((wchar_t)point) : -1;
}

static void escape_byte(struct text_piece *piece, unsigned char byte)
{
    static const char digits[] = "0123456789abcdef";

    piece->point[0] = '\\';
    piece->point[1] = 'x';
    piece->point[2] = (uint32_t)digits[byte >> 4];
    piece->point[3] = (uint32_t)digits[byte & 15];
    piece->width = 4;
    piece->escaped = true;
}

/* Marks that sit on the character before them; more than the piece can hold start a piece of their
 * own, and are escaped there. */
static void take_marks(struct str *rest, struct text_piece *piece)
{
    for (size_t i = 1; i < TEXT_POINTS && rest->len > 0 && (rest->ptr[0] & 0x80) != 0; i++) {
        uint32_t point = 0;
        size_t n = escape_decode(*rest, &point);

        if (n == 0 || width_of(point) != 0)
            return;
        piece->point[i] = point;
        *rest = str_slice(*rest, n, rest->len);
    }
}

bool text_next(struct str *rest, bool ascii, struct text_piece *piece)
{
    uint32_t point = 0;
    size_t n;
    int width;

    *piece = (struct text_piece){.width = 1};
    if (rest->len == 0)
        return false;
    n = escape_decode(*rest, &point);
    width = n == 0 ? -1 : width_of(point);
    if (width <= 0 || (ascii && point >= 0x7f)) {
        escape_byte(piece, (unsigned char)rest->ptr[0]);
        *rest = str_slice(*rest, 1, rest->len);
        return true;
    }
    piece->point[0] = point;
    piece->width = width;
    *rest = str_slice(*rest, n, rest->len);
    if (!ascii)
        take_marks(rest, piece);
    return true;
}

int text_width(struct str text, bool ascii)
{
    struct text_piece piece;
    int width = 0;

    while (text_next(&text, ascii, &piece))
        width += piece.width;
    return width;
}

size_t text_fit(struct str text, int columns, bool ascii)
{
    struct str rest = text;
    struct text_piece piece;
    size_t used = 0;

    while (text_next(&rest, ascii, &piece) && columns >= piece.width) {
        columns -= piece.width;
        used = text.len - rest.len;
    }
    return used;
}

size_t text_skip(struct str text, int columns, bool ascii)
{
    struct str rest = text;
    struct text_piece piece;

    while (columns > 0 && text_next(&rest, ascii, &piece))
        columns -= piece.width;
    return text.len - rest.len;
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

size_t text_search(struct str text, struct str needle)
{
    if (needle.len > text.len)
        return text.len;
    for (size_t at = 0; at + needle.len <= text.len; at++) {
        size_t i = 0;

        while (i < needle.len && lower(text.ptr[at + i]) == lower(needle.ptr[i]))
            i++;
        if (i == needle.len)
            return at;
    }
    return text.len;
}
