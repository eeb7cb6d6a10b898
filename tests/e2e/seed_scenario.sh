#!/bin/bash
# seed_scenario.sh - the whole path on a live 3+3 cluster and a real S3 server, with 10,000 keys of
# each big type: state, backup, list, loss of everything, restore, comparison, verification, and two
# changes by hand that a verification must name.
. "$(dirname "$0")/lib.sh"

labs_up 'one --s3'
"$LAB" seed "${SIZE:-10000}" --dir "$WORK/one" >/dev/null || bail 'no sample data'
. "$WORK/one/s3.env"
ENDPOINT=$AWS_ENDPOINT_URL KEY=$AWS_ACCESS_KEY_ID SECRET=$AWS_SECRET_ACCESS_KEY BUCKET=$S3_BUCKET
for name in ${!AWS_*} S3_URI; do unset "$name"; done
RB=(-c "$WORK/one/config.json" -e local)
BACKUPS=$WORK/one/backups

# An S3 client that shares no code with ours.
s3_client() {
    env RCLONE_CONFIG=/dev/null RCLONE_CONFIG_LAB_TYPE=s3 RCLONE_CONFIG_LAB_PROVIDER=Ceph \
        RCLONE_CONFIG_LAB_ENDPOINT="$ENDPOINT" RCLONE_CONFIG_LAB_ACCESS_KEY_ID="$KEY" \
        RCLONE_CONFIG_LAB_SECRET_ACCESS_KEY="$SECRET" rclone -q --retries 1 "$@"
}

# ---- the state of the cluster ---------------------------------------------------------------------
says() { # TEXT...
    local text
    for text in "$@"; do
        grep -q -F -e "$text" "$OUT" || { echo "no \"$text\" in:" && cat "$OUT" && return 1; }
    done
}

status_is_well() {
    runs 0 "${RB[@]}" status && says '16384 of 16384' '6 of 6 answer' &&
        runs 0 "${RB[@]}" check && says 'no finding'
}

status_counts_as_the_servers_do() {
    local keys
    keys=$(on_primaries one dbsize | awk '{ n += $1 } END { print n }')
    [ "$keys" -ge 50000 ] || { echo "only $keys keys" && return 1; }
    runs 0 "${RB[@]}" nodes --json &&
        same "$keys" "$(jq '[.. | objects | select(.role? == "primary") | .keys] | add' "$OUT")"
}

it 'status and check find a healthy cluster of six nodes' status_is_well
it 'nodes counts as many keys as the servers' status_counts_as_the_servers_do

# ---- before ---------------------------------------------------------------------------------------
# Binary, empty and Korean names and values, and each type beyond its compact form.
FIXTURE=('""' '"edge:empty"' '"edge:bin:\x00\x01\xff\xfe\r\n"' '"\xff\xfe\x80only:bytes"'
    '"edge:nul\x00inside"' '"edge:escape:\x1b[31m\x1b]0;title\x07"' '"사용자:1:이름"' '"한글:해시"'
    '"edge:emoji:👩‍🚀"' '"edge:hash:bin"' '"edge:list"' '"edge:set"' '"edge:intset"'
    '"edge:scores"' '"edge:geo"' '"edge:bitmap"' '"edge:int"' '"edge:leading-zero"'
    '"edge:stream:bin"' '"edge:stream:emptied"' '"stream:events:10"' '"hll:unique_visitors:50"'
    '"edge:big:string"' '"edge:big:hash"' '"edge:big:list"' '"edge:big:set"' '"edge:big:zset"'
    '"edge:ttl:long"' '"edge:quote:\"'"'"'\\/\b\x0c\n\r\t"' '"edge:}{:no-tag"' '"{tag}:a"'
    '"user:1"' '"profile:1"' '"queue:1"' '"tags:1"' '"leaderboard:1"')

# fixture: each key of it, the digest of its value and the node that has it.
fixture() {
    local i
    for i in $(primaries one); do
        node one "$i" < <(printf 'debug digest-value %s\n' "${FIXTURE[@]}") |
            paste -d ' ' <(printf '%s\n' "${FIXTURE[@]}") - | grep -v ' 0\{40\}$' | sed "s/\$/ $i/"
    done | LC_ALL=C sort
}

look() { # NAME: what the servers say now, in files of that name
    hyperloglogs one >"$WORK/$1.counts"
    fixture >"$WORK/$1.fixture"
    streams one >"$WORK/$1.streams"
    digest one >"$WORK/$1.digest"
}

