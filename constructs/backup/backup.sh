#!/bin/sh
# The main task of the hourly job: takes a snapshot of each set, and of what the cluster itself remembers.
#
# SETS             set|database|files|volume|channels: whether its database was dumped; whether it has files, mounted in
#                  $DATA under its name; the volume that its marker must name, if any; and whether there are channel
#                  backups among its files, which the hub's sidecar has copied to the second place
# INCLUDE          set|pattern: which of its files are taken
# PART_SUFFIX      ends the name of a snapshot that holds part of a set
# CLUSTER          name of the set of the cluster's own state
# TAKES_RAFT       whether there are snapshots of Nomad's state in $SNAPSHOTS
# VOLUME_MARKER    file that names a volume
# CHANNEL_BACKUPS  folder of the channel backups, among the files
# CHANNEL_COPIES   folder of their copies, below $BACKUP
# SNAPSHOT_LIST    Nomad variable with the list of snapshots
# KEEP_HOURLY, KEEP_DAILY, KEEP_WEEKLY, KEEP_MONTHLY
#                  how many snapshots of each set to keep

stage=$work/stage
problems=
failed_task=$NOMAD_TASK_NAME
problem() { say "$*"; problems="${problems:+$problems; }$*"; ill=yes; }
# ask_nomad QUERY writes the names of variables to the file vars.
ask_nomad() {
  identity="X-Nomad-Token: $NOMAD_TOKEN"
  wget -q -T 60 -O "$here/vars" --header "$identity" "$NOMAD_API/v1/vars?$1" 2> "$out"
}
try timeout "$OPEN_WAIT" restic cat config
case $code in
  0) ;;
  10)
    # With a list of snapshots there was a repository: the wrong folder is mounted, or it was lost. Without an answer
    # nothing may be created, because the list of a new repository would replace the old one.
    ask_nomad "namespace=default&prefix=$SNAPSHOT_LIST" ||
      give_up "there is no repository at $RESTIC_REPOSITORY, and Nomad at $NOMAD_API cannot say whether there was one, so none is created: $(last)(with ACLs the job needs a policy of its own; see ansible/roles/nomad_server)"
    if grep -q "\"Path\":\"$SNAPSHOT_LIST\"" "$here/vars"; then
      give_up "the repository $RESTIC_REPOSITORY is gone, although it held snapshots: mount the right folder, or restore it from a copy; to start over without them: nomad var purge $SNAPSHOT_LIST"
    fi
    say "creates a new repository at $RESTIC_REPOSITORY"
    run restic init || give_up "cannot create a repository at $RESTIC_REPOSITORY: $(last)" ;;
  12) give_up "the secret $REPOSITORY_PASSWORD_NAME does not open the repository $RESTIC_REPOSITORY; if it was created with another password, set that one: homelab secrets set" ;;
  *) give_up "cannot open the repository $RESTIC_REPOSITORY within $OPEN_WAIT s: $(last)" ;;
esac
# Removes locks of killed runs, which nobody has refreshed for half an hour.
run restic unlock || say "cannot remove stale locks; continuing"

