# parts.sh - the measurements of the bench, one function each; bench.sh calls them with the flavour.
# shellcheck shell=bash disable=SC2034,SC2154

# Targets by flavour: backup, verify, snapshot, restore against the raw read and the raw write.
target() { # FLAVOR WHAT
    case $1-$2 in
    redis-backup) echo 1.8 ;;
    *-backup) echo 2.1 ;;
    redis-verify) echo 2.0 ;;
    *-verify) echo 2.3 ;;
    redis-snapshot) echo 1.5 ;;
    *-snapshot) echo 1.8 ;;
    *-restore) echo 2.0 ;;
    esac
}

# speed FLAVOR DATA: every verb and its reference in turn, ROUNDS times.
speed() {
    local flavor=$1 data=$2 at=$work/$1-$2 what round
    for round in $(seq "$ROUNDS"); do
        "$RAW" read "$port" | awk '{ print $2 }' >>"$at.read"
        for what in backup verify snapshot; do
            seconds "$what" >>"$at.$what"
        done
        "$RAW" write "$port" | awk '{ print $2 }' >>"$at.write"
        "$RAW" flush "$port"
        seconds restore >>"$at.restore"
    done
    for what in backup verify snapshot restore; do
        local reference='read'
        [ "$what" != restore ] || reference='write'
        row "$flavor" "$data" "$what, s" "$(median "$at.$what")" "$(median "$at.$reference")" \
            "$(target "$flavor" "$what")"
    done
}

part_mixed() {
    "$RAW" fill "$port" mixed 100000 >/dev/null
    speed "$1" "100k mixed"
}

part_small() {
    "$RAW" fill "$port" small 1000000 >/dev/null
    speed "$1" "1M strings"
}

# Our CPU during a backup against the primaries'.
part_cost() {
    local at=$work/$1-cost before round
    "$RAW" fill "$port" mixed 100000 >/dev/null
    for round in $(seq "$ROUNDS"); do
        before=$("$RAW" cpu "$port")
        cpu backup >>"$at.ours"
        calc "$("$RAW" cpu "$port") - $before" >>"$at.theirs"
        echo >>"$at.theirs"
    done
    row "$1" "100k mixed" "CPU of a backup, s" "$(median "$at.ours")" "$(median "$at.theirs")" 1.3
}

# How long the slowest command of ours stays in a primary. On two cores a command that takes a
# microsecond is measured with the 10 to 40 ms in which another process had its processor, so the
# primaries are not interrupted here (chrt needs root): what is left is the command's own, and what
# the host takes from this machine. A command that is slow by itself is so in each round; the worst
# of all rounds is printed beside it, with the time that the host took.
part_slow() {
    local at=$work/$1-slow round slow what pid stolen how="primaries not interrupted"
    "$RAW" fill "$port" mixed 100000 >/dev/null
    for pid in $("$RAW" pids "$port"); do
        chrt --all-tasks --fifo --pid 1 "$pid" 2>/dev/null || how="primaries interrupted by others"
    done
    stolen=$(stolen_ms)
    for round in $(seq "$ROUNDS"); do
        "$RAW" slow-reset "$port"
        for what in backup verify snapshot restore; do "$what" >>"$work/log" 2>&1; done
        "$RAW" slow "$port" | awk '{ print $2, $3 }' >>"$at"
    done
    stolen=$(($(stolen_ms) - stolen))
    for pid in $("$RAW" pids "$port"); do
        chrt --all-tasks --other --pid 0 "$pid" 2>/dev/null || true
    done
    cut -d' ' -f1 "$at" >"$at.ms"
    row "$1" "100k mixed" "slowest command of a round, ms, $how" "$(median "$at.ms")" 10 1
    read -r slow what < <(sort -n "$at" | tail -1)
    printf '| %s | 100k mixed | of all rounds (%s), ms; the host took %s ms | %s | | | | |\n' \
        "$1" "$what" "$stolen" "$slow"
}

# --rate N: the pace it kept, by the difference of two sizes so that start and end fall out.
part_rate() {
    local few many rate=20000 pace
    "$RAW" fill "$port" small 60000 >/dev/null
    few=$(seconds backup $rate)
    "$RAW" fill "$port" small 200000 >/dev/null
    many=$(seconds backup $rate)
    pace=$(calc "140000 / ($many - $few)")
    row "$1" "200k strings" "keys/s at --rate $rate, at most" "$pace" $rate 1.05
    row "$1" "200k strings" "the same, at least" $rate "$pace" 1.05
}

# A client's p99 while a backup runs: alone, with --rate none, with --rate auto.
part_auto() {
    local pid rate p99 alone
    "$RAW" fill "$port" small 1000000 >/dev/null
    alone=$("$LOAD" "$port" 5 | awk '{ print $3 }')
    for rate in none auto; do
        rm -f "$work/stop"
        (while [ ! -e "$work/stop" ]; do backup $rate; done) >>"$work/log" 2>&1 &
        pid=$!
        p99=$("$LOAD" "$port" 8 | awk '{ print $3 }')
        touch "$work/stop"
        wait "$pid"
        printf '%s\n' "$p99" >"$work/$1-auto.$rate"
    done
    printf '| %s | 1M strings | p99 of a client, us: alone | %s | | | | |\n' "$1" "$alone"
    row "$1" "1M strings" "the same: --rate auto against none" "$(cat "$work/$1-auto.auto")" \
        "$(cat "$work/$1-auto.none")" 1
}

# Upload beside the scan: an archive of more than 100 MB to a real S3 server, against disk only. At
# full speed the gateway takes processor time from the scan that it shares the cores with; at a
# pace that leaves some idle the ratio says what part of the upload is not beside the scan.
part_upload() {
    local at=$work/upload round rate size
    cluster_up "$1" --s3
    "$RAW" fill "$port" big 45000 >/dev/null
    seconds upload none >/dev/null
    for round in $(seq "$ROUNDS"); do
        for rate in none 9000; do
            seconds backup $rate >>"$at.disk.$rate"
            seconds upload $rate >>"$at.s3.$rate"
        done
    done
    size="$(du -m "$(newest)" | cut -f1) MB archive"
    row "$1" "$size" "backup with S3, s, cores shared" "$(median "$at.s3.none")" \
        "$(median "$at.disk.none")" 1.15
    row "$1" "$size" "the same at --rate 9000" "$(median "$at.s3.9000")" \
        "$(median "$at.disk.9000")" 1.15
    cluster_down
}
