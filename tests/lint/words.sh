#!/bin/bash
# words.sh - functions that are banned everywhere or outside one place, unfinished work, and host
# names that do not belong in the tree. Comments and texts do not count as code.
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0

# Source without comments and with empty texts, as "file:line:code".
code() { # FILE...
    local f
    for f in "$@"; do
        gcc -fpreprocessed -dD -E -x c "$f" 2>/dev/null |
            awk -v file="$f" '
                /^# [0-9]+ "/ { line = $2 - 1; next }
                { line++; gsub(/\\./, ""); gsub(/"[^"]*"/, "\"\""); if (NF) print file ":" line ":" $0 }'
    done
}

forbid() { # WHY PATTERN EXCEPT-FILES
    local hits
    hits=$(grep -E "^[^:]*:[0-9]*:.*$2" <<<"$all" | grep -vE "^(${3:-nothing}):")
    [ -z "$hits" ] && return
    printf '%s\n    %s\n' "$hits" "$1"
    bad=1
}

# shellcheck disable=SC2046
all=$(code $(find core tui views tests -name '*.[ch]' | sort))
start='(^|[^A-Za-z0-9_>.])'
forbid 'banned: see STYLE' "$start(strcpy|strcat|sprintf|vsprintf|strncpy|strncat|strtok|gets|atoi|atol|atoll|s?rand|localtime|gmtime|ctime|asctime|strerror|system|popen|tmpnam|mktemp|alloca) *\\("
outside='tests/.*'
forbid 'exit only in views/main.c' "$start(exit|quick_exit) *\\(" "views/main\\.c|$outside"
forbid 'getenv only in core/config' "$start(secure_)?getenv *\\(" "core/config/.*|$outside"
forbid 'core and tui never print' "$start(printf|puts|putchar|vprintf|perror) *\\(" "views/.*|$outside"
forbid 'core never prints' "$start(fprintf|fputs|fputc|fwrite|vfprintf|dprintf) *\\([^;]*(stdout|stderr|STDOUT_FILENO|STDERR_FILENO)" "views/.*|tui/term.*|core/base/alloc\\.c|$outside"
forbid 'no goto but out:' "${start}goto +[^o]|${start}goto +o[^u]"

tree() { # WHY PATTERN: in every file of the tree
    local hits
    hits=$(git grep -nIE "$2" -- . ':!tests/lint/words.sh' | grep -vE "${3:-^$}")
    [ -z "$hits" ] && return
    printf '%s\n    %s\n' "$hits" "$1"
    bad=1
}

hosts='127\.|localhost|\[|%|\{|\$|\\|/|[a-z0-9.-]*example|[^a-z0-9]|[A-Z]|h:|h/|host|x[^a-z0-9.]'
hosts="$hosts|169\\.254\\.|[a-z0-9.%-]*amazonaws\\.com|[a-z.*]*json-schema\\.org|www\\.w3\\.org|[a-z]*\\.?redis\\.io|valkey\\.io"
tree 'no host names in the tree but example ones' '(https?|ftp)://' "://($hosts)"
tree 'unfinished' '(TODO|FIXME|XXX:|coming soon)' 'XXXXXX'
tree 'a path of the machine it was written on' '(^|[^A-Za-z0-9_.])/wor[k]/|\.\./share[d]/'
exit $bad
