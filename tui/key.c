#include "tui/key.h"

#include <stdio.h>
#include <string.h>

#include "core/base/escape.h"

/* A sequence longer than this is no key; it is thrown away. */
#define SEQUENCE_MAX 64

static const struct {
    const char *name;
    uint32_t key;
} names[] = {
    {"Enter", TK_ENTER},
    {"Esc", TK_ESC},
    {"Tab", TK_TAB},
    {"Space", TK_SPACE},
    {"Backspace", TK_BACKSPACE},
    {"Up", TK_UP},
    {"Down", TK_DOWN},
    {"Left", TK_LEFT},
    {"Right", TK_RIGHT},
    {"Home", TK_HOME},
    {"End", TK_END},
    {"PgUp", TK_PGUP},
    {"PgDn", TK_PGDN},
    {"Insert", TK_INSERT},
    {"Delete", TK_DELETE},
    {"F1", TK_F1},
    {"F2", TK_F1 + 1},
    {"F3", TK_F1 + 2},
    {"F4", TK_F1 + 3},
    {"F5", TK_F1 + 4},
    {"F6", TK_F1 + 5},
    {"F7", TK_F1 + 6},
    {"F8", TK_F1 + 7},
    {"F9", TK_F1 + 8},
    {"F10", TK_F1 + 9},
    {"F11", TK_F1 + 10},
    {"F12", TK_F12},
    {"Shift-Tab", TK_BACKTAB},
};

/* CSI n ~ (vt220, xterm, rxvt, linux, screen). */
static const uint32_t tilde_keys[] = {
    [1] = TK_HOME,    [2] = TK_INSERT,  [3] = TK_DELETE,  [4] = TK_END,      [5] = TK_PGUP,
    [6] = TK_PGDN,    [7] = TK_HOME,    [8] = TK_END,     [11] = TK_F1,      [12] = TK_F1 + 1,
    [13] = TK_F1 + 2, [14] = TK_F1 + 3, [15] = TK_F1 + 4, [17] = TK_F1 + 5,  [18] = TK_F1 + 6,
    [19] = TK_F1 + 7, [20] = TK_F1 + 8, [21] = TK_F1 + 9, [23] = TK_F1 + 10, [24] = TK_F12,
};

/* The last byte of CSI 1;m X and SS3 X. */
static const struct {
    char last;
    uint32_t key;
} letter_keys[] = {
    {'A', TK_UP},
    {'B', TK_DOWN},
    {'C', TK_RIGHT},
    {'D', TK_LEFT},
    {'F', TK_END},
    {'H', TK_HOME},
    {'Z', TK_BACKTAB},
    {'P', TK_F1},
    {'Q', TK_F1 + 1},
    {'R', TK_F1 + 2},
    {'S', TK_F1 + 3},
    {'a', TK_SHIFT | TK_UP},
    {'b', TK_SHIFT | TK_DOWN},
    {'c', TK_SHIFT | TK_RIGHT},
    {'d', TK_SHIFT | TK_LEFT},
    {'M', TK_ENTER},
};

static uint32_t letter_key(char last)
{
    for (size_t i = 0; i < COUNT_OF(letter_keys); i++)
        if (letter_keys[i].last == last)
            return letter_keys[i].key;
    return TK_UNKNOWN;
}

/* xterm's modifier parameter: 1 + shift 1 + alt 2 + ctrl 4. */
static uint32_t with_modifiers(uint32_t key, unsigned parameter)
{
    unsigned bits = parameter > 0 ? parameter - 1 : 0;

    if (key == TK_UNKNOWN)
        return key;
    return key | ((bits & 1) != 0 ? TK_SHIFT : 0u) | ((bits & 2) != 0 ? TK_ALT : 0u) |
           ((bits & 4) != 0 ? TK_CTRL : 0u);
}

struct csi {
    char intro; /* '<' or '?' or 0 */
    unsigned value[4];
    size_t count;
    char last;
};

static uint32_t mouse_key(const struct csi *s, struct key_mouse *mouse)
{
    unsigned b = s->value[0];

    if (s->count < 3 || s->value[1] == 0 || s->value[2] == 0 || (b & 32) != 0)
        return TK_UNKNOWN;
    if (mouse != NULL) {
        mouse->x = (int)s->value[1] - 1;
        mouse->y = (int)s->value[2] - 1;
        mouse->button = s->last == 'm' ? 0 : (b & 64) != 0 ? 4 + (int)(b & 1) : 1 + (int)(b & 3);
    }
    return TK_MOUSE;
}

