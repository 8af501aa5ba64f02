import type { Task, Template } from "../../.gen/nomad/job";
import { Duration } from "../../nomad/duration";
import type { PinnedImage } from "../../nomad/image";
import { type ShellValues, shellScript } from "../../nomad/shell";
import { file } from "../../nomad/template";
import { hardenedTask } from "../job-parts";

/**
 * Where scripts find a shell, since the image of a program may have none: a prestart task copies busybox, one static
 * file, into the allocation's shared folder.
 */
const BUSYBOX = "/alloc/bin/busybox";

/** A few MiB for a task that is a shell script; the ceiling leaves room for the shell's children. */
export const SCRIPT_RESOURCES = { CPU: 20, MemoryMB: 16, MemoryMaxMB: 32 };

/** The prestart task that brings busybox. `mv` makes the copy atomic, should it run a second time. */
export function busyboxTask(image: PinnedImage): Task {
  return {
    ...hardenedTask({
      name: "busybox",
      image,
      config: {
        entrypoint: ["/bin/busybox"],
        args: ["sh", "-c", `mkdir -p /alloc/bin && cp /bin/busybox ${BUSYBOX}.new && mv ${BUSYBOX}.new ${BUSYBOX}`],
      },
      resources: { ...SCRIPT_RESOURCES },
      killTimeout: Duration.seconds(5),
    }),
    Lifecycle: { Hook: "prestart", Sidecar: false },
  };
}

/** Docker options that start a task with the script of {@link entryScript}. */
export const entryConfig = { entrypoint: [BUSYBOX, "sh", "/local/entry"] };

/**
 * The script that a task starts with: it may wait for what the program needs, and then becomes the program.
 *
 * @param files after `entry.sh`, whose functions they use.
 * @throws see {@link shellScript}.
 */
export function entryScript(files: readonly string[], values: ShellValues): Template {
  return file("local/entry", shellScript(["constructs/shell/entry.sh", ...files], { BUSYBOX, ...values }));
}
