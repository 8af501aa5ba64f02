import { existsSync, readFileSync } from "node:fs";
import { isAbsolute, join, relative } from "node:path";
import type { Homelab } from "../../model/homelab";
import type { Unreadable } from "../../model/read-job";
import { type JobEntry, type Resource, readStack, type VolumeEntry } from "../../model/read-stack";
import type { Values } from "../../model/values";
import { DEFAULT_NAMESPACE } from "../../nomad/defaults";
import { unescapeTerraform } from "../../nomad/terraform-text";

/** A namespace that the stack manages; what it does not set is absent. */
export interface NamespaceRecord {
  /** `nomad_namespace.<name>`. */
  readonly address: string;
  readonly name: string;
  readonly description?: string;
  readonly drivers?: readonly string[];
  readonly networkModes?: readonly string[];
}

/** The scheduler's settings that the stack manages; what it does not set is absent. */
export interface SchedulerRecord {
  readonly algorithm?: string;
  readonly memoryOversubscription?: boolean;
  /** By the provider's names, such as `system_scheduler_enabled`. */
  readonly preemption?: Readonly<Record<string, boolean>>;
}

/** One stack with Nomad jobs, as synthesis wrote it. */
export interface Synthesized {
  readonly stack: string;
  /** The stack's cdk.tf.json. */
  readonly file: string;
  /** Absent when the provider block names none: the provider then asks the environment variable NOMAD_ADDR. */
  readonly nomadAddress?: string;
  readonly homelab: Homelab;
  /**
   * False for a stack without the output `homelab`: there are no secrets and clients then, what a volume holds is guessed
   * from who writes it, and of the cluster only the resources tell.
   */
  readonly described: boolean;
  readonly jobs: readonly JobEntry[];
  /** The volumes that the stack manages. */
  readonly volumes: readonly VolumeEntry[];
  readonly namespaces: readonly NamespaceRecord[];
  readonly scheduler?: SchedulerRecord;
}

/** The folder that synthesis writes to: CDKTF_OUTDIR, or `output` of cdktf.json, or `cdktf.out`. */
function outdirOf(project: string, environment: NodeJS.ProcessEnv): string {
  const settings = join(project, "cdktf.json");
  const { output } = existsSync(settings) ? readJson<{ output?: unknown }>(settings, project, "correct it") : {};
  const outdir = environment.CDKTF_OUTDIR || (typeof output === "string" && output) || "cdktf.out";
  return isAbsolute(outdir) ? outdir : join(project, outdir);
}

/** Whether anything was synthesized. */
export function isSynthesized(project = process.cwd(), environment = process.env): boolean {
  return existsSync(join(outdirOf(project, environment), "manifest.json"));
}

/** What a reader does with stacks and jobs that say little. */
export interface Reading {
  /** A stack that has the Nomad provider counts although it holds no job. Default: false. */
  readonly withoutJobs?: boolean;
  /** A job whose spec is not JSON, or no job, is left out instead of an error. Default: false. */
  readonly withoutUnreadable?: boolean;
}

/**
 * Reads the jobs of every stack, and what the output `homelab` tells of them. Stacks without a job are left out. Any
 * CDKTF project with `nomad_job` resources in JSON will do.
 *
 * @param project folder of cdktf.json.
 * @throws when nothing was synthesized, a file is not JSON, no stack holds a job, or a job's spec is not JSON.
 */
export function readSynthesized(
  project = process.cwd(),
  environment = process.env,
  reading: Reading = {},
): readonly Synthesized[] {
  const outdir = outdirOf(project, environment);
  const manifest = join(outdir, "manifest.json");
  const { stacks = {} } = readJson<{ stacks?: Record<string, ManifestStack> }>(manifest, project, AGAIN);
  const found = Object.values(stacks).flatMap((stack) =>
    synthesizedStack(join(outdir, stack.synthesizedStackPath), stack.name, project, reading),
  );
  if (found.length === 0) {
    throw new Error(
      `${placeOf(manifest, project)}: no stack holds a nomad_job (stacks: ${Object.keys(stacks).join(", ") || "none"}); ` +
        "declare one in the app, then run npm run synth",
    );
  }
  return found;
}

const AGAIN = "run npm run synth again";

interface ManifestStack {
  readonly name: string;
  readonly synthesizedStackPath: string;
}

/** The parts of a cdk.tf.json that are read here. */
interface StackFile {
  readonly provider?: { readonly nomad?: readonly { readonly address?: string }[] };
  readonly resource?: Readonly<Record<string, Readonly<Record<string, Block>>>>;
  readonly output?: { readonly homelab?: { readonly value?: unknown } };
}

interface Block extends Values {
  readonly "//"?: { readonly metadata?: { readonly path?: string } };
  readonly lifecycle?: { readonly prevent_destroy?: boolean };
}

