#!/bin/bash
# sizes.sh - no file over 500 lines, no function over 100, every header opens with a comment, every
# guard is the path. A function begins at "{" and ends at "}" in the first column (house style).
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0
while read -r f; do
    awk -v f="$f" '
        /^{/ { start = FNR }
        /^}/ && start {
            if (FNR - start - 1 > 100) { printf "%s:%d: a function of %d lines\n", f, start, FNR - start - 1; bad = 1 }
            start = 0
        }
        END { if (FNR > 500) { printf "%s: %d lines\n", f, FNR; bad = 1 } exit bad }' "$f" || bad=1
    case $f in
    *.h)
        guard=$(echo "$f" | tr '[:lower:]/.-' '[:upper:]___')
        grep -q "^#ifndef $guard\$" "$f" || { echo "$f: the guard is not $guard" && bad=1; }
        head -1 "$f" | grep -q '^/\*' || { echo "$f: opens without a comment" && bad=1; }
        ;;
    esac
done < <(find core tui views tests -name '*.[ch]' | sort)
while read -r f; do
    lines=$(wc -l <"$f")
    [ "$lines" -le 500 ] || { echo "$f: $lines lines" && bad=1; }
done < <(find tests .ci -type f \( -name '*.sh' -o -name '*.mk' -o -perm -u+x \) | sort)
exit $bad
