#!/bin/bash
# tidy.sh FILE STAMP - clang-tidy on one file (one call per file: several at once give false
# reports); the stamp is made when it is clean, with what it depends on beside it for make. The
# whole report stays in STAMP.log.
set -u
mkdir -p "${2%/*}"
flags='-std=c11 -I. -D_GNU_SOURCE -DRBCONSOLE_VERSION="0"'
# shellcheck disable=SC2086
gcc $flags -MM -MP -MT "$2" -MF "$2.d" "$1" || exit 1
# shellcheck disable=SC2086
if ! clang-tidy --quiet "$1" -- $flags >"$2.log" 2>/dev/null; then
    grep -E ' (error|warning): ' "$2.log" | sed "s#$PWD/##" | sort -u
    exit 1
fi
touch "$2"
