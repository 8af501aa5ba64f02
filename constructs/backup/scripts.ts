import {
  CHANNEL_BACKUPS,
  RESTORE_PART,
  SET_ASIDE,
  UNFINISHED_RESTORE,
  VOLUME_MARKER,
  WHOLE,
} from "../../model/work-directory";
import { partOf } from "./set";

/** How many snapshots `restic forget` keeps of each set. */
export interface Keep {
  readonly hourly: number;
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
}

/** What the backup takes of a set besides its database. */
export interface SetFiles {
  readonly set: string;
  /** Whether a database is dumped for it, before. */
  readonly database: boolean;
  /** Whether it has files, which are mounted in `$DATA` under the set's name. */
  readonly files: boolean;
  readonly include: readonly string[];
  /** The volume whose marker must be among the files: a folder without it is another one, or an empty mount. */
  readonly marked?: string;
  /** Whether there are static channel backups among them, which the sidecar of the hub has copied to the second place. */
  readonly channels: boolean;
}

/** Opens the repository, whichever it is; the secrets of its place are read into the environment. */
function repository(keys: readonly string[]): string {
  return `secret restic_password
${keys.map((key) => `secret ${key}\nexport ${key}="$value"`).join("\n")}
unset value
mkdir -p "$RESTIC_CACHE_DIR"
# One snapshot a line, of what restic listed.
one_a_line() { tr -d '\\n' < "$here/list" | sed 's/"short_id":"\\([0-9a-f]*\\)"}/&\\n/g' | grep '"short_id"'; }
# Where the files of a snapshot are, in it.
path_of() { one_a_line | grep -F '"short_id":"'"$1"'"' | sed 's/^.*"paths":\\["\\([^"]*\\)"\\].*$/\\1/'; }
# Snapshots of a set, newest first, one a line: ID, time, set, bytes. Of all sets without a name.
snapshots() {
  restic snapshots --no-lock --json --host homelab \${1:+--tag "$1"} > "$here/list" || return 1
  one_a_line | sed \\
    -e 's/^.*"time":"\\([0-9T:-]*\\)[^"]*".*"tags":\\["\\([^"]*\\)".*"short_id":"\\([0-9a-f]*\\)"}$/\\3 \\1Z \\2 &/' \\
    -e 's/^\\([^ ]* [^ ]* [^ ]*\\) .*"total_bytes_processed":\\([0-9]*\\).*$/\\1 \\2/' \\
    -e 's/^\\([^ ]* [^ ]* [^ ]*\\) [^0-9].*$/\\1 0/' | sort -r -k 2,2
}`;
}

