import {
  RESTORE_PART,
  SEEN,
  SET_ASIDE,
  START_MARKER,
  UNFINISHED_RESTORE,
  VOLUME_MARKER,
} from "../../model/work-directory";
import { MISSING_SECRET } from "../../nomad/template";
import { entryScript, pingElectrs } from "../busybox";

/** Where the entry script tells the probe what it does: `waiting`, or `started <epoch seconds> <electrs address>`. */
const STATE = "/alloc/data/albyhub";

/** The file with electrs's address, rendered for the program and for the probe alike. Empty while there is none. */
export const ELECTRS_ADDRESS = "local/electrs";

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
[ ! -e /data/${UNFINISHED_RESTORE} ] || refuse "a copy of the work directory was being put back into the volume ${volumeId} and that broke off, so it is neither old nor new: homelab backup restore … --work-directory once more brings it to its end"
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
fi
$bb rm -rf /data/${RESTORE_PART}
# Old states of channels are good for nothing but a loss, once the node has run on the right one.
if [ -n "$($bb find /data -maxdepth 1 -name '${SET_ASIDE}*')" ]; then
  {
    until [ -s ${SEEN} ]; do $bb sleep 5; done
    $bb rm -rf /data/${SET_ASIDE}* && say "removed what was set aside when a copy was put back: the node has run since"
  } &
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
started=/data/${START_MARKER}
echo "$($bb date -u +%Y-%m-%dT%H:%M:%SZ) $($bb cat /proc/sys/kernel/random/uuid)" > $started.part && $bb fsync $started.part && $bb mv $started.part $started ||
  refuse "cannot write to /data that it starts"
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
