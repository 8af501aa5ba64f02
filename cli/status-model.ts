import type { NomadClient } from "../nomad/client";
import {
  type AllocationStub,
  capability,
  type Deployment,
  deploymentOf,
  ifThere,
  isLive,
  type NodeStub,
  nodesOf,
  placedAllocations,
} from "../nomad/live";
import { lastLines } from "../nomad/logs";
import { NomadError } from "../nomad/nomad-error";
import { type Pause, readPause } from "../nomad/pause";
import { healthOf, startedAt } from "./health";
import { albyHub, type BitcoinProgress, bitcoinProgress, electrs, endpointOf } from "./programs";
import { type Service, servicesOf } from "./services";
import type { Target } from "./target";

/** `bad` is for what the owner must do something about; `waiting` for what passes by itself. */
export type Mood = "good" | "waiting" | "bad";

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

export interface InstanceView {
  readonly allocation: string;
  readonly node: string;
  readonly status: string;
  readonly healthy: boolean;
  readonly health: string;
  /** How often its tasks were started again in the last 24 h, as far as Nomad remembers. */
  readonly restarts: number;
  /** Seconds since its tasks were last started; absent when they do not run. */
  readonly uptime?: number;
  /** `host:port` of every port. */
  readonly addresses: readonly string[];
}

export interface ServiceView {
  readonly name: string;
  readonly namespace: string;
  /** Nomad's own count of changes; absent when the job is not there. */
  readonly jobVersion?: number;
  readonly metaVersion?: string;
  readonly image: string;
  /** The one that was synthesized, when the live one is another. */
  readonly synthesizedImage?: string;
  readonly deployment?: string;
  readonly instances: readonly InstanceView[];
  /** What the program itself says, such as how far it has come. */
  readonly says?: string;
  readonly mood: Mood;
  /** Why the mood is not good. */
  readonly problem?: string;
}

export interface VolumeStatus {
  readonly id: string;
  readonly namespace: string;
  /** `node allocation` of each claim to write, and to read. */
  readonly writers: readonly string[];
  readonly readers: readonly string[];
  readonly mood: Mood;
  readonly problem?: string;
}

export interface PluginView {
  readonly id: string;
  readonly controllers: string;
  readonly nodes: string;
  readonly mood: Mood;
}

/** A stack as `--json` prints it. */
export interface StatusReport {
  readonly stack: string;
  readonly nomadAddress: string;
  /** Whether nothing is bad. */
  readonly well: boolean;
  readonly pause?: Pause;
  readonly nodes: readonly NodeView[];
  readonly services: readonly ServiceView[];
  readonly plugins: readonly PluginView[];
  readonly volumes: readonly VolumeStatus[];
}

/** How many bytes of bitcoind's log are read: some hundred lines. */
const LOG_TAIL = 128 * 1024;

/** Looks at everything once. What a machine that is away cannot answer is said in its place. */
export async function statusOf(target: Target): Promise<StatusReport> {
  const { client, stack, homelab, storage } = target;
  const services = servicesOf(target);
  const [nodes, allocations, pause] = await Promise.all([
    nodesOf(client),
    placedAllocations(client),
    readPause(client),
  ]);
  const node = services.find(({ program }) => program === "Bitcoin Core");
  const chain = node && (await chainOf(client, node, allocationsFor(node, allocations)));
  const plugins = [
    ...storage.flatMap(({ pluginId }) => pluginId ?? []),
    ...services.flatMap(({ group }) => group.Tasks.flatMap(({ CSIPluginConfig }) => CSIPluginConfig?.ID ?? [])),
  ];
  const [serviceViews, pluginViews, volumes] = await Promise.all([
    Promise.all(services.map((one) => serviceView(client, one, allocationsFor(one, allocations), pause, chain))),
    Promise.all([...new Set(plugins)].map((id) => pluginView(client, id))),
    Promise.all(homelab.volumes.map(({ id, namespace }) => volumeStatus(client, id, namespace))),
  ]);
  const nodeViews = nodes.map((one) => nodeView(one, allocations));
  const moods = [nodeViews, serviceViews, pluginViews, volumes].flat().map(({ mood }) => mood);
  return {
    stack,
    nomadAddress: client.address,
    well: !moods.includes("bad"),
    ...(pause && { pause }),
    nodes: nodeViews.toSorted((a, b) => a.name.localeCompare(b.name)),
    services: serviceViews,
    plugins: pluginViews,
    volumes,
  };
}

