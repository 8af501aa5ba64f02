import { existsSync, readFileSync } from "node:fs";
import { isAbsolute, join, relative } from "node:path";
import type { Job } from "../../.gen/nomad/job";
import type { AccessMode, ClusterFigures, Homelab, HomelabOutput, JobRecord, VolumeRecord } from "../../model/homelab";
import { fromJobspec, unescapeTerraform } from "../../nomad/terraform-text";

/** Where a volume's data is, as far as its resource tells. */
export interface Storage {
  readonly namespace: string;
  readonly volumeId: string;
  /** The CSI plugin that mounts it. */
  readonly pluginId?: string;
  /** The NFS server. */
  readonly server?: string;
  /** What the plugin finds it by, of a volume that is registered. */
  readonly context?: Readonly<Record<string, string>>;
}

/** A namespace that the stack manages; what it does not set is absent. */
export interface NamespaceRecord {
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
   * False for a stack without the output `homelab`: there are no secrets, dependencies or clients then, volumes count
   * as `chain`, and cluster figures are Nomad's own defaults.
   */
  readonly described: boolean;
  /** Of the volumes that the stack manages. */
  readonly storage: readonly Storage[];
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
    readStack(join(outdir, stack.synthesizedStackPath), stack.name, project, reading),
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
  readonly resource?: Readonly<Record<string, Readonly<Record<string, Resource>>>>;
  readonly output?: { readonly homelab?: { readonly value?: unknown } };
}

interface Resource {
  readonly "//"?: { readonly metadata?: { readonly path?: string } };
  readonly lifecycle?: { readonly prevent_destroy?: boolean };
  readonly deregister_on_destroy?: boolean;
  readonly [argument: string]: unknown;
}

function readStack(path: string, stack: string, project: string, reading: Reading): Synthesized[] {
  const place = placeOf(path, project);
  if (!path.endsWith(".json")) {
    throw new Error(
      `${place}: stack ${stack} was synthesized as HCL, which is not read here; synthesize without --hcl`,
    );
  }
  const file = readJson<StackFile>(path, project, AGAIN);
  const resources = file.resource?.nomad_job ?? {};
  if (Object.keys(resources).length === 0 && !(reading.withoutJobs && file.provider?.nomad)) return [];

  const output = outputOf(file);
  const jobs = Object.entries(resources).flatMap(([name, resource]): JobRecord[] => {
    const address = `nomad_job.${name}`;
    const record = output?.jobs[address] ?? { path: pathOf(resource, stack, name), retained: isRetained(resource) };
    try {
      return [{ ...record, job: jobOf(resource, `${place}: ${address}`) }];
    } catch (error) {
      if (reading.withoutUnreadable) return [];
      throw error;
    }
  });
  const volumes = volumesOf(file, stack);
  const address = file.provider?.nomad?.[0]?.address;
  return [
    {
      stack,
      file: path,
      ...(address && !address.includes("${") && { nomadAddress: address }),
      homelab: {
        cluster: output?.cluster ?? nomadsDefaults(file, jobs),
        volumes: output?.volumes ?? volumes.map(({ record }) => record),
        secrets: output?.secrets ?? [],
        dependencies: output?.dependencies ?? [],
        acknowledgements: output?.acknowledgements ?? [],
        notices: output?.notices ?? [],
        jobs,
      },
      described: output !== undefined,
      storage: volumes.map(({ storage }) => storage),
      namespaces: namespacesOf(file),
      ...schedulerOf(file),
    },
  ];
}

/** The output `homelab` as Terraform evaluates it; an output of that name in another shape is not ours. */
function outputOf(file: StackFile): HomelabOutput | undefined {
  const value = file.output?.homelab?.value as HomelabOutput | undefined;
  if (typeof value?.jobs !== "object" || typeof value.cluster !== "object") return undefined;
  return JSON.parse(unescapeTerraform(JSON.stringify(value))) as HomelabOutput;
}

