#!/bin/sh
# Calls for a restart when electrs has answered since its start, and then nothing for SILENCE. An index that is being made
# is silent too, for minutes at a time, and must not be interrupted: before its first answer nothing is asked of it.
# See https://github.com/romanz/electrs/issues/1327
#
# STATE, ANSWERED  as in health.sh
# SILENCE          in seconds

answered=$(cat "$ANSWERED" 2>/dev/null)
[ "$state" != refused ] || bad "refuses to start: $what"
{ [ "$state" = started ] && [ "${answered:-0}" -gt "$since" ]; } || ok 'has not been ready since its start'
[ $(($(date +%s) - answered)) -lt "$SILENCE" ] || bad "silent since $(clock "$answered"), was ready before"
ok 'has answered a moment ago'
