#!/bin/sh
# The start of every start script. The task itself waits for what it needs, because a prestart task does not run again
# when the task is restarted.
#
# BUSYBOX  path of busybox, since the image of the program may hold no shell

say() { echo "entry: $*" >&2; }
trap 'say "stopped while waiting"; exit 0' TERM INT

# Calls ready every 5 s until it succeeds, and says once a minute what it waits for: $waiting_for, which ready sets.
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
