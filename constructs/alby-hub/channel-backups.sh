#!/bin/sh
# Copies every new or changed channel backup to the second place, every 10 s, forever, and never deletes a copy. Only
# complete files are copied: it waits for one that is being written, reports one that stays incomplete, and keeps the
# earlier copy of it. A complete file never replaces another complete one: it gets a name with part of its checksum,
# which sorts right after. A copy has a hidden name until it is complete. While the second place is away, the log says
# so once a minute; a file that cannot be copied does not hold up the others.
#
# It also deletes the copies of the work directory that `homelab backup before-upgrade` made, as soon as the Lightning
# node was seen running since: they are stale then, and starting from one would lose the channels. This only tidies up;
# what prevents the restore of a stale copy is in the work directory itself.
#
# JOB              ID of the hub's job, the name of its folders
# CHANNEL_BACKUPS  where the hub writes them, below /data
# CHANNEL_COPIES   where they go, below /second
# BEFORE_UPGRADE   where copies of the work directory are, below /second
# SEEN             file in which the probe records when the node last ran

umask 077
from=/data/$CHANNEL_BACKUPS
to=/second/$CHANNEL_COPIES/$JOB
old=/second/$BEFORE_UPGRADE/$JOB
known=/local/known
say() { echo "channel-backups: $*" >&2; }
trap 'exit 0' TERM INT
mkdir -p "$known"
away=
turn=0
each_minute() { [ $((turn % 6)) -eq 0 ]; }
copy() {
  cp "$1" "$to/.part" && fsync "$to/.part" && mv "$to/.part" "$2" && cmp "$1" "$2"
}
say "copying static channel backups to $CHANNEL_COPIES/$JOB of the second place"
while :; do
  gone=
  stuck=
  for file in "$from"/*.json; do
    { [ -f "$file" ] && [ ! -h "$file" ]; } || continue
    name=${file##*/}
    state=$(stat -c '%s %Y' "$file") || continue
    [ "$state" = "$(cat "$known/$name" 2>/dev/null)" ] && [ -e "$to/$name" ] && continue
    age=$(($(date +%s) - ${state#* }))
    if ! is_complete "$file" 2>/dev/null; then
      [ $age -lt 20 ] || ! each_minute || say "$name is incomplete and is not copied; an earlier copy of it stays"
      continue
    fi
    target=$to/$name
    if [ -f "$target" ] && is_complete "$target" && ! cmp -s "$file" "$target"; then
      target=$to/${name%.json}_$(sha256sum "$file" | head -c 8).json
    fi
    if ! cmp -s "$file" "$target"; then
      if ! mkdir -p "$to" 2>/local/error; then gone=yes; break; fi
      if ! copy "$file" "$target" 2>/local/why; then
        if ! { : > "$to/.part" && rm -f "$to/.part"; } 2>/local/error; then gone=yes; break; fi
        stuck=yes
        each_minute && say "cannot copy $name, continuing with the others: $(tail -n 1 /local/why)"
        continue
      fi
      say "copied ${target##*/}, $(wc -c < "$target") bytes"
    fi
    # A file that has just been written may change again within the same second.
    [ $age -lt 20 ] || echo "$state" > "$known/$name"
  done
  if [ -n "$gone" ]; then
    { [ -n "$away" ] && ! each_minute; } || say "the second place is away, trying again: $(tail -n 1 /local/error)"
    away=yes
  elif [ -n "$away" ]; then
    say "the second place is back$([ -n "$stuck" ] || echo ', everything is copied')"
    away=
  fi
  ran=$(cat "$SEEN" 2>/dev/null)
  for copy in "$old"/* "$old"/.[0-9]*.part; do
    { [ -n "$ran" ] && [ -d "$copy" ]; } || continue
    made=${copy##*/}
    made=${made#.}
    # shellcheck disable=SC3012 # busybox and dash both compare strings this way
    [ "$(date -u -d "@$ran" +%Y%m%dT%H%M%SZ)" \> "${made%.part}" ] || continue
    rm -rf "$copy" 2>/local/error && say "removed the copy of the work directory of ${copy##*/}: the node has run since, so it is stale"
  done
  turn=$((turn + 1))
  sleep 10 &
  wait $!
done
