import type { Construct } from "constructs";
import type { Job, Task } from "../../.gen/nomad/job";
import { DEFAULT_NAMESPACE } from "../../nomad/defaults";
import { Duration } from "../../nomad/duration";
import { Memory } from "../../nomad/memory";
import { LOG_LIMIT, RETRY_FOREVER, resources, type ServiceProps } from "../job-parts";
import { Service } from "../service";

export interface NfsCsiPluginProps extends ServiceProps {
  /** The plugin's name in Nomad, which volumes refer to. @default "nfs" */
  readonly pluginId?: string;
  /**
   * Controllers, each on a host of its own. A volume can only be placed while one of them is healthy, so two outlast a
   * drain.
   *
   * @default 2
   */
  readonly controllers?: number;
}

/** Volumes cannot be mounted without it, so it goes before the services when memory is short. */
const PRIORITY = 90;

const HEALTHY = Duration.minutes(5);
const PROGRESS = Duration.minutes(10);
const KILL = Duration.seconds(30);

/**
 * csi-driver-nfs: a controller job and a system job with one node plugin on every client, both in the namespace
 * `default`, because the one of the services allows bridge networking only. `cpu` (default 100 MHz), `memory` (128 MiB)
 * and `memoryMax` (300 MiB) hold for each instance of either job.
 *
 * Host network: mounts made by a node plugin in a network of its own freeze when it restarts.
 *
 * @see https://github.com/hashicorp/nomad/issues/11999
 * @see https://github.com/kubernetes-csi/csi-driver-nfs/blob/master/deploy/csi-nfs-node.yaml
 */
export class NfsCsiPlugin extends Service {
  readonly pluginId: string;
  /** The escape hatches: controller and node plugin, either may be changed until synthesis. */
  readonly controllerJob: Job;
  readonly nodeJob: Job;

  constructor(scope: Construct, id: string, props: NfsCsiPluginProps) {
    super(scope, id, props);
    const { controllers = 2 } = props;
    if (!Number.isInteger(controllers) || controllers < 1) {
      throw new Error(
        `${this.node.path}: controllers = ${controllers} must be a whole number from 1: without a controller no volume is placed`,
      );
    }
    this.pluginId = this.checkJobId(props.pluginId ?? "nfs");
    this.controllerJob = this.plugin("controller", props, {
      Type: "service",
      Constraints: [{ Operand: "distinct_hosts", RTarget: "true" }],
    });
    this.nodeJob = this.plugin("node", props, { Type: "system" });
    this.addJob(this.controllerJob, [], { id: "controller" });
    this.addJob(this.nodeJob, [], { id: "node" });
  }

  private plugin(type: "controller" | "node", props: NfsCsiPluginProps, kind: Pick<Job, "Type" | "Constraints">): Job {
    const id = `csi-${this.pluginId}-${type}`;
    return {
      ID: id,
      Name: id,
      Namespace: DEFAULT_NAMESPACE,
      Region: this.stack.cluster.region,
      Datacenters: [this.stack.cluster.datacenter],
      Priority: PRIORITY,
      Meta: { version: String(props.metaVersion) },
      ...kind,
      TaskGroups: [
        {
          Name: type,
          ...(type === "controller" && { Count: props.controllers ?? 2 }),
          Networks: [{ Mode: "host" }],
          Update: {
            MaxParallel: 1,
            HealthCheck: "task_states",
            MinHealthyTime: Duration.seconds(10).toNanoseconds(),
            HealthyDeadline: HEALTHY.toNanoseconds(),
            ProgressDeadline: PROGRESS.toNanoseconds(),
            AutoRevert: false,
          },
          RestartPolicy: { ...RETRY_FOREVER },
          Tasks: [this.task(type, props)],
        },
      ],
    };
  }

  private task(type: "controller" | "node", props: NfsCsiPluginProps): Task {
    return {
      Name: "plugin",
      Driver: "docker",
      Config: {
        image: props.image,
        ...(props.forcePull && { force_pull: true }),
        args: ["--nodeid=${attr.unique.hostname}", "--endpoint=unix:///csi/csi.sock", "-v=2"],
        network_mode: "host",
        privileged: true,
      },
      CSIPluginConfig: {
        ID: this.pluginId,
        Type: type,
        MountDir: "/csi",
        HealthTimeout: Duration.minutes(2).toNanoseconds(),
      },
      Resources: resources(props, {
        cpu: 100,
        memory: Memory.mebibytes(128),
        memoryMax: Memory.mebibytes(300),
      }),
      KillTimeout: KILL.toNanoseconds(),
      LogConfig: LOG_LIMIT,
    };
  }
}
