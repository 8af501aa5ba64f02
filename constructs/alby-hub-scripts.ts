import { MISSING_SECRET } from "../nomad/template";
import { entryScript, pingElectrs } from "./busybox";

/** Where the entry script tells the probe what it does: `waiting`, or `started <epoch seconds> <electrs address>`. */
const STATE = "/alloc/data/albyhub";

/** Where the probe remembers when the node last ran, in epoch seconds. */
const SEEN = "/alloc/data/albyhub-seen";

/** The file with electrs's address, rendered for the program and for the probe alike. Empty while there is none. */
export const ELECTRS_ADDRESS = "local/electrs";

/** The file in the work directory that names its volume. */
export const VOLUME_MARKER = ".homelab-volume";

/**
 * Where the hub writes its static channel backups, below the work directory: one file each time that a channel becomes
 * ready, named by the time, not in one step.
 *
 * @see https://github.com/getAlby/hub/blob/v1.24.0/service/start.go
 */
export const CHANNEL_BACKUPS = "ldk/static_channel_backups";

/** Keys of the service's Nomad variable; each is rendered to a file of its name below `secrets/`. */
export const DATABASE_PASSWORD = "database_password";
export const AUTO_UNLOCK_PASSWORD = "auto_unlock_password";

/**
 * Guards the work directory, which holds the channels: Alby Hub itself starts on an empty one without a word, and then
 * the channels are gone. A marker file names the volume; a second one remembers that there was Lightning state, from
 * the moment that the hub makes it.
 */
function checkVolume(volumeId: string, firstStart: boolean): string {
  const empty = firstStart
    ? `say "first start: marks the empty volume as ${volumeId}"`
    : `refuse "the volume ${volumeId} is empty: if this is a new Alby Hub, set firstStart: true for its first deploy; if not, the wrong folder is mounted, and starting would lose the channels"`;
  return `refuse() { say "refuses to start: $*"; exit 1; }
$bb chmod 0700 /data || say "cannot make /data private; is it owned by 3001:3001?"
marker=/data/${VOLUME_MARKER}
state=/data/ldk/storage/ldk_node_data.sqlite
if [ -e $marker ]; then
  found=$($bb cat $marker)
  [ "$found" = "${volumeId}" ] || refuse "the volume ${volumeId} holds the data of $found: the wrong folder is mounted"
elif [ -e /data/nwc.db ]; then
  refuse "the volume ${volumeId} is that of a hub with a SQLite database, nwc.db, whose accounts and seed PostgreSQL does not have: migrate it in the hub first, then move nwc.db away"
elif [ -s $state ]; then
  say "adopts the data found on the volume ${volumeId}"
elif [ -d /data/ldk ]; then
  refuse "the volume ${volumeId} has the folder ldk of a hub, but not its channels, $state: restore all of it or none"
elif [ -n "$($bb ls -A /data | $bb grep -v -x -e lost+found -e log)" ]; then
  refuse "the volume ${volumeId} holds something else than the data of an Alby Hub: $($bb ls -A /data | $bb head -n 5 | $bb tr '\\n' ' ')"
else
  ${empty}
fi
if [ -e $marker.lightning ] && [ ! -e $state ]; then
  refuse "the Lightning state has gone from the volume ${volumeId}: mount the right folder or restore it; never start from an old copy"
fi
[ -e $marker ] || echo "${volumeId}" > $marker || refuse "cannot write to /data; is it owned by 3001:3001?"
if [ ! -e $marker.lightning ]; then
  { until [ -s $state ]; do $bb sleep 5; done && : > $marker.lightning; } >/dev/null 2>&1 &
fi`;
}

export interface EntryProps {
  readonly volumeId: string;
  readonly firstStart: boolean;
  /** The Nomad variable, for messages. */
  readonly secrets: string;
  readonly autoUnlock: boolean;
  /** Everything of the database's address but the password, which stands as `$password`. */
  readonly databaseUri: string;
}

/**
 * Checks volume and secrets, waits for electrs, starts the hub. At every start, because the hub tries its node once and
 * stays up dead when electrs is not there.
 */
export function albyHubEntry(props: EntryProps) {
  const readSecret = (key: string, variable: string) => `${variable}=$(secret ${key}) || exit 1`;
  return entryScript({
    before: `${pingElectrs("$bb")}
secret() {
  value=$($bb cat /secrets/$1)
  case $value in
    "${MISSING_SECRET} "*) say "$value"; return 1 ;;
    '' | *[!A-Za-z0-9._~-]*) say "${MISSING_SECRET} ${props.secrets} must hold under the key $1 a value of A-Z a-z 0-9 . _ ~ - alone"; return 1 ;;
  esac
  echo "$value"
}
echo waiting > ${STATE}
${readSecret(DATABASE_PASSWORD, "password")}
${props.autoUnlock ? readSecret(AUTO_UNLOCK_PASSWORD, "unlock") : "# unlocked by hand"}
${checkVolume(props.volumeId, props.firstStart)}`,
    ready: `  electrs=$($bb cat /${ELECTRS_ADDRESS})
  [ -n "$electrs" ] && ping_electrs "\${electrs%:*}" "\${electrs##*:}"`,
    waitingFor: `a complete index of electrs at \${electrs:-an address that Nomad does not know yet}`,
    prepare: `export LDK_ELECTRUM_SERVER="$electrs"
export DATABASE_URI="${props.databaseUri}"
${props.autoUnlock ? 'export AUTO_UNLOCK_PASSWORD="$unlock"' : ""}
echo "started $($bb date +%s) $electrs" > ${STATE}`,
    exec: "/bin/main",
  });
}

