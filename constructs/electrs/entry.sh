#!/bin/sh
# Waits for bitcoind, then becomes electrs.
#
# BUSYBOX        path of busybox
# CONFIG         path of electrs.toml
# ADDRESSES      file with the addresses of bitcoind for RPC and, where it is needed, for P2P: one instance a line
# P2P_OPTION     option for the address of P2P; empty when electrs needs none
# MISSING_VALUE  what a line begins with that has no secret to hold

missing=$("$BUSYBOX" grep "^$MISSING_VALUE" "$CONFIG") && refuse "$missing"

# Both addresses are of one instance; the one that is tried opens last. An instance that does not answer is passed over.
ready() {
  waiting_for=
  while read -r rpc p2p; do
    address=${p2p:-$rpc}
    waiting_for="${waiting_for:+$waiting_for or }bitcoind at $address"
    "$BUSYBOX" nc -z -w 5 "${address%:*}" "${address##*:}" </dev/null 2>/dev/null && return
  done < "$ADDRESSES"
  waiting_for=${waiting_for:-bitcoind at an address that Nomad does not know yet}
  return 1
}
wait_until_ready

begin "$rpc"
set -- --skip-default-conf-files --conf "$CONFIG" --daemon-rpc-addr "$rpc"
[ -z "$P2P_OPTION" ] || set -- "$@" "$P2P_OPTION" "$p2p"
exec electrs "$@"
