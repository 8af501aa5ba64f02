#!/bin/sh
# connect ADDRESS PORT NAME USER TLS KEY logs in to a database with a secret, and checks the version of its server. When
# it fails, the reason is in $why.

connect() {
  secret "$6" || return 1
  export PGHOST="$1" PGPORT="$2" PGDATABASE="$3" PGUSER="$4" PGSSLMODE="$5" PGPASSWORD="$value"
  export PGCONNECT_TIMEOUT=10 PGAPPNAME=homelab-backup
  server=$(ask -c "select current_setting('server_version_num')::int / 10000" 2> "$out") ||
    { why="cannot reach the database $PGDATABASE of $PGUSER at $PGHOST:$PGPORT: $(last)"; return 1; }
  mine=$(pg_dump --version | sed 's/^.* \([0-9]*\)\..*$/\1/')
  [ "$server" = "$mine" ] && return
  why="the server at $PGHOST:$PGPORT is PostgreSQL $server, and this image has $mine: set postgresImage to one of PostgreSQL $server, such as postgres:$server"
  return 1
}
