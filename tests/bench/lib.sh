# lib.sh - what the parts of the bench share: the cluster, the clock, medians and rows.
# Sourced by bench.sh with `work` (a directory of the run) set.
# shellcheck shell=bash disable=SC2034,SC2154

RAW=build/release/bench-raw
LOAD=build/release/bench-load
LAB=tests/lab/lab
RB=build/release/rbconsole
lab=$work/lab

now() { date +%s.%N; }

# calc EXPRESSION: awk's arithmetic, two decimals.
calc() { awk "BEGIN { printf \"%.2f\", $1 }"; }

# seconds COMMAND…: its wall time; output goes to the log.
seconds() {
    local start
    start=$(now)
    "$@" >>"$work/log" 2>&1 || { tail -5 "$work/log" >&2; exit 1; }
    awk -v a="$start" -v b="$(now)" 'BEGIN { printf "%.3f\n", b - a }'
}

# cpu COMMAND…: CPU seconds of its processes, user and system.
cpu() {
    local TIMEFORMAT='%U %S'
    { time "$@" >>"$work/log" 2>&1; } 2>&1 | awk '{ print $1 + $2 }'
}

# CPU time that the host gave to others while this machine wanted it, ms since the start.
stolen_ms() { awk -v hz="$(getconf CLK_TCK)" '/^cpu / { printf "%d", $9 * 1000 / hz }' /proc/stat; }

median() {
    sort -n "$1" | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

cluster_up() { # FLAVOR [OPTION…]
    "$LAB" up --flavor "$1" --port auto --dir "$lab" "${@:2}" >"$work/up"
    port=$(awk '/server 0 / { sub(/.*:/, "", $4); print $4 }' "$work/up")
}
cluster_down() { "$LAB" down --wipe --dir "$lab" >/dev/null 2>&1 || true; }

rb() { "$RB" -c "$lab/config.json" -q --state-dir "$work/state" "$@"; }
newest() { find "$work/backups" -maxdepth 1 -name 'redis-backup-*.tar.gz' | sort | tail -1; }
# backup [RATE]: to disk only.
backup() { rm -rf "$work/backups"; BACKUP_DIR="$work/backups" rb backup --no-upload --rate "${1:-none}"; }
upload() { rm -rf "$work/backups"; BACKUP_DIR="$work/backups" rb backup --rate "$1"; }
verify() { rb verify -i "$(newest)" --full; }
restore() { rb restore -i "$(newest)" --overwrite; }
snapshot() { rb snapshot --rate none -o "$work/snapshot.json"; }

missed=0
# row SERVER DATA WHAT OURS REFERENCE TARGET: one line of the table; counts what is over its target.
row() {
    local ratio word=met
    ratio=$(calc "$4 / $5")
    if awk "BEGIN { exit !($ratio > $6) }"; then
        word=missed
        missed=$((missed + 1))
    fi
    printf '| %s | %s | %s | %.2f | %.2f | %.2f | %s | %s |\n' "$1" "$2" "$3" "$4" "$5" "$ratio" "$6" "$word"
}
