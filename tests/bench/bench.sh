#!/usr/bin/env bash
# bench.sh - what rbconsole costs against the raw protocol, on one cluster in one run.
#
# Both sides are measured in turn, ROUNDS times, and the medians are compared: the raw figure itself
# swings with the machine, so only the ratio says something. Needs a quiet machine.
#   make bench [ROUNDS=7] [SIZE=100000] [FLAVORS="redis valkey"]
set -euo pipefail
cd "$(dirname "$0")/../.."

ROUNDS=${ROUNDS:-7}
SIZE=${SIZE:-100000}
FLAVORS=${FLAVORS:-redis valkey}
RAW=build/release/bench-raw
LAB=tests/lab/lab
RB=build/release/rbconsole
work=$(mktemp -d)
dir=$work/lab

end() {
    "$LAB" down --wipe --dir "$dir" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap end EXIT

now() { date +%s.%N; }
# seconds COMMAND…: its wall time; output goes to the log.
seconds() {
    local start
    start=$(now)
    "$@" >>"$work/log" 2>&1 || { tail -5 "$work/log" >&2; exit 1; }
    awk -v a="$start" -v b="$(now)" 'BEGIN { printf "%.3f\n", b - a }'
}
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

rb() { "$RB" -c "$dir/config.json" -q --state-dir "$work/state" "$@"; }
newest() { ls -d "$work"/backups/redis-backup-*.tar.gz | tail -1; }
backup() { rm -rf "$work/backups"; BACKUP_DIR="$work/backups" rb backup --no-upload --rate none; }
verify() { rb verify -i "$(newest)" --full; }
restore() { rb restore -i "$(newest)" --overwrite; }

measure() { # FLAVOR PORT
    local flavor=$1 port=$2 round
    for round in $(seq "$ROUNDS"); do
        "$RAW" read "$port" | awk '{ print $2 }' >>"$work/$flavor.raw-read"
        seconds backup >>"$work/$flavor.backup"
        seconds verify >>"$work/$flavor.verify"
        "$RAW" write "$port" | awk '{ print $2 }' >>"$work/$flavor.raw-write"
        "$RAW" flush "$port"
        seconds restore >>"$work/$flavor.restore"
    done
}

row() { # FLAVOR NAME REFERENCE
    local mine ref
    mine=$(median "$work/$1.$2")
    ref=$(median "$work/$1.$3")
    awk -v f="$1" -v n="$2" -v m="$mine" -v r="$ref" \
        'BEGIN { printf "| %s | %s | %.2f | %.2f | %.2f |\n", f, n, m, r, m / r }'
}

printf '| server | what | s | raw s | ratio |\n|---|---|---|---|---|\n'
for flavor in $FLAVORS; do
    "$LAB" up --flavor "$flavor" --port auto --dir "$dir" >"$work/up"
    port=$(awk '/server 0 / { sub(/.*:/, "", $4); print $4 }' "$work/up")
    "$RAW" fill "$port" mixed "$SIZE" >/dev/null
    measure "$flavor" "$port"
    row "$flavor" backup raw-read
    row "$flavor" verify raw-read
    row "$flavor" restore raw-write
    "$LAB" down --wipe --dir "$dir" >/dev/null
done
