#!/bin/sh
# Puts the copy of a work directory back, in steps that may be interrupted anywhere: first into a folder of its own,
# where it is checked; then by renames alone, while a file keeps the hub from starting (see
# constructs/alby-hub/entry.sh). Running it again finishes an interrupted restore.
#
# This decides whether the copy is stale, by what is in the volume. If the hub was not started since, the copy has the
# same start marker, and the node cannot have run. If it was started, its node may have run: neither Nomad nor polling
# the hub can rule that out, not even for a second. But LDK writes its state before it tells a peer about it, so state
# that is identical byte for byte is still current. That is the case of an upgrade that fails in its database. Anything
# else is refused: refusing a good copy costs the fees of closing channels, restoring a stale one costs the channels.
#
# SERVICE         ID of the job, the name of its folders in $BACKUP and $DATA
# TIME            of the copy, the name of its folder; only a complete copy has a SHA256SUMS
# BEFORE_UPGRADE  where copies are, below $BACKUP
# START_MARKER, LIGHTNING_STATE, UNFINISHED_RESTORE, RESTORE_PART, SET_ASIDE, IDENTITY_MARKER, LOCK
#                 names in the work directory, see model/marker-files.ts

say() { echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $*"; }
refuse() { say "refuses: $*" >&2; exit 1; }
copy=$BACKUP/$BEFORE_UPGRADE/$SERVICE/$TIME
live=$DATA/$SERVICE
part=$live/$RESTORE_PART
unfinished=$live/$UNFINISHED_RESTORE
aside=$live/$SET_ASIDE$(date -u +%Y%m%dT%H%M%SZ)
give_up() { rm -rf "$part"; refuse "$*; the work directory of $SERVICE is unchanged"; }
broke_off() { refuse "$*; $SERVICE refuses to start on what is there now, and the previous data is in $aside: run this again"; }
# good FOLDER: whether the data in it is that of the copy. Version 0.1.0 copied the identity and the lock as well.
good() {
  (cd "$1" && grep -v -x -e "[0-9a-f]*  $IDENTITY_MARKER" -e "[0-9a-f]*  $LOCK" "$copy/SHA256SUMS" | sha256sum -c -) >/dev/null
}
hold_lock "$live" || refuse "$why"
started=$(cat "$live/$START_MARKER" 2>/dev/null)
[ -f "$copy/SHA256SUMS" ] || refuse "there is no copy $BEFORE_UPGRADE/$SERVICE/$TIME any more: it is deleted once the Lightning node has run, because it is stale then"
good "$copy" || refuse "the copy is damaged: a file does not match its checksum"
say "the copy of $TIME is complete"
if [ -e "$unfinished" ]; then
  [ "$(cat "$unfinished")" = "$TIME" ] || refuse "an earlier restore of the copy of $(cat "$unfinished") is incomplete: only that copy can be restored"
  say "continues the restore that was interrupted; $SERVICE could not start since"
elif ! cmp -s "$live/$START_MARKER" "$copy/$START_MARKER"; then
  now=$(cd "$live" && find "$LIGHTNING_STATE" -type f -exec sha256sum {} + | sort -k 2)
  before=$(grep "  $LIGHTNING_STATE/" "$copy/SHA256SUMS" | sort -k 2)
  [ "$now" = "$before" ] || refuse "$SERVICE was started since the copy was made ($(cat "$live/$START_MARKER")), and its Lightning state has changed: the copy is stale, and starting from it can lose the channels. Start what is there; if that does not run, close the channels by the static channel backup, as docs/recovery.md says"
  say "$SERVICE was started since, but its Lightning state is unchanged: its node has written nothing"
fi
{ rm -rf "$part" && mkdir "$part"; } || give_up "cannot write to its volume"
for entry in "$copy"/* "$copy"/.[!.]*; do
  case $entry in
    "$copy"/SHA256SUMS | "$copy/$IDENTITY_MARKER"* | "$copy/$LOCK" | "$copy/*" | "$copy/.[!.]*") ;;
    *) cp -a "$entry" "$part"/ || give_up "cannot copy $entry" ;;
  esac
done
sync
good "$part" || give_up "what was written differs from the copy"
# That took its time, and with it the lease of a machine that was cut off: another one may have started the service.
lock_open_file || refuse "$why"
[ "$(cat "$live/$START_MARKER" 2>/dev/null)" = "$started" ] || refuse "$SERVICE was started while its copy was read; nothing was put back"
{ echo "$TIME" > "$unfinished.part" && mv "$unfinished.part" "$unfinished" && sync && mkdir "$aside"; } || broke_off "cannot write to its volume"
for entry in "$live"/* "$live"/.[!.]*; do
  case $entry in
    "$live/$SET_ASIDE"* | "$unfinished" | "$part" | "$live/$IDENTITY_MARKER"* | "$live/$LOCK" | "$live"/lost+found | "$live/*" | "$live/.[!.]*") ;;
    *) mv "$entry" "$aside"/ || broke_off "cannot move $entry aside" ;;
  esac
done
say "the previous data is in ${aside##*/} in the volume of $SERVICE"
for entry in "$part"/* "$part"/.[!.]*; do
  case $entry in
    "$part/*" | "$part/.[!.]*") ;;
    *) mv "$entry" "$live"/ || broke_off "cannot put $entry in its place" ;;
  esac
done
good "$live" || broke_off "what is there now differs from the copy"
sync
{ rmdir "$part" && rm "$unfinished"; } || broke_off "cannot write to its volume"
sync
say "the work directory is back as it was at $TIME, $(wc -l < "$copy/SHA256SUMS") files"