/** The main task of the hourly job. */
export function backupMainScript(
  sets: readonly SetFiles[],
  { keep, keys, snapshots }: { readonly keep: Keep; readonly keys: readonly string[]; readonly snapshots: boolean },
): string {
  const lines = sets.flatMap(({ set, database, files, marked, channels, include }) => [
    `begin ${set}`,
    ...(database ? [`demand_dump ${set}`] : []),
    ...(files
      ? [
          `${marked ? `marked ${set} "$DATA/${set}" ${marked} && ` : ""}take ${set} "$DATA/${set}" ${include.map((pattern) => `'${pattern}'`).join(" ")}`,
        ]
      : []),
    ...(channels ? [`compare_channels ${set} "$DATA/${set}"`] : []),
    // What could be taken of a hub is worth more than nothing, under a name that nobody takes for the whole.
    `keep ${set}${database && files ? ` ${partOf(set)}` : ""}`,
  ]);
  return `stage=$work/stage
problems=
failed_task=$NOMAD_TASK_NAME
problem() { say "$*"; problems="\${problems:+$problems; }$*"; ill=yes; }
${repository(keys)}
${ASK_NOMAD}
try timeout "$OPEN_WAIT" restic cat config
case $code in
  0) ;;
  10)
    # A list of snapshots without their repository: the wrong folder is mounted, or it was lost.
    # Whoever cannot ask must not begin: what it then tells would be the end of that list.
    ask_nomad "namespace=default&prefix=homelab/backup/snapshots" ||
      give_up "there is no repository at $RESTIC_REPOSITORY, and Nomad at $NOMAD_API does not say whether there was one, so none is made: $(last)(with ACLs the job needs a policy of its own; see ansible/roles/nomad_server)"
    if grep -q '"Path":"homelab/backup/snapshots"' "$here/vars"; then
      give_up "the repository $RESTIC_REPOSITORY has gone, though there were snapshots in it: mount the right folder, or bring it back from a copy; to begin anew without them: nomad var purge homelab/backup/snapshots"
    fi
    say "makes a new repository at $RESTIC_REPOSITORY"
    run restic init || give_up "cannot make a repository at $RESTIC_REPOSITORY: $(last)" ;;
  12) give_up "the secret restic_password does not open the repository $RESTIC_REPOSITORY; if it was made with another, give that one: homelab secrets set" ;;
  *) give_up "cannot open the repository $RESTIC_REPOSITORY within $OPEN_WAIT s: $(last)" ;;
esac
# Locks that a killed run has left and that have not been refreshed for half an hour.
run restic unlock || say "cannot remove stale locks; going on"

begin() {
  mkdir -p "$stage/$1"
  rm -rf "$stage/$1/files" "$stage/$1/raft" "$stage/$1/SHA256SUMS"
  extra=
  # Not to be kept as the whole set; not to be told as well.
  bad=
  ill=
}
demand_dump() {
  [ -e "$stage/$1/database.dump" ] && [ -s "$stage/$1/ROWS" ] && return
  rm -f "$stage/$1/database.dump" "$stage/$1/ROWS"
  why=$(grep "^$1: " "$work/problems" 2>/dev/null | head -n 1)
  problem "\${why:-$1: there is no dump of its database}"
  failed_task=database
  bad=yes
}
# A regular file, reached through folders and no link, with a plain name.
is_plain() {
  case $2 in *[!A-Za-z0-9._:/-]* | /* | *..*) return 1 ;; esac
  [ -f "$1/$2" ] && [ ! -h "$1/$2" ] || return 1
  parent=$2
  while [ "\${parent%/*}" != "$parent" ]; do
    parent=\${parent%/*}
    [ ! -h "$1/$parent" ] || return 1
  done
}
${WHOLE}
is_whole() { case $1 in *.json) whole "$1" ;; esac; }
# marked SET FOLDER VOLUME
marked() {
  is_plain "$2" ${VOLUME_MARKER} && [ "$(cat "$2/${VOLUME_MARKER}")" = "$3" ] && return
  problem "$1: its folder has no ${VOLUME_MARKER} that names the volume $3: it is empty, or another is mounted, or the service has never started"
  bad=yes
  return 1
}
# take SET FOLDER PATTERN…: what matches, and nothing else.
take() {
  set_name=$1
  from=$2
  shift 2
  [ -d "$from" ] || { problem "$set_name: $from is not mounted"; bad=yes; return; }
  left=0
  torn=
  for pattern in "$@"; do
    for found in "$from"/$pattern; do
      [ -e "$found" ] || continue
      path=\${found#"$from"/}
      is_plain "$from" "$path" || { say "$set_name: leaves out $path, which is no plain file"; continue; }
      to=$stage/$set_name/files/$path
      mkdir -p "\${to%/*}"
      for turn in 1 2 3 4 5; do
        cp "$found" "$to" && cmp -s "$found" "$to" && is_whole "$to" && { torn=; continue 2; }
        sleep 1
      done
      rm -f "$to"
      say "$set_name: leaves out $path, which is not whole"
      left=$((left + 1))
      torn=$path
    done
    # Their names are times: a later one that is whole has all that this one was to hold.
    [ -z "$torn" ] || problem "$set_name: $torn, the newest of its kind, is not whole, and the one before is what would be restored"
    torn=
  done
  [ $left = 0 ] || extra="$extra incomplete=$left"
}
# compare_channels SET FOLDER: each is at the second place since minutes, and none has gone that is there.
compare_channels() {
  second=$BACKUP/channels/$1
  count=0
  lacks=0
  gone=0
  for file in "$stage/$1/files/${CHANNEL_BACKUPS}"/*.json; do
    [ -e "$file" ] || continue
    count=$((count + 1))
    name=\${file##*/}
    [ -n "$(find "$2/${CHANNEL_BACKUPS}/$name" -mmin +5 2>/dev/null)" ] || continue
    # Of two whole files of one name the sidecar keeps the later one beside the first, with a part of its checksum.
    for copy in "$second/$name" "$second/\${name%.json}"_*.json; do
      ! cmp -s "$file" "$copy" || continue 2
    done
    lacks=$((lacks + 1))
    say "$1: the second place does not have $name"
  done
  extra="$extra channels=$count"
  [ $lacks = 0 ] ||
    problem "$1: the second place, channels/$1 of the backup volume, lacks $lacks of $count channel backups: see the log of the task channel-backups"
  [ -z "$bad" ] || [ $count != 0 ] || return
  for copy in "$second"/*.json; do
    [ -e "$copy" ] || continue
    case $copy in *_????????.json) continue ;; esac
    [ -e "$2/${CHANNEL_BACKUPS}/\${copy##*/}" ] || gone=$((gone + 1))
  done
  [ $gone = 0 ] ||
    problem "$1: $gone channel backups have gone from the hub that the second place, channels/$1 of the backup volume, still has; after a recovery that is meant, move them to another folder there"
}
${snapshots ? TAKE_RAFT : ""}
${LIST_VARIABLES}
# keep SET [PART]: what was put together becomes a snapshot, under the second name when it is not whole.
keep() {
  tag=$1
  if [ -n "$bad" ]; then
    tag=\${2:-}
    [ -n "$tag" ] && [ -n "$(find "$stage/$1" -type f)" ] || return
  fi
  (cd "$stage/$1" && find . -type f -exec sha256sum {} + | sed 's#  \\./#  #' | sort -k 2) > "$here/sums" &&
    mv "$here/sums" "$stage/$1/SHA256SUMS" || { problem "$1: cannot make its checksums"; return; }
  run restic backup --host homelab --tag "$tag" --retry-lock "$LOCK_WAIT" "$stage/$1"
  code=$?
  id=$(sed -n 's/^snapshot \\([0-9a-f]*\\) saved$/\\1/p' "$out")
  if [ $code != 0 ] || [ -z "$id" ]; then problem "$1: restic backup failed: $(last)"; return; fi
  rows=
  [ ! -e "$stage/$1/ROWS" ] || rows=" rows=$(awk '{ n += $NF } END { print n + 0 }' "$stage/$1/ROWS")"
  files=$(($(wc -l < "$stage/$1/SHA256SUMS") + 1))
  bytes=$(find "$stage/$1" -type f -exec wc -c {} + | awk '$2 != "total" { n += $1 } END { print n + 0 }')
  line="$tag snapshot=$id files=$files bytes=$bytes$rows$extra"
  if [ -n "$ill" ]; then say "$line, not well"; else echo "$line" | tee -a "$here/sets"; fi
}
rm -f "$here/sets"
${lines.join("\n")}
begin cluster
${snapshots ? "take_raft" : ""}
list_variables
keep cluster
rm -rf "$stage"
# All of the last two days: of several in an hour the hourly rule keeps the last, and it is the one before an upgrade, or
# before a database was lost, that is wanted back.
run restic forget --host homelab --group-by host,tags --retry-lock "$LOCK_WAIT" --keep-within 2d \\
  --keep-hourly ${keep.hourly} --keep-daily ${keep.daily} --keep-weekly ${keep.weekly} --keep-monthly ${keep.monthly} ||
  say "what is older stays for now: $(last)"
snapshots > "$here/snapshots" && mv "$here/snapshots" "$work/snapshots" || problem "cannot list the snapshots"
[ ! -e "$here/sets" ] || mv "$here/sets" "$work/sets"
[ -z "$problems" ] || { NOMAD_TASK_NAME=$failed_task; give_up "$problems"; }`;
}

