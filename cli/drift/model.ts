import type { Job } from "../../.gen/nomad/job";
import type { VolumeRecord } from "../../model/homelab";
import type { VolumeEntry } from "../../model/read-stack";
import type { NomadClient } from "../../nomad/client";
import { parseImage } from "../../nomad/image";
import { capability, ifThere } from "../../nomad/live";
import { type Pause, readPause } from "../../nomad/pause";
import { type FieldChange, type GroupUpdates, planJob } from "../../nomad/plan";
import { volumeOf } from "../../nomad/volume";
import { shownField } from "../../review/secrets";
import type { NamespaceRecord, SchedulerRecord, Synthesized } from "../shared/synthesized";

/** Something that is not as the code says. */
export interface Difference {
  readonly kind: "job" | "volume" | "namespace" | "scheduler";
  /** Absent for the scheduler and a namespace. */
  readonly namespace?: string;
  readonly name: string;
  /** What is the matter as a whole; otherwise fields tell. */
  readonly problem?: string;
  /** `live` is what Nomad has, `code` what was synthesized. */
  readonly fields: readonly FieldChange[];
  /** What registering the job as it is written would do to its instances. */
  readonly updates: readonly GroupUpdates[];
}

/** A stack as `--json` prints it. */
export interface DriftReport {
  readonly stack: string;
  readonly nomadAddress: string;
  readonly differs: boolean;
  /** The pause that is on; groups that are stopped for it are no difference. */
  readonly pause?: Pause;
  readonly differences: readonly Difference[];
}

/** Compares all that a stack declares with what Nomad has. Nothing is changed. */
export async function driftOf(synthesized: Synthesized, client: NomadClient): Promise<DriftReport> {
  const { stack, homelab, namespaces, scheduler, volumes } = synthesized;
  const jobs = homelab.jobs.map(({ job }) => job);
  const pause = await readPause(client);
  const found = await Promise.all([
    ...namespaces.map((namespace) => namespaceDrift(client, namespace)),
    ...(scheduler ? [schedulerDrift(client, scheduler)] : []),
    ...homelab.volumes.map((volume) => volumeDrift(client, volume, volumes)),
    ...ownedNamespaces(synthesized).flatMap((namespace) => [
      strangers(client, namespace, jobs),
      strangeVolumes(client, namespace, synthesized),
    ]),
    ...jobs.map((job) => jobDrift(client, job, pause)),
  ]);
  const differences = found.flat();
  return {
    stack,
    nomadAddress: client.address,
    differs: differences.length > 0,
    ...(pause && { pause }),
    differences,
  };
}

/** Where nothing but the stack's own jobs belongs: the namespaces it manages or, when it manages none, all it uses. */
function ownedNamespaces({ namespaces, homelab }: Synthesized): string[] {
  const names =
    namespaces.length > 0 ? namespaces.map(({ name }) => name) : homelab.jobs.map((one) => one.job.Namespace);
  return [...new Set(names)];
}

async function jobDrift(client: NomadClient, job: Job, pause: Pause | undefined): Promise<Difference[]> {
  const { kind, changes, updates } = await planJob(client, job);
  const at = { kind: "job", namespace: job.Namespace, name: job.ID } as const;
  if (kind === "missing") return [{ ...at, problem: "is not in Nomad", fields: [], updates }];
  const fields = changes
    .filter((change) => !isPaused(change, job, pause))
    .map(withDigest)
    .map(shownField);
  if (fields.length === 0) return [];
  const stopped = fields.some(({ field, live }) => field === "Stop" && live === "true");
  return [{ ...at, ...(stopped && { problem: "was stopped" }), fields, updates }];
}

/** Whether a group has no instances because of the pause. */
function isPaused({ field, live }: FieldChange, { ID, Namespace }: Job, pause: Pause | undefined): boolean {
  return (pause?.groups ?? []).some(
    ({ job, namespace, group }) =>
      job === ID && namespace === Namespace && field === `TaskGroups[${group}].Count` && live === "0",
  );
}

/** Two digests of one tag look alike; it is said that they are not. */
function withDigest(change: FieldChange): FieldChange {
  if (!change.field.endsWith(".Config.image") || !change.live || !change.code) return change;
  const [live, code] = [parseImage(change.live), parseImage(change.code)];
  const sameTag = live.repository === code.repository && live.tag === code.tag;
  return sameTag ? { ...change, field: `${change.field} (the digest)` } : change;
}

interface JobStub {
  readonly ID: string;
  readonly Status: string;
  readonly Stop: boolean;
  readonly ParentID: string;
}

async function strangers(client: NomadClient, namespace: string, jobs: readonly Job[]): Promise<Difference[]> {
  const live = await client.get<readonly JobStub[]>(["jobs"], { namespace, needs: capability("list-jobs", namespace) });
  return live
    .filter(({ Status, Stop, ParentID }) => Status !== "dead" && !Stop && !ParentID)
    .filter(({ ID }) => !jobs.some((job) => job.ID === ID && job.Namespace === namespace))
    .map(({ ID }) => ({
      kind: "job",
      namespace,
      name: ID,
      problem: "runs, and the code does not know it",
      fields: [],
      updates: [],
    }));
}

