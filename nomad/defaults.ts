import type { Job, Task, TaskGroup } from "../.gen/nomad/job";
import { Duration } from "./duration";
import { Memory } from "./memory";

/**
 * What Nomad takes where a job says nothing.
 *
 * @see https://github.com/hashicorp/nomad/blob/v2.0.5/api/jobs.go `Canonicalize`, and of groups, tasks and resources
 */
export const DEFAULTS = {
  /** From the stop signal until the task is killed. */
  killTimeout: Duration.seconds(5),
  /** MHz. */
  cpu: 100,
  memory: Memory.mebibytes(300),
  /** From the start of an allocation until it must be healthy. */
  healthyDeadline: Duration.minutes(5),
  /** From the start of a deployment, and again from each allocation that gets healthy. */
  progressDeadline: Duration.minutes(10),
} as const;

/** Where Nomad puts what names no namespace. */
export const DEFAULT_NAMESPACE = "default";

const JOB = { Priority: 50, Region: "global", Datacenters: ["*"], NodePool: "default" };
const GROUP = { Count: 1 };
const DISK = { Sticky: false, Migrate: false, SizeMB: 300 };
const TASK = { KillTimeout: DEFAULTS.killTimeout.toNanoseconds() };
const LOG = { MaxFiles: 10, MaxFileSizeMB: 10, Disabled: false };
const TEMPLATE = {
  ChangeMode: "restart",
  Perms: "0644",
  Splay: Duration.seconds(5).toNanoseconds(),
  LeftDelim: "{{",
  RightDelim: "}}",
};

/** The job with Nomad's own values where it sets none, so that one that writes them out differs in nothing. */
export function withDefaults(job: Job): Job {
  return {
    ...JOB,
    ...job,
    TaskGroups: job.TaskGroups.map((group) => ({
      ...GROUP,
      ...group,
      EphemeralDisk: { ...DISK, ...group.EphemeralDisk },
      Tasks: group.Tasks.map((task) => ({
        ...TASK,
        ...task,
        Resources: {
          ...(task.Resources?.Cores ? {} : { CPU: DEFAULTS.cpu }),
          MemoryMB: DEFAULTS.memory.toMebibytes(),
          ...task.Resources,
        },
        LogConfig: { ...LOG, ...task.LogConfig },
        ...(task.Templates && { Templates: task.Templates.map((one) => ({ ...TEMPLATE, ...one })) }),
      })),
    })),
  } as Job;
}

/** How many instances of a group Nomad starts. */
export function instances({ Count, Scaling }: Pick<TaskGroup, "Count" | "Scaling">): number {
  return Count ?? Scaling?.Min ?? 1;
}

/** How long a task may take to stop before it is killed. */
export function killTimeout({ KillTimeout }: Pick<Task, "KillTimeout">): Duration {
  return KillTimeout ? Duration.fromNanoseconds(KillTimeout) : DEFAULTS.killTimeout;
}

/** What Nomad reserves for a task: MHz, 0 for one with whole cores, and MiB. */
export function reserved({ Resources = {} }: Pick<Task, "Resources">): {
  readonly cpu: number;
  readonly memory: number;
} {
  const { CPU, Cores, MemoryMB } = Resources;
  return { cpu: Cores ? 0 : (CPU ?? DEFAULTS.cpu), memory: MemoryMB ?? DEFAULTS.memory.toMebibytes() };
}