/** The newest snapshot of Nomad's state of each server; their names hold the server's, and a time that sorts. */
const TAKE_RAFT = `take_raft() {
  mkdir -p "$stage/cluster/raft"
  for snap in "$SNAPSHOTS"/*.snap; do [ ! -f "$snap" ] || echo "\${snap##*/}"; done | sort -r |
    awk '{ server = $0; sub(/-[0-9TZ]+\\.snap$/, "", server); if (!seen[server]++) print }' > "$here/raft"
  while read -r snap; do
    cp "$SNAPSHOTS/$snap" "$stage/cluster/raft/$snap" && extra="$extra raft=$snap" ||
      { problem "cluster: cannot read $snap"; bad=yes; }
  done < "$here/raft"
  [ -s "$here/raft" ] && return
  problem "cluster: there is no raft snapshot in $SNAPSHOTS; does the timer nomad-snapshot run on the server?"
  bad=yes
}`;

/** Names of variables into a file. */
const ASK_NOMAD = `ask_nomad() {
  identity="X-Nomad-Token: $NOMAD_TOKEN"
  wget -q -T 60 -O "$here/vars" --header "$identity" "$NOMAD_API/v1/vars?$1" 2> "$out"
}`;

/** Namespace and path of every Nomad variable, never a value. */
const LIST_VARIABLES = `list_variables() {
  if ask_nomad "namespace=*"; then
    tr -d '\\n' < "$here/vars" | sed 's/}/}\\n/g' |
      sed -n 's/^.*"Namespace":"\\([^"]*\\)","Path":"\\([^"]*\\)".*$/\\1 \\2/p' | sort > "$stage/cluster/VARIABLES"
    return
  fi
  problem "cluster: cannot list Nomad's variables at $NOMAD_API: $(last)(with ACLs the job needs a policy of its own; see ansible/roles/nomad_server)"
  bad=yes
}`;

