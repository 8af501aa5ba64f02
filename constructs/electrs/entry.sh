#!/bin/sh
# Waits for bitcoind, then becomes electrs.
#
# BUSYBOX        path of busybox
# CONFIG         path of electrs.toml
# ADDRESS_KEY    key in there of the bitcoind address that takes connections last
# MISSING_VALUE  what a line begins with that has no secret to hold

"$BUSYBOX" grep "^$MISSING_VALUE" "$CONFIG" >&2 && exit 1

ready() {
  address=$("$BUSYBOX" sed -n 's/^'"$ADDRESS_KEY"' = "\(.*\)"$/\1/p' "$CONFIG")
  waiting_for="bitcoind at ${address:-an address that Nomad does not know yet}"
  [ -n "$address" ] && "$BUSYBOX" nc -z -w 5 "${address%:*}" "${address##*:}" 2>/dev/null
}
wait_until_ready

exec electrs --skip-default-conf-files --conf "$CONFIG"
