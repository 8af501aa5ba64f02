#!/bin/sh
# Copies the work directory of a stopped service before an upgrade, to the backup volume and never into restic. What an
# earlier restore has set aside is stale channel state and is left out, and so is what belongs to the folder and not to
# its data: whose it is, and its lock. A copy gets its name only when it is complete.
#
# SERVICES        whose work directories are in $DATA
# BEFORE_UPGRADE  where copies go, below $BACKUP
# UNFINISHED_RESTORE, RESTORE_PART, SET_ASIDE, IDENTITY_MARKER, LOCK
#                 names in the work directory, see model/marker-files.ts

job=$NOMAD_META_job
is_one_of "$job" "$SERVICES" || give_up "job = $job is not one of $(echo "$SERVICES" | sed 's/ /, /g')"
from=$DATA/$job
time=$(date +%Y%m%dT%H%M%SZ)
copies=$BACKUP/$BEFORE_UPGRADE/$job
folder=$copies/$time
part=$copies/.$time.part
no_copy() { rm -rf "$part"; give_up "$@"; }
[ -n "$(ls -A "$from")" ] || give_up "the work directory of $job is empty"
share_lock "$from" || give_up "$why"
[ ! -e "$from/$UNFINISHED_RESTORE" ] || give_up "a restore into the work directory of $job is incomplete; rerun homelab backup restore $job --work-directory to finish it"
[ ! -e "$folder" ] || give_up "there is already a copy from this second"
# Leftovers of a run that was killed.
rm -rf "$copies"/.[0-9]*.part
mkdir -p "$part" || give_up "cannot write to the backup volume"
for entry in "$from"/* "$from"/.[!.]*; do
  case ${entry#"$from"/} in
    "*" | ".[!.]*" | "$SET_ASIDE"* | "$RESTORE_PART" | "$IDENTITY_MARKER"* | "$LOCK" | lost+found) ;;
    *) run cp -a "$entry" "$part/" || no_copy "cannot copy the work directory: $(last)" ;;
  esac
done
(cd "$part" && find . -type f -exec sha256sum {} + | sed 's#  \./#  #' | sort -k 2) > "$here/sums" || no_copy "cannot compute checksums of the copy"
(cd "$from" && sha256sum -c "$here/sums") > "$out" 2>&1 ||
  no_copy "the work directory changed while it was copied; is $job stopped? $(grep -v ': OK$' "$out" | head -n 3 | tr '\n' ' ')"
copied=$(find "$from" \( -name "$SET_ASIDE*" -o -name "$RESTORE_PART" -o -name "$IDENTITY_MARKER*" -o -name "$LOCK" -o -name lost+found \) -prune -o -type f -print | wc -l)
[ "$copied" = "$(wc -l < "$here/sums")" ] || no_copy "the work directory changed while it was copied; is $job stopped?"
{ cp "$here/sums" "$part/SHA256SUMS" && sync && mv "$part" "$folder"; } || no_copy "cannot put the copy in its place"
bytes=$(find "$folder" -type f -exec wc -c {} + | awk '$2 != "total" { n += $1 } END { print n + 0 }')
say "copied the work directory of $job to $BEFORE_UPGRADE/$job/$time on the backup volume"
echo "$job time=$time files=$(wc -l < "$here/sums") bytes=$bytes" > "$work/sets"
