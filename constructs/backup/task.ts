import type { RestartPolicy, Task } from "../../.gen/nomad/job";
import type { BackupJob } from "../../model/backup-jobs";
import { Duration } from "../../nomad/duration";
import { file, type Secret } from "../../nomad/template";
import { hardenedTask } from "../job-parts";
import type { BackupProps } from "./props";
import { MAX_KILLS, reportScript } from "./scripts";

/** The volume that every job of a backup writes, by its name in their groups. */
export const BACKUP = "backup";

const KILL = Duration.minutes(1);

/** One task of a job, before it is one of Nomad's. */
export interface Step {
  readonly name: string;
  /** Run as `sh /local/<name>`. */
  readonly script: string;
  readonly hook?: "prestart" | "poststop";
  readonly image?: "postgres";
  /** @default - user and group of the services */
  readonly user?: string;
  readonly size: NonNullable<Task["Resources"]>;
  readonly env?: Record<string, string>;
  /** Whether it asks Nomad something, with the identity of its own. */
  readonly asksNomad?: true;
  /** Names below `secrets/`. */
  readonly secrets?: readonly string[];
  /** Names of the group's volumes that it mounts, and where; that of backups writable. */
  readonly mounts?: readonly (readonly [volume: string, folder: string])[];
}

/** Tries a task again that was killed; the script gives up by itself before Nomad does. */
export const RETRY_KILLED = retry(MAX_KILLS);

/** The last task of a job; one that failed has told what it could. */
export function reportStep(job: BackupJob): Step {
  return {
    name: "report",
    hook: "poststop",
    script: reportScript(job),
    size: { CPU: 20, MemoryMB: 32, MemoryMaxMB: 64 },
    asksNomad: true,
  };
}

/** A task of a job of the backup. */
export function backupTask(
  step: Step,
  secrets: readonly Secret[],
  { image, postgresImage, forcePull }: Pick<BackupProps, "image" | "postgresImage" | "forcePull">,
): Task {
  const { name, script, hook, user, env, mounts = [], size, asksNomad } = step;
  const reports = hook === "poststop";
  const task = hardenedTask({
    name,
    image: step.image === "postgres" ? postgresImage : image,
    forcePull,
    config: { entrypoint: ["sh"], args: [`/local/${name}`] },
    resources: { ...size },
    killTimeout: KILL,
  });
  return {
    ...task,
    ...(user && { User: user }),
    ...(hook && { Lifecycle: { Hook: hook, Sidecar: false } }),
    ...((env || asksNomad) && {
      Env: {
        ...env,
        // The client's own API, which passes on to the servers.
        ...(asksNomad && { NOMAD_API: "http://${attr.unique.network.ip-address}:4646" }),
      },
    }),
    ...(asksNomad && { Identity: { Env: true } }),
    ...(reports && { RestartPolicy: retry(0) }),
    ...(mounts.length > 0 && {
      VolumeMounts: mounts.map(([Volume, Destination]) => ({ Volume, Destination, ReadOnly: Volume !== BACKUP })),
    }),
    Templates: [file(`local/${name}`, script), ...secrets.map((secret) => secret.file())],
  };
}

function retry(attempts: number): RestartPolicy {
  return {
    Attempts: attempts,
    Interval: Duration.hours(24).toNanoseconds(),
    Delay: Duration.seconds(15).toNanoseconds(),
    Mode: "fail",
  };
}