/**
 * What the probe answers: 503 when the node has not run for `graceSeconds`, counted from the program's start or from
 * when it was last seen running; or when electrs has another address than the one the program was started with, which it
 * reads once. A NAS or a database that is away for a few minutes must not have the hub stopped.
 */
export function albyHubHealth(httpPort: number, graceSeconds: number, autoUnlock: boolean): string {
  return `read -r state since electrs < ${STATE} || state=waiting
[ "$state" = started ] || ok 'waiting for electrs'
info=$(wget -q -T 5 -O - http://127.0.0.1:${httpPort}/api/info | tr -d ' ')
case $info in
  *'"running":true'*) runs=yes ;;
  *'"setupCompleted":false'*) ok 'set-up is open to whoever comes first' ;;
  ${autoUnlock ? "" : "*'\"setupCompleted\":true'*) ok 'locked: to be unlocked by hand' ;;"}
esac
current=$(cat /${ELECTRS_ADDRESS})
[ -z "$current" ] || [ "$current" = "$electrs" ] || bad "electrs moved from $electrs to $current"
[ -z "$runs" ] || { date +%s > ${SEEN}; ok 'the Lightning node runs'; }
seen=$(cat ${SEEN} 2>/dev/null)
[ "\${seen:-0}" -gt "$since" ] && since=$seen
[ $(($(date +%s) - since)) -ge ${graceSeconds} ] || ok 'the Lightning node does not run yet, or not for long'
bad 'the Lightning node does not run'`;
}

/**
 * Copies every new or changed channel backup to the second place, every 10 s, for ever; what is there is never deleted.
 * A copy that was cut off never has the name of a whole one; one of a file that was still being written is replaced as
 * soon as that is longer. While the second place is away it says so once a minute and goes on trying.
 *
 * It also removes the copies of the work directory that `homelab backup before-upgrade` made, as soon as the Lightning
 * node has run since: then they are stale, and starting from one would lose the channels.
 */
export function channelBackupsScript(jobId: string): string {
  return `umask 077
data=/data
second=/second
seen=${SEEN}
from=$data/${CHANNEL_BACKUPS}
to=$second/channels/${jobId}
old=$second/before-upgrade/${jobId}
known=/local/known
say() { echo "channel-backups: $*" >&2; }
trap 'exit 0' TERM INT
mkdir -p $known
away=
turn=0
missed() {
  [ -n "$away" ] && [ $((turn % 6)) -ne 0 ] || say "the second place is away, tries again: $(tail -n 1 /local/error)"
  away=yes
}
copy() {
  cp "$1" "$2.part" && fsync "$2.part" && mv "$2.part" "$2" && cmp "$1" "$2"
}
say "copies static channel backups to channels/${jobId} of the second place"
while :; do
  failed=
  for file in $from/*.json; do
    [ -f "$file" ] && [ ! -h "$file" ] || continue
    name=\${file##*/}
    state=$(stat -c '%s %Y' "$file") || continue
    [ "$state" = "$(cat "$known/$name" 2>/dev/null)" ] && [ -e "$to/$name" ] && continue
    if ! mkdir -p $to 2>/local/error; then failed=yes; break; fi
    if ! cmp -s "$file" "$to/$name"; then
      if ! copy "$file" "$to/$name" 2>/local/error; then failed=yes; break; fi
      say "copied $name, $(wc -c < "$to/$name") bytes"
    fi
    # What has just been written may still change within its second.
    [ $(($(date +%s) - \${state#* })) -lt 20 ] || echo "$state" > "$known/$name"
  done
  if [ -n "$failed" ]; then
    missed
  elif [ -n "$away" ]; then
    say "the second place is back, all is copied"
    away=
  fi
  ran=$(cat $seen 2>/dev/null)
  for copy in $old/* $old/.[0-9]*.part; do
    [ -n "$ran" ] && [ -d "$copy" ] || continue
    made=\${copy##*/}
    made=\${made#.}
    [ "$(date -u -d @$ran +%Y%m%dT%H%M%SZ)" \\> "\${made%.part}" ] || continue
    rm -rf "$copy" 2>/local/error && say "removed the copy of the work directory of \${copy##*/}: the node has run since, so it is stale"
  done
  turn=$((turn + 1))
  sleep 10 &
  wait $!
done
`;
}
