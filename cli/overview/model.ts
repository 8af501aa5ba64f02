import type { Job, Task, TaskGroup } from "../../.gen/nomad/job";
import {
  type Acknowledgement,
  type ClusterFigures,
  groupsOf,
  type Holds,
  type Homelab,
  type Notice,
  type SecretRecord,
  volumeOf,
} from "../../model/homelab";
import { instances, killTimeout, reserved } from "../../nomad/defaults";
import { RULES } from "../../rules";
import { provePlacement, type Scenario } from "../../rules/placement";
import { covers, judge, type Verdict } from "../../rules/rule";
import { depthIn } from "../shared/services";
import type { Synthesized } from "../shared/synthesized";

/** `main` tasks are what a group is for; `sidecar`s run beside them; `start` and `stop` tasks end by themselves. */
export type Role = "main" | "sidecar" | "start" | "stop";

export interface TaskView {
  readonly name: string;
  readonly role: Role;
  /** As written; empty for a driver without images. */
  readonly image: string;
  /** MHz reserved; 0 for a task that reserves whole cores. */
  readonly cpu: number;
  /** Whole cores reserved, if any. */
  readonly cores?: number;
  /** MiB reserved. */
  readonly memory: number;
  /** MiB at which it is killed; that of the reservation when the job names none. */
  readonly memoryMax: number;
  /** How long it may take to stop, such as `15m`. */
  readonly killTimeout: string;
}

export interface PortView {
  readonly label: string;
  /** The port on the machine; absent when Nomad chooses one. */
  readonly host?: number;
  /** The port inside of the network; absent when it is the one on the machine. */
  readonly to?: number;
}

export interface VolumeView {
  readonly id: string;
  readonly type: "csi" | "host";
  readonly readOnly: boolean;
  /** What is in it; absent when nothing tells. */
  readonly holds?: Holds;
  /** Whether the stack registers it, or only uses it; absent when nothing tells. */
  readonly managed?: boolean;
  /** The CSI plugin that mounts it; absent when the stack does not manage it. */
  readonly pluginId?: string;
  /** The NFS server; absent when the stack does not manage it. */
  readonly server?: string;
}

/** One group of one job: what is placed on a client as a whole. */
export interface ServiceView {
  readonly job: string;
  readonly group: string;
  readonly namespace: string;
  /** Construct path. */
  readonly path: string;
  readonly type: Job["Type"];
  /** Instances; of a system job, on each client. */
  readonly count: number;
  /** `Meta.version`; absent when the job has none. */
  readonly version?: string;
  /** `main` tasks first. */
  readonly tasks: readonly TaskView[];
  readonly ports: readonly PortView[];
  readonly volumes: readonly VolumeView[];
  /** Job ids. */
  readonly dependsOn: readonly string[];
  /** The CSI plugin it is, if it is one. */
  readonly csiPlugin?: string;
}

/** How many findings an acknowledgement answers; with none it can go. */
export interface AcknowledgementView extends Acknowledgement {
  readonly findings: number;
}

/**
 * One stack as its owner should know it. `homelab overview --json` prints `{ "stacks": Overview[] }`; memory is in MiB,
 * CPU in MHz, a duration in Nomad's notation, and a key that has nothing to say is absent.
 */
export interface Overview {
  readonly stack: string;
  readonly nomadAddress?: string;
  /** Capacities of the clients among them. */
  readonly cluster: ClusterFigures;
  readonly services: readonly ServiceView[];
  readonly secrets: readonly SecretRecord[];
  /** Empty when no client is known. */
  readonly placement: readonly Scenario[];
  readonly notices: readonly Notice[];
  /** What rules find and nobody has acknowledged. */
  readonly findings: readonly Verdict[];
  readonly acknowledgements: readonly AcknowledgementView[];
}

export function overviewOf(synthesized: Synthesized): Overview {
  const { stack, nomadAddress, homelab } = synthesized;
  const verdicts = judge(withImages(homelab), RULES);
  return {
    stack,
    ...(nomadAddress && { nomadAddress }),
    cluster: homelab.cluster,
    services: needsFirst(
      groupsOf(homelab).map(({ record, job, group }) => ({ path: record.path, ...serviceOf(synthesized, job, group) })),
    ),
    secrets: homelab.secrets,
    placement: homelab.cluster.clients.length > 0 ? provePlacement(homelab) : [],
    notices: homelab.notices,
    findings: verdicts.filter(({ acknowledged }) => acknowledged === undefined),
    acknowledgements: homelab.acknowledgements.map((acknowledgement) => ({
      ...acknowledgement,
      findings: verdicts.filter((verdict) => covers(acknowledgement, verdict)).length,
    })),
  };
}

