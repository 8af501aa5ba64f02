#!/bin/sh
# Answers 503 when the node has not run for GRACE, counted from the program's start or from when it was last seen
# running; or when electrs has moved to another address, since the hub reads that only at its start. A NAS or a database
# that is away for a few minutes must not restart the hub.
#
# STATE, SEEN, ADDRESS_FILE, AUTO_UNLOCK  as in entry.sh
# HTTP_PORT                               port of the hub inside the group's network
# GRACE                                   in seconds

read -r state since electrs < "$STATE" || state=waiting
[ "$state" = started ] || ok 'waiting for electrs'
info=$(wget -q -T 5 -O - "http://127.0.0.1:$HTTP_PORT/api/info" | tr -d ' ')
case $info in
  *'"running":true'*) runs=yes ;;
  *'"setupCompleted":false'*) ok 'set-up is open to whoever comes first' ;;
  *'"setupCompleted":true'*) [ "$AUTO_UNLOCK" = true ] || ok 'locked: its owner unlocks it by hand' ;;
esac
current=$(cat "$ADDRESS_FILE")
[ -z "$current" ] || [ "$current" = "$electrs" ] || bad "electrs moved from $electrs to $current"
[ -z "$runs" ] || { date +%s > "$SEEN"; ok 'the Lightning node is running'; }
seen=$(cat "$SEEN" 2>/dev/null)
[ "${seen:-0}" -gt "$since" ] && since=$seen
[ $(($(date +%s) - since)) -ge "$GRACE" ] || ok 'the Lightning node is not running yet, or stopped a moment ago'
bad 'the Lightning node is not running'
