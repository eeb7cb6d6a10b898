#!/bin/bash
# backup_upload.sh - the upload fails, the backup on disk does not: its job is resumed, and sends what
# is there without reading a key again. Killed in the middle, it leaves no half upload behind.
. "$(dirname "$0")/lib.sh"

labs_up 'single --single --s3'
# shellcheck disable=SC1091
. "$WORK/single/s3.env"
RIGHT=$AWS_SECRET_ACCESS_KEY
LOCAL=$WORK/backups
NOW=(-c "$WORK/single/config.json")
"$LAB" seed 2000 --dir "$WORK/single" >/dev/null || bail 'no sample data'

readings() { # of the job: how often a node was read in all its runs
    grep -c '"line":"pass"' "$WORK/single/state/jobs/$1/parts.jsonl"
}

only_the_upload_fails() {
    export AWS_SECRET_ACCESS_KEY=wrong
    run "${NOW[@]}" backup --backup-dir "$LOCAL"
    export AWS_SECRET_ACCESS_KEY=$RIGHT
    [ "$STATUS" != 0 ] && grep -q '^Archive: ' "$OUT" && ! grep -q '^Uploaded: ' "$OUT" &&
        grep -q 'go on with: rbconsole -e local backup --resume B-0001' "$ERR" &&
        same '' "$("$RBCONSOLE" "${NOW[@]}" list --s3)"
}

# Nobody listens there: an outage of the bucket, not of the servers.
bucket_is_out_of_reach() {
    sed 's#"endpoint_url": "[^"]*"#"endpoint_url": "http://127.0.0.1:9"#' "$WORK/single/config.json" \
        >"$WORK/single/away.json"
    (unset AWS_ENDPOINT_URL && "$RBCONSOLE" -c "$WORK/single/away.json" backup --backup-dir "$LOCAL" \
        >"$OUT" 2>"$ERR" </dev/null)
    STATUS=$?
    ended 6 && grep -q '^Archive: ' "$OUT" && grep -q 'backup --resume B-' "$ERR" &&
        runs 0 "${NOW[@]}" backup --resume "$("$RBCONSOLE" "${NOW[@]}" jobs --json | jq -r '.jobs[0].id')" &&
        grep -q '^Uploaded: ' "$OUT"
}

resumed_it_only_uploads() {
    runs 0 "${NOW[@]}" backup --resume B-0001 && grep -q '^Uploaded: ' "$OUT" &&
        same 1 "$(readings B-0001)" && runs 0 "${NOW[@]}" verify --from-s3 latest --full
}

nothing_is_left_to_do() {
    runs 4 "${NOW[@]}" backup --resume B-0001
}

damaged_meanwhile_it_is_not_uploaded() {
    local archive
    export AWS_SECRET_ACCESS_KEY=wrong
    run "${NOW[@]}" backup --backup-dir "$LOCAL"
    export AWS_SECRET_ACCESS_KEY=$RIGHT
    archive=$(sed -n 's/^Archive: //p' "$OUT")
    printf 'X' | dd of="$archive" bs=1 seek=3000 conv=notrunc status=none
    run "${NOW[@]}" backup --resume B-0002
    [ "$STATUS" = 1 ] && ! grep -q '^Uploaded: ' "$OUT" &&
        ! "$RBCONSOLE" "${NOW[@]}" list --s3 | grep -q "$(basename "$archive")"
}

a_third_is_read() {
    [ "$(wc -l <"$WORK/single/state/jobs/B-0003/parts.jsonl")" -gt 20 ]
}

killed_while_it_uploads() {
    "$RBCONSOLE" "${NOW[@]}" backup --backup-dir "$LOCAL" --chunk-keys 100 --rate 3000 \
        >/dev/null 2>&1 </dev/null &
    within 30 a_third_is_read || return 1
    kill -KILL $!
    wait $! 2>/dev/null
    runs 0 "${NOW[@]}" backup --resume B-0003 && grep -q '^Uploaded: ' "$OUT" &&
        runs 0 "${NOW[@]}" verify --from-s3 latest --full
}

streamed_nothing_is_kept() {
    "$RBCONSOLE" "${NOW[@]}" backup --stream --chunk-keys 100 --rate 3000 >/dev/null 2>&1 </dev/null &
    within 30 test -e "$WORK/single/state/jobs/B-0004/progress.json" || return 1
    kill -KILL $!
    wait $! 2>/dev/null
    runs 2 "${NOW[@]}" backup --resume B-0004 && grep -q 'streamed' "$ERR"
}

it 'an upload that is refused leaves the backup on disk' only_the_upload_fails
it 'resumed, the job uploads it and reads nothing again' resumed_it_only_uploads
it 'then there is nothing to resume' nothing_is_left_to_do
it 'an archive that was damaged meanwhile is not uploaded' damaged_meanwhile_it_is_not_uploaded
it 'killed while it uploads, it is resumed and uploads all' killed_while_it_uploads
it 'of a streamed backup there is nothing to resume' streamed_nothing_is_kept
it 'a bucket out of reach: status 6, and the job is resumed' bucket_is_out_of_reach
end_tests