static uint32_t csi_key(const struct csi *s, struct key_mouse *mouse)
{
    if (s->intro == '<' && (s->last == 'M' || s->last == 'm'))
        return mouse_key(s, mouse);
    if (s->intro != 0)
        return TK_UNKNOWN;
    if (s->last == '~') {
        if (s->value[0] == 200)
            return TK_PASTE_START;
        if (s->value[0] == 201)
            return TK_PASTE_END;
        if (s->value[0] >= COUNT_OF(tilde_keys) || tilde_keys[s->value[0]] == 0)
            return TK_UNKNOWN;
        return with_modifiers(tilde_keys[s->value[0]], s->count > 1 ? s->value[1] : 1);
    }
    if (s->last == 'M')
        return TK_UNKNOWN;
    return with_modifiers(letter_key(s->last), s->count > 1 ? s->value[1] : 1);
}

/* Parameters and the last byte of "ESC [ …". 0: more bytes are needed. */
static size_t read_csi(struct str b, struct csi *s)
{
    size_t at = 2;

    *s = (struct csi){.count = 1};
    if (b.len > at && b.ptr[at] == '[')
        at++; /* linux console: ESC [ [ A for F1 */
    if (b.len > at && (b.ptr[at] == '<' || b.ptr[at] == '?' || b.ptr[at] == '>'))
        s->intro = b.ptr[at++];
    for (; at < b.len && at < SEQUENCE_MAX; at++) {
        unsigned char ch = (unsigned char)b.ptr[at];

        if (ch >= '0' && ch <= '9') {
            unsigned *v = &s->value[s->count - 1];

            *v = *v < 100000 ? *v * 10 + (ch - '0') : *v;
        } else if (ch == ';' || ch == ':') {
            s->count = s->count < COUNT_OF(s->value) ? s->count + 1 : s->count;
        } else if (ch >= 0x40 && ch <= 0x7e) {
            s->last = (char)ch;
            return at + 1;
        } else if (ch < 0x20 || ch > 0x7e) {
            return at; /* broken off: what follows is another key */
        }
    }
    if (at >= SEQUENCE_MAX)
        return at;
    return 0;
}

static const uint32_t linux_f_keys[] = {TK_F1, TK_F1 + 1, TK_F1 + 2, TK_F1 + 3, TK_F1 + 4};

static enum key_result decode_csi(struct str b, bool final, size_t *used, uint32_t *key,
                                  struct key_mouse *mouse)
{
    struct csi s;
    size_t n = read_csi(b, &s);

    if (n == 0 && !final)
        return KEY_NEED_MORE;
    if (n == 0) {
        *used = b.len == 2 ? 2 : b.len;
        *key = b.len == 2 ? TK_ALT | '[' : TK_UNKNOWN;
        return KEY_GOT;
    }
    *used = n;
    if (s.last == 0)
        *key = TK_UNKNOWN;
    else if (b.ptr[2] == '[' && s.last >= 'A' && s.last <= 'E')
        *key = linux_f_keys[s.last - 'A'];
    else
        *key = csi_key(&s, mouse);
    return KEY_GOT;
}

static enum key_result decode_ss3(struct str b, bool final, size_t *used, uint32_t *key)
{
    if (b.len < 3) {
        if (!final)
            return KEY_NEED_MORE;
        *used = 2;
        *key = TK_ALT | 'O';
        return KEY_GOT;
    }
    *used = 3;
    *key = letter_key(b.ptr[2]);
    if (b.ptr[2] >= 'a' && b.ptr[2] <= 'd') /* rxvt: Ctrl with an arrow */
        *key = (*key & ~(uint32_t)TK_SHIFT) | TK_CTRL;
    return KEY_GOT;
}

static uint32_t control_key(unsigned char byte)
{
    if (byte == 0x00)
        return TK_CTRL | TK_SPACE;
    if (byte == '\r' || byte == '\n')
        return TK_ENTER;
    if (byte == '\t')
        return TK_TAB;
    if (byte == 0x08 || byte == 0x7f)
        return TK_BACKSPACE;
    if (byte == 0x1b)
        return TK_ESC;
    return TK_CTRL | (uint32_t)(byte <= 26 ? byte + 'a' - 1 : byte + '@');
}

/* A character; a broken one gives TK_UNKNOWN for its first byte. */
static enum key_result decode_plain(struct str b, bool final, size_t *used, uint32_t *key)
{
    unsigned char first = (unsigned char)b.ptr[0];
    size_t want = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    uint32_t point = 0;
    size_t n;