/** The weekly job: reads part of the repository, and then frees what no snapshot needs, never in one that is damaged. */
export function checkScript(keys: readonly string[], subset: string): string {
  return `${repository(keys)}
run restic unlock || give_up "cannot open the repository $RESTIC_REPOSITORY: $(last)"
run restic check --retry-lock "$LOCK_WAIT" --read-data-subset=${subset}
case $code in
  0) ;;
  11) give_up "another run holds the repository: $(last)" ;;
  *) give_up "the repository is damaged, or cannot be read, and nothing is freed: $(grep -v '^$' "$out" | grep -i -e error -e damaged -e 'not match' -e fatal | head -n 3 | tr '\\n' ' ')" ;;
esac
run restic prune --retry-lock "$LOCK_WAIT" || give_up "restic prune failed: $(last)"
{ echo "checked, ${subset} of it read"; echo "pruned"; } > "$work/checks"`;
}

/** Restores the newest snapshot of each set, and checks the files; the database comes after. */
export function drillFilesScript(sets: readonly SetFiles[], keys: readonly string[]): string {
  const folders = sets.flatMap(({ set, files }) => (files ? [`    ${set}) source=$DATA/${set} ;;`] : []));
  return `drill=$work/drill
${repository(keys)}
rm -rf "$drill" "$work/checks.files"
mkdir -p "$drill"
check() { say "$*"; echo "$*" >> "$work/checks.files"; }
for set in ${[...sets.map(({ set }) => set), "cluster"].join(" ")}; do
  snapshots "$set" > "$here/snapshots" || give_up "cannot read the repository $RESTIC_REPOSITORY"
  read -r id time rest < "$here/snapshots" || give_up "$set: there is no snapshot of it"
  folder=$drill/$set
  mkdir -p "$folder"
  run restic restore --retry-lock "$LOCK_WAIT" --verify --target "$folder" "$id:$(path_of "$id")" || give_up "$set: snapshot $id cannot be restored: $(last)"
  [ -s "$folder/SHA256SUMS" ] || give_up "$set: snapshot $id has no SHA256SUMS"
  (cd "$folder" && sha256sum -c SHA256SUMS) > "$out" 2>&1 || give_up "$set: snapshot $id is not what was put together: $(grep -v ': OK$' "$out" | head -n 3 | tr '\\n' ' ')"
  [ "$(find "$folder" -type f | wc -l)" = $(($(wc -l < "$folder/SHA256SUMS") + 1)) ] || give_up "$set: snapshot $id holds files that SHA256SUMS does not name"
  check "$set snapshot $id of $time restored, $(wc -l < "$folder/SHA256SUMS") checksums equal"
  source=
  case $set in
${folders.join("\n")}
    *) ;;
  esac
  if [ -n "$source" ] && [ -d "$folder/files" ]; then
    same=0
    gone=0
    (cd "$folder/files" && find . -type f) > "$here/paths"
    while read -r path; do
      if [ ! -e "$source/$path" ]; then gone=$((gone + 1)); continue; fi
      cmp -s "$source/$path" "$folder/files/$path" || give_up "$set: \${path#./} is not what it is at its source"
      same=$((same + 1))
    done < "$here/paths"
    check "$set $same files equal to their source$([ $gone = 0 ] || echo ", $gone are there no more")"
  fi
  for snap in "$folder"/raft/*.snap; do
    [ -e "$snap" ] || continue
    opened=$drill/.raft/$set/\${snap##*/}
    mkdir -p "$opened"
    run tar -xzf "$snap" -C "$opened" || give_up "$set: the raft snapshot \${snap##*/} does not open: $(last)"
    [ -s "$opened/SHA256SUMS" ] && [ -s "$opened/state.bin" ] && [ -s "$opened/meta.json" ] ||
      give_up "$set: the raft snapshot \${snap##*/} is not whole"
    (cd "$opened" && sha256sum -c SHA256SUMS) > "$out" 2>&1 || give_up "$set: the raft snapshot \${snap##*/} is damaged: $(head -n 3 "$out" | tr '\\n' ' ')"
    rm "$opened/state.bin"
  done
done
chmod -R u=rwX,g=rwX,o= "$drill"`;
}

