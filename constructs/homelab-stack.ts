import { Namespace } from "@cdktf/provider-nomad/lib/namespace";
import { NomadProvider } from "@cdktf/provider-nomad/lib/provider";
import { SchedulerConfig } from "@cdktf/provider-nomad/lib/scheduler-config";
import {
  Annotations,
  DefaultTokenResolver,
  Lazy,
  StringConcat,
  TerraformOutput,
  TerraformResource,
  TerraformStack,
  Tokenization,
} from "cdktf";
import { type Construct, Node } from "constructs";
import type { Job } from "../.gen/nomad/job";
import type { Cluster } from "../cluster/cluster";
import type {
  Acknowledgement,
  ClusterFigures,
  DatabaseRecord,
  Dependency,
  Homelab,
  HomelabOutput,
  JobRecord,
  Notice,
  OtherStack,
  Program,
  SecretRecord,
  VolumeRecord,
} from "../model/homelab";
import { type ReadJob, readJob, type Unreadable } from "../model/read-job";
import { DEFAULT_NAMESPACE } from "../nomad/defaults";
import { escapeTerraform } from "../nomad/jobspec";
import { NomadJob, type RemovalPolicy } from "../nomad/nomad-job";
import { unescapeTerraform } from "../nomad/terraform-text";
import { RULES, type RuleName } from "../rules";
import { describe, judge, type Verdict } from "../rules/rule";
import { keepState, type State } from "./state";

/** The exact provider; the prebuilt bindings would ask for 2.5.2. Since 2.6.0 secrets can stay out of state. */
const PROVIDER_VERSION = "2.6.1";

export interface HomelabStackProps {
  /** The machines, from `Cluster.fromInventory("ansible/inventory.yml")`. */
  readonly cluster: Cluster;
  /** Where Terraform keeps its state. @default "local" */
  readonly state?: State;
  /** Nomad namespace of all services. @default "bitcoin" */
  readonly namespace?: string;
  /**
   * For throw-away stacks: `destroy` lets `cdktf destroy` remove jobs, volume registrations and namespace. Data on the
   * NAS is never deleted. A volume's own prop comes first.
   *
   * @default "retain"
   */
  readonly removalPolicy?: RemovalPolicy;
}

/**
 * One homelab: provider, state, namespace and scheduler, and the place where every rule runs over every job at
 * synthesis. What job specs cannot say leaves as the Terraform output `homelab`.
 */
export class HomelabStack extends TerraformStack {
  /** The stack that a construct stands in. @throws when it stands in none. */
  static override of(construct: Construct): HomelabStack {
    const stack = Node.of(construct).scopes.find((scope) => scope instanceof HomelabStack);
    if (!stack) {
      throw new Error(`${construct.node.path}: stands outside of a HomelabStack; create it inside of one`);
    }
    return stack as HomelabStack;
  }

  readonly cluster: Cluster;
  readonly state: State;
  readonly removalPolicy: RemovalPolicy;
  /** Nomad namespace of all services, by its plain name: a job takes no references. */
  readonly namespaceName: string;
  readonly namespace: Namespace;
  readonly scheduler: SchedulerConfig;
  /** What constructs tell of themselves beyond their jobs; see the types. */
  readonly volumes: VolumeRecord[] = [];
  readonly programs = new Map<Job, Program>();
  readonly databases = new Map<Job, DatabaseRecord>();
  readonly secrets: SecretRecord[] = [];
  readonly jobDependencies: Dependency[] = [];
  readonly acknowledgements: Acknowledgement[] = [];
  readonly notices: Notice[] = [];

  constructor(scope: Construct, id: string, props: HomelabStackProps) {
    super(scope, id);
    this.cluster = props.cluster;
    this.removalPolicy = props.removalPolicy ?? "retain";
    this.state = props.state ?? "local";
    keepState(this, this.state);

    new NomadProvider(this, "nomad", { address: this.cluster.nomadAddress });
    this.addOverride("terraform.required_providers.nomad.version", PROVIDER_VERSION);

    this.namespaceName = props.namespace ?? "bitcoin";
    if (this.namespaceName === DEFAULT_NAMESPACE) {
      throw new Error(
        `${id}: namespace = "${DEFAULT_NAMESPACE}" would be limited to bridge networking, and the CSI plugin in it stopped; ` +
          "choose a namespace of its own",
      );
    }
    this.namespace = new Namespace(this, "namespace", {
      name: this.namespaceName,
      description: "Bitcoin Core, electrs and Alby Hub",
      capabilities: { enabledTaskDrivers: ["docker"], enabledNetworkModes: ["bridge"] },
      lifecycle: { preventDestroy: this.removalPolicy === "retain" },
    });
    // All four preemption keys: the server returns four, so with fewer every plan shows a change.
    this.scheduler = new SchedulerConfig(this, "scheduler", {
      schedulerAlgorithm: "spread",
      memoryOversubscriptionEnabled: true,
      preemptionConfig: {
        batch_scheduler_enabled: false,
        service_scheduler_enabled: false,
        sysbatch_scheduler_enabled: false,
        system_scheduler_enabled: true,
      },
    });
    new TerraformOutput(this, "output", {
      description: "What the job specs cannot say: volumes, secrets, dependencies, acknowledgements, cluster figures",
      value: Lazy.anyValue({ produce: () => JSON.parse(escapeTerraform(JSON.stringify(this.output()))) }),
    }).overrideLogicalId("homelab");
    this.node.addValidation({ validate: () => this.judge() });
  }

