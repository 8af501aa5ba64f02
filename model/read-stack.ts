import type { Job } from "../.gen/nomad/job";
import { DEFAULT_NAMESPACE } from "../nomad/defaults";
import { callsOf } from "../nomad/template-calls";
import { guessContents } from "./guess-contents";
import type { AccessMode, ClusterFigures, Dependency, Holds, Homelab, HomelabOutput, VolumeRecord } from "./homelab";
import { provides, serviceName } from "./places";
import { type ReadJob, readJob } from "./read-job";
import { OUTPUT, shapeMismatch } from "./shape";
import { known, type Values } from "./values";

/** The types of Terraform resources that are volumes. */
export const VOLUME_TYPES = [
  "nomad_csi_volume_registration",
  "nomad_csi_volume",
  "nomad_volume",
  "nomad_external_volume",
];

/** A resource of a stack, as a plan or `cdk.tf.json` has it, evaluated as far as it can be. */
export interface Resource {
  /** `nomad_job.bitcoin`. */
  readonly address: string;
  readonly type: string;
  readonly values: Values;
  /** The construct's path; absent in a plan, which does not have it. */
  readonly path?: string;
  /** Whether Terraform refuses to destroy it; absent in a plan, which does not say. */
  readonly preventDestroy?: boolean;
}

/** A job of a stack. */
export interface JobEntry {
  readonly address: string;
  readonly read: ReadJob;
  /** The job as it may be shown; absent when it cannot be read. */
  readonly shown?: Job;
  /** Whether Nomad stops it when Terraform destroys the resource. */
  readonly deregisters: boolean;
}

/** A volume of a stack. */
export interface VolumeEntry {
  readonly address: string;
  readonly record: VolumeRecord;
  /** What it holds; undefined when neither the stack nor its jobs say. */
  readonly holds?: Holds;
  /** Whether Nomad forgets it when Terraform destroys the resource. */
  readonly deregisters: boolean;
  /** Whether destroying the resource deletes what is in it. */
  readonly deletes: boolean;
  /** The CSI plugin that mounts it. */
  readonly pluginId?: string;
  /** The NFS server. */
  readonly server?: string;
  /** What the plugin finds it by, of a volume that is registered. */
  readonly context?: Readonly<Record<string, string>>;
}

/** All that the resources of a stack say, and what the stack says of itself. */
export interface StackRecords {
  readonly jobs: readonly JobEntry[];
  readonly volumes: readonly VolumeEntry[];
  /** Of the jobs that can be read, as they may be shown. */
  readonly homelab: Homelab;
  /** Whether the stack describes itself in the output `homelab`. Without it, what nobody tells is guessed or absent. */
  readonly described: boolean;
  /** Terraform's own settings, when the stack tells them. */
  readonly terraform?: HomelabOutput["terraform"];
}

export interface Description {
  /** The output `homelab` of the same moment. */
  readonly own: unknown;
  /** The same output of other moments, for what `own` does not tell: a stack that is destroyed told it before. */
  readonly otherMoments?: readonly unknown[];
  /** What may be shown of a job. @default - all of it */
  readonly show?: (job: Job) => Job;
}

/** Reads the jobs and volumes of a stack. The one reader: verbs and review see the same records. */
export function readStack(resources: readonly Resource[], { own, otherMoments = [], show }: Description): StackRecords {
  const [mine, ...rest] = [own, ...otherMoments].map(described);
  const output = mine ?? rest.find((one) => one !== undefined);
  const jobs = resources
    .filter(({ type }) => type === "nomad_job")
    .map(({ address, values }): JobEntry => {
      const read = readJob(values);
      const deregisters = values.deregister_on_destroy !== false;
      return { address, read, ...(read.job && { shown: show?.(read.job) ?? read.job }), deregisters };
    });
  const readable = jobs.flatMap(({ address, shown }) => (shown ? [{ address, job: shown }] : []));
  const volumes = resources
    .filter(({ type }) => VOLUME_TYPES.includes(type))
    .map((resource) => readVolume(resource, output, readable));
  const isRead = ({ id, namespace }: VolumeRecord) =>
    volumes.some(({ record }) => record.id === id && record.namespace === namespace);
  // Of another moment only what this stack does not manage is still there for certain.
  const others = (mine ?? output)?.volumes.filter((one) => !isRead(one) && (mine || !one.managed)) ?? [];
  return {
    jobs,
    volumes,
    described: output !== undefined,
    ...(mine?.terraform && { terraform: mine.terraform }),
    homelab: {
      cluster: output?.cluster ?? undescribedCluster(resources, readable),
      jobs: readable.map(({ address, job }) => {
        const resource = resources.find((one) => one.address === address);
        const told = output?.jobs[address] ?? { path: resource?.path ?? address, retained: isRetained(resource) };
        return { ...told, job };
      }),
      volumes: [...volumes.map(({ record }) => record), ...others],
      secrets: output?.secrets ?? [],
      dependencies: dependenciesOf(readable, output),
      acknowledgements: mine?.acknowledgements ?? [],
      notices: mine?.notices ?? [],
    },
  };
}

