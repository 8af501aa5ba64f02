#!/bin/sh
# Every start script begins with this. The task itself waits for what it needs, because Nomad does not run prestart
# tasks again when it restarts a task.
#
# BUSYBOX  path of busybox, since the program's image may have no shell
# STATE    file that tells the probe what the script does: "<state> <since, epoch seconds> <text>"

say() { echo "entry: $*" >&2; }
trap 'say "stopped while waiting"; exit 0' TERM INT

# tell STATE TEXT writes the file in one piece. A state that goes on, even across restarts, keeps its time.
tell() {
  was=
  at=
  read -r was at _ 2>/dev/null < "$STATE"
  [ "$was" = "$1" ] || at=$("$BUSYBOX" date +%s)
  echo "$1 $at $2" > "$STATE.part" && "$BUSYBOX" mv "$STATE.part" "$STATE"
}

# Ends the start, until Nomad tries the next one. The reason stays until then.
refuse() {
  say "refuses to start: $*"
  tell refused "$*"
  exit 1
}

# The program begins: of it, each start has its own time.
begin() {
  "$BUSYBOX" rm -f "$STATE"
  tell started "$1"
}

# Calls ready every 5 s until it succeeds, and logs $waiting_for, which ready sets, once a minute.
wait_until_ready() {
  turn=0
  until ready; do
    tell waiting "$waiting_for"
    [ $((turn % 12)) -eq 0 ] && say "waiting for $waiting_for"
    turn=$((turn + 1))
    "$BUSYBOX" sleep 5 &
    wait $!
  done
  trap - TERM INT
}
