#!/bin/bash
# backup_strict.sh - a large key that changes while it is read, again and again: named and counted,
# and with --strict a finding. What is read of it is flagged, never passed off as exact.
. "$(dirname "$0")/lib.sh"

labs_up 'single --single'
NOW=$WORK/single
node single 0 eval "for i = 1, 100000 do redis.call('HSET', 'restless', 'field:' .. i, i) end
    for i = 1, 1000 do redis.call('SET', 'calm:' .. i, i) end return 1" 0 </dev/null >/dev/null ||
    bail 'no sample data'

# One client that changes the hash as fast as it can, until the script ends.
# It ends when it has no more to read, so what is ended is what it reads from.
mkfifo "$WORK/feed" || exit 1
node single 0 <"$WORK/feed" >/dev/null 2>&1 &
WRITER=$!
seq -f 'HSET restless field:1 %.0f' 1 100000000 >"$WORK/feed" 2>/dev/null &
FEED=$!
trap 'kill $FEED 2>/dev/null; wait $FEED $WRITER 2>/dev/null; clean_up' EXIT

backup() { # STATUS OPTIONS...
    DIR=$WORK/backups-$RANDOM
    runs "$1" -c "$NOW/config.json" backup --no-upload --backup-dir "$DIR" "${@:2}"
}

manifest() { # JQ-FILTER
    jq -r "$1" "$DIR"/*/metadata.json
}

fuzzy() {
    backup 0 && same 1 "$(manifest .totals.fuzzy)" && same true "$(manifest .complete)" &&
        same fuzzy "$(cat "$DIR"/*/keys/*.jsonl | jq -r 'select(.key == "restless" and .chunk.last) | .consistency')" &&
        grep -q '1 keys changed while they were read' "$ERR"
}

strict() {
    backup 1 --strict && same 1 "$(manifest .totals.fuzzy)" &&
        same 1 "$("$RBCONSOLE" -c "$NOW/config.json" jobs --json | jq '.jobs[0].findings')"
}

strict_and_calm() {
    backup 0 --strict --match 'calm:*' && same 0 "$(manifest .totals.fuzzy)" &&
        same 1000 "$(manifest .totals.keys)"
}

it 'a key that never rests is flagged, which is no finding' fuzzy
it 'with --strict it is one: status 1' strict
it 'with --strict and nothing but calm keys: status 0' strict_and_calm
end_tests
