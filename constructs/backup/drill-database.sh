#!/bin/sh
# The second half of the drill: a PostgreSQL server of its own, which listens only on a socket in the task's folder,
# loads every dump and counts its rows. It also parses the JSON of channel backups, raft snapshots and Terraform's
# state.
#
# SCHEMAS          set|schema: the only schema in its dump, if not all
# CHANNEL_BACKUPS  folder of the channel backups, among the files

drill=$work/drill
cluster=$here/pg
export PGHOST="$here" PGPORT=5432 PGUSER=drill PGDATABASE=postgres PGCONNECT_TIMEOUT=10
check() { say "$*"; echo "$*" >> "$work/checks.part"; }
cp "$work/checks.files" "$work/checks.part" || give_up "the files were not checked"
rm -rf "$cluster"
run initdb -D "$cluster" -U drill -A trust --encoding=UTF8 --no-locale --no-sync || give_up "initdb: $(last)"
end() { pg_ctl -D "$cluster" -m immediate stop > /dev/null 2>&1; rm -rf "$cluster"; }
trap 'end; exit 143' TERM INT
trap end EXIT
pg_ctl -D "$cluster" -w -t 120 -l "$here/pg.log" -o "-k $here -p 5432 -c listen_addresses= -c fsync=off" start > "$out" 2>&1 ||
  give_up "the scratch PostgreSQL does not start: $(tail -n 3 "$here/pg.log" | tr '\n' ' ')"
count_rows > "$here/count.sql"
# schema_of SET sets $schema.
schema_of() {
  schema=
  while IFS='|' read -r of its <&3; do [ "$of" != "$1" ] || schema=$its; done 3<<TABLE
$SCHEMAS
TABLE
}
# field FILE KEY prints the text of a key in a JSON file, and fails on anything else.
field() { echo "select coalesce(pg_read_file(:'file')::jsonb ->> :'key', '')" | ask -v file="$1" -v key="$2" 2>&1; }
for folder in "$drill"/*/; do
  folder=${folder%/}
  set=${folder##*/}
  first=
  if [ -e "$folder/database.dump" ]; then
    schema_of "$set"
    run createdb "$set" || give_up "createdb $set: $(last)"
    run pg_restore --no-owner --no-privileges --exit-on-error --dbname="$set" "$folder/database.dump" ||
      give_up "$set: the dump does not load: $(last)"
    ask -d "$set" -v schema="$schema" -f "$here/count.sql" > "$here/rows" || give_up "$set: cannot count its rows"
    cmp -s "$here/rows" "$folder/ROWS" ||
      give_up "$set: the rows of the dump do not match its manifest: $(diff "$folder/ROWS" "$here/rows" | head -n 5 | tr '\n' ' ')"
    check "$set database $(wc -l < "$here/rows") tables $(awk '{ n += $NF } END { print n + 0 }' "$here/rows") rows equal"
    if [ -n "$schema" ]; then
      states=$(ask -d "$set" -c "select count(data::jsonb ->> 'terraform_version') from \"$schema\".states" 2>&1) ||
        give_up "$set: Terraform's state is not JSON: $states"
      [ "$states" -gt 0 ] || give_up "$set: it holds no state of Terraform"
      check "$set $states states of Terraform parse"
    fi
  fi
  count=0
  for backup in "$folder/files/$CHANNEL_BACKUPS"/*.json; do
    [ -e "$backup" ] || continue
    node=$(field "$backup" node_id) || give_up "$set: ${backup##*/} is not JSON: $node"
    [ -n "$node" ] || give_up "$set: ${backup##*/} has no node_id"
    [ "$node" = "${first:-$node}" ] || give_up "$set: ${backup##*/} is of node $node, others are of $first"
    first=$node
    count=$((count + 1))
  done
  [ $count = 0 ] || check "$set $count channel backups parse, of one node"
  for meta in "$drill"/.raft/"$set"/*/meta.json; do
    [ -e "$meta" ] || continue
    index=$(field "$meta" Index) || give_up "$set: the meta.json of a raft snapshot is not JSON: $index"
    [ -n "$index" ] || give_up "$set: the meta.json of a raft snapshot has no Index"
    check "$set raft snapshot opens, at index $index"
  done
done
mv "$work/checks.part" "$work/checks"
