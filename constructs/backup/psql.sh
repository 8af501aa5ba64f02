#!/bin/sh
# What the tasks with PostgreSQL share.

# psql that prints bare values and stops at the first error.
ask() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
# Prints the SQL that counts the rows of every table, as lines "schema.table count". Its variable schema, if not empty,
# limits it to one schema. The same SQL counts what is dumped and what was restored.
count_rows() {
  cat <<'SQL'
select format('select %L || '' '' || count(*) from %I.%I', n.nspname || '.' || c.relname, n.nspname, c.relname)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and (:'schema' = '' or n.nspname = :'schema')
  order by (n.nspname || '.' || c.relname) collate "C" \gexec
SQL
}
