#!/bin/sh
# Dumps each database, and counts its rows, both in one snapshot of it: the dump and the manifest `ROWS` agree whatever
# is written meanwhile. One that fails is noted in `problems`, for the task that comes next, and its dump is not left.
#
# A database without a table is one that fails: it has been lost, or has just been made to restore into, and as the newest
# good backup it would be what is restored.
#
# DATABASES  set|address|port|name|user|tls|key|schema: the key of its password, and its one schema that is taken, or nothing

rm -f "$work/problems"
{
  cat <<'SQL'
begin isolation level repeatable read read only;
set local idle_in_transaction_session_timeout = 0;
select pg_export_snapshot() as snapshot \gset
\setenv SNAPSHOT :snapshot
\! sh "$PULL" && : > "$STAGED/dumped"
\o :rows
SQL
  count_rows
  cat <<'SQL'
\o
commit;
SQL
} > "$here/dump.sql"
cat > "$here/pull" <<'PULL'
exec pg_dump --format=custom --snapshot="$SNAPSHOT" --lock-wait-timeout=120000 ${SCHEMA:+--schema="$SCHEMA"} \
  --file="$STAGED/database.dump"
PULL
export PULL="$here/pull" STAGED SCHEMA
# dump SET SCHEMA, of the database that is connected. The reason why it cannot is in $why.
dump() {
  STAGED=$work/stage/$1
  SCHEMA=$2
  rm -rf "$STAGED"
  mkdir -p "$STAGED"
  run psql -X -q -A -t -v ON_ERROR_STOP=1 -v schema="$SCHEMA" -v rows="$STAGED/ROWS" -f "$here/dump.sql" || { why="cannot dump $PGDATABASE: $(last)"; return 1; }
  [ -e "$STAGED/dumped" ] || { why="pg_dump of $PGDATABASE failed: $(last)"; return 1; }
  rm "$STAGED/dumped"
  [ -s "$STAGED/ROWS" ] ||
    { why="the database $PGDATABASE holds no table${SCHEMA:+ in the schema $SCHEMA}: it has not been used yet, or it was lost; an empty one is no backup"; return 1; }
  say "$1: dumped $PGDATABASE, $(wc -c < "$STAGED/database.dump") bytes, $(wc -l < "$STAGED/ROWS") tables"
}
while IFS='|' read -r set address port name user tls key schema <&3; do
  connect "$address" "$port" "$name" "$user" "$tls" "$key" && dump "$set" "$schema" && continue
  say "failed: $set: $why"
  echo "$set: $why" >> "$work/problems"
  rm -rf "$work/stage/$set"
done 3<<TABLE
$DATABASES
TABLE
