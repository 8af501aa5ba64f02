#!/bin/sh
# The start of every task of a backup but the last. For busybox and dash alike, with programs that both the image of
# restic and that of PostgreSQL have.
#
# A task that fails writes why into the allocation and ends with 0; the tasks after it then do nothing, and the last one
# tells Nomad and fails the allocation. With one failed task the allocation is over for Nomad at once, and it refuses
# the identity of the task that would tell of it ("allocation is terminal", measured on 2.0.5).
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
# Runs a program so that a stop of the task reaches it. What it says is in $out.
try() {
  "$@" > "$out" 2>&1 &
  child=$!
  wait "$child"
  code=$?
  child=
  return "$code"
}
# The same, and in the log.
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
# The last lines of what `run` ran said, as one.
last() { tail -n 4 "$out" | tr '\n' ' '; }
# is_one_of NAME NAMES
is_one_of() {
  for one in $2; do [ "$one" != "$1" ] || return 0; done
  return 1
}
if [ -e "$work/failed" ]; then
  say "does nothing, since $(cat "$work/failed-task") failed"
  exit 0
fi
[ -e "$work/started" ] || date +%s > "$work/started"
tries=$(cat "$work/$NOMAD_TASK_NAME.tries" 2>/dev/null || echo 0)
[ "$tries" -lt "$MAX_KILLS" ] || give_up "was killed $MAX_KILLS times before it ended; has it too little memory?"
echo $((tries + 1)) > "$work/$NOMAD_TASK_NAME.tries"