/** The output `homelab`; one of that name in another shape is not ours. */
function described(value: unknown): HomelabOutput | undefined {
  if (value === undefined || value === null || shapeMismatch(value, OUTPUT, "odd")) return undefined;
  const output = value as HomelabOutput;
  const { maxKillTimeout, drainDeadline } = output.cluster;
  return [maxKillTimeout, drainDeadline].every((text) => text && /^(?:\d+[smh])+$/.test(text)) ? output : undefined;
}

/** What the resources themselves tell of a cluster. */
function undescribedCluster(resources: readonly Resource[], jobs: readonly { readonly job: Job }[]): ClusterFigures {
  const scheduler = resources.find(({ type }) => type === "nomad_scheduler_config")?.values;
  const oversubscription = scheduler?.memory_oversubscription_enabled;
  return {
    datacenter: jobs[0]?.job.Datacenters?.[0] ?? "*",
    clients: [],
    ...(typeof oversubscription === "boolean" && { memoryOversubscription: oversubscription }),
  };
}

function isRetained({ values, preventDestroy }: Partial<Resource> = {}): boolean {
  return values?.deregister_on_destroy === false && preventDestroy !== false;
}

/** The first block of its kind, or a map, by its keys. */
function block(value: unknown): Values {
  const first = Array.isArray(value) ? value[0] : value;
  return typeof first === "object" && first !== null ? (first as Values) : {};
}

function readVolume(
  resource: Resource,
  output: HomelabOutput | undefined,
  jobs: readonly { readonly job: Job }[],
): VolumeEntry {
  const { address, type, values } = resource;
  const id = known(values.volume_id) ?? address;
  const namespace = known(values.namespace) ?? DEFAULT_NAMESPACE;
  const told =
    output?.volumes.find((one) => one.id === id && one.namespace === namespace) ??
    output?.volumes.find((one) => one.id === id);
  const holds = told?.holds ?? guessContents(id, namespace, jobs);
  const [capability, options, context] = [block(values.capability), block(values.mount_options), block(values.context)];
  const [server, share] = ["server", "share"].map((key) => known({ ...block(values.parameters), ...context }[key]));
  const pluginId = known(values.plugin_id);
  const texts = Object.entries(context).flatMap(([key, value]) => (known(value) ? [[key, known(value)] as const] : []));
  const deletes = type === "nomad_csi_volume" || type === "nomad_external_volume";
  return {
    address,
    ...(holds && { holds }),
    deletes,
    deregisters: deletes || values.deregister_on_destroy !== false,
    ...(pluginId && { pluginId }),
    ...(server && { server }),
    ...(texts.length > 0 && { context: Object.fromEntries(texts) as Record<string, string> }),
    record: {
      path: told?.path ?? resource.path ?? address,
      namespace,
      id,
      // The rules know no volume that holds nothing; an index is what they are the least strict with.
      holds: holds ?? "index",
      accessMode: (known(capability.access_mode) ?? known(values.access_mode) ?? "single-node-writer") as AccessMode,
      attachmentMode: (known(capability.attachment_mode) ??
        known(values.attachment_mode) ??
        "file-system") as "file-system",
      mountFlags: [options.mount_flags].flat().filter((flag): flag is string => known(flag) !== undefined),
      retained: told?.retained ?? isRetained(resource),
      ...(server && share && { source: { server, share } }),
      managed: true,
    },
  };
}

/** What the stack says, and what the templates of its jobs ask for. */
function dependenciesOf(entries: readonly { readonly job: Job }[], output: HomelabOutput | undefined): Dependency[] {
  const jobs = entries.map(({ job }) => job);
  const asked = jobs.flatMap((job) => {
    const templates = job.TaskGroups.flatMap(({ Tasks }) => Tasks.flatMap(({ Templates }) => Templates ?? []));
    const names = templates.flatMap((template) => callsOf(template, ["nomadService"]).map(({ argument }) => argument));
    const providers = jobs.filter(
      (one) => one !== job && names.some((name) => name !== undefined && provides(one, serviceName(name))),
    );
    return providers.map(({ ID }) => ({ from: job.ID, on: ID }));
  });
  const told = output?.dependencies ?? [];
  return [...told, ...asked.filter(({ from, on }) => !told.some((one) => one.from === from && one.on === on))];
}