  /** Everything the rules look at, as it stands now. */
  homelab(): Homelab {
    const { volumes, secrets, jobDependencies, acknowledgements, notices } = this;
    const plain = this.plainJobs();
    return {
      cluster: figures(this.cluster),
      jobs: [
        ...this.jobs().map((nomadJob) => this.record(nomadJob)),
        ...plain.flatMap(({ path, retained, read: { job } }) => (job ? [{ path, job, retained }] : [])),
      ],
      volumes,
      secrets,
      dependencies: jobDependencies,
      acknowledgements,
      notices,
      others: this.others(),
      unreadable: plain.flatMap(({ path, read: { unreadable } }) =>
        unreadable ? [{ path, problem: UNREADABLE[unreadable.reason] }] : [],
      ),
    };
  }

  /** Accepts a finding at the stack, for example one about placement. See {@link acknowledge}. */
  acknowledge(rule: RuleName, reason: string): this {
    acknowledge(this, rule, reason);
    return this;
  }

  /** The stacks before this one in the app, so that what two of them share is told once, at the later. */
  private others(): OtherStack[] {
    const stacks = this.stacks();
    return stacks.slice(0, stacks.indexOf(this)).map((stack) => ({
      jobs: stack.jobs().map((nomadJob) => stack.record(nomadJob)),
      volumes: stack.volumes,
      sameCluster: stack.cluster.nomadAddress.toLowerCase() === this.cluster.nomadAddress.toLowerCase(),
    }));
  }

  private jobs(): NomadJob[] {
    const made = this.node.findAll().filter((construct) => construct instanceof NomadJob) as NomadJob[];
    const written = this.writtenJobs();
    return made.filter(({ resource }) => !isOverridden(resource) && !(resource.friendlyUniqueId in written));
  }

  /** Jobs that no construct of ours made, or whose spec was overridden: whoever made them, they are judged as they are written. */
  private plainJobs(): PlainJob[] {
    const ours = new Set(this.jobs().map(({ resource }) => resource as TerraformResource));
    const written = this.writtenJobs();
    const resources = this.node
      .findAll()
      .filter((construct): construct is TerraformResource => construct instanceof TerraformResource)
      .filter((one) => one.terraformResourceType === "nomad_job" && !ours.has(one));
    const made = resources.map((one): PlainJob => {
      const { resource } = resolved(one) as { resource: { nomad_job: Record<string, PlainAttributes> } };
      const attributes = { ...Object.values(resource.nomad_job)[0], ...written[one.friendlyUniqueId] };
      const path = Node.of(one).path.replace(/\/Default$/, "");
      const retained = attributes.deregister_on_destroy === false && attributes.lifecycle?.prevent_destroy === true;
      return { path, address: `nomad_job.${one.friendlyUniqueId}`, retained, read: readPlain(attributes) };
    });
    const rest = Object.entries(written)
      .filter(([name]) => !resources.some(({ friendlyUniqueId }) => friendlyUniqueId === name))
      .map(([name, attributes]): PlainJob => {
        const path = `${this.node.path}/${name}`;
        return { path, address: `nomad_job.${name}`, retained: false, read: readPlain(attributes) };
      });
    return [...made, ...rest];
  }

  /** Jobs, and parts of jobs, that somebody wrote past every construct, with `addOverride` on the stack. */
  private writtenJobs(): Record<string, PlainAttributes> {
    const { rawOverrides = {} } = this as unknown as {
      readonly rawOverrides?: { readonly resource?: { readonly nomad_job?: Record<string, PlainAttributes> } };
    };
    return rawOverrides.resource?.nomad_job ?? {};
  }

  private record(nomadJob: NomadJob): JobRecord {
    const { job, removalPolicy } = nomadJob;
    const program = this.programs.get(job);
    const database = this.databases.get(job);
    const path = Node.of(nomadJob).path.replace(/\/Default$/, "");
    return {
      path,
      job,
      retained: removalPolicy === "retain",
      ...(program && { program }),
      ...(database && { database }),
    };
  }

