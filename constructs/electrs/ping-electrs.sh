#!/bin/sh
# ping_electrs HOST PORT succeeds when electrs answers server.ping with null, which it only does once its index is
# complete. The pause keeps the connection open until the answer has arrived.
#
# BUSYBOX  path of busybox

ping_electrs() {
  { echo '{"id":1,"method":"server.ping","params":[]}'; "$BUSYBOX" sleep 2; } |
    "$BUSYBOX" timeout 8 "$BUSYBOX" nc "$1" "$2" 2>/dev/null | "$BUSYBOX" grep -q '"result": *null'
}