/** Restores one snapshot into a folder of its own. */
export function restoreFilesScript(sets: readonly string[], keys: readonly string[]): string {
  return `${repository(keys)}
set=$NOMAD_META_set
snapshot=$NOMAD_META_snapshot
case $set in
  ${[...sets, "cluster"].join(" | ")}) ;;
  *) give_up "set = $set is none of ${[...sets, "cluster"].join(", ")}" ;;
esac
snapshots "$set" > "$here/snapshots" || give_up "cannot read the repository $RESTIC_REPOSITORY"
case $snapshot in
  latest) id=$(head -n 1 "$here/snapshots" | cut -d ' ' -f 1) ;;
  *[!0-9a-f]* | ???????) give_up "snapshot = $snapshot is no ID of restic, 8 to 64 digits of 0-9 a-f, and not latest" ;;
  *)
    short=$(printf %.8s "$snapshot")
    id=$(cut -d ' ' -f 1 "$here/snapshots" | grep -x "$short" | head -n 1) ;;
esac
[ -n "$id" ] || give_up "there is no snapshot $snapshot of $set in $RESTIC_REPOSITORY"
folder=$BACKUP/restored/$set-$id
[ ! -d "$folder" ] || [ -z "$(ls -A "$folder")" ] ||
  give_up "restored/$set-$id on the backup volume holds something already: move it away first"
rm -rf "$folder.part"
mkdir -p "$folder.part" || give_up "cannot write to the backup volume"
run restic restore --retry-lock "$LOCK_WAIT" --verify --target "$folder.part" "$id:$(path_of "$id")" || give_up "snapshot $id cannot be restored: $(last)"
(cd "$folder.part" && sha256sum -c SHA256SUMS) > "$out" 2>&1 || give_up "snapshot $id is not what was put together: $(grep -v ': OK$' "$out" | head -n 3 | tr '\\n' ' ')"
[ ! -d "$folder" ] || rmdir "$folder"
mv "$folder.part" "$folder" || give_up "cannot write to the backup volume"
say "restored $set, snapshot $id, to restored/$set-$id on the backup volume"
if [ -n "\${NOMAD_META_database:-}" ] && [ -e "$folder/database.dump" ]; then
  mkdir -p "$work/load"
  cp "$folder/database.dump" "$folder/ROWS" "$work/load/" || give_up "cannot copy the dump"
fi
echo "$set snapshot=$id folder=restored/$set-$id" > "$work/restored"
\${DATABASE_FOLLOWS:-false} || cp "$work/restored" "$work/sets"`;
}