  private output(): HomelabOutput {
    const jobs = this.jobs().map((nomadJob) => {
      const { job, ...rest } = this.record(nomadJob);
      return [`nomad_job.${nomadJob.resource.friendlyUniqueId}`, rest] as const;
    });
    const terraform = {
      provider: `hashicorp/nomad ${PROVIDER_VERSION}`,
      nomadAddress: this.cluster.nomadAddress,
      state: this.state,
    };
    const plain = this.plainJobs().map(({ address, path, retained }) => [address, { path, retained }] as const);
    const { unreadable: _unreadable, others: _others, ...homelab } = this.homelab();
    return { ...homelab, jobs: Object.fromEntries([...jobs, ...plain]), terraform };
  }

  private judge(): string[] {
    const open = this.unacknowledged();
    for (const warning of open.filter(({ severity }) => severity === "warning")) {
      Annotations.of(this).addWarning(describe(warning));
    }
    if (open.every(({ severity }) => severity === "warning")) return [];
    // CDKTF stops at the first stack that throws, so that one speaks for all.
    const broken = this.stacks().flatMap((stack) => {
      const verdicts = stack.unacknowledged().filter(({ severity }) => severity === "violation");
      return verdicts.length > 0 ? [{ stack: stack.node.id, verdicts }] : [];
    });
    throw brokenRules(
      broken.map(({ stack }) => stack),
      broken.flatMap(({ verdicts }) => verdicts),
    );
  }

  private unacknowledged(): Verdict[] {
    return judge(this.homelab(), RULES).filter(({ acknowledged }) => acknowledged === undefined);
  }

  /** Every homelab of the app, in order. */
  private stacks(): HomelabStack[] {
    return this.node.root.node
      .findAll()
      .filter((construct): construct is HomelabStack => construct instanceof HomelabStack);
  }
}

/** A resource as synthesis will write it. */
function resolved(resource: TerraformResource): unknown {
  const resolver = new DefaultTokenResolver(new StringConcat());
  return Tokenization.resolve(resource.toTerraform(), { scope: resource, resolver, preparing: false });
}

function readPlain({ jobspec, json }: PlainAttributes): ReadJob {
  return readJob({ jobspec: unescapeTerraform(String(jobspec)), json });
}

/** Whether somebody wrote another job over the one that the construct made. */
function isOverridden(resource: TerraformResource): boolean {
  const { rawOverrides = {} } = resource as unknown as { readonly rawOverrides?: object };
  return "jobspec" in rawOverrides || "json" in rawOverrides;
}

/** A `nomad_job` that no construct of ours made. */
interface PlainJob {
  readonly path: string;
  readonly address: string;
  readonly retained: boolean;
  readonly read: ReadJob;
}

interface PlainAttributes {
  readonly jobspec?: unknown;
  readonly json?: unknown;
  readonly deregister_on_destroy?: unknown;
  readonly lifecycle?: { readonly prevent_destroy?: boolean };
}

const UNREADABLE: Readonly<Record<Unreadable["reason"], string>> = {
  sensitive: "is marked as sensitive",
  unknown: "is known only after the apply",
  hcl: "is HCL",
  "no-json": "is no JSON before Terraform evaluates it",
  "no-job": "has no ID",
  "no-groups": "has no list of task groups",
  ambiguous: "has a key twice or in another case, so Nomad may run another job than is judged",
  misshapen: "has a field of another form than Nomad takes",
};

/**
 * All that is wrong, at once. Thrown rather than returned to CDKTF, whose own error ends with the advice to skip
 * validation, and without the calls that led here, since they are not where the mistake is.
 */
function brokenRules(stacks: readonly string[], verdicts: readonly Verdict[]): Error {
  const count = verdicts.length === 1 ? "1 rule violation" : `${verdicts.length} rule violations`;
  const error = new Error(
    [
      `${count} in stack ${stacks.join(" and ")}`,
      ...verdicts.map(describe),
      "fix main.ts or the inventory, or accept a finding with acknowledge(rule, reason) on its construct",
    ].join("\n\n"),
  );
  error.stack = `Error: ${error.message}`;
  return error;
}

/**
 * Accepts the findings of one rule at a construct and below it. The reason is shown at every synth and in every review.
 *
 * @throws when the reason is empty.
 */
export function acknowledge(construct: Construct, rule: RuleName, reason: string): void {
  const { path } = construct.node;
  if (reason.trim() === "") {
    throw new Error(`${path}: acknowledge("${rule}", "") lacks a reason: write why this is safe here`);
  }
  HomelabStack.of(construct).acknowledgements.push({ path, rule, reason });
}

function figures(cluster: Cluster): ClusterFigures {
  return {
    datacenter: cluster.datacenter,
    clients: cluster.clients.map(({ name, availableMemory, cpu, arch }) => ({
      name,
      // A Raspberry Pi's is the default, and is not said.
      ...(arch !== "arm64" && { arch }),
      memory: availableMemory.toMebibytes(),
      cpu,
    })),
    maxKillTimeout: cluster.maxKillTimeout.toString(),
    drainDeadline: cluster.drainDeadline.toString(),
    memoryOversubscription: true,
    nomadVersion: cluster.nomadVersion,
  };
}
