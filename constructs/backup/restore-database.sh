#!/bin/sh
# Loads the restored dump into an empty database, if the job was given the name of one.
#
# DATABASES    as in dump.sh
# PART_SUFFIX  ends the name of a snapshot that holds part of a set

database=${NOMAD_META_database:-}
set=$NOMAD_META_set
if [ -z "$database" ]; then
  say "no database was asked for"
  cp "$work/restored" "$work/sets"
  exit 0
fi
case $database in
  *[!A-Za-z0-9._-]*) give_up "database = $database must be letters, digits, dots, dashes and underscores alone" ;;
esac
found=
while IFS='|' read -r of address port _ user tls key schema <&3; do
  [ "$set" = "$of" ] || [ "$set" = "$of$PART_SUFFIX" ] || continue
  connect "$address" "$port" "$database" "$user" "$tls" "$key" || give_up "$why"
  found=yes
  break
done 3<<TABLE
$DATABASES
TABLE
[ -n "$found" ] || give_up "the set $set has no database: restore it without one"
[ -e "$work/load/database.dump" ] || give_up "the snapshot of $set holds no database.dump: restore it without a database"
[ -s "$work/load/ROWS" ] ||
  give_up "the database in this snapshot of $set holds no tables: choose an older snapshot from homelab backup list with --snapshot"
tables=$(ask -c "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'S') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'") ||
  give_up "cannot look into $database"
[ "$tables" = 0 ] ||
  give_up "the database $database at $PGHOST holds $tables tables, views or sequences: a restore needs an empty one; create it with createdb --owner $PGUSER"
run pg_restore --no-owner --no-privileges --exit-on-error --single-transaction --dbname="$database" "$work/load/database.dump" ||
  give_up "cannot load the dump into $database, which is still empty: $(last)"
count_rows > "$here/count.sql"
ask -v schema="$schema" -f "$here/count.sql" > "$here/rows" || give_up "cannot count the rows of $database"
cmp -s "$here/rows" "$work/load/ROWS" ||
  give_up "the rows of $database do not match the backup: $(diff "$work/load/ROWS" "$here/rows" | head -n 5 | tr '\n' ' ')"
say "$set: loaded into $database, $(wc -l < "$here/rows") tables, every row count matches the backup"
sed "s/$/ database=$database/" "$work/restored" > "$work/sets.part" && mv "$work/sets.part" "$work/sets"
