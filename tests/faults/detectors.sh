#!/bin/bash
# detectors.sh - the tests of faults 2 to 7, 13 and 14 against builds in which a detector is switched
# off (core/base/detector.h): each must fail there, else it proves nothing. Prints TAP.
#   tests/faults/detectors.sh [BUILD-DIRECTORY]      after `make off-programs`
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${1:-build/release}
LOGS=$BUILD/test-logs/off
mkdir -p "$LOGS"
count=0 bad=0

# Detector | fault | program | the test that must fail
TABLE='
ROLE|3|core/backup/test_detectors|a_demotion_is_noticed_within_one_batch
RUN_ID|4|core/backup/test_detectors|another_process_behind_the_connection_is_read_from_the_start
MAP|5|core/backup/test_detectors|a_slot_that_left_before_it_was_read_is_read_at_its_new_owner
EPOCH|6|core/backup/test_detectors|a_raised_epoch_means_that_slots_may_have_been_away
OPEN|7|core/backup/test_detectors|a_slot_that_was_open_is_read_again
DIRTY|5|core/backup/test_detectors|a_slot_that_left_before_it_was_read_is_read_at_its_new_owner
CLAIM|13|core/restore/test_stream_claim|a_claim_that_differs_from_what_was_asked_fails
CLAIM|13|core/restore/test_stream_claim|a_stream_that_was_not_claimed_whole_fails_and_leaves_nothing
EVICTED|14|core/restore/it_restore_limits|a_server_that_evicts_meanwhile_fails_the_restore
ALL|2|core/backup/it_backup|a_killed_primary_is_read_again_on_its_replica
ALL|3|core/backup/it_backup|a_demoted_primary_is_noticed_while_it_still_answers
ALL|4|core/backup/it_backup_moves|a_node_that_restarts_is_read_again_from_the_start
ALL|5|core/backup/it_backup_moves|slots_that_move_to_a_node_already_read_are_read_there
ALL|6|core/backup/it_backup_moves|a_slot_that_never_rests_makes_the_backup_incomplete
ALL|7|core/backup/it_backup|an_open_slot_makes_the_backup_incomplete
ALL|7|core/backup/it_backup_moves|a_migration_left_open_is_named_and_its_end_makes_it_whole
'

result() { # STATUS NAME
    count=$((count + 1))
    [ "$1" = 0 ] || bad=$((bad + 1))
    printf '%s %d - %s\n' "$([ "$1" = 0 ] && echo ok || echo 'not ok')" $count "$2"
}

while IFS='|' read -r detector fault program name; do
    [ -n "$detector" ] || continue
    dir=$BUILD/off/$detector log=$LOGS/$detector-${program##*/}.log
    # One run of a program serves all rows about it.
    if [ "${ran:-}" != "$detector $program" ]; then
        ran="$detector $program"
        off=$BUILD/rbconsole
        [ ! -x "$dir/rbconsole" ] || off=$dir/rbconsole
        RBCONSOLE=$off CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 10 600 "$dir/$program" >"$log" 2>&1 </dev/null
    fi
    grep -qE "^not ok [0-9]+ - $name\$" "$log"
    result $? "detector $detector off: fault $fault is missed, as it must be ($name)"
done <<<"$TABLE"
echo "1..$count"
[ $bad = 0 ]