async function volumeDrift(
  client: NomadClient,
  volume: VolumeRecord,
  entries: readonly VolumeEntry[],
): Promise<Difference[]> {
  const { id, namespace, accessMode, attachmentMode } = volume;
  const at = { kind: "volume", namespace, name: id, updates: [] } as const;
  const live = await volumeOf(client, id, namespace);
  if (!live) return [{ ...at, problem: "is not registered", fields: [] }];
  const stored = entries.find(({ record }) => record.id === id && record.namespace === namespace);
  const modes = (live.RequestedCapabilities ?? []).map((one) => `${one.AccessMode}, ${one.AttachmentMode}`);
  const wanted = `${accessMode}, ${attachmentMode}`;
  const fields = [
    ...(modes.includes(wanted) ? [] : [{ field: "capability", live: modes.join(" or ") || "none", code: wanted }]),
    ...(stored?.pluginId ? differing("plugin_id", live.PluginID, stored.pluginId) : []),
    ...Object.entries(stored?.context ?? {}).flatMap(([key, value]) =>
      differing(`context.${key}`, live.Context?.[key], value),
    ),
  ];
  return fields.length > 0 ? [{ ...at, fields }] : [];
}

async function strangeVolumes(client: NomadClient, namespace: string, { homelab }: Synthesized): Promise<Difference[]> {
  const live = await client.get<readonly { readonly ID: string }[]>(["volumes"], {
    namespace,
    query: { type: "csi" },
    needs: capability("csi-list-volume", namespace),
  });
  return live
    .filter(({ ID }) => !homelab.volumes.some((volume) => volume.id === ID && volume.namespace === namespace))
    .map(({ ID }) => ({
      kind: "volume",
      namespace,
      name: ID,
      problem: "is registered, and the code does not know it",
      fields: [],
      updates: [],
    }));
}

interface LiveNamespace {
  readonly Description: string;
  readonly Capabilities: {
    readonly EnabledTaskDrivers: readonly string[] | null;
    readonly EnabledNetworkModes: readonly string[] | null;
  } | null;
}

async function namespaceDrift(client: NomadClient, namespace: NamespaceRecord): Promise<Difference[]> {
  const { name, description, drivers, networkModes } = namespace;
  const at = { kind: "namespace", name, updates: [] } as const;
  const needs = `any capability in namespace "${name}"`;
  const live = await ifThere(client.get<LiveNamespace>(["namespace", name], { needs }));
  if (!live) return [{ ...at, problem: "is not there", fields: [] }];
  const { EnabledTaskDrivers, EnabledNetworkModes } = live.Capabilities ?? {};
  const fields = [
    ...(description === undefined ? [] : differing("description", live.Description, description)),
    ...(drivers ? differing("enabled_task_drivers", list(EnabledTaskDrivers), list(drivers)) : []),
    ...(networkModes ? differing("enabled_network_modes", list(EnabledNetworkModes), list(networkModes)) : []),
  ];
  return fields.length > 0 ? [{ ...at, fields }] : [];
}

interface LiveScheduler {
  readonly SchedulerAlgorithm: string;
  readonly MemoryOversubscriptionEnabled: boolean;
  readonly RejectJobRegistration: boolean;
  readonly PauseEvalBroker: boolean;
  readonly PreemptionConfig: Readonly<Record<string, boolean>>;
}

async function schedulerDrift(client: NomadClient, scheduler: SchedulerRecord): Promise<Difference[]> {
  const { algorithm, memoryOversubscription, preemption = {} } = scheduler;
  const { SchedulerConfig: live } = await client.get<{ readonly SchedulerConfig: LiveScheduler }>(
    ["operator", "scheduler", "configuration"],
    { needs: 'the policy "read" for operator' },
  );
  const fields = [
    ...(algorithm ? differing("scheduler_algorithm", live.SchedulerAlgorithm, algorithm) : []),
    ...(memoryOversubscription === undefined
      ? []
      : differing("memory_oversubscription_enabled", live.MemoryOversubscriptionEnabled, memoryOversubscription)),
    ...Object.entries(preemption).flatMap(([key, value]) =>
      differing(`preemption_config.${key}`, live.PreemptionConfig[nomadsName(key)] ?? false, value),
    ),
    // The provider resets both whenever it writes.
    ...differing("reject_job_registration", live.RejectJobRegistration, false),
    ...differing("pause_eval_broker", live.PauseEvalBroker, false),
  ];
  return fields.length > 0 ? [{ kind: "scheduler", name: "scheduler", fields, updates: [] }] : [];
}

/** `system_scheduler_enabled` is `SystemSchedulerEnabled`, and `sysbatch_…` is `SysBatch…`. */
function nomadsName(key: string): string {
  const words = key.replace("sysbatch", "sys_batch").split("_");
  return words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}

function differing(field: string, live: unknown, code: unknown): FieldChange[] {
  if (live === code) return [];
  return [shownField({ field, ...(live !== undefined && { live: String(live) }), code: String(code) })];
}

/** In an order of its own, since Nomad's says nothing. */
function list(values: readonly string[] | null | undefined): string {
  return (values ?? []).toSorted().join(", ");
}
