#!/bin/sh
# Checks the volume and the secrets, waits for electrs, then becomes the hub. On every start, because the hub tries to
# start its node only once, and stays up without it when electrs is not there.
#
# BUSYBOX        path of busybox
# STATE          as in shell/entry.sh; the text of "started" is the address of electrs
# SEEN           file in which the probe records when the node last ran
# ADDRESS_FILE   file with the addresses of electrs, one a line, empty while there is none
# VOLUME_ID      the volume of the work directory, /data
# FIRST_START    whether that may be empty
# VOLUME_MARKER, START_MARKER, LIGHTNING_STATE, UNFINISHED_RESTORE, RESTORE_PART, SET_ASIDE
#                names in the work directory, see model/marker-files.ts
# VARIABLE       Nomad variable of the secrets, for messages
# MISSING_VALUE  what a secret's file begins with when its value is empty
# AUTO_UNLOCK    whether the hub unlocks itself
# PASSWORD_NAME, UNLOCK_PASSWORD_NAME
#                keys of the secrets
# DATABASE, DATABASE_USER, DATABASE_TLS
#                host:port/name, the role, libpq's sslmode

flock() { "$BUSYBOX" flock "$@"; }

# secret KEY prints a secret, whose characters need no quoting in a shell or a URL.
secret() {
  value=$("$BUSYBOX" cat "/secrets/$1")
  case $value in
    "$MISSING_VALUE "*) refuse "$value" ;;
    '' | *[!A-Za-z0-9._~-]*) refuse "$MISSING_VALUE $VARIABLE must have a value under the key $1 that uses only A-Z a-z 0-9 . _ ~ -" ;;
  esac
  echo "$value"
}

# A reason to refuse stays until all is checked again.
"$BUSYBOX" grep -q '^refused ' "$STATE" 2>/dev/null || tell checking "the volume and the secrets"
password=$(secret "$PASSWORD_NAME") || exit 1
if [ "$AUTO_UNLOCK" = true ]; then unlock=$(secret "$UNLOCK_PASSWORD_NAME") || exit 1; fi

# The work directory holds the channels, and the hub itself starts on an empty one without complaint: the channels are
# lost then. One marker names the volume; the other records that there was Lightning state, once the hub has written it.
hold_lock /data || refuse "volume $VOLUME_ID: $why"
"$BUSYBOX" chmod 0700 /data || say "cannot make /data private; is it owned by 3001:3001?"
marker=/data/$VOLUME_MARKER
state=/data/$LIGHTNING_STATE/ldk_node_data.sqlite
contents=$("$BUSYBOX" ls -A /data | "$BUSYBOX" grep -v -e '^lost+found$' -e '^log$' -e '^\.homelab-')
# Nothing may start on what is between two states, and an empty file is a new node without channels to the hub.
check_state() {
  [ ! -e "/data/$UNFINISHED_RESTORE" ] || refuse "a restore of the work directory into the volume $VOLUME_ID is incomplete, so the data is neither old nor new: rerun homelab backup restore … --work-directory to finish it"
  [ ! -e "$marker.lightning" ] || [ -s "$state" ] || refuse "the Lightning state is gone from the volume $VOLUME_ID, or empty: mount the right folder or restore it; never start from an old copy"
}
check_state
if [ -e "$marker" ] || [ -h "$marker" ]; then
  found=$(words "$marker")
  [ "$found" = "$VOLUME_ID" ] || refuse "the volume $VOLUME_ID holds the data of ${found:-a volume that its marker $VOLUME_MARKER does not name}: the wrong folder is mounted"
elif [ -e /data/nwc.db ]; then
  refuse "the volume $VOLUME_ID belongs to a hub with a SQLite database, nwc.db, whose accounts and seed are not in PostgreSQL: migrate it in the hub first, then move nwc.db away"
elif [ -s "$state" ]; then
  say "adopts the data found on the volume $VOLUME_ID"
elif [ -d /data/ldk ]; then
  refuse "the volume $VOLUME_ID has the folder ldk of a hub, but not its channels, $state: restore all of it or none"
elif [ -n "$contents" ]; then
  refuse "the volume $VOLUME_ID holds something other than the data of an Alby Hub: $(echo "$contents" | "$BUSYBOX" head -n 5 | "$BUSYBOX" tr '\n' ' ')"
elif [ "$FIRST_START" = true ]; then
  say "first start: marks the empty volume as $VOLUME_ID"
else
  refuse "the volume $VOLUME_ID is empty: if this is a new Alby Hub, set firstStart: true for its first deploy; if not, the wrong folder is mounted, and starting would lose the channels"
fi
check_owner
[ -e "$marker" ] || put "$marker" "$VOLUME_ID" || refuse "cannot write to /data; is it owned by 3001:3001?"
claim
if [ ! -e "$marker.lightning" ]; then
  { until [ -s "$state" ]; do "$BUSYBOX" sleep 5; done && : > "$marker.lightning"; } >/dev/null 2>&1 9>&- &
fi
"$BUSYBOX" rm -rf "/data/$RESTORE_PART"
# Stale channel state can only lose funds: delete it once the node has run on the current one.
if [ -n "$("$BUSYBOX" find /data -maxdepth 1 -name "$SET_ASIDE*")" ]; then
  {
    until [ -s "$SEEN" ]; do "$BUSYBOX" sleep 5; done
    "$BUSYBOX" rm -rf "/data/$SET_ASIDE"* && say "removed what a restore had set aside: the node has run since"
  } 9>&- &
fi

ready() {
  known=$("$BUSYBOX" tr '\n' ' ' < "$ADDRESS_FILE")
  waiting_for="a complete index of electrs at ${known:-an address that Nomad does not know yet}"
  for electrs in $known; do
    # busybox's timeout leaves a watcher behind for a moment, which must not hold the lock.
    ping_electrs "${electrs%:*}" "${electrs##*:}" 9>&- && return
  done
  return 1
}
wait_until_ready
# Hours may have passed, and the lease of a machine that was cut off with them.
lock_open_file || refuse "volume $VOLUME_ID: $why"
check_state
check_owner

started=/data/$START_MARKER
this_start="$("$BUSYBOX" date -u +%Y-%m-%dT%H:%M:%SZ) $("$BUSYBOX" cat /proc/sys/kernel/random/uuid)"
put "$started" "$this_start" || refuse "cannot record its start in /data"
# A hub whose machine was cut off, and that another one has followed, would go on with what it has in memory when the
# machine is back. This ends it, within 10 s after it can be read again who started last: with QUIT, upon which a Go
# program ends at once, because a clean stop would write the old state. What it wrote in those seconds is not undone.
{
  while "$BUSYBOX" sleep 10 && kill -0 $$ 2>/dev/null; do
    last=$("$BUSYBOX" cat "$started" 2>/dev/null)
    case $last in '' | "$this_start") continue ;; esac
    say "another hub has started on the volume $VOLUME_ID since, at $last: ends this one at once"
    kill -QUIT $$
  done
} 9>&- &

export LDK_ELECTRUM_SERVER="$electrs"
export DATABASE_URI="postgresql://$DATABASE_USER:$password@$DATABASE?sslmode=$DATABASE_TLS"
if [ "$AUTO_UNLOCK" = true ]; then export AUTO_UNLOCK_PASSWORD="$unlock"; fi
begin "$electrs"
exec /bin/main
