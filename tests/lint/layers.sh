#!/bin/bash
# layers.sh - who may include what (docs/: rules R1 to R4), checked against the Makefile's own DEPS.
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0

complain() {
    echo "$*"
    bad=1
}

# Every '#include "..."' of a folder must lie in the folder itself or in one that DEPS names.
while IFS=: read -r folder deps; do
    [ -d "$folder" ] || continue
    while IFS=: read -r file line include; do
        include=${include#*\"}
        include=${include%%\"*}
        case $include in
        core/* | tui/* | views/*) ;;
        *) complain "$file:$line: include our headers by their full path, not \"$include\"" && continue ;;
        esac
        of=${include%/*}
        case $of in views/*) of=views ;; esac
        case " $folder $deps " in
        *" $of "*) ;;
        *) complain "$file:$line: $folder must not know $of ($include)" ;;
        esac
        case $folder:$include in
        *:core/jobs/task.h) ;;
        core/jobs:* | core/monitor:* | views:*) ;;
        core/*:core/jobs/*) complain "$file:$line: $folder sees of core/jobs only task.h" ;;
        esac
    done < <(find "$folder" -name '*.[ch]' -exec grep -HnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' {} +)
done < <(make -s list-layers)

# Which folders may use which library: everybody else must not include its headers.
library() { # HEADERS FOLDER...
    local headers=$1 allowed
    shift
    allowed=$(printf '%s\n' "$@" | sed 's#^#^#; s#$#/#' | paste -sd'|')
    hits=$(grep -rnE "^[[:space:]]*#[[:space:]]*include[[:space:]]*<($headers)" core tui views --include='*.[ch]' |
        grep -vE "$allowed")
    [ -z "$hits" ] || complain "$hits
    only in: $*"
}
library 'n?curses|panel\.h|term\.h' tui
library 'hiredis' core/redis
library 'curl/' core/s3
library 'expat' core/s3
library 'archive' core/codec
library 'zlib|libdeflate' core/codec
library 'openssl/' core/net core/s3 core/codec core/jobs
library 'xxhash' core/record core/value core/diff

exit $bad
