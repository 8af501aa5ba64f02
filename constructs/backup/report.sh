#!/bin/sh
# The last task of every job: writes the result to Nomad variables, and fails the allocation when something failed.
#
# The tasks before it leave files in the allocation: failed and failed-task; or sets, with a line for each set; or
# checks, with a line for each thing that was checked; and snapshots, the list of everything in the repository. The
# hourly job may leave sets beside failed: each set that is good has a variable of its own, so that a bad one neither
# hides another nor is hidden by it.
#
# JOB            ID of the job
# NAMESPACE      of the variables
# DONE, FAILED   variables for a good end and for a failure
# SET_RESULTS    folder of the sets' variables, which only the hourly job writes; otherwise empty
# SNAPSHOT_LIST  variable for the list of snapshots
# ADDS_SNAPSHOT  whether the result names the snapshot that was made just before: the database that belongs to a copy

set -u
export LC_ALL=C TZ=UTC
work=$NOMAD_ALLOC_DIR/data
here=$NOMAD_TASK_DIR
say() { echo "$*"; }
trap 'exit 143' TERM INT
# Prints standard input as a JSON string, without what is not ASCII.
json() {
  tr '\t' ' ' | tr -cd '\12\40-\176' | sed 's/\\/\\\\/g; s/"/\\"/g' |
    awk 'BEGIN { printf "\"" } { printf "%s%s", sep, $0; sep = "\\n" } END { printf "\"" }'
}
identity="X-Nomad-Token: $NOMAD_TOKEN"
# put PATH ITEMS writes a variable.
put() {
  path=$1
  printf '{"Namespace":"%s","Path":"%s","Items":%s}' "$NAMESPACE" "$path" "$2" > "$here/body"
  for _ in 1 2 3 4 5 6; do
    if wget -q -T 30 -O "$here/answer" --header "$identity" --post-file "$here/body" \
      "$NOMAD_API/v1/var/$path?namespace=$NAMESPACE" 2> "$here/refusal"; then
      say "wrote the Nomad variable $path"
      return 0
    fi
    say "cannot write the Nomad variable $path at $NOMAD_API: $(tail -n 1 "$here/refusal")"
    case $(cat "$here/refusal") in
      *403*) say "the job needs an ACL policy of its own for that; see ansible/roles/nomad_server"; return 1 ;;
    esac
    sleep "${REPORT_PAUSE:-10}"
  done
  return 1
}
# No unencrypted dump stays on the machine's disk.
rm -rf "$work/stage" "$work/drill" "$work/load"
at=$(date +%Y-%m-%dT%H:%M:%SZ)
started=$(cat "$work/started" 2>/dev/null || date +%s)
seconds=$(($(date +%s) - started))
status=0
if [ -s "$work/snapshots" ]; then
  # A variable holds 64 KiB.
  put "$SNAPSHOT_LIST" "{\"list\":$(head -c 60000 "$work/snapshots" | json)}" || status=1
fi
if [ -n "$SET_RESULTS" ] && [ -e "$work/sets" ]; then
  while read -r set rest; do
    put "$SET_RESULTS/$set" "{\"at\":\"$at\",\"set\":$(echo "$set $rest" | json)}" || status=1
  done < "$work/sets"
fi
if [ "$ADDS_SNAPSHOT" = true ]; then
  case ${NOMAD_META_snapshot:-} in
    "" | *[!0-9a-f]*) ;;
    *) [ ! -e "$work/sets" ] || sed -i "s/$/ snapshot=$NOMAD_META_snapshot/" "$work/sets" ;;
  esac
fi
if [ ! -e "$work/failed" ] && [ ! -e "$work/sets" ] && [ ! -e "$work/checks" ]; then
  echo "was stopped before it finished" > "$work/failed"
  echo "$JOB" > "$work/failed-task"
fi
if [ -e "$work/failed" ]; then
  put "$FAILED" "{\"at\":\"$at\",\"task\":$(json < "$work/failed-task"),\"message\":$(head -c 4000 "$work/failed" | json)}"
  say "$(cat "$work/failed-task") failed: $(cat "$work/failed")"
  exit 1
fi
name=sets
[ -e "$work/sets" ] || name=checks
put "$DONE" "{\"at\":\"$at\",\"seconds\":\"$seconds\",\"$name\":$(head -c 50000 "$work/$name" | json)}" || status=1
cat "$work/$name"
exit $status
