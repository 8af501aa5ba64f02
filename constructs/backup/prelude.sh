#!/bin/sh
# Every task of a backup but the last begins with this. It must run in busybox and dash, with programs that the images
# of restic and PostgreSQL both have.
#
# A task that fails writes the reason into the allocation and exits with 0; the tasks after it skip their work, and the
# last one reports to Nomad and fails the allocation. After a failed task Nomad treats the allocation as over and
# refuses the identity of the task that would report it ("allocation is terminal", measured on 2.0.5).
#
# MAX_KILLS  how often the task may be killed before it gives up

set -u
umask 027
export LC_ALL=C TZ=UTC
work=$NOMAD_ALLOC_DIR/data
here=$NOMAD_TASK_DIR
out=$here/out
child=
mkdir -p "$work"
say() { echo "$*"; }
give_up() {
  say "failed: $*"
  echo "$NOMAD_TASK_NAME" > "$work/failed-task"
  printf '%s\n' "$*" > "$work/failed.part" && mv "$work/failed.part" "$work/failed"
  exit 0
}
# try PROGRAM… runs a program so that stopping the task stops it too. Its output is in $out.
try() {
  "$@" > "$out" 2>&1 &
  child=$!
  wait "$child"
  code=$?
  child=
  return "$code"
}
# run PROGRAM… does the same, and logs the output.
run() {
  try "$@"
  cat "$out"
  return "$code"
}
stopped() {
  [ -z "$child" ] || { kill -TERM "$child"; wait "$child"; cat "$out"; }
  say "stopped"
  exit 143
}
trap stopped TERM INT
# The last lines of that output, as one.
last() { tail -n 4 "$out" | tr '\n' ' '; }
# is_one_of NAME NAMES: whether the name is in the list.
is_one_of() {
  for one in $2; do [ "$one" != "$1" ] || return 0; done
  return 1
}
if [ -e "$work/failed" ]; then
  say "skipped, because $(cat "$work/failed-task") failed"
  exit 0
fi
[ -e "$work/started" ] || date +%s > "$work/started"
tries=$(cat "$work/$NOMAD_TASK_NAME.tries" 2>/dev/null || echo 0)
[ "$tries" -lt "$MAX_KILLS" ] || give_up "was killed $MAX_KILLS times before it finished; does it have too little memory?"
echo $((tries + 1)) > "$work/$NOMAD_TASK_NAME.tries"
