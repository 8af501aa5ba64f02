#!/bin/sh
# Every health script begins with this; busybox httpd runs it as CGI. Each of the three functions answers and exits.
# Nomad counts the first two as success, and keeps the text of the last two, so the command can tell waiting from working.
#
# STATE  file in which the start script tells what it does, see entry.sh

answer() { printf 'Status: %s\r\nContent-Type: text/plain\r\n\r\n%s\n' "$1" "$2"; exit 0; }
ok() { answer '200 OK' "$*"; }
# shellcheck disable=SC2317 # not every script waits
waits() { answer '202 Accepted' "$*"; }
bad() { answer '503 Service Unavailable' "$*"; }

# clock SECONDS prints a time since 1970 for people.
clock() { date -u -d "@$1" '+%Y-%m-%d %H:%M UTC'; }

state=
since=0
what=
read -r state since what 2>/dev/null < "$STATE"