    *used = 1;
    if (first < 0x20 || first == 0x7f) {
        *key = control_key(first);
        return KEY_GOT;
    }
    if (b.len < want && first >= 0xc2 && first <= 0xf4 && !final)
        return KEY_NEED_MORE;
    n = escape_decode(b, &point);
    *key = n == 0 || (point >= 0x80 && point < 0xa0) ? TK_UNKNOWN : point;
    *used = n == 0 ? 1 : n;
    return KEY_GOT;
}

static enum key_result decode_escape(struct str b, bool final, size_t *used, uint32_t *key,
                                     struct key_mouse *mouse)
{
    enum key_result result;

    if (b.len == 1) {
        if (!final)
            return KEY_NEED_MORE;
        *used = 1;
        *key = TK_ESC;
        return KEY_GOT;
    }
    if (b.ptr[1] == '[')
        return decode_csi(b, final, used, key, mouse);
    if (b.ptr[1] == 'O')
        return decode_ss3(b, final, used, key);
    if (b.ptr[1] == 0x1b) { /* two Escapes, or Alt with a sequence: the first stands alone */
        *used = 1;
        *key = TK_ESC;
        return KEY_GOT;
    }
    result = decode_plain(str_slice(b, 1, b.len), final, used, key);
    if (result == KEY_GOT) {
        (*used)++;
        if (*key != TK_UNKNOWN)
            *key |= TK_ALT;
    }
    return result;
}

enum key_result key_decode(struct str bytes, bool final, size_t *used, uint32_t *key,
                           struct key_mouse *mouse)
{
    *used = 0;
    *key = TK_NONE;
    if (bytes.len == 0)
        return KEY_NOTHING;
    if (bytes.ptr[0] == 0x1b)
        return decode_escape(bytes, final, used, key, mouse);
    return decode_plain(bytes, final, used, key);
}

static bool parse_base(struct str name, uint32_t *key)
{
    uint32_t point = 0;

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (str_is(name, names[i].name)) {
            *key = names[i].key;
            return true;
        }
    if (escape_decode(name, &point) != name.len || !escape_is_visible(point))
        return false;
    *key = point;
    return true;
}

static const struct {
    const char *prefix;
    uint32_t bit;
} modifiers[] = {{"Ctrl-", TK_CTRL}, {"Alt-", TK_ALT}, {"Shift-", TK_SHIFT}};

bool key_parse(struct str name, uint32_t *key)
{
    uint32_t bits = 0;

    if (name.len == 0)
        return false;
    while (!parse_base(name, key)) {
        size_t i = 0;

        while (i < COUNT_OF(modifiers) && !str_starts(name, modifiers[i].prefix))
            i++;
        if (i == COUNT_OF(modifiers))
            return false;
        bits |= modifiers[i].bit;
        name = str_slice(name, strlen(modifiers[i].prefix), name.len);
        if (name.len == 0)
            return false;
    }
    if ((bits & TK_CTRL) != 0 && *key >= 'A' && *key <= 'Z')
        *key += 'a' - 'A';
    if ((bits & TK_SHIFT) != 0 && *key < TK_UP)
        return false; /* Shift with a letter is the capital */
    *key |= bits;
    return true;
}

static void base_name(char *out, size_t size, uint32_t key)
{
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (names[i].key == key) {
            (void)snprintf(out, size, "%s", names[i].name);
            return;
        }
    if (key > 0x20 && key < 0x7f) {
        (void)snprintf(out, size, "%c", (int)key);
        return;
    }
    (void)snprintf(out, size, "U+%04X", (unsigned)key);
    if (key >= 0xa0 && key < 0x800)
        (void)snprintf(out, size, "%c%c", (int)(0xc0 | key >> 6), (int)(0x80 | (key & 0x3f)));
    else if (key >= 0x800 && key < 0x10000)
        (void)snprintf(out, size, "%c%c%c", (int)(0xe0 | key >> 12),
                       (int)(0x80 | (key >> 6 & 0x3f)), (int)(0x80 | (key & 0x3f)));
}

char *key_name(char *out, size_t size, uint32_t key)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < COUNT_OF(modifiers); i++)
        if ((key & modifiers[i].bit) != 0) {
            int n = snprintf(out + len, size - len, "%s", modifiers[i].prefix);

            len += n > 0 && (size_t)n < size - len ? (size_t)n : 0;
        }
    base_name(out + len, size - len, key & 0xffffff);
    return out;
}

bool key_is_text(uint32_t key)
{
    return key >= 0x20 && key != 0x7f && key < TK_UP && escape_is_visible(key);
}
