#!/bin/bash
# faults.sh - the table of tests/faults/README.md is true: every fault 1 to 27, 31 and 32 has a row,
# every test that a row names is in the tree, and every test of tests/faults is named by a row.
set -u
cd "$(dirname "$0")/../.." || exit 1
table=tests/faults/README.md
bad=0

complain() {
    echo "$table: $1"
    bad=1
}

# named NUMBER: the tests of a row, one "file:name" a line.
named() {
    grep -E "^\| $1 \|" "$table" | grep -oE '`[^`:]+\.(c|sh):[^`]+`' | tr -d '`'
}

for n in $(seq 1 27) 31 32; do
    [ -n "$(named "$n")" ] || complain "fault $n has no test"
    while IFS=: read -r file name; do
        [ -z "$file" ] && continue
        if [ ! -f "tests/$file" ]; then
            complain "fault $n: there is no tests/$file"
        elif case $file in
            *.c) ! grep -qE "cmocka_unit_test[a-z_]*\(\s*$name\b|^ +$name,|[ (]$name[,)]" "tests/$file" ;;
            *) ! grep -qF "$name" "tests/$file" ;;
            esac then
            complain "fault $n: tests/$file has no test $name"
        fi
    done < <(named "$n")
done
while read -r file name; do
    grep -qF "\`${file#tests/}:$name\`" "$table" || complain "$file: $name is in no row"
done < <(grep -oE 'cmocka_unit_test[a-z_]*\([a-z_0-9]+' tests/faults/*.c 2>/dev/null | sed 's/:cmocka.*(/ /')
exit $bad