fixture_is_complete() {
    same ${#FIXTURE[@]} "$(wc -l <"$WORK/before.fixture")" && same 12 "$(wc -l <"$WORK/before.streams")"
}

look before
it 'the fixture has a key of every kind' fixture_is_complete
inventory one >"$WORK/before.keys" # last before the backup, and first after the restore: it has times

# ---- backup ---------------------------------------------------------------------------------------
prints_three_lines() {
    runs 0 "${RB[@]}" backup || return 1
    ID=$(sed -n "1s#^Backup written: $BACKUPS/##p" "$OUT")
    [[ $ID =~ ^redis-backup-local-[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}$ ]] || { cat "$OUT" && return 1; }
    same "Backup written: $BACKUPS/$ID
Archive: $BACKUPS/$ID.tar.gz
Uploaded: s3://$BUCKET/backups/$ID.tar.gz" "$(cat "$OUT")"
}

manifest_counts_as_the_servers_do() {
    local manifest=$BACKUPS/$ID/metadata.json
    same 'true false' "$(jq -r '"\(.complete) \(.filtered)"' "$manifest")" &&
        same "$(wc -l <"$WORK/before.keys")" "$(jq .totals.keys "$manifest")" &&
        same "$(types_of "$WORK/before.keys")" \
            "$(jq -r '.totals.by_type | to_entries | sort_by(.key)[] | "\(.key) \(.value)"' "$manifest")" &&
        same "$(awk -F '\t' '$NF >= 0' "$WORK/before.keys" | wc -l)" "$(jq .totals.with_ttl "$manifest")" &&
        same 50 "$(jq .totals.hyperloglog "$manifest")"
}

# The names of all members, and the bytes of every part, by tar alone.
tar_unpacks_the_same_tree() {
    mkdir -p "$WORK/untar" && tar -xzf "$BACKUPS/$ID.tar.gz" -C "$WORK/untar" &&
        diff -r "$BACKUPS/$ID" "$WORK/untar/$ID" &&
        same "$ID/metadata.json" "$(tar -tzf "$BACKUPS/$ID.tar.gz" | tail -1)"
}

grep_and_jq_read_the_parts() {
    local record i
    for i in 1 10 100 1000; do
        record=$(grep -h "\"key\":\"user:$i\"" "$BACKUPS/$ID"/keys/keys-part-*.jsonl)
        same "$(node one 0 -c get "user:$i" </dev/null)" "$(jq -r .value <<<"$record")" &&
            same string "$(jq -r .type <<<"$record")" || return 1
    done
    record=$(grep -h '"key":"profile:1"' "$BACKUPS/$ID"/keys/*.jsonl)
    same "$(node one 0 -c hgetall profile:1 </dev/null | paste - - | sort)" \
        "$(jq -r '.value | to_entries[] | "\(.key)\t\(.value)"' <<<"$record" | sort)" &&
        same "$(node one 0 -c lrange queue:7 0 -1 </dev/null)" \
            "$(jq -r 'select(.key == "queue:7") | .value[]' "$BACKUPS/$ID"/keys/*.jsonl)" &&
        same "$(node one 0 -c zrange leaderboard:7 0 -1 withscores </dev/null | paste - -)" \
            "$(jq -r 'select(.key == "leaderboard:7") | .value[] | "\(.[0])\t\(.[1])"' \
                "$BACKUPS/$ID"/keys/*.jsonl)" &&
        same "$(node one 0 -c get 사용자:1:이름 </dev/null)" \
            "$(jq -r 'select(.key == "사용자:1:이름") | .value' "$BACKUPS/$ID"/keys/*.jsonl)"
}

every_line_is_json() {
    same "$(cat "$BACKUPS/$ID"/keys/*.jsonl | wc -l)" "$(jq -c .type "$BACKUPS/$ID"/keys/*.jsonl | wc -l)"
}

list_shows_it_in_both_places() {
    runs 0 "${RB[@]}" list || return 1
    same 2 "$(wc -l <"$OUT")" &&
        grep -q -P "^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\t[^\t]+\ts3://$BUCKET/backups/$ID.tar.gz\$" "$OUT" &&
        grep -q -P "\t$BACKUPS/$ID.tar.gz\$" "$OUT" || { cat "$OUT" && return 1; }
}

another_s3_client_has_it() {
    mkdir -p "$WORK/download" &&
        same "$ID.metadata.json
$ID.tar.gz" "$(s3_client lsf "lab:$BUCKET/backups")" &&
        s3_client copy "lab:$BUCKET/backups" "$WORK/download" &&
        cmp "$BACKUPS/$ID.tar.gz" "$WORK/download/$ID.tar.gz" &&
        cmp "$BACKUPS/$ID/metadata.json" "$WORK/download/$ID.metadata.json"
}

it 'backup prints its three lines' prints_three_lines
[ -n "${ID:-}" ] || bail 'no backup to go on with'
it 'the manifest counts keys, types and deadlines as the servers do' manifest_counts_as_the_servers_do
it 'tar -xzf unpacks the archive into the same tree' tar_unpacks_the_same_tree
it 'every line of every part is JSON' every_line_is_json
it 'grep and jq find in the parts what the servers say' grep_and_jq_read_the_parts
it 'list shows the backup in S3 and on disk' list_shows_it_in_both_places
if command -v rclone >/dev/null; then
    it 'an independent S3 client lists and downloads it' another_s3_client_has_it
else
    skip 'an independent S3 client lists and downloads it' 'rclone is not installed'
fi

# ---- loss and restore -----------------------------------------------------------------------------
everything_is_gone() {
    on_primaries one flushall sync
    same '0 0 0' "$(on_primaries one dbsize | paste -sd ' ')"
}

restore_puts_all_back() {
    runs 0 "${RB[@]}" restore --from-s3 latest --overwrite --recreate-stream-groups &&
        same "Restored: written=$(wc -l <"$WORK/before.keys") existing=0 expired=0 failed=0 left_out=0 functions=0" \
            "$(cat "$OUT")"
}

placed_as_before() { # all columns but the life left
    cut -f1-4 "$WORK/before.keys" >"$WORK/before.places"
    cut -f1-4 "$WORK/after.keys" >"$WORK/after.places"
    same_files "$WORK/before.places" "$WORK/after.places"
}

replicas_have_it_too() {
    same "$(for i in 0 1 2; do node one "$i" debug digest </dev/null; done)" \
        "$(for i in 3 4 5; do node one "$i" debug digest </dev/null; done)"
}

verify_sample_is_clean() {
    runs 0 "${RB[@]}" verify --from-s3 latest --sample 2000 &&
        same 2 "$(wc -l <"$OUT")" && head -1 "$OUT" | grep -q '^0 of 2,000 keys drawn at random from ' &&
        same 'checked=2000 same=2000 differs=0 missing=0 extra=0 expired=0 ttl=0 unreadable=0' \
            "$(tail -1 "$OUT")"
}

it 'flushing every primary leaves no key' everything_is_gone
it 'restore from S3 writes every key' restore_puts_all_back
inventory one >"$WORK/after.keys"
look after
it 'keys of each type are as many as before' same "$(types_of "$WORK/before.keys")" "$(types_of "$WORK/after.keys")"
it 'every key is of its type, in its slot, on its node' placed_as_before
it 'deadlines are within 30 s, and only where they were' same_lives "$WORK/before.keys" "$WORK/after.keys"
it 'streams have their entries, groups, consumers and pending entries' \
    same_files "$WORK/before.streams" "$WORK/after.streams"
it 'HyperLogLogs count the same' same_files "$WORK/before.counts" "$WORK/after.counts"
it 'the fixture has the same value digests' same_files "$WORK/before.fixture" "$WORK/after.fixture"
it 'the digest of all data is the same' same_files "$WORK/before.digest" "$WORK/after.digest"
it 'the replicas have the same data' within 10 replicas_have_it_too
it 'verify with a sample of 2000 is clean' verify_sample_is_clean

# ---- two changes by hand --------------------------------------------------------------------------
full_verify_names_both() {
    runs 1 "${RB[@]}" verify -i "$BACKUPS/$ID" --full || return 1
    same "differs string user:77
missing hash profile:78" "$(head -n -2 "$OUT" | cut -f1-3 | tr '\t' ' ' | sort)" &&
        same "2 of $N keys are wrong; every key was looked at" "$(tail -2 "$OUT" | head -1 | tr -d ,)" &&
        same "checked=$N same=$((N - 2)) differs=1 missing=1 extra=0 expired=0 ttl=0 unreadable=0" \
            "$(tail -1 "$OUT")"
}

extra_names_a_stranger() {
    node one 0 -c set a-stranger x >/dev/null </dev/null
    runs 1 "${RB[@]}" verify -i "$BACKUPS/$ID.tar.gz" --full --extra --json || return 1
    same 'differs:user:77 extra:a-stranger missing:profile:78' \
        "$(jq -r '[.report.verify.keys[] | "\(.verdict):\(.key)"] | sort | join(" ")' "$OUT")"
}

N=$(wc -l <"$WORK/before.keys")
node one 0 -c set user:77 changed keepttl >/dev/null </dev/null
node one 0 -c del profile:78 >/dev/null </dev/null
it 'verify --full names the changed and the deleted key and no other' full_verify_names_both
it 'verify --extra also names a key that the backup has not' extra_names_a_stranger

skipping_leaves_changes() {
    runs 0 "${RB[@]}" restore -i "$WORK/download/$ID.tar.gz" --skip-existing &&
        same changed "$(node one 0 -c get user:77 </dev/null)" &&
        same 5 "$(node one 0 -c hlen profile:78 </dev/null)"
}

fail_existing_writes_nothing() {
    node one 0 -c del profile:78 >/dev/null </dev/null
    runs 1 "${RB[@]}" restore -i "$BACKUPS/$ID" --fail-existing &&
        same 0 "$(node one 0 -c exists profile:78 </dev/null)"
}

[ -e "$WORK/download/$ID.tar.gz" ] || { mkdir -p "$WORK/download" && cp "$BACKUPS/$ID.tar.gz" "$WORK/download"; }
it 'restore --skip-existing adds what is missing and leaves the rest' skipping_leaves_changes
it 'restore --fail-existing refuses before its first write' fail_existing_writes_nothing
end_tests
