import type { Service as NomadService, Port, ServiceCheck, Task, Template } from "../.gen/nomad/job";
import { Duration } from "../nomad/duration";
import type { PinnedImage } from "../nomad/image";
import { file } from "../nomad/template";
import { hardenedTask } from "./job-parts";

/**
 * Shell scripts beside a program whose image may hold no shell: a prestart task copies busybox, which is one static
 * file, into the allocation's shared folder, and scripts call it by its path.
 */
export const BUSYBOX = "/alloc/bin/busybox";

/** A few MiB; the ceiling leaves room for the shell's children. */
const SMALL = { CPU: 20, MemoryMB: 16, MemoryMaxMB: 32 };

const KILL = Duration.seconds(5);

/** Port label of the probe inside the group's network. */
export const PROBE_PORT = "probe";

/** Where the probe listens inside the group's network; the host port is dynamic. */
export const probePort: Port = { Label: PROBE_PORT, To: 8081 };

/** The prestart task that brings busybox. `mv` makes the copy whole at once, should it run a second time. */
export function busyboxTask(image: PinnedImage): Task {
  return {
    ...hardenedTask({
      name: "busybox",
      image,
      config: {
        entrypoint: ["/bin/busybox"],
        args: ["sh", "-c", `mkdir -p /alloc/bin && cp /bin/busybox ${BUSYBOX}.new && mv ${BUSYBOX}.new ${BUSYBOX}`],
      },
      resources: { ...SMALL },
      killTimeout: KILL,
    }),
    Lifecycle: { Hook: "prestart", Sidecar: false },
  };
}

/** Docker options that start a task with the script at `local/entry`, which `exec`s the program in the end. */
export const entryConfig = { entrypoint: [BUSYBOX, "sh", "/local/entry"] };

/**
 * The script a task starts with: it waits until `ready` succeeds, then becomes the program. Waiting inside of the task,
 * because a prestart task does not run again when the task is restarted. TERM ends the wait at once.
 *
 * @param parts.before shell lines that run once at each start; they may `exit 1`, and are tried again later.
 * @param parts.ready shell lines run every 5 s; they end in a command whose success ends the wait.
 * @param parts.waitingFor said in the log once a minute.
 * @param parts.prepare shell lines that run once when the wait is over.
 * @param parts.exec the program's command line.
 */
export function entryScript(parts: {
  readonly before?: string;
  readonly ready: string;
  readonly waitingFor: string;
  readonly prepare?: string;
  readonly exec: string;
}): Template {
  return file(
    "local/entry",
    `bb=${BUSYBOX}
say() { echo "entry: $*" >&2; }
trap 'say "stopped while waiting"; exit 0' TERM INT
${parts.before ?? ""}
ready() {
${parts.ready}
}
turn=0
until ready; do
  [ $((turn % 12)) -eq 0 ] && say "waiting for ${parts.waitingFor}"
  turn=$((turn + 1))
  $bb sleep 5 &
  wait $!
done
trap - TERM INT
${parts.prepare ?? ""}
exec ${parts.exec}
`,
  );
}

/**
 * Shell function for scripts: `ping_electrs HOST PORT` succeeds when electrs answers `server.ping` with `null`, which it
 * does only when its index is complete. The pause holds the connection open until the answer is here.
 */
export function pingElectrs(busybox: string): string {
  return `ping_electrs() {
  { echo '{"id":1,"method":"server.ping","params":[]}'; ${busybox} sleep 2; } |
    ${busybox} timeout 8 ${busybox} nc "$1" "$2" 2>/dev/null | ${busybox} grep -q '"result": *null'
}`;
}

/**
 * A probe beside a service whose open port proves nothing: a web server that runs a script and answers 200 or 503.
 * It shares the group's network, so the script asks 127.0.0.1.
 *
 * @param script lines that call `ok REASON` or `bad REASON`.
 */
export function probeTask(image: PinnedImage, script: string, templates: readonly Template[] = []): Task {
  const health = file(
    "local/www/cgi-bin/health",
    `#!/bin/sh
answer() { printf 'Status: %s\\r\\nContent-Type: text/plain\\r\\n\\r\\n%s\\n' "$1" "$2"; exit 0; }
ok() { answer '200 OK' "$*"; }
bad() { answer '503 Service Unavailable' "$*"; }
${script}
`,
  );
  return {
    ...hardenedTask({
      name: "probe",
      image,
      config: {
        entrypoint: ["/bin/busybox"],
        // A shell in front, because httpd as the first process of its container would not hear TERM.
        args: ["sh", "-c", `trap 'exit 0' TERM; busybox httpd -f -p ${probePort.To} -h /local/www & wait`],
        ports: [PROBE_PORT],
      },
      resources: { ...SMALL },
      killTimeout: KILL,
    }),
    Lifecycle: { Hook: "prestart", Sidecar: true },
    Templates: [{ ...health, Perms: "0555" }, ...templates],
  };
}

/** The check that reads the probe. */
export const probeCheck: ServiceCheck = {
  Name: "probe",
  Type: "http",
  Path: "/cgi-bin/health",
  PortLabel: PROBE_PORT,
  Interval: Duration.seconds(30).toNanoseconds(),
  Timeout: Duration.seconds(15).toNanoseconds(),
};

/** A check that the port takes connections: enough for a port that opens only when its program is ready. */
export const tcpCheck: ServiceCheck = {
  Name: "tcp",
  Type: "tcp",
  Interval: Duration.seconds(15).toNanoseconds(),
  Timeout: Duration.seconds(5).toNanoseconds(),
};

/**
 * A service in Nomad's own catalogue. The check names its port, because Nomad runs but one of several checks of a group
 * that are alike in everything they say themselves.
 *
 * @see https://github.com/hashicorp/nomad/blob/v2.0.5/nomad/structs/checks.go#L79 NomadCheckID
 */
export function nomadService(name: string, portLabel: string, check: ServiceCheck): NomadService {
  return { Name: name, PortLabel: portLabel, Provider: "nomad", Checks: [{ PortLabel: portLabel, ...check }] };
}
