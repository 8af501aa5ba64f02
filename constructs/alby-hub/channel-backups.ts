import type { Task } from "../../.gen/nomad/job";
import { Duration } from "../../nomad/duration";
import type { PinnedImage } from "../../nomad/image";
import { file } from "../../nomad/template";
import { hardenedTask } from "../job-parts";
import { SCRIPT_RESOURCES } from "../shell/busybox";
import { channelBackupsScript } from "./scripts";

/** Names of a group's volumes, and the job they belong to. */
export interface ChannelBackupsProps {
  readonly job: string;
  /** The work directory, which the task sees read-only. */
  readonly data: string;
  /** The second place. */
  readonly second: string;
}

/** The sidecar of the hub that copies its channel backups to a second place. */
export function channelBackupsTask(busybox: PinnedImage, { job, data, second }: ChannelBackupsProps): Task {
  return {
    ...hardenedTask({
      name: "channel-backups",
      image: busybox,
      config: { entrypoint: ["/bin/busybox"], args: ["sh", "/local/channel-backups"] },
      resources: { ...SCRIPT_RESOURCES },
      killTimeout: Duration.seconds(10),
    }),
    Lifecycle: { Hook: "prestart", Sidecar: true },
    VolumeMounts: [
      { Volume: data, Destination: "/data", ReadOnly: true },
      { Volume: second, Destination: "/second", ReadOnly: false },
    ],
    Templates: [file("local/channel-backups", channelBackupsScript(job))],
  };
}
