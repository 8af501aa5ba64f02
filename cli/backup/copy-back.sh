#!/bin/sh
# Puts the copy of a work directory back, in steps that may break off at any place: into a folder of its own first, where
# it is checked; then by renames alone, while a file keeps the hub from starting (see constructs/alby-hub/entry.sh). Run
# again, it comes to its end.
#
# Whether the copy is stale is decided here, by what lies in the volume. No start since: the copy has the same marker of
# the last start, and the node cannot have run. A start since: it may have run, and neither Nomad nor a poll of the hub
# can tell that it did not for a second; but LDK writes its state before it tells a peer of it, so a state that is the
# same byte for byte was not left behind. That is the upgrade that breaks off in its database; any other is refused,
# since a restore too few costs the fees of closing channels, and one too many the channels.
#
# SERVICE         ID of the job, the name of the folders in $BACKUP and $DATA
# TIME            of the copy, the name of its folder; complete copies alone have a SHA256SUMS
# BEFORE_UPGRADE  where copies are, below $BACKUP
# START_MARKER, UNFINISHED_RESTORE, RESTORE_PART, SET_ASIDE
#                 names in the work directory, see model/work-directory.ts

say() { echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $*"; }
refuse() { say "refuses: $*" >&2; exit 1; }
copy=$BACKUP/$BEFORE_UPGRADE/$SERVICE/$TIME
live=$DATA/$SERVICE
part=$live/$RESTORE_PART
unfinished=$live/$UNFINISHED_RESTORE
aside=$live/$SET_ASIDE$(date -u +%Y%m%dT%H%M%SZ)
give_up() { rm -rf "$part"; refuse "$*; the work directory of $SERVICE is as it was"; }
broke_off() { refuse "$*; $SERVICE does not start on what is there now, and what was there is in $aside: run this again"; }
[ -f "$copy/SHA256SUMS" ] || refuse "there is no copy $BEFORE_UPGRADE/$SERVICE/$TIME any more: it goes when the Lightning node has run since it was made, and then it would be stale"
(cd "$copy" && sha256sum -c SHA256SUMS) >/dev/null || refuse "the copy is damaged: a file is not as its checksum says"
say "the copy of $TIME is whole"
if [ -e "$unfinished" ]; then
  [ "$(cat "$unfinished")" = "$TIME" ] || refuse "it was the copy of $(cat "$unfinished") that was half put back: that one must be put back, or none"
  say "goes on where this broke off; $SERVICE could not start since"
elif ! cmp -s "$live/$START_MARKER" "$copy/$START_MARKER"; then
  now=$(cd "$live" && find ldk/storage -type f -exec sha256sum {} + | sort -k 2)
  before=$(grep '  ldk/storage/' "$copy/SHA256SUMS" | sort -k 2)
  [ "$now" = "$before" ] || refuse "$SERVICE was started since the copy was made ($(cat "$live/$START_MARKER")), and its Lightning state has changed: the copy is stale, and starting from it can lose the channels. Start what is there; if that does not run, close the channels by the static channel backup, as docs/recovery.md says"
  say "$SERVICE was started since, but its Lightning state is what it was: its node has written nothing"
fi
{ rm -rf "$part" && mkdir "$part"; } || give_up "cannot write to its volume"
for entry in "$copy"/* "$copy"/.[!.]*; do
  case $entry in
    "$copy"/SHA256SUMS | "$copy/*" | "$copy/.[!.]*") ;;
    *) cp -a "$entry" "$part"/ || give_up "cannot copy $entry" ;;
  esac
done
sync
(cd "$part" && sha256sum -c "$copy/SHA256SUMS") >/dev/null || give_up "what was written is not as the copy"
{ echo "$TIME" > "$unfinished.part" && mv "$unfinished.part" "$unfinished" && sync && mkdir "$aside"; } || broke_off "cannot write to its volume"
for entry in "$live"/* "$live"/.[!.]*; do
  case $entry in
    "$live/$SET_ASIDE"* | "$unfinished" | "$part" | "$live"/lost+found | "$live/*" | "$live/.[!.]*") ;;
    *) mv "$entry" "$aside"/ || broke_off "cannot move $entry aside" ;;
  esac
done
say "what was there is moved to ${aside##*/} in the volume of $SERVICE"
for entry in "$part"/* "$part"/.[!.]*; do
  case $entry in
    "$part/*" | "$part/.[!.]*") ;;
    *) mv "$entry" "$live"/ || broke_off "cannot put $entry in its place" ;;
  esac
done
(cd "$live" && sha256sum -c "$copy/SHA256SUMS") >/dev/null || broke_off "what is there now is not as the copy"
sync
{ rmdir "$part" && rm "$unfinished"; } || broke_off "cannot write to its volume"
sync
say "the work directory is back as it was at $TIME, $(wc -l < "$copy/SHA256SUMS") files"