function synthesizedStack(path: string, stack: string, project: string, reading: Reading): Synthesized[] {
  const place = placeOf(path, project);
  if (!path.endsWith(".json")) {
    throw new Error(
      `${place}: stack ${stack} was synthesized as HCL, which is not read here; synthesize without --hcl`,
    );
  }
  const file = readJson<StackFile>(path, project, AGAIN);
  const resources = resourcesOf(file, stack);
  const isEmpty = !resources.some(({ type }) => type === "nomad_job");
  if (isEmpty && !(reading.withoutJobs && file.provider?.nomad)) return [];

  const { homelab, described, jobs, volumes } = readStack(resources, { own: evaluated(file.output?.homelab?.value) });
  for (const { address, read } of jobs) {
    const unreadable = read.unreadable ?? (read.job.TaskGroups.length === 0 ? NO_GROUPS : undefined);
    if (unreadable && !reading.withoutUnreadable) {
      throw new Error(`${place}: ${address}: ${unreadableText(unreadable)}`);
    }
  }
  const address = file.provider?.nomad?.[0]?.address;
  return [
    {
      stack,
      file: path,
      ...(address && !address.includes("${") && { nomadAddress: address }),
      homelab,
      described,
      jobs,
      volumes,
      namespaces: namespacesOf(file),
      ...schedulerOf(file),
    },
  ];
}

/** The resources of a stack, evaluated as far as they can be without Terraform. */
function resourcesOf(file: StackFile, stack: string): Resource[] {
  return Object.entries(file.resource ?? {}).flatMap(([type, named]) =>
    Object.entries(named).map(([name, { "//": comment, lifecycle, ...values }]) => ({
      address: `${type}.${name}`,
      type,
      // The ids `Default` of resources inside of constructs say nothing.
      path: comment?.metadata?.path?.replace(/(\/Default)+$/, "") ?? `${stack}/${name}`,
      preventDestroy: lifecycle?.prevent_destroy === true,
      values: { ...(evaluated(values) as Values), namespace: namespaceOf(values.namespace, file) },
    })),
  );
}

/** A value of the file as Terraform evaluates it; expressions stay as they are. */
function evaluated(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(unescapeTerraform(JSON.stringify(value)));
}

/** Nothing can be placed of such a job, so no verb could say anything of it. */
const NO_GROUPS: Unreadable = { reason: "no-groups", detail: "" };

function unreadableText({ reason, detail }: Unreadable): string {
  switch (reason) {
    case "hcl":
      return `${detail}: its jobspec is HCL, which is not read here; write it as JSON with json = true`;
    case "no-json":
      return (
        `jobspec is not JSON (${detail}); write the job's JSON itself, ` +
        "since an expression such as ${file(…)} has no value before Terraform runs"
      );
    case "ambiguous":
      return `Nomad may read another job than its jobspec shows: ${detail}; write each key once, as Nomad spells it`;
    case "misshapen":
      return `jobspec is no job of Nomad's API: ${detail}; correct it`;
    default:
      return "jobspec is no job of Nomad's API: it lacks ID, TaskGroups or their Tasks; add them";
  }
}

/** Blocks stand as a list or, when there is one, alone. */
type OneOrMore<T> = T | readonly T[];

/** A namespace by name, or the one that `${nomad_namespace.<name>.name}` refers to. */
function namespaceOf(value: unknown, file: StackFile): string {
  const text = typeof value === "string" ? value : DEFAULT_NAMESPACE;
  const [, resource] = /^\$\{nomad_namespace\.([\w-]+)\.(?:name|id)\}$/.exec(text) ?? [];
  const name = resource && file.resource?.nomad_namespace?.[resource]?.name;
  return typeof name === "string" ? name : text;
}

function namespacesOf(file: StackFile): NamespaceRecord[] {
  return Object.entries(file.resource?.nomad_namespace ?? {}).map(([resourceName, resource]) => {
    const { name, description, capabilities } = resource as Partial<NamespaceArguments>;
    const [first] = [capabilities ?? []].flat();
    return {
      address: `nomad_namespace.${resourceName}`,
      name: name ?? "",
      ...(description !== undefined && { description: unescapeTerraform(description) }),
      ...(first?.enabled_task_drivers && { drivers: first.enabled_task_drivers }),
      ...(first?.enabled_network_modes && { networkModes: first.enabled_network_modes }),
    };
  });
}

interface NamespaceArguments {
  readonly name: string;
  readonly description: string;
  readonly capabilities: OneOrMore<{ enabled_task_drivers?: string[]; enabled_network_modes?: string[] }>;
}

function schedulerOf(file: StackFile): { scheduler?: SchedulerRecord } {
  const [resource] = Object.values(file.resource?.nomad_scheduler_config ?? {});
  if (!resource) return {};
  const { scheduler_algorithm, memory_oversubscription_enabled, preemption_config } =
    resource as Partial<SchedulerArguments>;
  return {
    scheduler: {
      ...(scheduler_algorithm && { algorithm: scheduler_algorithm }),
      ...(memory_oversubscription_enabled !== undefined && { memoryOversubscription: memory_oversubscription_enabled }),
      ...(preemption_config && { preemption: preemption_config }),
    },
  };
}

interface SchedulerArguments {
  readonly scheduler_algorithm: string;
  readonly memory_oversubscription_enabled: boolean;
  readonly preemption_config: Readonly<Record<string, boolean>>;
}

/** A path as its owner knows it: from the project's folder, or whole when it is elsewhere. */
function placeOf(path: string, project: string): string {
  const fromProject = relative(project, path);
  return fromProject.startsWith("..") ? path : fromProject;
}

function readJson<T extends object>(path: string, project: string, remedy: string): T {
  const place = placeOf(path, project);
  if (!existsSync(path)) throw new Error(`${place} is not there; run npm run synth first`);
  try {
    const content: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof content === "object" && content !== null) return content as T;
  } catch (error) {
    throw new Error(`${place} is not JSON (${(error as Error).message}); ${remedy}`);
  }
  throw new Error(`${place} holds no JSON object; ${remedy}`);
}
