/*
 * event.h - what can happen to the console, as one small value.
 */
#ifndef TUI_EVENT_H
#define TUI_EVENT_H

#include "tui/key.h"

enum event_kind {
    EVENT_NONE,
    EVENT_KEY,
    EVENT_MOUSE, /* key is TK_MOUSE, mouse says where */
    EVENT_PASTE, /* the next keys are pasted text until EVENT_PASTE_END */
    EVENT_PASTE_END,
    EVENT_RESIZE, /* the canvas already has its new size */
    EVENT_STOP,   /* SIGTSTP: call term_suspend when it suits */
    EVENT_RESUME, /* back after SIGCONT: everything is redrawn */
    EVENT_LEAVE   /* SIGHUP, SIGTERM, SIGINT or the end of input: restore and go */
};

struct event {
    enum event_kind kind;
    uint32_t key;
    struct key_mouse mouse;
    int signal; /* EVENT_LEAVE: the signal, 0 for the end of input */
};

#endif
