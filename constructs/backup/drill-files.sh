#!/bin/sh
# The first half of the drill: restores the newest snapshot of each set and checks the files.
#
# SETS       names of the sets
# FILE_SETS  those that have files, mounted in $DATA under their names

drill=$work/drill
rm -rf "$drill" "$work/checks.files"
mkdir -p "$drill"
check() { say "$*"; echo "$*" >> "$work/checks.files"; }
for set in $SETS; do
  snapshots "$set" > "$here/snapshots" || give_up "cannot read the repository $RESTIC_REPOSITORY"
  read -r id time _ < "$here/snapshots" || give_up "$set: there is no snapshot of it"
  folder=$drill/$set
  mkdir -p "$folder"
  run restic restore --retry-lock "$LOCK_WAIT" --verify --target "$folder" "$id:$(path_of "$id")" || give_up "$set: snapshot $id cannot be restored: $(last)"
  [ -s "$folder/SHA256SUMS" ] || give_up "$set: snapshot $id has no SHA256SUMS"
  (cd "$folder" && sha256sum -c SHA256SUMS) > "$out" 2>&1 || give_up "$set: snapshot $id does not match its checksums: $(grep -v ': OK$' "$out" | head -n 3 | tr '\n' ' ')"
  [ "$(find "$folder" -type f | wc -l)" = $(($(wc -l < "$folder/SHA256SUMS") + 1)) ] || give_up "$set: snapshot $id holds files that SHA256SUMS does not list"
  check "$set snapshot $id of $time restored, $(wc -l < "$folder/SHA256SUMS") checksums equal"
  if is_one_of "$set" "$FILE_SETS" && [ -d "$folder/files" ]; then
    source=$DATA/$set
    same=0
    gone=0
    (cd "$folder/files" && find . -type f) > "$here/paths"
    while read -r path; do
      if [ ! -e "$source/$path" ]; then gone=$((gone + 1)); continue; fi
      cmp -s "$source/$path" "$folder/files/$path" || give_up "$set: ${path#./} differs from its source"
      same=$((same + 1))
    done < "$here/paths"
    check "$set $same files equal to their source$([ $gone = 0 ] || echo ", $gone no longer there")"
  fi
  for snap in "$folder"/raft/*.snap; do
    [ -e "$snap" ] || continue
    opened=$drill/.raft/$set/${snap##*/}
    mkdir -p "$opened"
    run tar -xzf "$snap" -C "$opened" || give_up "$set: the raft snapshot ${snap##*/} does not open: $(last)"
    { [ -s "$opened/SHA256SUMS" ] && [ -s "$opened/state.bin" ] && [ -s "$opened/meta.json" ]; } ||
      give_up "$set: the raft snapshot ${snap##*/} is incomplete"
    (cd "$opened" && sha256sum -c SHA256SUMS) > "$out" 2>&1 || give_up "$set: the raft snapshot ${snap##*/} is damaged: $(head -n 3 "$out" | tr '\n' ' ')"
    rm "$opened/state.bin"
  done
done
chmod -R u=rwX,g=rwX,o= "$drill"
