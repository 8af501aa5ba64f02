#!/bin/sh
# Answers 503 when the hub refuses to start, when the node has not run in time, or when electrs has moved to another
# address, since the hub reads that only at its start. A NAS or a database that is away for a few minutes must not
# restart the hub. What it waits for with reason, it is waiting for: no restart would bring it.
#
# The time is GRACE, counted from the program's start or from when the node was last seen running. Each start in a row
# that was too slow doubles it, up to LONGEST, so a node that needs longer is not restarted for ever. A node that then
# ran, and had needed longer than GRACE, keeps the longer time.
#
# STATE, SEEN, ADDRESS_FILE, AUTO_UNLOCK  as in entry.sh
# LATE                                    file with "<starts that were too slow> <the last of them, epoch seconds>"
# HTTP_PORT                               port of the hub inside the group's network
# GRACE, LONGEST, CHECKING                in seconds; CHECKING is for the checks of volume and secrets

now=$(date +%s)
case $state in
  refused) bad "refuses to start: $what" ;;
  started) electrs=$what ;;
  checking)
    [ $((now - since)) -lt "$CHECKING" ] || bad "checks $what since $(clock "$since") and comes to no end"
    waits "checks $what"
    ;;
  *) waits "waiting since $(clock "${since:-0}") for ${what:-its start}" ;;
esac
info=$(wget -q -T 5 -O - "http://127.0.0.1:$HTTP_PORT/api/info" | tr -d ' ')
runs=
case $info in
  *'"running":true'*) runs=yes ;;
  *'"setupCompleted":false'*) waits 'set-up is open to whoever comes first' ;;
  *'"setupCompleted":true'*) [ "$AUTO_UNLOCK" = true ] || waits 'locked: its owner unlocks it by hand' ;;
esac
known=$(tr '\n' ' ' < "$ADDRESS_FILE")
case " $known" in
  ' ' | *" $electrs "*) ;;
  *) bad "electrs moved from $electrs to ${known% }" ;;
esac
slow=0
last=
read -r slow last 2>/dev/null < "$LATE"
seen=$(cat "$SEEN" 2>/dev/null)
from=$since
[ "${seen:-0}" -lt "$since" ] || from=$seen
if [ -n "$runs" ]; then
  [ "$from" != "$since" ] || [ $((now - since)) -gt "$GRACE" ] || rm -f "$LATE"
  echo "$now" > "$SEEN"
  ok 'the Lightning node is running'
fi
if [ "$from" != "$since" ]; then
  [ $((now - from)) -ge "$GRACE" ] || waits "the Lightning node has not been running since $(clock "$from")"
  bad "the Lightning node has not been running since $(clock "$from")"
fi
[ "$last" != "$since" ] || slow=$((slow - 1))
limit=$GRACE
doubled=0
while [ "$doubled" -lt "$slow" ] && [ "$limit" -lt "$LONGEST" ]; do
  doubled=$((doubled + 1))
  limit=$((limit * 2))
  [ "$limit" -le "$LONGEST" ] || limit=$LONGEST
done
# homelab status reads these words: the start of a program that is restarted again and again says too little.
ran='last ran before this allocation'
[ -z "$seen" ] || ran="last ran $(clock "$seen")"
starting="the Lightning node is starting since $(clock "$since"); $ran"
remedy="is restarted after $limit s; startDeadline is $GRACE s"
[ "$slow" -le 0 ] || remedy="$remedy, and $slow starts before this one took longer: raise startDeadline"
[ $((now - since)) -ge "$limit" ] || waits "$starting; it $remedy"
[ "$last" = "$since" ] || echo "$((slow + 1)) $since" > "$LATE"
bad "the Lightning node did not run within $limit s of its start; $ran; the next start gets longer, and if it is only slow, raise startDeadline ($GRACE s)"
