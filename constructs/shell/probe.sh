#!/bin/sh
# The start of every health script, which busybox httpd runs as CGI: functions that answer and end.

answer() { printf 'Status: %s\r\nContent-Type: text/plain\r\n\r\n%s\n' "$1" "$2"; exit 0; }
ok() { answer '200 OK' "$*"; }
bad() { answer '503 Service Unavailable' "$*"; }