function allocationsFor({ job, group }: Service, allocations: readonly AllocationStub[]): AllocationStub[] {
  return allocations.filter(
    ({ JobID, Namespace, TaskGroup }) => JobID === job.ID && Namespace === job.Namespace && TaskGroup === group.Name,
  );
}

function nodeView(node: NodeStub, allocations: readonly AllocationStub[]): NodeView {
  const { ID, Name, Status, SchedulingEligibility, Drain } = node;
  const memory = memoryOf(node);
  const used = allocations
    .filter((one) => one.NodeID === ID && isLive(one))
    .reduce((sum, one) => sum + reservedMemory(one), 0);
  const eligible = SchedulingEligibility === "eligible";
  const mood = Status !== "ready" ? "bad" : eligible && !Drain ? "good" : "waiting";
  return { name: Name, status: Status, eligible, draining: Drain, freeMemory: memory - used, memory, mood };
}

/** MiB that jobs may reserve. */
export function memoryOf({ NodeResources, ReservedResources }: NodeStub): number {
  return (NodeResources?.Memory.MemoryMB ?? 0) - (ReservedResources?.Memory.MemoryMB ?? 0);
}

/** MiB that an allocation reserves. */
export function reservedMemory({ AllocatedResources }: AllocationStub): number {
  return Object.values(AllocatedResources?.Tasks ?? {}).reduce((sum, { Memory }) => sum + Memory.MemoryMB, 0);
}

/** The parts of a live job that are read here. */
interface LiveJob {
  readonly Version: number;
  readonly Stop: boolean;
  readonly Meta: Readonly<Record<string, string>> | null;
  readonly TaskGroups: readonly {
    readonly Name: string;
    readonly Count: number;
    readonly Tasks: readonly { readonly Name: string; readonly Config: { readonly image?: string } | null }[];
  }[];
}

async function serviceView(
  client: NomadClient,
  service: Service,
  allocations: readonly AllocationStub[],
  pause: Pause | undefined,
  chain: Chain | undefined,
): Promise<ServiceView> {
  const { job, group, main, name } = service;
  const [live, deployment] = await Promise.all([
    ifThere(
      client.get<LiveJob>(["job", job.ID], {
        namespace: job.Namespace,
        needs: capability("read-job", job.Namespace),
      }),
    ),
    deploymentOf(client, job),
  ]);
  const synthesized = main.Config?.image ?? "";
  const at = { name, namespace: job.Namespace };
  if (!live) {
    return { ...at, image: synthesized, instances: [], mood: "bad", problem: "is not in Nomad: deploy it" };
  }
  const liveGroup = live.TaskGroups.find(({ Name }) => Name === group.Name);
  const image = liveGroup?.Tasks.find(({ Name }) => Name === main.Name)?.Config?.image ?? "";
  const running = allocations.filter((one) => isLive(one) && one.DesiredStatus === "run");
  const instances = await Promise.all(running.map((one) => instanceView(client, service, one, allocations)));
  const said = await says(service, running, chain);
  const paused = pause?.groups.some((one) => one.job === job.ID && one.group === group.Name);
  const wanted = job.Type === "system" ? undefined : (liveGroup?.Count ?? 0);
  const problem = problemOf({ live, wanted, instances, deployment, said, paused: paused ?? false });
  return {
    ...at,
    jobVersion: live.Version,
    ...(live.Meta?.version !== undefined && { metaVersion: live.Meta.version }),
    image,
    ...(image !== synthesized && { synthesizedImage: synthesized }),
    ...(deployment && { deployment: deployment.Status }),
    instances,
    ...(said && { says: said.text }),
    ...(problem ?? { mood: "good" }),
  };
}

interface Saying {
  readonly text: string;
  readonly mood: Mood;
}

function problemOf(seen: {
  readonly live: LiveJob;
  readonly wanted: number | undefined;
  readonly instances: readonly InstanceView[];
  readonly deployment: Deployment | undefined;
  readonly said: Saying | undefined;
  readonly paused: boolean;
}): { mood: Mood; problem: string } | undefined {
  const { live, wanted, instances, deployment, said, paused } = seen;
  const bad = (problem: string) => ({ mood: "bad", problem }) as const;
  if (paused && instances.length === 0) return { mood: "waiting", problem: "stopped for the pause" };
  if (live.Stop) return bad("was stopped: raise metaVersion and deploy, or nomad job start");
  if (instances.some(({ status }) => status === "unknown")) return bad("its machine is away");
  if (wanted !== undefined && instances.length < wanted) return bad(`${instances.length} of ${wanted} instances`);
  if (deployment?.Status === "failed") return bad(`its last deployment failed: ${deployment.StatusDescription}`);
  if (said?.mood === "bad") return bad(said.text);
  const ill = instances.find(({ healthy }) => !healthy);
  if (ill) return { mood: "waiting", problem: ill.health };
  return said?.mood === "waiting" ? { mood: "waiting", problem: said.text } : undefined;
}

