import type { DockerConfig } from "../.gen/nomad/docker-config";
import type {
  DisconnectStrategy,
  Job,
  Service as NomadService,
  Port,
  Resources,
  ServiceCheck,
  Task,
  TaskGroup,
  UpdateStrategy,
} from "../.gen/nomad/job";
import { Duration } from "../nomad/duration";
import type { PinnedImage } from "../nomad/image";
import type { Memory } from "../nomad/memory";
import { SERVICE_USER } from "../nomad/template";
import { LOST_AFTER } from "../rules/shared/fence";
import type { HomelabStack } from "./homelab-stack";
import type { IVolume } from "./storage/volume";

/** What every service asks of its owner. */
export interface ServiceProps {
  /** The image with its tag, best with its digest as well: `name:tag@sha256:…`. Never `latest`. */
  readonly image: PinnedImage;
  /**
   * A positive whole number, rendered as the job's `Meta.version`. **Raising it restarts the service**, whatever else
   * is unchanged: Nomad counts changed metadata as a new version of every task of the job.
   */
  readonly metaVersion: number;
  /**
   * Pull the image again at each start, though a tag of that name is on the machine already. With a digest in `image`
   * this changes nothing, since a digest can only ever mean one image.
   *
   * @default false
   */
  readonly forcePull?: boolean;
  /** MHz reserved for the main task. */
  readonly cpu?: number;
  /** Memory reserved for the main task. It must find room on the other machines while any one is drained. */
  readonly memory?: Memory;
  /** Memory at which the main task is killed; what lies above the reservation is lent, not promised. */
  readonly memoryMax?: Memory;
}

/**
 * Nomad ≥ 1.11.2: before, `replace = false` of the fence did nothing.
 *
 * @see https://github.com/hashicorp/nomad/issues/27028
 */
const FENCE_CONSTRAINT = { LTarget: "${attr.nomad.version}", RTarget: ">= 1.11.2", Operand: "semver" } as const;

/**
 * Keeps a lost machine's allocation the only one: it becomes "unknown", nothing else is started, and the same
 * allocation goes on when the machine is back. When the 90 days run out, Nomad starts a second writer all the same.
 */
const FENCE: DisconnectStrategy = {
  LostAfter: LOST_AFTER.toNanoseconds(),
  Replace: false,
  Reconcile: "keep_original",
};

/** The head of every job: identity, place, and the version that forces an update. */
export function serviceJob(
  stack: HomelabStack,
  id: string,
  { metaVersion }: Pick<ServiceProps, "metaVersion">,
  group: TaskGroup,
): Job {
  return {
    ID: id,
    Name: id,
    Namespace: stack.namespaceName,
    Region: stack.cluster.region,
    Datacenters: [stack.cluster.datacenter],
    Type: "service",
    Meta: { version: String(metaVersion) },
    Constraints: [{ ...FENCE_CONSTRAINT }],
    TaskGroups: [group],
  };
}

/** One instance, stopped before the next one starts, never rolled back by Nomad: data formats go one way. */
function stopThenStart({ healthy, progress }: Deadlines): UpdateStrategy {
  return {
    MaxParallel: 1,
    Canary: 0,
    HealthCheck: "checks",
    MinHealthyTime: Duration.seconds(10).toNanoseconds(),
    HealthyDeadline: healthy.toNanoseconds(),
    ProgressDeadline: progress.toNanoseconds(),
    AutoRevert: false,
    AutoPromote: false,
  };
}

/** How long a group of a service takes to become healthy, and its deployment, the stop of the old instance included. */
export interface Deadlines {
  readonly healthy: Duration;
  readonly progress: Duration;
}

/** What the group of one service has of its own. */
export interface ServiceGroup {
  readonly name: string;
  /** Ports of the machine: fixed ones, and those that Nomad chooses. */
  readonly ports: { readonly fixed: readonly Port[]; readonly dynamic: readonly Port[] };
  /** Services of the group; a service whose check may restart one task alone stands at that task. */
  readonly services?: readonly NomadService[];
  /** By the names under which tasks mount them. */
  readonly volumes: Readonly<Record<string, IVolume>>;
  readonly deadlines: Deadlines;
  readonly tasks: Task[];
}

/** The one group of a service: a single fenced instance on a bridge network, stopped before the next one starts. */
export function serviceGroup({ name, ports, services, volumes, deadlines, tasks }: ServiceGroup): TaskGroup {
  return {
    Name: name,
    Count: 1,
    Networks: [{ Mode: "bridge", ReservedPorts: [...ports.fixed], DynamicPorts: [...ports.dynamic] }],
    ...(services && { Services: [...services] }),
    Volumes: Object.fromEntries(
      Object.entries(volumes).map(([name, { request }]) => [name, { Name: name, ...request }]),
    ),
    Disconnect: { ...FENCE },
    Update: stopThenStart(deadlines),
    RestartPolicy: { ...RETRY_FOREVER },
    Tasks: tasks,
  };
}

/** Tries again for ever: a dependency that is away for hours must not end in a dead allocation. */
export const RETRY_FOREVER = {
  Attempts: 10,
  Interval: Duration.minutes(5).toNanoseconds(),
  Delay: Duration.seconds(15).toNanoseconds(),
  Mode: "delay",
} as const;

export interface TaskProps extends Pick<ServiceProps, "image" | "forcePull"> {
  readonly name: string;
  readonly config: Omit<DockerConfig, "image">;
  readonly resources: Resources;
  /** How long the program may take to stop before it is killed. */
  readonly killTimeout: Duration;
}

/**
 * A container without privileges: user 3001, no capabilities, a read-only root; it writes to its volume and to Nomad's
 * folders alone. Its log is bounded to 50 MiB, since SD cards wear.
 */
export function hardenedTask({ name, image, forcePull, config, resources, killTimeout }: TaskProps): Task {
  return {
    Name: name,
    Driver: "docker",
    User: `${SERVICE_USER}:${SERVICE_USER}`,
    Config: {
      image,
      ...(forcePull && { force_pull: true }),
      ...config,
      cap_drop: ["all"],
      security_opt: ["no-new-privileges"],
      readonly_rootfs: true,
    },
    Resources: resources,
    KillTimeout: killTimeout.toNanoseconds(),
    LogConfig: LOG_LIMIT,
  };
}

/** Per stream and task. */
export const LOG_LIMIT = { MaxFiles: 5, MaxFileSizeMB: 10 };

/** The owner's figures, or the service's own where a prop is absent. */
export function resources(
  props: Pick<ServiceProps, "cpu" | "memory" | "memoryMax">,
  defaults: { readonly cpu: number; readonly memory: Memory; readonly memoryMax: Memory },
): Resources {
  return {
    CPU: props.cpu ?? defaults.cpu,
    MemoryMB: (props.memory ?? defaults.memory).toMebibytes(),
    MemoryMaxMB: (props.memoryMax ?? defaults.memoryMax).toMebibytes(),
  };
}

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
