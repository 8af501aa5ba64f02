import type { Port, ServiceCheck, Task, Template } from "../../.gen/nomad/job";
import { Duration } from "../../nomad/duration";
import type { PinnedImage } from "../../nomad/image";
import { type ShellValues, shellScript } from "../../nomad/shell";
import { file } from "../../nomad/template";
import { hardenedTask } from "../job-parts";
import { SCRIPT_RESOURCES } from "./busybox";

/** Port label of the probe inside the group's network. */
const PROBE_PORT = "probe";

/** Where the probe listens inside the group's network; the host port is dynamic. */
export const probePort: Port = { Label: PROBE_PORT, To: 8081 };

/**
 * The script of a probe.
 *
 * @param files after `probe.sh`; the last one calls `ok REASON` or `bad REASON`.
 * @throws see {@link shellScript}.
 */
export function probeScript(files: readonly string[], values: ShellValues): string {
  return shellScript(["constructs/shell/probe.sh", ...files], values);
}

/**
 * A probe beside a service whose open port proves nothing: a web server that runs a script and answers 200, 202 (it waits)
 * or 503. It shares the group's network, so the script asks 127.0.0.1.
 */
export function probeTask(
  image: PinnedImage,
  health: string,
  { templates = [], ...more }: { readonly silence?: string; readonly templates?: readonly Template[] } = {},
): Task {
  const scripts = Object.entries({ health, ...more });
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
      resources: { ...SCRIPT_RESOURCES },
      killTimeout: Duration.seconds(5),
    }),
    Lifecycle: { Hook: "prestart", Sidecar: true },
    Templates: [
      ...scripts.map(([name, script]) => ({ ...file(`local/www/cgi-bin/${name}`, script), Perms: "0555" })),
      ...templates,
    ],
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
