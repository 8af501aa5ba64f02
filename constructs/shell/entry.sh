#!/bin/sh
# Every start script begins with this. The task itself waits for what it needs, because Nomad does not run prestart
# tasks again when it restarts a task.
#
# BUSYBOX  path of busybox, since the program's image may have no shell

say() { echo "entry: $*" >&2; }
trap 'say "stopped while waiting"; exit 0' TERM INT

# Calls ready every 5 s until it succeeds, and logs $waiting_for, which ready sets, once a minute.
wait_until_ready() {
  turn=0
  until ready; do
    [ $((turn % 12)) -eq 0 ] && say "waiting for $waiting_for"
    turn=$((turn + 1))
    "$BUSYBOX" sleep 5 &
    wait $!
  done
  trap - TERM INT
}
