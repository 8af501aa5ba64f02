#!/bin/sh
# Copies every new or changed channel backup to the second place, every 10 s, for ever; what is there is never deleted.
# Complete files alone: one that is being written is waited for, one that stays half is said and left out, and what was
# copied of it before stays. A complete one takes the place of no other complete one: it gets a name with its checksum,
# which sorts right after. A copy that was cut off has a hidden name. While the second place is away it says so once a
# minute and goes on trying; a single file that cannot be copied keeps none of the others.
#
# It also removes the copies of the work directory that `homelab backup before-upgrade` made, as soon as the Lightning
# node was seen running since: then they are stale, and starting from one would lose the channels. That is to have none
# lying about; what keeps a stale one from being put back is in the work directory itself.
#
# JOB              ID of the hub's job, the name of its folders
# CHANNEL_BACKUPS  where the hub writes them, below /data
# CHANNEL_COPIES   where they go, below /second
# BEFORE_UPGRADE   where copies of the work directory are, below /second
# SEEN             file in which the probe remembers when the node last ran

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
say "copies static channel backups to $CHANNEL_COPIES/$JOB of the second place"
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
      [ $age -lt 20 ] || ! each_minute || say "$name is not whole, is not copied; what was copied of it before stays"
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
        each_minute && say "cannot copy $name, goes on with the others: $(tail -n 1 /local/why)"
        continue
      fi
      say "copied ${target##*/}, $(wc -c < "$target") bytes"
    fi
    # What has just been written may still change within its second.
    [ $age -lt 20 ] || echo "$state" > "$known/$name"
  done
  if [ -n "$gone" ]; then
    { [ -n "$away" ] && ! each_minute; } || say "the second place is away, tries again: $(tail -n 1 /local/error)"
    away=yes
  elif [ -n "$away" ]; then
    say "the second place is back$([ -n "$stuck" ] || echo ', all is copied')"
    away=
  fi
  ran=$(cat "$SEEN" 2>/dev/null)
  for copy in "$old"/* "$old"/.[0-9]*.part; do
    { [ -n "$ran" ] && [ -d "$copy" ]; } || continue
    made=${copy##*/}
    made=${made#.}
    # shellcheck disable=SC3012 # both shells compare texts so
    [ "$(date -u -d "@$ran" +%Y%m%dT%H%M%SZ)" \> "${made%.part}" ] || continue
    rm -rf "$copy" 2>/local/error && say "removed the copy of the work directory of ${copy##*/}: the node has run since, so it is stale"
  done
  turn=$((turn + 1))
  sleep 10 &
  wait $!
done
