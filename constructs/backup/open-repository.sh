#!/bin/sh
# Opens the repository: exports the secrets that its storage needs.
#
# REPOSITORY_PASSWORD_NAME  key of the secret that restic reads as a file
# REPOSITORY_KEYS           environment variables, each with a secret of its name

secret "$REPOSITORY_PASSWORD_NAME" || give_up "$why"
for key in $REPOSITORY_KEYS; do
  secret "$key" || give_up "$why"
  export "$key=$value"
done
unset value
mkdir -p "$RESTIC_CACHE_DIR"
# The snapshots that restic listed, one per line.
one_a_line() { tr -d '\n' < "$here/list" | sed 's/"short_id":"\([0-9a-f]*\)"}/&\n/g' | grep '"short_id"'; }
# path_of ID prints the path of the files inside a snapshot.
path_of() { one_a_line | grep -F '"short_id":"'"$1"'"' | sed 's/^.*"paths":\["\([^"]*\)"\].*$/\1/'; }
# snapshots SET prints the snapshots of a set, or of all if the name is empty, newest first: ID, time, set, bytes.
snapshots() {
  restic snapshots --no-lock --json --host homelab ${1:+--tag "$1"} > "$here/list" || return 1
  one_a_line | sed \
    -e 's/^.*"time":"\([0-9T:-]*\)[^"]*".*"tags":\["\([^"]*\)".*"short_id":"\([0-9a-f]*\)"}$/\3 \1Z \2 &/' \
    -e 's/^\([^ ]* [^ ]* [^ ]*\) .*"total_bytes_processed":\([0-9]*\).*$/\1 \2/' \
    -e 's/^\([^ ]* [^ ]* [^ ]*\) [^0-9].*$/\1 0/' | sort -r -k 2,2
}
