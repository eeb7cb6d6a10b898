#!/bin/bash
# make_targets.sh - the operators' short forms of make, with the .env file and the AWS profile that
# they are used to, against a live cluster and a real S3 server.
. "$(dirname "$0")/lib.sh"

labs_up 'one --s3 --replicas 0'
"$LAB" seed 300 --dir "$WORK/one" >/dev/null || bail 'no sample data'
. "$WORK/one/s3.env"
mkdir -p "$HOME/.aws" "$WORK/project"
cat >"$HOME/.aws/credentials" <<EOT
[default]
aws_access_key_id = NOTTHEKEY
aws_secret_access_key = not-the-secret
[toy-root]
aws_access_key_id = $AWS_ACCESS_KEY_ID
aws_secret_access_key = $AWS_SECRET_ACCESS_KEY
EOT
printf '[profile toy-root]\nregion = %s\n' "$AWS_REGION" >"$HOME/.aws/config"
jq --arg work "$WORK" 'del(.storage.s3_uri, .storage.backup_dir) | .state_dir = "\($work)/state"' \
    "$WORK/one/config.json" >"$WORK/project/config.json"
BACKUPS="$WORK/my backups" BUCKET=$S3_BUCKET
# As operators have it: with names that mean nothing to us.
for name in local dev; do
    cat >"$WORK/project/.env.$name" <<EOT
S3_URI=s3://$BUCKET/backup/redis
BACKUP_DIR=$BACKUPS
AWS_PROFILE=toy-root
IP=127.0.0.1
ECR_REPO=util/example
EOT
done
for name in ${!AWS_*} ${!S3_*} MAKEFLAGS MFLAGS MAKELEVEL ENV; do unset "$name"; done
export AWS_SDK_LOAD_CONFIG=1 CONFIG=$WORK/project/config.json
KEYS=$(on_primaries one dbsize | awk '{ n += $1 } END { print n }')
hyperloglogs one >/dev/null
DIGEST=$(digest one)

# short WORDS...: make WORDS with the program that is there, as run.
short() {
    make -s --no-print-directory B="${RBCONSOLE%/*}" -o "$RBCONSOLE" "$@" >"$OUT" 2>"$ERR" </dev/null
    STATUS=$?
}

shorts() { # STATUS WORDS...
    short "${@:2}"
    ended "$1"
}

backs_up() { # ENVIRONMENT KEYS WORDS...
    local found
    shorts 0 "${@:3}" || return 1
    same 3 "$(wc -l <"$OUT")" || return 1
    ID=$(sed -n 's#^Archive: .*/\(redis-backup-.*\)\.tar\.gz$#\1#p' "$OUT")
    found=$(find "$WORK" -path "*/$ID/metadata.json")
    same "$1 $2" "$(jq -r '"\(.env) \(.totals.keys)"' "$found")"
}

backs_up_elsewhere() {
    backs_up local 300 backup-local MATCH='profile:*' CHUNK_KEYS=50 BACKUP_DIR="$WORK/else where" \
        S3_URI="s3://$BUCKET/elsewhere" || return 1
    grep -q "^Archive: $WORK/else where/" "$OUT" && grep -q "^Uploaded: s3://$BUCKET/elsewhere/" "$OUT" &&
        same true "$(jq .filtered "$WORK/else where/$ID/metadata.json")" &&
        [ "$(ls "$WORK/else where/$ID/keys" | wc -l)" -ge 6 ]
}

lists() { # LINES WORDS...
    shorts 0 "${@:2}" && same "$1" "$(wc -l <"$OUT")" && ! grep -q -v -P '^[^\t]+\t[^\t]+\t[^\t]+$' "$OUT"
}

restores() { # WORDS...
    on_primaries one flushall >/dev/null
    shorts 0 "$@" && same "$DIGEST" "$(digest one)"
}

restores_some() {
    on_primaries one flushall >/dev/null
    shorts 0 restore-latest-local MATCH='user:1?' TTL=none &&
        same "10 -1" "$(on_primaries one dbsize | awk '{ n += $1 } END { print n }') $(node one 0 -c pttl user:12 </dev/null)"
}

verifies() { # WORDS...
    shorts 0 "$@" && grep -q 'differs=0 missing=0' "$OUT"
}

it 'make backup-local uses .env.local and its profile' backs_up local "$KEYS" backup-local
FIRST=$ID
it 'make backup-local-profile AWS_PROFILE=…' backs_up local "$KEYS" backup-local-profile AWS_PROFILE=toy-root
it 'make dev-backup MATCH=… CHUNK_KEYS=…' backs_up dev 300 dev-backup 'MATCH=user:*' CHUNK_KEYS=100
it 'a wrong profile is said with status 2 from make' shorts 2 backup-local AWS_PROFILE=default
it 'make backup-local BACKUP_DIR=… S3_URI=…, quoted as they need' backs_up_elsewhere
it 'make list-backups-local' lists 7 list-backups-local
it 'make list-backups-profile' lists 7 list-backups-profile
it 'make verify-local INPUT_DIR=… SAMPLE=…' verifies verify-local INPUT_DIR="$BACKUPS/$FIRST" SAMPLE=500
it 'make dev-verify INPUT_DIR=…' verifies dev-verify INPUT_DIR="$BACKUPS/$FIRST"
it 'make verify-local without INPUT_DIR says what is missing' shorts 2 verify-local
it 'make restore-latest-local' restores restore-latest-local
it 'make restore-latest-profile' restores restore-latest-profile
it 'make restore-id-local BACKUP_ID=…' restores restore-id-local BACKUP_ID="$FIRST"
it 'make restore-id-local without BACKUP_ID says what is missing' shorts 2 restore-id-local
it 'make restore-latest-local MATCH=… TTL=none' restores_some
end_tests