async function instanceView(
  client: NomadClient,
  service: Service,
  allocation: AllocationStub,
  all: readonly AllocationStub[],
): Promise<InstanceView> {
  const { ID, NodeName, ClientStatus, AllocatedResources } = allocation;
  const { healthy, text } = await healthOf(client, service, allocation).catch((error: unknown) => {
    if (!(error instanceof NomadError) || error.status === 403) throw error;
    return { healthy: false, text: "its machine does not answer" };
  });
  const started = startedAt(service, allocation);
  // Every instance of a system job has the same name.
  const sameInstance = (one: AllocationStub) =>
    one.Name === allocation.Name && (service.job.Type !== "system" || one.NodeID === allocation.NodeID);
  return {
    allocation: ID,
    node: NodeName,
    status: ClientStatus,
    healthy,
    health: text,
    restarts: restartsIn24h(service, all.filter(sameInstance), Date.now()),
    ...(started > 0 && ClientStatus === "running" && { uptime: Math.round((Date.now() - started) / 1000) }),
    addresses: (AllocatedResources?.Shared.Ports ?? []).map(({ HostIP, Value }) => `${HostIP}:${Value}`),
  };
}

const DAY_MS = 24 * 3600 * 1000;

/**
 * Starts of the main task beyond the first, in the allocations that Nomad remembers of one instance. It keeps ten events
 * a task, so many restarts count as fewer.
 */
export function restartsIn24h(service: Service, allocations: readonly AllocationStub[], now: number): number {
  const starts = allocations.flatMap(({ TaskStates }) =>
    (TaskStates?.[service.main.Name]?.Events ?? [])
      .filter(({ Type }) => Type === "Started")
      .map(({ Time }) => Time / 1e6),
  );
  const recent = starts.filter((time) => time > now - DAY_MS).length;
  const isNew = allocations.every(({ CreateTime }) => CreateTime / 1e6 > now - DAY_MS);
  return Math.max(0, recent - (isNew ? 1 : 0));
}

/** bitcoind as its log has it; undefined when the log cannot be read. */
interface Chain {
  readonly progress?: BitcoinProgress;
  readonly problem?: string;
}

async function chainOf(client: NomadClient, node: Service, allocations: readonly AllocationStub[]): Promise<Chain> {
  const allocation = allocations.find((one) => one.ClientStatus === "running");
  if (!allocation) return {};
  try {
    const place = { allocation, task: node.main.Name, stream: "stdout" as const };
    return { progress: bitcoinProgress(await lastLines(client, place, LOG_TAIL)) };
  } catch (error) {
    if (error instanceof NomadError) return { problem: `its log cannot be read: ${error.message}` };
    throw error;
  }
}

async function says(
  service: Service,
  running: readonly AllocationStub[],
  chain: Chain | undefined,
): Promise<Saying | undefined> {
  const [allocation] = running;
  if (allocation?.ClientStatus !== "running") return undefined;
  if (service.program === "Bitcoin Core") return chainSaying(chain);
  if (service.program === "electrs") {
    const answer = await electrs(endpointOf(service, allocation, "electrum"));
    if (!answer.known) return { text: answer.problem ?? "it does not answer", mood: "waiting" };
    const node = chain?.progress?.height;
    const tip = `${answer.height ?? "no tip"}${node === undefined ? "" : ` of bitcoind's ${node}`}`;
    if (!answer.ready) return { text: `indexing: serves a part, height ${tip}`, mood: "waiting" };
    return { text: `answers server.ping; tip ${tip}`, mood: "good" };
  }
  if (service.program === "Alby Hub") {
    const answer = await albyHub(endpointOf(service, allocation, "http"));
    if (!answer.known) return { text: `Lightning unknown: ${answer.problem}`, mood: "waiting" };
    if (!answer.setUp) return { text: "set-up is open to anyone who reaches its page: set it up now", mood: "bad" };
    return answer.running
      ? { text: "Lightning runs", mood: "good" }
      : { text: "the page loads, and Lightning does not run", mood: "bad" };
  }
  return undefined;
}

