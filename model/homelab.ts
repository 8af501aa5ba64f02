import type { Job, Task, TaskGroup } from "../.gen/nomad/job";

/**
 * What a volume holds decides what its loss costs: `chain` days of sync, `index` hours, `funds` money. `backup` is no
 * program's database: several write it, each in a folder of its own, and its loss costs nothing while the rest is there.
 */
export type Holds = "chain" | "index" | "funds" | "backup";

/** How many tasks may mount a CSI volume, and how. */
export type AccessMode =
  | "single-node-reader-only"
  | "single-node-writer"
  | "multi-node-reader-only"
  | "multi-node-single-writer"
  | "multi-node-multi-writer";

export interface ClientFigures {
  readonly name: string;
  /** MiB that jobs may reserve: what the machine has less what is kept for the operating system. */
  readonly memory: number;
  /** MHz that jobs may reserve, all cores together. */
  readonly cpu: number;
  /** As Nomad calls it, such as `arm64`; absent when nobody tells. */
  readonly arch?: string;
}

/** The figures of the cluster that rules use, in Nomad's own notation. What nobody tells is absent, and held against no job. */
export interface ClusterFigures {
  readonly datacenter: string;
  /** Empty when nobody tells. */
  readonly clients: readonly ClientFigures[];
  /** A duration such as `15m`: the longest kill timeout the clients honour. */
  readonly maxKillTimeout?: string;
  /** A duration such as `15m`: after which a drain no longer waits. */
  readonly drainDeadline?: string;
  /** Whether the scheduler honours `memory_max`. */
  readonly memoryOversubscription?: boolean;
  /** The Nomad release that the inventory names, such as `2.0.5`. */
  readonly nomadVersion?: string;
}

/** A PostgreSQL database that one job alone may use. */
export interface DatabaseRecord {
  /** Host name or address. */
  readonly server: string;
  readonly port: number;
  readonly name: string;
}

/** What a job is there to run. Its main task's image has the program's version as its tag, whatever it is called. */
export type Program = "Bitcoin Core" | "electrs" | "Alby Hub";

export interface JobRecord {
  /** Construct path, such as `homelab/bitcoin`. */
  readonly path: string;
  readonly job: Job;
  /** Whether Terraform refuses to destroy it, and Nomad keeps it when its construct goes. */
  readonly retained: boolean;
  /** Absent for a job that no construct of a program made. */
  readonly program?: Program;
  /** The database that holds its seed or its accounts; absent when it has none. */
  readonly database?: DatabaseRecord;
}

export interface VolumeRecord {
  readonly path: string;
  readonly namespace: string;
  readonly id: string;
  readonly holds: Holds;
  readonly accessMode: AccessMode;
  readonly attachmentMode: "file-system" | "block-device";
  readonly mountFlags: readonly string[];
  readonly retained: boolean;
  /** The NFS server and the absolute path of the folder there; absent for one that is only referred to, unless told. */
  readonly source?: { readonly server: string; readonly share: string };
  /** False for a volume that lives already and is only referred to. */
  readonly managed: boolean;
}

/**
 * Where the value of a secret comes from: made at random; a password of an RPC user and the hash that belongs to it,
 * which are made together; or known to the owner alone.
 */
export type SecretSource = "random" | "rpc-password" | "rpc-hash" | "owner";

export interface SecretRecord {
  readonly namespace: string;
  /** The Nomad variable, such as `nomad/jobs/electrs/electrs/electrs`. */
  readonly path: string;
  readonly key: string;
  /** `job/group/task` that reads it. */
  readonly readBy: string;
  readonly source: SecretSource;
  /** Joins an `rpc-password` with its `rpc-hash`. */
  readonly rpcUser?: string;
  /** What it is, for the owner. */
  readonly description: string;
  /** A label: all secrets of one namespace that have it have one value, each at the path of the task that reads it. */
  readonly sameAs?: string;
}

/** One job cannot do without another: `from` asks for what `on` offers. Both are job ids. */
export interface Dependency {
  readonly from: string;
  readonly on: string;
}

export interface Acknowledgement {
  /** Construct path; it covers the findings at this path and below. */
  readonly path: string;
  readonly rule: string;
  readonly reason: string;
}

/** Something the owner should know though no rule is broken. */
export interface Notice {
  readonly path: string;
  readonly text: string;
}

/** Another stack of the same app, as far as it can get in the way of this one. */
export interface OtherStack {
  readonly jobs: readonly JobRecord[];
  readonly volumes: readonly VolumeRecord[];
  /** Whether it is deployed to the same Nomad. */
  readonly sameCluster: boolean;
}

/** Everything that rules, overview and review know of a homelab: plain data, the same at synth and in a plan. */
export interface Homelab {
  readonly cluster: ClusterFigures;
  readonly jobs: readonly JobRecord[];
  readonly volumes: readonly VolumeRecord[];
  readonly secrets: readonly SecretRecord[];
  readonly dependencies: readonly Dependency[];
  readonly acknowledgements: readonly Acknowledgement[];
  readonly notices: readonly Notice[];
  /** The stacks before this one in the same app. Known at synthesis alone: a plan has one stack. */
  readonly others?: readonly OtherStack[];
  /** Jobs whose spec nobody can read before it is applied, at synthesis; a review tells them by itself. */
  readonly unreadable?: readonly UnreadableJob[];
}

/** A job of which no rule can say anything. */
export interface UnreadableJob {
  /** Construct path. */
  readonly path: string;
  /** Why, in a sentence that goes on after the job. */
  readonly problem: string;
}

/** The Terraform output `homelab`: all of a homelab but the job specs, which stand in their own resources. */
export interface HomelabOutput extends Omit<Homelab, "jobs" | "others" | "unreadable"> {
  /** By resource address, such as `nomad_job.bitcoin`. */
  readonly jobs: Readonly<Record<string, Omit<JobRecord, "job">>>;
  /** Terraform's own settings: of what was before them a plan shows nothing else. */
  readonly terraform?: {
    readonly provider: string;
    readonly nomadAddress: string;
    readonly state: "local" | "pg";
  };
}

/** A task with the group and the job it stands in. */
export interface TaskPlace {
  readonly record: JobRecord;
  readonly job: Job;
  readonly group: TaskGroup;
  readonly task: Task;
}

/** Every task of every job, in order. */
export function tasksOf(homelab: Pick<Homelab, "jobs">): TaskPlace[] {
  return homelab.jobs.flatMap((record) =>
    record.job.TaskGroups.flatMap((group) => group.Tasks.map((task) => ({ record, job: record.job, group, task }))),
  );
}

/** Every group of every job, in order. */
export function groupsOf(homelab: Pick<Homelab, "jobs">): Omit<TaskPlace, "task">[] {
  return homelab.jobs.flatMap((record) => record.job.TaskGroups.map((group) => ({ record, job: record.job, group })));
}

/** The volume that a group's CSI request names, when the homelab knows it. */
export function volumeOf(homelab: Homelab, job: Job, source: string | undefined): VolumeRecord | undefined {
  return homelab.volumes.find(({ id, namespace }) => id === source && namespace === job.Namespace);
}