/** Rules, like the type of a task, know Docker alone: to them a task of another driver has an empty image. */
function withImages(homelab: Homelab): Homelab {
  const dockerTask = (task: Task): Task => ({ ...task, Config: { ...task.Config, image: task.Config?.image ?? "" } });
  const dockerGroup = (group: TaskGroup): TaskGroup => ({ ...group, Tasks: group.Tasks.map(dockerTask) });
  const jobs = homelab.jobs.map((record) => ({
    ...record,
    job: { ...record.job, TaskGroups: record.job.TaskGroups.map(dockerGroup) },
  }));
  return { ...homelab, jobs };
}

/** What is needed before what needs it, CSI plugins last, otherwise as they come. */
function needsFirst(services: readonly ServiceView[]): ServiceView[] {
  const depth = depthIn(services.map(({ job, dependsOn }) => ({ name: job, needs: dependsOn })));
  const rank = ({ job, dependsOn, csiPlugin }: ServiceView) =>
    csiPlugin ? Number.MAX_SAFE_INTEGER : depth({ name: job, needs: dependsOn });
  return services.toSorted((a, b) => rank(a) - rank(b));
}

function serviceOf(synthesized: Synthesized, job: Job, group: TaskGroup): Omit<ServiceView, "path"> {
  const tasks = group.Tasks.map(taskOf);
  const plugin = group.Tasks.find(({ CSIPluginConfig }) => CSIPluginConfig)?.CSIPluginConfig?.ID;
  return {
    job: job.ID,
    group: group.Name,
    namespace: job.Namespace,
    type: job.Type,
    count: instances(group),
    ...(job.Meta?.version !== undefined && { version: job.Meta.version }),
    tasks: [...tasks.filter(({ role }) => role === "main"), ...tasks.filter(({ role }) => role !== "main")],
    ports: portsOf(group),
    volumes: volumesOf(synthesized, job, group),
    dependsOn: synthesized.homelab.dependencies.filter(({ from }) => from === job.ID).map(({ on }) => on),
    ...(plugin && { csiPlugin: plugin }),
  };
}

/** Nomad's defaults where a task is silent. */
function taskOf({ Name, Lifecycle, Config, Resources, KillTimeout }: Task): TaskView {
  const { cpu, memory } = reserved({ Resources });
  return {
    name: Name,
    role: Lifecycle ? (Lifecycle.Sidecar ? "sidecar" : Lifecycle.Hook === "poststop" ? "stop" : "start") : "main",
    image: Config?.image ?? "",
    cpu,
    ...(Resources?.Cores && { cores: Resources.Cores }),
    memory,
    memoryMax: Resources?.MemoryMaxMB || memory,
    killTimeout: killTimeout({ KillTimeout }).toString(),
  };
}

function portsOf({ Networks = [] }: TaskGroup): PortView[] {
  return Networks.flatMap(({ ReservedPorts = [], DynamicPorts = [] }) => [
    ...ReservedPorts.map(({ Label, Value, To }) => ({ label: Label, host: Value, ...(To && { to: To }) })),
    ...DynamicPorts.map(({ Label, To }) => ({ label: Label, ...(To && { to: To }) })),
  ]);
}

function volumesOf({ homelab, described, volumes }: Synthesized, job: Job, group: TaskGroup): VolumeView[] {
  return Object.entries(group.Volumes ?? {}).map(([label, { Type, Source, ReadOnly }]) => {
    const record = Type === "csi" ? volumeOf(homelab, job, Source) : undefined;
    const entry = volumes.find((one) => one.record === record);
    const mounts = group.Tasks.flatMap(({ VolumeMounts }) => VolumeMounts ?? []).filter(
      ({ Volume }) => Volume === label,
    );
    return {
      id: Source,
      type: Type,
      readOnly: ReadOnly === true || (mounts.length > 0 && mounts.every((mount) => mount.ReadOnly === true)),
      ...(record && described && { holds: record.holds, managed: record.managed }),
      ...(entry?.pluginId && { pluginId: entry.pluginId }),
      ...(entry?.server && { server: entry.server }),
    };
  });
}
