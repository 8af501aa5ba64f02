import { type AllocationStub, isLive, type NodeStub, nodesOf, placedAllocations } from "../../nomad/live";
import { type Pause, readPause } from "../../nomad/pause";
import { offeredBy, reservedBy } from "../../nomad/resources";
import { hasBackup } from "../backup/jobs";
import { type BackupView, backupOf } from "../backup/model";
import { type Absence, absenceOf } from "../shared/absence";
import type { Mood } from "../shared/mood";
import { type NomadView, nomadOf } from "../shared/nomad-version";
import { chainOf } from "../shared/program-status";
import { type Service, servicesOf } from "../shared/services";
import type { Target } from "../shared/target";
import { type ServiceView, serviceView } from "./services";
import { type PluginView, pluginView, type VolumeView, volumeView } from "./volumes";

export interface NodeView {
  readonly name: string;
  readonly status: string;
  readonly eligible: boolean;
  readonly draining: boolean;
  /** MiB that jobs may still reserve, and may reserve in all. */
  readonly freeMemory: number;
  readonly memory: number;
  readonly mood: Mood;
}

/** A stack as `--json` prints it. */
export interface StatusReport {
  readonly stack: string;
  readonly nomadAddress: string;
  /** Whether nothing is bad. */
  readonly well: boolean;
  readonly pause?: Pause;
  readonly nomad: NomadView;
  readonly nodes: readonly NodeView[];
  readonly services: readonly ServiceView[];
  readonly plugins: readonly PluginView[];
  readonly volumes: readonly VolumeView[];
  /** Hubs whose Lightning node does not watch its channels. */
  readonly absences: readonly Absence[];
  /** Absent for a stack without one. */
  readonly backup?: BackupView;
}

/** Looks at everything once. What a machine that is away cannot answer is said in its place. */
export async function statusOf(target: Target): Promise<StatusReport> {
  const { client, stack, homelab, volumes: entries } = target;
  const services = servicesOf(target);
  const [nodes, allocations, pause] = await Promise.all([
    nodesOf(client),
    placedAllocations(client),
    readPause(client),
  ]);
  const node = services.find(({ program }) => program === "Bitcoin Core");
  const chain = node && (await chainOf(client, node, allocationsFor(node, allocations)));
  const plugins = [
    ...entries.flatMap(({ pluginId }) => pluginId ?? []),
    ...services.flatMap(({ group }) => group.Tasks.flatMap(({ CSIPluginConfig }) => CSIPluginConfig?.ID ?? [])),
  ];
  const [nomad, serviceViews, pluginViews, volumes, backup] = await Promise.all([
    nomadOf(target, nodes),
    Promise.all(services.map((one) => serviceView(client, one, allocationsFor(one, allocations), pause, chain))),
    Promise.all([...new Set(plugins)].map((id) => pluginView(client, id))),
    Promise.all(homelab.volumes.map((volume) => volumeView(client, volume))),
    hasBackup(target) ? backupOf(target) : undefined,
  ]);
  const absences = services.flatMap((service, at) => {
    const view = serviceViews[at];
    if (service.program !== "Alby Hub" || !view || view.mood === "good") return [];
    // One that was never set up has no channels.
    if (view.says?.startsWith("set-up is open")) return [];
    return [absenceOf(service, allocationsFor(service, allocations), pause)];
  });
  const nodeViews = nodes.map((one) => nodeView(one, allocations));
  const views = [nomad, nodeViews, serviceViews, pluginViews, volumes, absences, backup ?? []];
  const moods = views.flat().map(({ mood }) => mood);
  return {
    stack,
    nomadAddress: client.address,
    well: !moods.includes("bad") && !pause?.writers.length,
    ...(pause && { pause }),
    nomad,
    nodes: nodeViews.toSorted((a, b) => a.name.localeCompare(b.name)),
    services: serviceViews,
    plugins: pluginViews,
    volumes,
    absences,
    ...(backup && { backup }),
  };
}

function allocationsFor({ job, group }: Service, allocations: readonly AllocationStub[]): AllocationStub[] {
  return allocations.filter(
    ({ JobID, Namespace, TaskGroup }) => JobID === job.ID && Namespace === job.Namespace && TaskGroup === group.Name,
  );
}

function nodeView(node: NodeStub, allocations: readonly AllocationStub[]): NodeView {
  const { ID, Name, Status, SchedulingEligibility, Drain } = node;
  const { memory } = offeredBy(node);
  const used = reservedBy(allocations.filter((one) => one.NodeID === ID && isLive(one)));
  const eligible = SchedulingEligibility === "eligible";
  const mood = Status !== "ready" ? "bad" : eligible && !Drain ? "good" : "waiting";
  return { name: Name, status: Status, eligible, draining: Drain, freeMemory: memory - used.memory, memory, mood };
}
