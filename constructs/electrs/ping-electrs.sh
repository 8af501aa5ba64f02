#!/bin/sh
# ping_electrs HOST PORT succeeds when electrs answers server.ping with null, which it does only when its index is
# complete. The pause holds the connection open until the answer is here.
#
# BUSYBOX  path of busybox

ping_electrs() {
  { echo '{"id":1,"method":"server.ping","params":[]}'; "$BUSYBOX" sleep 2; } |
    "$BUSYBOX" timeout 8 "$BUSYBOX" nc "$1" "$2" 2>/dev/null | "$BUSYBOX" grep -q '"result": *null'
}
