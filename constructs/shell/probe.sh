#!/bin/sh
# Every health script begins with this; busybox httpd runs it as CGI. Each function answers and exits.

answer() { printf 'Status: %s\r\nContent-Type: text/plain\r\n\r\n%s\n' "$1" "$2"; exit 0; }
ok() { answer '200 OK' "$*"; }
bad() { answer '503 Service Unavailable' "$*"; }