function jobOf({ json, jobspec }: Resource, place: string): Job {
  if (json !== true) {
    throw new Error(
      `${place}: json = ${json ?? "false"}: its jobspec is HCL, which is not read here; write it as JSON with json = true`,
    );
  }
  let parsed: unknown;
  try {
    parsed = fromJobspec(String(jobspec));
  } catch (error) {
    throw new Error(
      `${place}: jobspec is not JSON (${(error as Error).message}); write the job's JSON itself, ` +
        "since an expression such as ${file(…)} has no value before Terraform runs",
    );
  }
  // Nomad takes a job bare or wrapped.
  const job = withoutNulls((parsed as { Job?: unknown } | null)?.Job ?? parsed) as Partial<Job> | undefined;
  const groups = Array.isArray(job?.TaskGroups) ? job.TaskGroups : [];
  if (!job?.ID || groups.length === 0 || !groups.every((group) => Array.isArray(group.Tasks))) {
    throw new Error(`${place}: jobspec is no job of Nomad's API: it lacks ID, TaskGroups or their Tasks; add them`);
  }
  return { Name: job.ID, Namespace: "default", Type: "service", ...job, ID: job.ID, TaskGroups: groups };
}

/** Go writes `null` for what is absent. */
function withoutNulls(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (_, member) => member ?? undefined);
}

function volumesOf(file: StackFile, stack: string): { record: VolumeRecord; storage: Storage }[] {
  const types = ["nomad_csi_volume_registration", "nomad_csi_volume"];
  const resources = types.flatMap((type) => Object.entries(file.resource?.[type] ?? {}));
  return resources.map(([name, resource]) => {
    const { volume_id, plugin_id, capability, context, parameters, mount_options } =
      resource as Partial<VolumeArguments>;
    const [first] = [capability ?? []].flat();
    const [options] = [mount_options ?? []].flat();
    const namespace = namespaceOf(resource.namespace, file);
    const server = context?.server ?? parameters?.server;
    return {
      record: {
        path: pathOf(resource, stack, name),
        namespace,
        id: volume_id ?? name,
        holds: "chain",
        accessMode: first?.access_mode ?? "single-node-writer",
        attachmentMode: first?.attachment_mode ?? "file-system",
        mountFlags: options?.mount_flags ?? [],
        retained: isRetained(resource),
        managed: true,
      },
      storage: {
        namespace,
        volumeId: volume_id ?? name,
        ...(plugin_id && { pluginId: plugin_id }),
        ...(server && { server }),
        ...(context && { context: context as Readonly<Record<string, string>> }),
      },
    };
  });
}

interface VolumeArguments {
  readonly volume_id: string;
  readonly plugin_id: string;
  readonly capability: OneOrMore<{ access_mode: AccessMode; attachment_mode: VolumeRecord["attachmentMode"] }>;
  readonly mount_options: OneOrMore<{ mount_flags?: string[] }>;
  /** Of a registration. */
  readonly context: { readonly server?: string };
  /** Of a volume that Terraform creates. */
  readonly parameters: { readonly server?: string };
}

/** Blocks stand as a list or, when there is one, alone. */
type OneOrMore<T> = T | readonly T[];

/** A namespace by name, or the one that `${nomad_namespace.<name>.name}` refers to. */
function namespaceOf(value: unknown, file: StackFile): string {
  const text = typeof value === "string" ? value : "default";
  const [, resource] = /^\$\{nomad_namespace\.([\w-]+)\.(?:name|id)\}$/.exec(text) ?? [];
  const name = resource && file.resource?.nomad_namespace?.[resource]?.name;
  return typeof name === "string" ? name : text;
}

function namespacesOf(file: StackFile): NamespaceRecord[] {
  return Object.values(file.resource?.nomad_namespace ?? {}).map((resource) => {
    const { name, description, capabilities } = resource as Partial<NamespaceArguments>;
    const [first] = [capabilities ?? []].flat();
    return {
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

/** The construct's path; the ids `Default` of resources inside of constructs say nothing. */
function pathOf(resource: Resource, stack: string, name: string): string {
  return resource["//"]?.metadata?.path?.replace(/(\/Default)+$/, "") ?? `${stack}/${name}`;
}

function isRetained({ lifecycle, deregister_on_destroy }: Resource): boolean {
  return lifecycle?.prevent_destroy === true && deregister_on_destroy === false;
}

/** @see https://developer.hashicorp.com/nomad/docs/configuration/client#max_kill_timeout */
function nomadsDefaults(file: StackFile, jobs: readonly JobRecord[]): ClusterFigures {
  const schedulers = Object.values(file.resource?.nomad_scheduler_config ?? {});
  return {
    datacenter: jobs[0]?.job.Datacenters?.[0] ?? "*",
    clients: [],
    maxKillTimeout: "30s",
    drainDeadline: "1h",
    memoryOversubscription: schedulers.some(({ memory_oversubscription_enabled: enabled }) => enabled === true),
  };
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
