import type { Job, Task } from "../../.gen/nomad/job";
import type { VolumeRecord } from "../../model/homelab";
import type { NomadClient } from "../../nomad/client";
import { Duration } from "../../nomad/duration";
import { type AllocationStub, ifThere, isLive, type NodeStub } from "../../nomad/live";
import { type LiveVolume, MANY_WRITERS, volumeOf } from "../../nomad/volume";
import type { Mood } from "../shared/mood";
import type { Synthesized } from "../shared/synthesized";

/** A volume and who holds a claim to it. */
export interface VolumeView {
  readonly id: string;
  readonly namespace: string;
  /** `node allocation` of each claim to write, and to read. */
  readonly writers: readonly string[];
  readonly readers: readonly string[];
  readonly mood: Mood;
  readonly problem?: string;
}

/** A CSI plugin; `controllers` and `nodes` are such as `2 of 3`. */
export interface PluginView {
  readonly id: string;
  readonly controllers: string;
  /** Of the machines that are there, not of those that Nomad expects it on. */
  readonly nodes: string;
  readonly mood: Mood;
  /** Where it is missing, and what to do. */
  readonly problem?: string;
}

interface LivePlugin {
  readonly ControllersHealthy: number;
  readonly ControllersExpected: number;
  /** By the id of the machine. */
  readonly Nodes: Readonly<Record<string, { readonly Healthy: boolean }>> | null;
}

/** A plugin of the stack, with the jobs that run it; none when it is only referred to. */
export interface PluginJobs {
  readonly id: string;
  readonly jobs: readonly Pick<Job, "ID" | "Datacenters">[];
}

/** The jobs that run a plugin on the machines. */
export function pluginJobs({ homelab }: Pick<Synthesized, "homelab">, id: string): PluginJobs {
  const isIt = ({ CSIPluginConfig: plugin }: Task) => plugin?.ID === id && plugin.Type !== "controller";
  return { id, jobs: homelab.jobs.flatMap(({ job }) => (tasksIn(job).some(isIt) ? [job] : [])) };
}

function tasksIn({ TaskGroups }: Job): Task[] {
  return TaskGroups.flatMap(({ Tasks }) => Tasks);
}

/**
 * A CSI plugin, and whether it is healthy on every machine. Nomad itself expects it only where an instance runs: one that
 * was stopped is not replaced until something has Nomad look at the job again.
 */
export async function pluginView(
  client: NomadClient,
  { id, jobs }: PluginJobs,
  nodes: readonly NodeStub[],
): Promise<PluginView> {
  const needs = 'the policy "read" for plugin';
  const live = await ifThere(client.get<LivePlugin>(["plugin", "csi", id], { needs }));
  const isThere = ({ Datacenter }: NodeStub) =>
    jobs.length === 0 || jobs.some(({ Datacenters }) => (Datacenters ?? ["*"]).some((one) => matches(one, Datacenter)));
  const machines = nodes.filter((node) => node.Status === "ready" && isThere(node));
  const missing = machines.filter(({ ID }) => !live?.Nodes?.[ID]?.Healthy).map(({ Name }) => Name);
  const { ControllersHealthy = 0, ControllersExpected = 0 } = live ?? {};
  const healthy = machines.length - missing.length;
  const remedy = jobs.length > 0 ? `: ${jobs.map(({ ID }) => `nomad job eval ${ID}`).join(", ")}` : "";
  const problem =
    missing.length > 0
      ? `no healthy node plugin on ${missing.sort().join(", ")}, where no volume can be mounted or unmounted${remedy}`
      : undefined;
  const noController = ControllersExpected > 0 && ControllersHealthy === 0;
  const whole = ControllersHealthy >= ControllersExpected;
  return {
    id,
    // Nomad goes on counting what was healthy on a machine that is away, and expects nothing of it.
    controllers: live ? `${Math.min(ControllersHealthy, ControllersExpected)} of ${ControllersExpected}` : "0",
    nodes: `${healthy} of ${machines.length}`,
    mood: !live || problem || noController ? "bad" : whole ? "good" : "waiting",
    ...(problem && { problem }),
  };
}

/** Whether a datacenter is one of a pattern such as `home*`. */
function matches(pattern: string, datacenter: string): boolean {
  const quoted = pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
  return new RegExp(`^${quoted}$`).test(datacenter);
}

/** Unmounting takes a moment, and a run that ended may be followed by the next. */
const UNMOUNTED_WITHIN = Duration.minutes(5);

/** A volume, and whether its claims are as they should be. */
export async function volumeView(
  client: NomadClient,
  { id, namespace, accessMode }: Pick<VolumeRecord, "id" | "namespace" | "accessMode">,
): Promise<VolumeView> {
  const at = { id, namespace };
  const live = await volumeOf(client, id, namespace);
  if (!live) return { ...at, writers: [], readers: [], mood: "bad", problem: "is not registered: deploy it" };
  const claims = (allocations: LiveVolume["WriteAllocs"]) =>
    Object.keys(allocations ?? {}).map((allocation) => {
      const found = live.Allocations?.find(({ ID }) => ID === allocation);
      return { text: `${found?.JobID ?? "?"} on ${found?.NodeName ?? "a machine that is gone"}`, found };
    });
  const [writers, readers] = [claims(live.WriteAllocs), claims(live.ReadAllocs)];
  const stale = [...writers, ...readers].filter(({ found }) => !found || hasEndedLong(found));
  // Where several may write, one that ends beside the others keeps nobody out.
  const shared = accessMode === MANY_WRITERS;
  const stuck = shared ? [] : writers.filter(({ found }) => !found || !isLive(found));
  const problem =
    writers.length > 1 && !shared
      ? `${writers.length} claims to write`
      : stuck.length > 0
        ? "claimed by an allocation that has ended"
        : !live.Schedulable
          ? "cannot be mounted now: its plugin is not healthy"
          : stale.length > 0
            ? `stays mounted where nothing uses it: ${stale.map(({ text }) => text).join(", ")}; is the node plugin healthy there?`
            : undefined;
  return {
    ...at,
    writers: writers.map(({ text }) => text),
    readers: readers.map(({ text }) => text),
    mood: problem ? "bad" : "good",
    ...(problem && { problem }),
  };
}

function hasEndedLong(allocation: AllocationStub): boolean {
  const since = Duration.between(allocation.ModifyTime / 1e6, Date.now());
  return !isLive(allocation) && since.isLongerThan(UNMOUNTED_WITHIN);
}
