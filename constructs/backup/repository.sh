#!/bin/sh
# Opens the repository, whichever it is: the secrets of its place are read into the environment.
#
# REPOSITORY_PASSWORD_NAME  key of the secret that restic reads as a file
# REPOSITORY_KEYS           environment variables, each of which is a secret of its name

secret "$REPOSITORY_PASSWORD_NAME" || give_up "$why"
for key in $REPOSITORY_KEYS; do
  secret "$key" || give_up "$why"
  export "$key=$value"
done
unset value
mkdir -p "$RESTIC_CACHE_DIR"
# One snapshot a line, of what restic listed.
one_a_line() { tr -d '\n' < "$here/list" | sed 's/"short_id":"\([0-9a-f]*\)"}/&\n/g' | grep '"short_id"'; }
# Where the files of a snapshot are, in it.
path_of() { one_a_line | grep -F '"short_id":"'"$1"'"' | sed 's/^.*"paths":\["\([^"]*\)"\].*$/\1/'; }
# snapshots SET: newest first, one a line: ID, time, set, bytes. Of all sets when the name is empty.
snapshots() {
  restic snapshots --no-lock --json --host homelab ${1:+--tag "$1"} > "$here/list" || return 1
  one_a_line | sed \
    -e 's/^.*"time":"\([0-9T:-]*\)[^"]*".*"tags":\["\([^"]*\)".*"short_id":"\([0-9a-f]*\)"}$/\3 \1Z \2 &/' \
    -e 's/^\([^ ]* [^ ]* [^ ]*\) .*"total_bytes_processed":\([0-9]*\).*$/\1 \2/' \
    -e 's/^\([^ ]* [^ ]* [^ ]*\) [^0-9].*$/\1 0/' | sort -r -k 2,2
}
