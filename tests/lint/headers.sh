#!/bin/bash
# headers.sh - every header compiles alone.
set -u
cd "$(dirname "$0")/../.." || exit 1
find core tui views tests -name '*.h' | sort |
    xargs -P "$(nproc)" -I{} gcc -std=c11 -I. -D_GNU_SOURCE -Wall -Wextra -fsyntax-only -Werror -x c {}
