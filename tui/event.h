/*
 * event.h - what can happen to the console, as one small value.
 */
#ifndef TUI_EVENT_H
#define TUI_EVENT_H

#include "tui/key.h"

enum term_event_kind {
    TERM_EVENT_NONE,
    TERM_EVENT_KEY,
    TERM_EVENT_MOUSE, /* key is TK_MOUSE, mouse says where */
    TERM_EVENT_PASTE, /* the next keys are pasted text until TERM_EVENT_PASTE_END */
    TERM_EVENT_PASTE_END,
    TERM_EVENT_RESIZE, /* the canvas already has its new size */
    TERM_EVENT_STOP,   /* SIGTSTP: call term_suspend when it suits */
    TERM_EVENT_RESUME, /* back after SIGCONT: everything is redrawn */
    TERM_EVENT_LEAVE   /* SIGHUP, SIGTERM, SIGINT or the end of input: restore and go */
};

struct term_event {
    enum term_event_kind kind;
    uint32_t key;
    struct key_mouse mouse;
    int signal; /* TERM_EVENT_LEAVE: the signal, 0 for the end of input */
};

#endif
