#!/bin/bash
# backup_places.sh - a backup in every place it can go (tree, archive, S3, all and each alone): named
# by list, shown, found as the latest, and restored to the very data that the servers had before.
. "$(dirname "$0")/lib.sh"

labs_up 'one --s3 --replicas 0'
"$LAB" seed 300 --dir "$WORK/one" >/dev/null || bail 'no sample data'
hyperloglogs one >/dev/null
# No deadlines: two digests at different times must be equal.
on_primaries one eval "for _, k in ipairs(redis.call('keys', '*')) do redis.call('persist', k) end" 0 \
    >/dev/null
WANTED=$(digest one)
RB=("$RBCONSOLE" -c "$WORK/one/config.json" -e local)
. "$WORK/one/s3.env"
BUCKET=$(sed -n 's/.*"s3_uri": "s3:..\([^/"]*\).*/\1/p' "$WORK/one/config.json")

rb() { # ARGS...
    "${RB[@]}" "$@" >"$OUT" 2>"$ERR" </dev/null
    STATUS=$?
}

back_up() { # OPTIONS...: into a directory of its own; the id in $ID
    DIR=$(mktemp -d "$WORK/b.XXXX")
    rb backup --backup-dir "$DIR" "$@"
    ID=$(grep -h -o 'redis-backup-local-[0-9TZ]*-[0-9a-f]*' "$OUT" | head -1)
    ended 0
}

empty() {
    on_primaries one flushall >/dev/null
    same 0 "$(on_primaries one dbsize | awk '{ n += $1 } END { print n }')"
}

restores() { # FROM...
    empty && rb restore "$@" && ended 0 && same "$WANTED" "$(digest one)"
}

files() { # of $DIR, with the id left out
    (cd "$DIR" && find . -type f | sed "s/$ID/ID/; s/part-[0-9]*/part-N/" | LC_ALL=C sort -u)
}

listed() { # WHERE: --local or --s3; complete, not foreign
    rb list "$1" --backup-dir "$DIR" && ended 0 && grep -q "$ID" "$OUT" || return 1
    "${RB[@]}" --json list "$1" --details --backup-dir "$DIR" | jq -e --arg id "$ID" \
        '[.backups[] | select(.id == $id)] | length == 1 and .[0].state == "complete"'
}

shown() { # WHERE
    rb show "$ID" --backup-dir "$DIR" && ended 0 && grep -q -i complete "$OUT"
}

everywhere() {
    back_up && same './ID.tar.gz
./ID/functions.jsonl
./ID/keys/keys-part-N.jsonl
./ID/metadata.json' "$(files | sed '/functions/d' | sed '1a ./ID/functions.jsonl')" &&
        same 3 "$(wc -l <"$OUT")" && listed --local && listed --s3 && shown &&
        restores -i "$DIR/$ID" && restores -i "$DIR/$ID.tar.gz" && restores --from-s3 latest &&
        grep -q "$ID" "$OUT" "$ERR" && restores --from-s3 "$ID"
}
it 'a tree, an archive and an object, each restored' everywhere

archive_alone() {
    back_up --no-upload --no-dir && same './ID.metadata.json
./ID.tar.gz' "$(files)" && listed --local && shown && restores -i "$DIR/$ID.tar.gz" &&
        rb list --s3 && ! grep -q "$ID" "$OUT"
}
it '--no-dir --no-upload: the archive with its manifest beside it' archive_alone

tree_and_archive() {
    back_up --no-upload --level 1 && [ ! -e "$DIR/$ID.metadata.json" ] && listed --local &&
        restores -i "$DIR/$ID" && restores -i "$DIR/$ID.tar.gz"
}
it '--no-upload --level 1' tree_and_archive

stream_alone() {
    back_up --stream --level 9 && same '' "$(files)" && same 1 "$(wc -l <"$OUT")" && listed --s3 &&
        shown && restores --from-s3 latest && grep -q "$ID" "$OUT" "$ERR"
}
it '--stream: nothing on disk, restored from S3' stream_alone

elsewhere() {
    back_up --no-dir --s3-uri "s3://$BUCKET/else where" && grep -q "/else where/$ID.tar.gz\$" "$OUT" &&
        restores --from-s3 "$ID" --s3-uri "s3://$BUCKET/else where"
}
it '--s3-uri: another prefix' elsewhere

