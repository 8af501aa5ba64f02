import { CHANNEL_BACKUPS } from "../../model/work-directory";
import { type BackupDatabase, partOf } from "./set";

/** A database of a set, with the key of its password below `secrets/`. */
export interface SetDatabase extends BackupDatabase {
  readonly set: string;
  readonly key: string;
}

/**
 * Rows of every table, as lines `schema.table count`, for psql's `\gexec`. The variable `schema` limits it to one when
 * it is not empty. The same text counts what is dumped and what was restored.
 */
const COUNT_ROWS = `select format('select %L || '' '' || count(*) from %I.%I', n.nspname || '.' || c.relname, n.nspname, c.relname)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and (:'schema' = '' or n.nspname = :'schema')
  order by (n.nspname || '.' || c.relname) collate "C"`;

/** Shell function for psql: values alone, and an end at the first error. */
const ASK = `ask() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }`;

/** Shell functions for a database on a server: `connect ADDRESS PORT NAME USER TLS KEY`, and a look at its version. */
const CONNECT = `${ASK}
connect() {
  secret "$6" || return 1
  export PGHOST="$1" PGPORT="$2" PGDATABASE="$3" PGUSER="$4" PGSSLMODE="$5" PGPASSWORD="$value"
  export PGCONNECT_TIMEOUT=10 PGAPPNAME=homelab-backup
  server=$(ask -c "select current_setting('server_version_num')::int / 10000" 2> "$out") ||
    { fault "cannot reach the database $PGDATABASE of $PGUSER at $PGHOST:$PGPORT: $(last)"; return 1; }
  mine=$(pg_dump --version | sed 's/^.* \\([0-9]*\\)\\..*$/\\1/')
  [ "$server" = "$mine" ] && return
  fault "the server at $PGHOST:$PGPORT is PostgreSQL $server, and this image has $mine: set postgresImage to one of PostgreSQL $server, such as postgres:$server"
  return 1
}`;

function connect({ address, port, name, user, tls, key }: SetDatabase, database = name): string {
  return `connect ${address} ${port} ${database} ${user} ${tls} ${key}`;
}

/**
 * Dumps each database, and counts its rows, both in one snapshot of it: the dump and the manifest `ROWS` agree whatever
 * is written meanwhile. One that fails is noted in `problems`, for the task that comes next, and its dump is not left.
 *
 * A database without a table is one that fails: it has been lost, or has just been made to restore into, and as the newest
 * good backup it would be what is restored.
 */
export function dumpScript(databases: readonly SetDatabase[]): string {
  return `${CONNECT}
rm -f "$work/problems"
fault() {
  say "failed: $set: $*"
  echo "$set: $*" >> "$work/problems"
}
cat > "$here/dump.sql" <<'SQL'
begin isolation level repeatable read read only;
set local idle_in_transaction_session_timeout = 0;
select pg_export_snapshot() as snapshot \\gset
\\setenv SNAPSHOT :snapshot
\\! sh "$PULL" && : > "$STAGED/dumped"
\\o :rows
${COUNT_ROWS} \\gexec
\\o
commit;
SQL
cat > "$here/pull" <<'PULL'
exec pg_dump --format=custom --snapshot="$SNAPSHOT" --lock-wait-timeout=120000 \${SCHEMA:+--schema="$SCHEMA"} \\
  --file="$STAGED/database.dump"
PULL
export PULL=$here/pull STAGED SCHEMA
# dump SCHEMA, of the database that is connected, as that of $set.
dump() {
  STAGED=$work/stage/$set
  SCHEMA=$1
  rm -rf "$STAGED"
  mkdir -p "$STAGED"
  run psql -X -q -A -t -v ON_ERROR_STOP=1 -v schema="$SCHEMA" -v rows="$STAGED/ROWS" -f "$here/dump.sql" || { fault "cannot dump $PGDATABASE: $(last)"; return 1; }
  [ -e "$STAGED/dumped" ] || { fault "pg_dump of $PGDATABASE failed: $(last)"; return 1; }
  rm "$STAGED/dumped"
  [ -s "$STAGED/ROWS" ] ||
    { fault "the database $PGDATABASE holds no table\${SCHEMA:+ in the schema $SCHEMA}: it has not been used yet, or it was lost; an empty one is no backup"; return 1; }
  say "$set: dumped $PGDATABASE, $(wc -c < "$STAGED/database.dump") bytes, $(wc -l < "$STAGED/ROWS") tables"
}
${databases.map((one) => `set=${one.set}\n${connect(one)} && dump '${one.schema ?? ""}' || rm -rf "$work/stage/$set"`).join("\n")}`;
}

