import { type ITerraformDependable, TerraformResource } from "cdktf";
import { Construct } from "constructs";
import type { Job } from "../.gen/nomad/job";
import type { Holds, Program, SecretRecord } from "../model/homelab";
import { NomadJob } from "../nomad/nomad-job";
import { Secret, secretPath } from "../nomad/template";
import type { RuleName } from "../rules";
import { acknowledge, HomelabStack } from "./homelab-stack";
import type { ServiceProps } from "./job-parts";
import type { IVolume } from "./storage/volume";

/** A task, by the names it has in Nomad. */
export interface TaskName {
  readonly job: string;
  readonly group: string;
  readonly task: string;
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

  /** A service on another's volume would start empty, next to data that is not its own. */
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
   * Declares a secret that one task reads from its own Nomad variable, so that `homelab secrets`, the guard and the
   * overview know of it.
   *
   * @returns what renders it in the templates of that task.
   */
  protected secret(
    { job, group, task }: TaskName,
    key: string,
    { source, rpcUser, description, sameAs }: Pick<SecretRecord, "source" | "rpcUser" | "description" | "sameAs">,
  ): Secret {
    const secret = new Secret(secretPath(job, group, task), key);
    this.stack.secrets.push({
      namespace: this.stack.namespaceName,
      path: secret.path,
      key,
      readBy: `${job}/${group}/${task}`,
      source,
      ...(rpcUser && { rpcUser }),
      description,
      ...(sameAs && { sameAs }),
    });
    return secret;
  }

  /** Tells the owner something that no rule forbids, at each synth. */
  protected notify(text: string): void {
    this.stack.notices.push({ path: this.node.path, text });
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
