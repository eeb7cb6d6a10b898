#!/usr/bin/env bash
# bench.sh - what rbconsole costs against the raw protocol, on one cluster in one run.
#
# Both sides are measured in turn, ROUNDS times, and the medians are compared: the raw figure itself
# swings with the machine, so only the ratio says something. Needs a quiet machine. Exit 1 when a
# target is missed.
#   make bench [ROUNDS=7] [FLAVORS="redis valkey"] [PARTS="mixed small cost slow upload rate auto"]
set -euo pipefail
cd "$(dirname "$0")/../.."

ROUNDS=${ROUNDS:-7}
FLAVORS=${FLAVORS:-redis valkey}
PARTS=${PARTS:-mixed small cost slow upload rate auto}
work=$(mktemp -d)
# shellcheck source=tests/bench/lib.sh
. tests/bench/lib.sh
# shellcheck source=tests/bench/parts.sh
. tests/bench/parts.sh

end() {
    cluster_down
    rm -rf "$work"
}
trap end EXIT

printf '| server | data | what | rbconsole | reference | ratio | target | |\n|---|---|---|---|---|---|---|---|\n'
for flavor in $FLAVORS; do
    cluster_up "$flavor"
    for part in mixed small cost slow rate auto; do
        case " $PARTS " in *" $part "*) "part_$part" "$flavor" ;; esac
    done
    cluster_down
done
case " $PARTS " in *" upload "*) part_upload redis ;; esac
[ "$missed" -eq 0 ] || { echo "$missed of the targets were missed" >&2; exit 1; }
