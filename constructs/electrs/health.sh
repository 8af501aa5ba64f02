#!/bin/sh
# Answers whether the index is complete, and what electrs does while it is not.
#
# STATE          as in entry.sh
# ANSWERED       file with the time at which it last answered, in epoch seconds
# ELECTRUM_PORT  port of electrs inside the group's network

if ping_electrs 127.0.0.1 "$ELECTRUM_PORT"; then
  date +%s > "$ANSWERED"
  ok 'the index is complete'
fi
answered=$(cat "$ANSWERED" 2>/dev/null)
case $state in
  refused) bad "refuses to start: $what" ;;
  started) ;;
  *) bad "not ready: waiting since $(clock "$since") for ${what:-its start}" ;;
esac
[ -n "$answered" ] || bad "not ready: indexing since $(clock "$since")"
[ "$answered" -gt "$since" ] || bad "not ready since its start at $(clock "$since"), and was ready until $(clock "$answered")"
bad "silent since $(clock "$answered"), was ready before"