/**
 * Copies the work directory of a service that is stopped, before an upgrade, beside the volume and never into restic. Not
 * what an earlier restore has set aside: old states of channels. Under its name a copy is whole or not there.
 */
export function copyScript(services: readonly string[]): string {
  return `job=$NOMAD_META_job
case $job in
  ${services.join(" | ")}) ;;
  *) give_up "job = $job is none of ${services.join(", ")}" ;;
esac
from=$DATA/$job
time=$(date +%Y%m%dT%H%M%SZ)
copies=$BACKUP/before-upgrade/$job
folder=$copies/$time
part=$copies/.$time.part
no_copy() { rm -rf "$part"; give_up "$@"; }
[ -n "$(ls -A "$from")" ] || give_up "the work directory of $job is empty"
[ ! -e "$from/${UNFINISHED_RESTORE}" ] || give_up "a copy is half put back into the work directory of $job: homelab backup restore $job --work-directory once more brings that to its end"
[ ! -e "$folder" ] || give_up "there is a copy of this second already"
# Of one that was killed.
rm -rf "$copies"/.[0-9]*.part
mkdir -p "$part" || give_up "cannot write to the backup volume"
for entry in "$from"/* "$from"/.[!.]*; do
  case \${entry#"$from"/} in
    "*" | ".[!.]*" | ${SET_ASIDE}* | ${RESTORE_PART} | lost+found) ;;
    *) run cp -a "$entry" "$part/" || no_copy "cannot copy the work directory: $(last)" ;;
  esac
done
(cd "$part" && find . -type f -exec sha256sum {} + | sed 's#  \\./#  #' | sort -k 2) > "$here/sums" || no_copy "cannot make checksums of the copy"
(cd "$from" && sha256sum -c "$here/sums") > "$out" 2>&1 ||
  no_copy "the work directory changed while it was copied; is $job stopped? $(grep -v ': OK$' "$out" | head -n 3 | tr '\\n' ' ')"
copied=$(find "$from" \\( -name '${SET_ASIDE}*' -o -name ${RESTORE_PART} -o -name lost+found \\) -prune -o -type f -print | wc -l)
[ "$copied" = "$(wc -l < "$here/sums")" ] || no_copy "the work directory changed while it was copied; is $job stopped?"
cp "$here/sums" "$part/SHA256SUMS" && sync && mv "$part" "$folder" || no_copy "cannot put the copy in its place"
bytes=$(find "$folder" -type f -exec wc -c {} + | awk '$2 != "total" { n += $1 } END { print n + 0 }')
say "copied the work directory of $job to before-upgrade/$job/$time on the backup volume"
echo "$job time=$time files=$(wc -l < "$here/sums") bytes=$bytes" > "$work/sets"`;
}
