/*
 * key.h - keys: codes, names, and decoding the bytes a terminal sends.
 *
 * A key is a code point, a KEY_… special, or one of these with KEY_ALT / KEY_CTRL / KEY_SHIFT.
 * Ctrl with a letter is KEY_CTRL | 'a'. Decoding knows xterm, vt220, rxvt, linux and screen forms;
 * a complete sequence that it does not know is swallowed as one KEYS_UNKNOWN, never as letters.
 * Pure; any thread.
 */
#ifndef TUI_KEY_H
#define TUI_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/str.h"

enum {
    TK_NONE = 0,
    TK_TAB = 0x09,
    TK_ENTER = 0x0d,
    TK_ESC = 0x1b,
    TK_SPACE = 0x20,
    TK_BACKSPACE = 0x7f,
    TK_UP = 0x110000,
    TK_DOWN,
    TK_LEFT,
    TK_RIGHT,
    TK_HOME,
    TK_END,
    TK_PGUP,
    TK_PGDN,
    TK_INSERT,
    TK_DELETE,
    TK_BACKTAB,
    TK_F1, /* … TK_F1 + 11 */
    TK_F12 = TK_F1 + 11,
    TK_PASTE_START,
    TK_PASTE_END,
    TK_MOUSE,
    TK_UNKNOWN, /* a sequence that means nothing to us */
    TK_ALT = 1 << 24,
    TK_CTRL = 1 << 25,
    TK_SHIFT = 1 << 26
};

#define KEY_CTRL_OF(letter) ((uint32_t)TK_CTRL | (uint32_t)(letter))
#define KEY_NAME_MAX 24

struct key_mouse {
    int x, y;   /* cells, from 0 */
    int button; /* 1 left, 2 middle, 3 right, 4 wheel up, 5 wheel down; 0 release */
};

enum key_result { KEY_GOT, KEY_NEED_MORE, KEY_NOTHING };

/* Decode the first key of `bytes`. *used = bytes consumed. KEY_NEED_MORE: the bytes are the start
 * of something; when nothing more came within the escape delay, call again with `final` true.
 * KEY_NOTHING: bytes is empty. mouse may be NULL. */
enum key_result key_decode(struct str bytes, bool final, size_t *used, uint32_t *key,
                           struct key_mouse *mouse);
/* "a", "Ctrl-d", "Alt-x", "F5", "PgUp", "Space", "Shift-Tab", "Enter" … case of letters matters. */
bool key_parse(struct str name, uint32_t *key);
/* The name as help shows it. Returns out. */
char *key_name(char *out, size_t size, uint32_t key);
/* A printable character without modifiers: what a text field takes. */
bool key_is_text(uint32_t key);

#endif