refuses() { # STATUS WORDS OPTIONS...
    DIR=$WORK/never
    rb backup --backup-dir "$DIR" "${@:3}"
    ended "$1" && grep -q -e "$2" "$ERR" && [ ! -e "$DIR" ]
}
it '--stream and --no-upload exclude each other' refuses 2 upload --stream --no-upload
it 'a part over 64 MiB is refused' refuses 2 67108864 --chunk-bytes 67108865

# This cluster has no replicas.
only_replicas() {
    DIR=$WORK/none
    rb backup --no-upload --backup-dir "$DIR" --from replicas --outage-timeout 2
    ended 3 && grep -q 'none of its replicas could be read' "$ERR" &&
        same '' "$(find "$DIR" -type f ! -path '*.partial*')"
}
it '--from replicas where there are none: status 3, and no primary is read instead' only_replicas

configured() { # KEY VALUE
    jq "$1 = $2" "$WORK/one/config.json" >"$WORK/one/other.json"
    DIR=$(mktemp -d "$WORK/c.XXXX")
    "$RBCONSOLE" -c "$WORK/one/other.json" -e local backup --no-upload --backup-dir "$DIR" \
        >"$OUT" 2>"$ERR" </dev/null
    STATUS=$?
}

source_auto() {
    configured .backup.source '"auto"' && ended 0 &&
        same 'auto 3' "$(jq -r '"\(.options.source) \([.topology_events[] | select(test("none of its replicas"))] | length)"' \
            "$DIR"/*/metadata.json)"
}
it 'backup.source auto of the configuration: the primaries, and the manifest says why' source_auto

large_parts() {
    configured .backup.chunk_bytes 134217728
    ended 2 && grep -q 67108864 "$ERR" && [ -z "$(ls "$DIR")" ]
}
it 'backup.chunk_bytes of the configuration has the same limit' large_parts

# ---- signatures -----------------------------------------------------------------------------------
printf 'the right key\n' >"$WORK/key"
printf 'another key\n' >"$WORK/wrong"
chmod 600 "$WORK/key" "$WORK/wrong"

signed() {
    back_up --sign-key-file "$WORK/key" || return 1
    local from
    for from in "-i $DIR/$ID" "-i $DIR/$ID.tar.gz" "--from-s3 $ID"; do
        # shellcheck disable=SC2086
        restores $from --verify-key-file "$WORK/key" && empty || return 1
        # shellcheck disable=SC2086
        rb restore $from --verify-key-file "$WORK/wrong"
        ended 1 && same 0 "$(on_primaries one dbsize | awk '{ n += $1 } END { print n }')" || return 1
    done
    restores -i "$DIR/$ID"
}
it 'a signed backup is restored by its key only' signed

unsigned() {
    back_up --no-upload --no-dir && empty && rb restore -i "$DIR/$ID.tar.gz" --verify-key-file "$WORK/key"
    ended 1 && grep -q 'not signed' "$ERR" && restores -i "$DIR/$ID.tar.gz"
}
it 'an unsigned one is refused where a key is asked for' unsigned

# Where nothing is noticed nothing may differ; where it is, nothing may have been written.
forged() {
    back_up --no-upload --no-dir --sign-key-file "$WORK/key" && restores -i "$DIR/$ID.tar.gz" || return 1
    local at size byte
    size=$(stat -c %s "$DIR/$ID.tar.gz")
    for ((at = 5; at < size; at += 9970)); do
        cp "$DIR/$ID.tar.gz" "$WORK/bent.tar.gz"
        byte=$(od -An -tu1 -j $at -N 1 "$WORK/bent.tar.gz")
        printf "\\x$(printf %02x $((byte ^ 16)))" |
            dd of="$WORK/bent.tar.gz" bs=1 seek=$at conv=notrunc status=none
        rb restore -i "$WORK/bent.tar.gz" --verify-key-file "$WORK/key" --flush-first --confirm local
        same "$WANTED" "$(digest one)" || { echo "bit at $at, status $STATUS" && return 1; }
    done
}
it 'no flipped bit gets through --flush-first' forged

end_tests
