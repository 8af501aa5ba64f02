#!/bin/sh
# What every task with PostgreSQL needs.

# psql with values alone, and an end at the first error.
ask() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
# Prints what makes psql count the rows of every table, as lines `schema.table count`. Its variable `schema` limits it to
# one schema when it is not empty. The same text counts what is dumped and what was restored.
count_rows() {
  cat <<'SQL'
select format('select %L || '' '' || count(*) from %I.%I', n.nspname || '.' || c.relname, n.nspname, c.relname)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and (:'schema' = '' or n.nspname = :'schema')
  order by (n.nspname || '.' || c.relname) collate "C" \gexec
SQL
}