/** Loads the dump that was restored, into a database that holds nothing, when the job was given the name of one. */
export function restoreDatabaseScript(databases: readonly SetDatabase[]): string {
  const cases = databases.map(
    (one) => `  ${one.set} | ${partOf(one.set)}) ${connect(one, '"$database"')}\n    schema='${one.schema ?? ""}' ;;`,
  );
  return `${CONNECT}
database=\${NOMAD_META_database:-}
set=$NOMAD_META_set
if [ -z "$database" ]; then
  say "no database was asked for"
  cp "$work/restored" "$work/sets"
  exit 0
fi
case $database in
  *[!A-Za-z0-9._-]*) give_up "database = $database must be letters, digits, dots, dashes and underscores alone" ;;
esac
case $set in
${cases.join("\n")}
  *) give_up "the set $set has no database: restore it without" ;;
esac
[ -e "$work/load/database.dump" ] || give_up "the snapshot of $set holds no database.dump: restore it without a database"
[ -s "$work/load/ROWS" ] ||
  give_up "the database in this snapshot of $set holds no table: choose an older one of homelab backup list with --snapshot"
tables=$(ask -c "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'S') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'") ||
  give_up "cannot look into $database"
[ "$tables" = 0 ] ||
  give_up "the database $database at $PGHOST holds $tables tables, views or sequences: a restore goes into an empty one alone; make one with createdb --owner $PGUSER"
run pg_restore --no-owner --no-privileges --exit-on-error --single-transaction --dbname="$database" "$work/load/database.dump" ||
  give_up "cannot load the dump into $database, which holds nothing of it: $(last)"
cat > "$here/count.sql" <<'SQL'
${COUNT_ROWS} \\gexec
SQL
ask -v schema="$schema" -f "$here/count.sql" > "$here/rows" || give_up "cannot count the rows of $database"
cmp -s "$here/rows" "$work/load/ROWS" ||
  give_up "the rows of $database are not those of the backup: $(diff "$work/load/ROWS" "$here/rows" | head -n 5 | tr '\\n' ' ')"
say "$set: loaded into $database, $(wc -l < "$here/rows") tables, every count of rows as in the backup"
sed "s/$/ database=$database/" "$work/restored" > "$work/sets.part" && mv "$work/sets.part" "$work/sets"`;
}

/**
 * The second half of the drill: a PostgreSQL of its own, on a socket in the task's folder alone, loads every dump and
 * counts its rows; being at hand, it also parses the JSON of channel backups, of raft snapshots and of Terraform's state.
 */
export function drillDatabaseScript(databases: readonly SetDatabase[]): string {
  const schemas = databases.map(({ set, schema }) => `    ${set}) schema='${schema ?? ""}' ;;`);
  return `drill=$work/drill
cluster=$here/pg
export PGHOST=$here PGPORT=5432 PGUSER=drill PGDATABASE=postgres PGCONNECT_TIMEOUT=10
${ASK}
check() { say "$*"; echo "$*" >> "$work/checks.part"; }
cp "$work/checks.files" "$work/checks.part" || give_up "the files were not checked"
rm -rf "$cluster"
run initdb -D "$cluster" -U drill -A trust --encoding=UTF8 --no-locale --no-sync || give_up "initdb: $(last)"
end() { pg_ctl -D "$cluster" -m immediate stop > /dev/null 2>&1; rm -rf "$cluster"; }
trap 'end; exit 143' TERM INT
trap end EXIT
pg_ctl -D "$cluster" -w -t 120 -l "$here/pg.log" -o "-k $here -p 5432 -c listen_addresses= -c fsync=off" start > "$out" 2>&1 ||
  give_up "the scratch PostgreSQL does not start: $(tail -n 3 "$here/pg.log" | tr '\\n' ' ')"
cat > "$here/count.sql" <<'SQL'
${COUNT_ROWS} \\gexec
SQL
# Text KEY of the JSON in a file; fails on anything that is no JSON.
field() { echo "select coalesce(pg_read_file(:'file')::jsonb ->> :'key', '')" | ask -v file="$1" -v key="$2" 2>&1; }
for folder in "$drill"/*/; do
  folder=\${folder%/}
  set=\${folder##*/}
  first=
  if [ -e "$folder/database.dump" ]; then
    schema=
    case $set in
${schemas.join("\n")}
    esac
    run createdb "$set" || give_up "createdb $set: $(last)"
    run pg_restore --no-owner --no-privileges --exit-on-error --dbname="$set" "$folder/database.dump" ||
      give_up "$set: the dump does not load: $(last)"
    ask -d "$set" -v schema="$schema" -f "$here/count.sql" > "$here/rows" || give_up "$set: cannot count its rows"
    cmp -s "$here/rows" "$folder/ROWS" ||
      give_up "$set: the dump has other rows than its manifest: $(diff "$folder/ROWS" "$here/rows" | head -n 5 | tr '\\n' ' ')"
    check "$set database $(wc -l < "$here/rows") tables $(awk '{ n += $NF } END { print n + 0 }' "$here/rows") rows equal"
    if [ -n "$schema" ]; then
      states=$(ask -d "$set" -c "select count(data::jsonb ->> 'terraform_version') from \\"$schema\\".states" 2>&1) ||
        give_up "$set: Terraform's state is no JSON: $states"
      [ "$states" -gt 0 ] || give_up "$set: there is no state of Terraform in it"
      check "$set $states states of Terraform parse"
    fi
  fi
  count=0
  for backup in "$folder"/files/${CHANNEL_BACKUPS}/*.json; do
    [ -e "$backup" ] || continue
    node=$(field "$backup" node_id) || give_up "$set: \${backup##*/} is no JSON: $node"
    [ -n "$node" ] || give_up "$set: \${backup##*/} names no node_id"
    [ "$node" = "\${first:-$node}" ] || give_up "$set: \${backup##*/} is of node $node, others are of $first"
    first=$node
    count=$((count + 1))
  done
  [ $count = 0 ] || check "$set $count channel backups parse, of one node"
  for meta in "$drill"/.raft/"$set"/*/meta.json; do
    [ -e "$meta" ] || continue
    index=$(field "$meta" Index) || give_up "$set: the meta.json of a raft snapshot is no JSON: $index"
    [ -n "$index" ] || give_up "$set: the meta.json of a raft snapshot names no Index"
    check "$set raft snapshot opens, at index $index"
  done
done
mv "$work/checks.part" "$work/checks"`;
}