begin() {
  mkdir -p "$stage/$1"
  rm -rf "$stage/$1/files" "$stage/$1/raft" "$stage/$1/SHA256SUMS"
  extra=
  # bad: must not be kept under the set's own name. ill: must not be reported as good.
  bad=
  ill=
}
demand_dump() {
  [ -e "$stage/$1/database.dump" ] && [ -s "$stage/$1/ROWS" ] && return
  rm -f "$stage/$1/database.dump" "$stage/$1/ROWS"
  why=$(grep "^$1: " "$work/problems" 2>/dev/null | head -n 1)
  problem "${why:-$1: there is no dump of its database}"
  failed_task=database
  bad=yes
}
# is_plain FOLDER PATH: whether it is a regular file with a plain name, and no part of its path is a link.
is_plain() {
  case $2 in *[!A-Za-z0-9._:/-]* | /* | *..*) return 1 ;; esac
  { [ -f "$1/$2" ] && [ ! -h "$1/$2" ]; } || return 1
  parent=$2
  while [ "${parent%/*}" != "$parent" ]; do
    parent=${parent%/*}
    [ ! -h "$1/$parent" ] || return 1
  done
}
# copy_complete FROM TO
copy_complete() {
  { cp "$1" "$2" && cmp -s "$1" "$2"; } || return 1
  case $2 in *.json) is_complete "$2" ;; esac
}
# marked SET FOLDER VOLUME: whether the folder is that of the volume.
marked() {
  is_plain "$2" "$VOLUME_MARKER" && [ "$(cat "$2/$VOLUME_MARKER")" = "$3" ] && return
  problem "$1: its folder has no $VOLUME_MARKER that names the volume $3: it is empty, or another is mounted, or the service has never started"
  bad=yes
  return 1
}
# take SET FOLDER copies what the patterns of the set match, and nothing else.
take() {
  from=$2
  [ -d "$from" ] || { problem "$1: $from is not mounted"; bad=yes; return; }
  left=0
  torn=
  while IFS='|' read -r of pattern <&4; do
    [ "$of" = "$1" ] || continue
    # shellcheck disable=SC2231 # a pattern, without spaces
    for found in "$from"/$pattern; do
      [ -e "$found" ] || continue
      path=${found#"$from"/}
      is_plain "$from" "$path" || { say "$1: skips $path, which is not a plain file"; continue; }
      to=$stage/$1/files/$path
      mkdir -p "${to%/*}"
      for _ in 1 2 3 4 5; do
        copy_complete "$found" "$to" && { torn=; continue 2; }
        sleep 1
      done
      rm -f "$to"
      say "$1: skips $path, which is incomplete"
      left=$((left + 1))
      torn=$path
    done
    # Their names are times: a later complete one holds everything that this one would.
    [ -z "$torn" ] || problem "$1: $torn, the newest of its kind, is incomplete, so a restore would bring back the one before it"
    torn=
  done 4<<TABLE
$INCLUDE
TABLE
  [ $left = 0 ] || extra="$extra incomplete=$left"
}
# compare_channels SET FOLDER: each backup older than 5 minutes has a copy, and each copy still has its original.
compare_channels() {
  second=$BACKUP/$CHANNEL_COPIES/$1
  count=0
  lacks=0
  gone=0
  for file in "$stage/$1/files/$CHANNEL_BACKUPS"/*.json; do
    [ -e "$file" ] || continue
    count=$((count + 1))
    name=${file##*/}
    [ -n "$(find "$2/$CHANNEL_BACKUPS/$name" -mmin +5 2>/dev/null)" ] || continue
    # Of two complete files with the same name, the sidecar gives the later one a suffix from its checksum.
    for copy in "$second/$name" "$second/${name%.json}"_*.json; do
      ! cmp -s "$file" "$copy" || continue 2
    done
    lacks=$((lacks + 1))
    say "$1: the second place does not have $name"
  done
  extra="$extra channels=$count"
  [ $lacks = 0 ] ||
    problem "$1: the second place, $CHANNEL_COPIES/$1 of the backup volume, lacks $lacks of $count channel backups: see the log of the task channel-backups"
  [ -z "$bad" ] || [ $count != 0 ] || return
  for copy in "$second"/*.json; do
    [ -e "$copy" ] || continue
    case $copy in *_????????.json) continue ;; esac
    [ -e "$2/$CHANNEL_BACKUPS/${copy##*/}" ] || gone=$((gone + 1))
  done
  [ $gone = 0 ] ||
    problem "$1: $gone channel backups are gone from the hub, but still in the second place, $CHANNEL_COPIES/$1 of the backup volume; if a recovery removed them on purpose, move them to another folder there"
}
# The newest snapshot of Nomad's state from each server; a name is that of the server and a time that sorts.
take_raft() {
  mkdir -p "$stage/$CLUSTER/raft"
  for snap in "$SNAPSHOTS"/*.snap; do [ ! -f "$snap" ] || echo "${snap##*/}"; done | sort -r |
    awk '{ server = $0; sub(/-[0-9TZ]+\.snap$/, "", server); if (!seen[server]++) print }' > "$here/raft"
  while read -r snap; do
    if cp "$SNAPSHOTS/$snap" "$stage/$CLUSTER/raft/$snap"; then
      extra="$extra raft=$snap"
    else
      problem "$CLUSTER: cannot read $snap"
      bad=yes
    fi
  done < "$here/raft"
  [ -s "$here/raft" ] && return
  problem "$CLUSTER: there is no raft snapshot in $SNAPSHOTS; is the timer nomad-snapshot running on the server?"
  bad=yes
}
# Namespace and path of every Nomad variable, never a value.
list_variables() {
  if ask_nomad "namespace=*"; then
    tr -d '\n' < "$here/vars" | sed 's/}/}\n/g' |
      sed -n 's/^.*"Namespace":"\([^"]*\)","Path":"\([^"]*\)".*$/\1 \2/p' | sort > "$stage/$CLUSTER/VARIABLES"
    return
  fi
  problem "$CLUSTER: cannot list Nomad's variables at $NOMAD_API: $(last)(with ACLs the job needs a policy of its own; see ansible/roles/nomad_server)"
  bad=yes
}
# keep SET [PART] makes a snapshot of what was collected, under the second name when that is incomplete.
keep() {
  tag=$1
  if [ -n "$bad" ]; then
    tag=${2:-}
    { [ -n "$tag" ] && [ -n "$(find "$stage/$1" -type f)" ]; } || return
  fi
  {
    (cd "$stage/$1" && find . -type f -exec sha256sum {} + | sed 's#  \./#  #' | sort -k 2) > "$here/sums" &&
      mv "$here/sums" "$stage/$1/SHA256SUMS"
  } || { problem "$1: cannot compute its checksums"; return; }
  run restic backup --host homelab --tag "$tag" --retry-lock "$LOCK_WAIT" "$stage/$1"
  code=$?
  id=$(sed -n 's/^snapshot \([0-9a-f]*\) saved$/\1/p' "$out")
  if [ $code != 0 ] || [ -z "$id" ]; then problem "$1: restic backup failed: $(last)"; return; fi
  rows=
  [ ! -e "$stage/$1/ROWS" ] || rows=" rows=$(awk '{ n += $NF } END { print n + 0 }' "$stage/$1/ROWS")"
  files=$(($(wc -l < "$stage/$1/SHA256SUMS") + 1))
  bytes=$(find "$stage/$1" -type f -exec wc -c {} + | awk '$2 != "total" { n += $1 } END { print n + 0 }')
  line="$tag snapshot=$id files=$files bytes=$bytes$rows$extra"
  if [ -n "$ill" ]; then say "$line, degraded"; else echo "$line" | tee -a "$here/sets"; fi
}
rm -f "$here/sets"
while IFS='|' read -r set has_database has_files volume has_channels <&3; do
  # A table without rows is one empty line.
  [ -n "$set" ] || continue
  begin "$set"
  [ "$has_database" = false ] || demand_dump "$set"
  if [ "$has_files" = true ]; then
    if [ -z "$volume" ] || marked "$set" "$DATA/$set" "$volume"; then take "$set" "$DATA/$set"; fi
  fi
  [ "$has_channels" = false ] || compare_channels "$set" "$DATA/$set"
  # Part of a hub is better than nothing, under a name that nobody mistakes for all of it.
  if [ "$has_database" = true ] && [ "$has_files" = true ]; then keep "$set" "$set$PART_SUFFIX"; else keep "$set"; fi
done 3<<TABLE
$SETS
TABLE
begin "$CLUSTER"
[ "$TAKES_RAFT" = false ] || take_raft
list_variables
keep "$CLUSTER"
rm -rf "$stage"
# Everything from the last two days: of several snapshots in an hour the hourly rule keeps the last, but the one wanted
# back is the one before an upgrade, or before a database was lost.
run restic forget --host homelab --group-by host,tags --retry-lock "$LOCK_WAIT" --keep-within 2d \
  --keep-hourly "$KEEP_HOURLY" --keep-daily "$KEEP_DAILY" --keep-weekly "$KEEP_WEEKLY" --keep-monthly "$KEEP_MONTHLY" ||
  say "older snapshots stay for now: $(last)"
{ snapshots "" > "$here/snapshots" && mv "$here/snapshots" "$work/snapshots"; } || problem "cannot list the snapshots"
[ ! -e "$here/sets" ] || mv "$here/sets" "$work/sets"
[ -z "$problems" ] || { NOMAD_TASK_NAME=$failed_task; give_up "$problems"; }
