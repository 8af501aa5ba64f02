import type { Job } from "../.gen/nomad/job";
import { textsOf } from "../rules/no-secret-in-job";
import { literalSecrets } from "../rules/shared/literal-secrets";
import { SENSITIVE, UNKNOWN, type Values } from "./plan";
import { DOCKER, JOB, OPTIONS, oddity } from "./shape";

/** Stands for a text of a job in which something looks like a secret. */
export const HIDDEN = "(hidden: looks like a secret)";

/** A job of a plan, or why it cannot be read. */
export type ReadJob = { readonly job: Job; readonly unreadable?: undefined; readonly remedy?: undefined } | Unreadable;

export interface Unreadable {
  readonly job?: undefined;
  /** Goes on after the job's name. */
  readonly unreadable: string;
  readonly remedy?: string;
}

/** Reads the job of a `nomad_job`, as Terraform evaluates it. */
export function readJob({ jobspec, json }: Values): ReadJob {
  if (jobspec === SENSITIVE) return { unreadable: "is marked as sensitive, so nobody can see what changes" };
  if (jobspec === UNKNOWN) return { unreadable: "is known only after the apply, so nobody can see what changes" };
  if (json !== true) {
    return { unreadable: "cannot be read: HCL; shown by name only", remedy: "write it as JSON, with json = true" };
  }
  let parsed: { Job?: unknown } | null;
  try {
    // Go writes null for what is absent.
    parsed = JSON.parse(String(jobspec), (_, member) =>
      Array.isArray(member) ? member.filter((one) => one !== undefined) : (member ?? undefined),
    );
  } catch {
    return { unreadable: "says json = true and is no JSON, so the apply will fail" };
  }
  // Nomad takes a job bare or wrapped.
  const job = (parsed?.Job ?? parsed) as Partial<Job> | undefined;
  if (typeof job !== "object" || !job.ID) {
    return { unreadable: "has no ID, so the apply will fail" };
  }
  const odd = oddity(job, JOB, "fine") ?? oddConfig(job as Job);
  if (odd) return { unreadable: `cannot be read: ${odd}, so the apply will fail` };
  const groups = (job.TaskGroups ?? []).map((group) => ({
    ...group,
    Tasks: (group.Tasks ?? []).map((task) => ({ ...task, Config: task.Config ?? {} })),
  }));
  return {
    job: { Name: job.ID, Namespace: "default", Type: "service", ...job, ID: job.ID, TaskGroups: groups } as Job,
  };
}

/** Other drivers have options of their own under the same names. */
function oddConfig({ TaskGroups }: Job): string | undefined {
  const tasks = (TaskGroups ?? []).flatMap(({ Tasks }) => Tasks ?? []);
  const odd = tasks.map(({ Name, Driver, Config }) =>
    oddity(Config, !Driver || Driver === "docker" ? DOCKER : OPTIONS, "fine", `the Config of task ${Name}`),
  );
  return odd.find(Boolean);
}

/** What looks like a secret in a job: its place, and its kind, never itself. Long to find, so it is kept. */
export function secretsOf(job: Job): readonly (readonly [place: string, what: string])[] {
  const known = SECRETS.get(job);
  if (known) return known;
  const found = textsOf(job).flatMap(({ place, name, text, kind }) =>
    literalSecrets(name, text, kind).map((what) => [place, what] as const),
  );
  SECRETS.set(job, found);
  return found;
}

const SECRETS = new WeakMap<Job, ReturnType<typeof secretsOf>>();

/** The same job, with every text in which something looks like a secret replaced by {@link HIDDEN}. */
export function withoutSecrets(job: Job): Job {
  const places = new Set(secretsOf(job).map(([place]) => place));
  return places.size === 0 ? job : (hide(job, "", places) as Job);
}

function hide(value: unknown, place: string, places: ReadonlySet<string>): unknown {
  if (typeof value === "string") return places.has(place) ? HIDDEN : value;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    return value.map((member, at) => hide(member, `${place}[${member?.Name ?? member?.DestPath ?? at}]`, places));
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, hide(member, place ? `${place}.${key}` : key, places)]),
  );
}

/** Nomad's own values where a job sets none, so that one that is written out differs in nothing. */
export function withDefaults(job: Job): Job {
  return {
    ...DEFAULTS.job,
    ...job,
    TaskGroups: job.TaskGroups.map((group) => ({
      ...DEFAULTS.group,
      ...group,
      EphemeralDisk: { ...DEFAULTS.disk, ...group.EphemeralDisk },
      Tasks: group.Tasks.map((task) => ({
        ...DEFAULTS.task,
        ...task,
        Resources: { ...(task.Resources?.Cores ? {} : DEFAULTS.cpu), ...DEFAULTS.memory, ...task.Resources },
        LogConfig: { ...DEFAULTS.log, ...task.LogConfig },
        ...(task.Templates && { Templates: task.Templates.map((one) => ({ ...DEFAULTS.template, ...one })) }),
      })),
    })),
  } as Job;
}

/** @see https://github.com/hashicorp/nomad/blob/v2.0.5/api/jobs.go `Canonicalize`, and of groups, tasks and resources */
const DEFAULTS = {
  job: { Priority: 50, Region: "global", Datacenters: ["*"], NodePool: "default" },
  group: { Count: 1 },
  disk: { Sticky: false, Migrate: false, SizeMB: 300 },
  task: { KillTimeout: 5e9 },
  cpu: { CPU: 100 },
  memory: { MemoryMB: 300 },
  log: { MaxFiles: 10, MaxFileSizeMB: 10, Disabled: false },
  template: { ChangeMode: "restart", Perms: "0644", Splay: 5e9, LeftDelim: "{{", RightDelim: "}}" },
};