function chainSaying({ progress, problem }: Chain = {}): Saying {
  if (!progress) return { text: problem ?? "its log says nothing yet", mood: "waiting" };
  const { phase, height, progress: part, text } = progress;
  const percent = part === undefined ? "" : `${(Math.floor(part * 10_000) / 100).toFixed(2)} %`;
  switch (phase) {
    case "starting":
      return { text: `starting${text ? `: ${text}` : ""}`, mood: "waiting" };
    case "headers":
      return { text: `synchronizing headers, ${percent}`, mood: "waiting" };
    case "blocks":
      return { text: `initial sync: height ${height}, ${percent}`, mood: "waiting" };
    case "synced":
      return { text: height === undefined ? "synced" : `synced, height ${height}`, mood: "good" };
    case "running":
      return { text: "loaded; no new block in its log yet", mood: "good" };
    case "stopping":
      return { text: "stopping", mood: "waiting" };
  }
}

interface LivePlugin {
  readonly ControllersHealthy: number;
  readonly ControllersExpected: number;
  readonly NodesHealthy: number;
  readonly NodesExpected: number;
}

async function pluginView(client: NomadClient, id: string): Promise<PluginView> {
  const needs = 'the policy "read" for plugin';
  const live = await ifThere(client.get<LivePlugin>(["plugin", "csi", id], { needs }));
  if (!live) return { id, controllers: "0", nodes: "0", mood: "bad" };
  const { ControllersHealthy, ControllersExpected, NodesHealthy, NodesExpected } = live;
  const dead = NodesHealthy === 0 || (ControllersExpected > 0 && ControllersHealthy === 0);
  const whole = NodesHealthy >= NodesExpected && ControllersHealthy >= ControllersExpected;
  return {
    id,
    controllers: `${ControllersHealthy} of ${ControllersExpected}`,
    nodes: `${NodesHealthy} of ${NodesExpected}`,
    mood: dead ? "bad" : whole ? "good" : "waiting",
  };
}

/** A CSI volume with its claims. */
export interface LiveVolume {
  readonly ID: string;
  readonly Namespace: string;
  readonly Schedulable: boolean;
  readonly WriteAllocs: Readonly<Record<string, unknown>> | null;
  readonly ReadAllocs: Readonly<Record<string, unknown>> | null;
  readonly Allocations: readonly AllocationStub[] | null;
}

/** A volume and its claims; undefined when it is not registered. */
export function volumeOf(client: NomadClient, id: string, namespace: string): Promise<LiveVolume | undefined> {
  return ifThere(
    client.get<LiveVolume>(["volume", "csi", id], { namespace, needs: capability("csi-read-volume", namespace) }),
  );
}

async function volumeStatus(client: NomadClient, id: string, namespace: string): Promise<VolumeStatus> {
  const at = { id, namespace };
  const live = await volumeOf(client, id, namespace);
  if (!live) return { ...at, writers: [], readers: [], mood: "bad", problem: "is not registered: deploy it" };
  const claims = (allocations: LiveVolume["WriteAllocs"]) =>
    Object.keys(allocations ?? {}).map((allocation) => {
      const found = live.Allocations?.find(({ ID }) => ID === allocation);
      return { text: `${found?.JobID ?? "?"} on ${found?.NodeName ?? "a machine that is gone"}`, found };
    });
  const writers = claims(live.WriteAllocs);
  const stuck = writers.filter(({ found }) => !found || !isLive(found));
  const problem =
    writers.length > 1
      ? `${writers.length} claims to write`
      : stuck.length > 0
        ? "claimed by an allocation that has ended"
        : live.Schedulable
          ? undefined
          : "cannot be mounted now: its plugin is not healthy";
  return {
    ...at,
    writers: writers.map(({ text }) => text),
    readers: claims(live.ReadAllocs).map(({ text }) => text),
    mood: problem ? "bad" : "good",
    ...(problem && { problem }),
  };
}

/** Whether a node has not yet followed the chain to its end, by its log. */
export async function inInitialSync(client: NomadClient, node: Service, allocation: AllocationStub): Promise<boolean> {
  const { progress } = await chainOf(client, node, [allocation]);
  return progress?.phase === "headers" || progress?.phase === "blocks";
}
