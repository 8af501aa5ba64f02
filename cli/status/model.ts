import { Duration } from "../../nomad/duration";
import { type AllocationStub, isLive, type NodeStub, nodesOf, placedAllocations } from "../../nomad/live";
import { type Pause, readPause } from "../../nomad/pause";
import { offeredBy, reservedBy } from "../../nomad/resources";
import { hasBackup } from "../backup/jobs";
import { type BackupView, backupOf } from "../backup/model";
import { type Absence, absenceOf } from "../shared/absence";
import { type Mood, worst } from "../shared/mood";
import { type NomadView, nomadOf } from "../shared/nomad-version";
import { chainOf } from "../shared/program-status";
import { nameSecrets, needsOf } from "../shared/secret-needs";
import { isOf, type Service, servicesOf } from "../shared/services";
import type { Target } from "../shared/target";
import { strangerAt } from "./registrations";
import { type ServiceView, serviceView } from "./services";
import { type PluginView, pluginJobs, pluginView, type VolumeView, volumeView } from "./volumes";

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
  /** That of the worst. */
  readonly mood: Mood;
  /** Whether nothing is bad, and every service does its work: one that waits is not well. */
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
  const allocationsOf = (service: Service) => allocations.filter((one) => isOf(service, one));
  const chain = node && (await chainOf(client, node, allocationsOf(node)));
  const plugins = [
    ...entries.flatMap(({ pluginId }) => pluginId ?? []),
    ...services.flatMap(({ group }) => group.Tasks.flatMap(({ CSIPluginConfig }) => CSIPluginConfig?.ID ?? [])),
  ];
  const [nomad, serviceViews, pluginViews, volumes, backup] = await Promise.all([
    nomadOf(target, nodes),
    Promise.all(
      services.map(async (one) => {
        const its = allocationsOf(one);
        const stranger = await strangerAt(client, one, its);
        return serviceView(client, one, its, { pause, chain, stranger });
      }),
    ),
    Promise.all([...new Set(plugins)].map((id) => pluginView(client, pluginJobs(target, id), nodes))),
    Promise.all(homelab.volumes.map((volume) => volumeView(client, volume))),
    hasBackup(target) ? backupOf(target) : undefined,
  ]);
  const absences = services.flatMap((service, at) => {
    const view = serviceViews[at];
    if (service.program !== "Alby Hub" || !view || view.mood === "good") return [];
    // One that was never set up has no channels.
    if (view.says?.startsWith("set-up is open")) return [];
    // Whatever else is wrong with the service, such as another that registers its name.
    if (view.says === "Lightning runs") return [];
    const told = `${view.problem ?? ""}; ${view.says ?? ""}`;
    return [absenceOf(service, allocationsOf(service), pause, told)];
  });
  const nodeViews = nodes.map((one) => nodeView(one, allocations));
  const { needs } = needsOf(target);
  const judged = services
    .map((one, at) => overdue(one, serviceViews[at] as ServiceView, serviceViews))
    .map((view) => ({ ...view, ...(view.problem && { problem: nameSecrets(view.problem, needs) }) }));
  const unseen = pause?.writers.length ? [{ mood: "bad" } as const] : [];
  const moods = [unseen, nomad, nodeViews, judged, pluginViews, volumes, absences, backup ?? []]
    .flat()
    .map(({ mood }) => mood);
  return {
    stack,
    nomadAddress: client.address,
    mood: worst(moods),
    well: !moods.includes("bad") && judged.every(({ mood }) => mood === "good"),
    ...(pause && { pause }),
    nomad,
    nodes: nodeViews.toSorted((a, b) => a.name.localeCompare(b.name)),
    services: judged,
    plugins: pluginViews,
    volumes,
    absences,
    ...(backup && { backup }),
  };
}

/** How long a service may wait for others that are well. */
const LONGEST_WAIT = Duration.minutes(15);

/** A wait is explained by what a service needs; when that is well, it must end. */
function overdue({ needs }: Service, view: ServiceView, all: readonly ServiceView[]): ServiceView {
  const { mood, problem = "", instances } = view;
  const needed = all.filter(({ name }) => needs.includes(name));
  const waits =
    instances.some(({ uptime = 0 }) => uptime > LONGEST_WAIT.toSeconds()) && /\bwaiting since\b/.test(problem);
  if (mood !== "waiting" || !waits || !needed.every(({ mood }) => mood === "good")) return view;
  return { ...view, mood: "bad", problem: `${problem}; but ${needed.map(({ name }) => name).join(", ")} is well` };
}

function nodeView(node: NodeStub, allocations: readonly AllocationStub[]): NodeView {
  const { ID, Name, Status, SchedulingEligibility, Drain } = node;
  const { memory } = offeredBy(node);
  const used = reservedBy(allocations.filter((one) => one.NodeID === ID && isLive(one)));
  const eligible = SchedulingEligibility === "eligible";
  const mood = Status !== "ready" ? "bad" : eligible && !Drain ? "good" : "waiting";
  return { name: Name, status: Status, eligible, draining: Drain, freeMemory: memory - used.memory, memory, mood };
}
