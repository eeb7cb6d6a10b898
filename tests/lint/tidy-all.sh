#!/bin/bash
# tidy-all.sh - clang-tidy on every file that changed since it was last clean, side by side.
set -u
cd "$(dirname "$0")/../.." || exit 1
unset MAKEFLAGS MFLAGS MAKELEVEL
make -k -s --no-print-directory -j"$(nproc)" tidy-files 2>build/lint/tidy-all.err && exit 0
# Without make's own lines about which stamp was not made.
grep -v '^make' build/lint/tidy-all.err
exit 1
