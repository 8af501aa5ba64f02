import { Job as JobResource } from "@cdktf/provider-nomad/lib/job";
import { type ITerraformDependable, Lazy } from "cdktf";
import { Construct } from "constructs";
import type { Job } from "../.gen/nomad/job";
import { DEFAULTS } from "./defaults";
import { Duration } from "./duration";
import { toJobspec } from "./jobspec";

/**
 * What becomes of the thing in Nomad when its construct goes from the code.
 * `retain`: it stays, and Terraform refuses to destroy it. `destroy`: Nomad forgets it; data on the NAS stays.
 */
export type RemovalPolicy = "retain" | "destroy";

export interface NomadJobProps {
  /** The job. It may be changed until synthesis. */
  readonly job: Job;
  readonly removalPolicy: RemovalPolicy;
  /** What must be applied first. */
  readonly dependsOn?: readonly ITerraformDependable[];
}

/** How much longer than the deployment Terraform waits, so that Nomad's verdict is the one that is read. */
const HEADROOM = Duration.minutes(5);

/**
 * A typed job, registered as `nomad_job`. Apply waits for the deployment (`detach = false`) longer than the job's own
 * progress deadline. A retained job survives the removal and the renaming of its construct: `preventDestroy` alone does
 * not protect it there, because it goes from the code together with the resource.
 *
 * @see https://registry.terraform.io/providers/hashicorp/nomad/latest/docs/resources/job
 */
export class NomadJob extends Construct {
  readonly job: Job;
  readonly removalPolicy: RemovalPolicy;
  readonly resource: JobResource;

  constructor(scope: Construct, id: string, props: NomadJobProps) {
    super(scope, id);
    this.job = props.job;
    this.removalPolicy = props.removalPolicy;
    const retained = props.removalPolicy === "retain";
    const timeout = Lazy.stringValue({ produce: () => `${applyTimeout(this.job).toSeconds()}s` });
    this.resource = new JobResource(this, "Default", {
      jobspec: Lazy.stringValue({ produce: () => toJobspec(this.job) }),
      json: true,
      detach: false,
      deregisterOnDestroy: !retained,
      deregisterOnIdChange: !retained,
      lifecycle: { preventDestroy: retained },
      timeouts: { create: timeout, update: timeout },
      dependsOn: [...(props.dependsOn ?? [])],
    });
  }
}

/** The longest progress deadline of the job's groups, plus headroom. Nomad lets a group's fields win over the job's. */
export function applyTimeout(job: Job): Duration {
  const deadlines = job.TaskGroups.map(
    ({ Update }) =>
      Update?.ProgressDeadline ?? job.Update?.ProgressDeadline ?? DEFAULTS.progressDeadline.toNanoseconds(),
  );
  return Duration.fromNanoseconds(Math.max(...deadlines)).plus(HEADROOM);
}
