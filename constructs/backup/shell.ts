import type { Template } from "../../.gen/nomad/job";
import { file, MISSING_SECRET } from "../../nomad/template";

/**
 * How often a task of a backup may be killed, by too little memory say, before it gives up by itself. Above it Nomad
 * would fail the allocation, and an allocation that failed may tell Nomad nothing more.
 */
export const KILLED_AT_MOST = 3;

/**
 * What every script of a backup begins with. POSIX shell, for busybox and dash alike; programs that both the images of
 * restic and of PostgreSQL have.
 *
 * A task that fails writes why into the allocation and **ends with 0**; the tasks after it then do nothing, and the last
 * one tells Nomad and fails the allocation. With one failed task the allocation is over for Nomad at once, and it refuses
 * the identity of the task that would tell of it («allocation is terminal», measured on 2.0.5).
 */
const PRELUDE = `set -u
umask 027
export LC_ALL=C TZ=UTC
work=$NOMAD_ALLOC_DIR/data
here=$NOMAD_TASK_DIR
out=$here/out
child=
mkdir -p "$work"
say() { echo "$*"; }
give_up() {
  say "failed: $*"
  echo "$NOMAD_TASK_NAME" > "$work/failed-task"
  printf '%s\\n' "$*" > "$work/failed.part" && mv "$work/failed.part" "$work/failed"
  exit 0
}
# What is wrong with one thing of several; a script with several goes on with the others.
fault() { give_up "$*"; }
# Runs a program so that a stop of the task reaches it. What it says is in $out.
try() {
  "$@" > "$out" 2>&1 &
  child=$!
  wait $child
  code=$?
  child=
  return $code
}
# The same, and in the log.
run() {
  try "$@"
  cat "$out"
  return $code
}
stopped() {
  [ -z "$child" ] || { kill -TERM $child; wait $child; cat "$out"; }
  say "stopped"
  exit 143
}
trap stopped TERM INT
# The last lines of what \`run\` ran said, as one.
last() { tail -n 4 "$out" | tr '\\n' ' '; }
# The value of a secret, into $value.
secret() {
  value=$(cat "$NOMAD_SECRETS_DIR/$1")
  case $value in
    "" | "${MISSING_SECRET} "*) fault "\${value:-the secret $1 is empty}: homelab secrets init gives it a value"; return 1 ;;
  esac
}
if [ -e "$work/failed" ]; then
  say "does nothing, since $(cat "$work/failed-task") failed"
  exit 0
fi
[ -e "$work/started" ] || date +%s > "$work/started"
tries=$(cat "$work/$NOMAD_TASK_NAME.tries" 2>/dev/null || echo 0)
[ "$tries" -lt ${KILLED_AT_MOST} ] || give_up "was killed ${KILLED_AT_MOST} times before it ended; has it too little memory?"
echo $((tries + 1)) > "$work/$NOMAD_TASK_NAME.tries"
`;

/** The script of a task of a backup, which is run as `sh /local/<task>`. */
export function backupScript(task: string, script: string): Template {
  return file(`local/${task}`, `${PRELUDE}${script}\n`);
}

/**
 * The last task of every job: writes the result to the Nomad variables below `homelab/backup/`, and fails the allocation
 * when something failed.
 *
 * The tasks before it leave in the allocation: `failed` and `failed-task`; or `sets`, a line for each set; or `checks`,
 * a line for each thing that was checked; and `snapshots`, the list of all that are in the repository. The hourly job may
 * leave `sets` beside `failed`: those that were well, each of which has a variable of its own, so that one that fails
 * neither hides another nor is hidden by it.
 */
export function reportScript(job: string): string {
  return `set -u
export LC_ALL=C TZ=UTC
work=$NOMAD_ALLOC_DIR/data
here=$NOMAD_TASK_DIR
say() { echo "$*"; }
trap 'exit 143' TERM INT
# Standard input as a string of JSON; what is no ASCII is left out.
json() {
  tr '\\t' ' ' | tr -cd '\\12\\40-\\176' | sed 's/\\\\/\\\\\\\\/g; s/"/\\\\"/g' |
    awk 'BEGIN { printf "\\"" } { printf "%s%s", sep, $0; sep = "\\\\n" } END { printf "\\"" }'
}
identity="X-Nomad-Token: $NOMAD_TOKEN"
# put NAME ITEMS writes homelab/backup/NAME.
put() {
  path=homelab/backup/$1
  printf '{"Namespace":"default","Path":"%s","Items":%s}' "$path" "$2" > "$here/body"
  for turn in 1 2 3 4 5 6; do
    if wget -q -T 30 -O "$here/answer" --header "$identity" --post-file "$here/body" \\
      "$NOMAD_API/v1/var/$path?namespace=default" 2> "$here/refusal"; then
      say "wrote the Nomad variable $path"
      return 0
    fi
    say "cannot write the Nomad variable $path at $NOMAD_API: $(tail -n 1 "$here/refusal")"
    case $(cat "$here/refusal") in
      *403*) say "the job needs an ACL policy of its own for that; see ansible/roles/nomad_server"; return 1 ;;
    esac
    sleep \${REPORT_PAUSE:-10}
  done
  return 1
}
# Dumps in clear do not stay on the machine's disk.
rm -rf "$work/stage" "$work/drill" "$work/load"
at=$(date +%Y-%m-%dT%H:%M:%SZ)
started=$(cat "$work/started" 2>/dev/null || date +%s)
seconds=$(($(date +%s) - started))
told=0
if [ -s "$work/snapshots" ]; then
  # A variable holds 64 KiB.
  put snapshots "{\\"list\\":$(head -c 60000 "$work/snapshots" | json)}" || told=1
fi
${job === "backup" ? SETS : job === "backup-copy" ? SNAPSHOT : ""}if [ ! -e "$work/failed" ] && [ ! -e "$work/sets" ] && [ ! -e "$work/checks" ]; then
  echo "was stopped before it ended" > "$work/failed"
  echo "${job}" > "$work/failed-task"
fi
if [ -e "$work/failed" ]; then
  put ${job}/failed "{\\"at\\":\\"$at\\",\\"task\\":$(json < "$work/failed-task"),\\"message\\":$(head -c 4000 "$work/failed" | json)}"
  say "$(cat "$work/failed-task") failed: $(cat "$work/failed")"
  exit 1
fi
name=sets
[ -e "$work/sets" ] || name=checks
put ${job}/done "{\\"at\\":\\"$at\\",\\"seconds\\":\\"$seconds\\",\\"$name\\":$(head -c 50000 "$work/$name" | json)}" || told=1
cat "$work/$name"
exit $told
`;
}

/** The line of each set that was well, to a variable of its own. */
const SETS = `[ -e "$work/sets" ] && while read -r set rest; do
  put "backup/sets/$set" "{\\"at\\":\\"$at\\",\\"set\\":$(echo "$set $rest" | json)}" || told=1
done < "$work/sets"
`;

/** The snapshot that was made right before a copy: the database that belongs to it. */
const SNAPSHOT = `case \${NOMAD_META_snapshot:-} in
  "" | *[!0-9a-f]*) ;;
  *) [ ! -e "$work/sets" ] || sed -i "s/$/ snapshot=$NOMAD_META_snapshot/" "$work/sets" ;;
esac
`;
