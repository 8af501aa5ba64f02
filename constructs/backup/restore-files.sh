#!/bin/sh
# Restores one snapshot into a folder of its own.
#
# SETS  names that a snapshot can have: the sets, and parts of them

set=$NOMAD_META_set
snapshot=$NOMAD_META_snapshot
is_one_of "$set" "$SETS" || give_up "set = $set is not one of $(echo "$SETS" | sed 's/ /, /g')"
snapshots "$set" > "$here/snapshots" || give_up "cannot read the repository $RESTIC_REPOSITORY"
case $snapshot in
  latest) id=$(head -n 1 "$here/snapshots" | cut -d ' ' -f 1) ;;
  *[!0-9a-f]* | ???????) give_up "snapshot = $snapshot must be latest or an ID of restic, 8 to 64 digits of 0-9 a-f" ;;
  *)
    short=$(printf %.8s "$snapshot")
    id=$(cut -d ' ' -f 1 "$here/snapshots" | grep -x "$short" | head -n 1) ;;
esac
[ -n "$id" ] || give_up "there is no snapshot $snapshot of $set in $RESTIC_REPOSITORY"
folder=$BACKUP/restored/$set-$id
[ ! -d "$folder" ] || [ -z "$(ls -A "$folder")" ] ||
  give_up "restored/$set-$id on the backup volume is not empty: move its contents away first"
rm -rf "$folder.part"
mkdir -p "$folder.part" || give_up "cannot write to the backup volume"
run restic restore --retry-lock "$LOCK_WAIT" --verify --target "$folder.part" "$id:$(path_of "$id")" || give_up "snapshot $id cannot be restored: $(last)"
(cd "$folder.part" && sha256sum -c SHA256SUMS) > "$out" 2>&1 || give_up "snapshot $id does not match its checksums: $(grep -v ': OK$' "$out" | head -n 3 | tr '\n' ' ')"
[ ! -d "$folder" ] || rmdir "$folder"
mv "$folder.part" "$folder" || give_up "cannot write to the backup volume"
say "restored $set, snapshot $id, to restored/$set-$id on the backup volume"
if [ -n "${NOMAD_META_database:-}" ] && [ -e "$folder/database.dump" ]; then
  mkdir -p "$work/load"
  cp "$folder/database.dump" "$folder/ROWS" "$work/load/" || give_up "cannot copy the dump"
fi
echo "$set snapshot=$id folder=restored/$set-$id" > "$work/restored"
${DATABASE_FOLLOWS:-false} || cp "$work/restored" "$work/sets"
