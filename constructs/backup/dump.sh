#!/bin/sh
# Dumps each database and counts its rows in the same transaction snapshot: the dump and its manifest, ROWS, agree
# whatever is written meanwhile. A failure is recorded in the file problems for the next task, and leaves no dump.
#
# A database without tables is a failure: it was lost, or was just created to restore into, and as the newest good
# backup it would be the one that gets restored.
#
# DATABASES  set|address|port|name|user|tls|key|schema: the key of its password, and the only schema to dump, if not all

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
# dump SET SCHEMA dumps the connected database. When it fails, the reason is in $why.
dump() {
  STAGED=$work/stage/$1
  SCHEMA=$2
  rm -rf "$STAGED"
  mkdir -p "$STAGED"
  run psql -X -q -A -t -v ON_ERROR_STOP=1 -v schema="$SCHEMA" -v rows="$STAGED/ROWS" -f "$here/dump.sql" || { why="cannot dump $PGDATABASE: $(last)"; return 1; }
  [ -e "$STAGED/dumped" ] || { why="pg_dump of $PGDATABASE failed: $(last)"; return 1; }
  rm "$STAGED/dumped"
  [ -s "$STAGED/ROWS" ] ||
    { why="the database $PGDATABASE holds no tables${SCHEMA:+ in the schema $SCHEMA}: it has not been used yet, or it was lost; an empty database is not a backup"; return 1; }
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
