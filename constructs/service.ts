import { type ITerraformDependable, TerraformResource } from "cdktf";
import { Construct } from "constructs";
import type { DockerConfig } from "../.gen/nomad/docker-config";
import type { DisconnectStrategy, Job, Resources, Task, TaskGroup, UpdateStrategy } from "../.gen/nomad/job";
import type { Holds, Program } from "../model/homelab";
import { Duration } from "../nomad/duration";
import type { PinnedImage } from "../nomad/image";
import type { Memory } from "../nomad/memory";
import { NomadJob } from "../nomad/nomad-job";
import { SERVICE_USER } from "../nomad/template";
import type { RuleName } from "../rules";
import { acknowledge, HomelabStack } from "./homelab-stack";
import type { IVolume } from "./storage/csi-volume";

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

/** A construct around one job, or a few that belong together. */
export abstract class Service extends Construct {
  protected readonly stack: HomelabStack;

  constructor(scope: Construct, id: string, props: Pick<ServiceProps, "metaVersion">) {
    super(scope, id);
    this.stack = HomelabStack.of(this);
    const { metaVersion } = props;
    if (!Number.isInteger(metaVersion) || metaVersion < 1) {
      throw new Error(
        `${this.node.path}: metaVersion = ${metaVersion} must be a positive whole number; ` +
          "start with 1, and raise it by one to restart the service",
      );
    }
  }

  /**
   * Accepts the findings of one rule at this construct. The reason is shown at every synth and in every review.
   *
   * @throws when the reason is empty.
   */
  acknowledge(rule: RuleName, reason: string): this {
    acknowledge(this, rule, reason);
    return this;
  }

  /** Job ids stand in names of services, secret paths and templates. */
  protected checkJobId(jobId: string): string {
    if (!/^[a-z][a-z0-9-]{0,50}$/.test(jobId)) {
      throw new Error(
        `${this.node.path}: jobId = "${jobId}" must be lower-case letters, digits and dashes, a letter first, 51 at most`,
      );
    }
    return jobId;
  }

  /** A service that gets another's volume would begin from nothing beside the data of the other. */
  protected checkData(data: IVolume, holds: Holds, prop = "data"): void {
    if (data.holds !== holds) {
      throw new Error(
        `${this.node.path}: ${prop} = volume "${data.volumeId}" holds "${data.holds}", and this service needs one that holds ` +
          `"${holds}": pass that volume, or correct \`holds\``,
      );
    }
    if (data.request.ReadOnly) {
      throw new Error(`${this.node.path}: ${prop} = volume "${data.volumeId}" is read-only; pass the volume itself`);
    }
  }

  /**
   * Registers a job of the homelab's namespace, after the namespace, the scheduler's settings and what is given.
   *
   * @param program what the main task runs, for the rules about versions.
   */
  protected addJob(
    job: Job,
    dependables: readonly ITerraformDependable[],
    { id = "Default", program }: { readonly id?: string; readonly program?: Program } = {},
  ): NomadJob {
    const { namespace, scheduler, removalPolicy } = this.stack;
    if (program) this.stack.programs.set(job, program);
    return new NomadJob(this, id, { job, removalPolicy, dependsOn: [namespace, scheduler, ...dependables] });
  }

  /** What another construct must name in `dependsOn` to be applied after this one. */
  get dependables(): readonly ITerraformDependable[] {
    return this.node.findAll().filter(TerraformResource.isTerraformResource) as TerraformResource[];
  }
}

/**
 * Nomad ≥ 1.11.2: before, `replace = false` of the fence did nothing.
 *
 * @see https://github.com/hashicorp/nomad/issues/27028
 */
const FENCE_WORKS = { LTarget: "${attr.nomad.version}", RTarget: ">= 1.11.2", Operand: "semver" } as const;

/**
 * Keeps a lost machine's allocation the only one: it becomes «unknown», nothing else is started, and the same
 * allocation goes on when the machine is back. When the 90 days run out, Nomad starts a second writer all the same.
 */
export const FENCE: DisconnectStrategy = {
  LostAfter: Duration.hours(2160).toNanoseconds(),
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
    Constraints: [{ ...FENCE_WORKS }],
    TaskGroups: [group],
  };
}

/**
 * One instance, stopped before the next one starts, never rolled back by Nomad: data formats go one way.
 *
 * @param progressDeadline counts from the start of the stop, so it holds kill timeout and healthy deadline.
 */
export function stopThenStart(healthyDeadline: Duration, progressDeadline: Duration): UpdateStrategy {
  return {
    MaxParallel: 1,
    Canary: 0,
    HealthCheck: "checks",
    MinHealthyTime: Duration.seconds(10).toNanoseconds(),
    HealthyDeadline: healthyDeadline.toNanoseconds(),
    ProgressDeadline: progressDeadline.toNanoseconds(),
    AutoRevert: false,
    AutoPromote: false,
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
