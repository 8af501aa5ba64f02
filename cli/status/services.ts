import type { NomadClient } from "../../nomad/client";
import { instances as instancesOf } from "../../nomad/defaults";
import { Duration } from "../../nomad/duration";
import { type AllocationStub, capability, type Deployment, deploymentOf, ifThere, isLive } from "../../nomad/live";
import { lastLines } from "../../nomad/logs";
import { NomadError } from "../../nomad/nomad-error";
import { groupIn, type Pause } from "../../nomad/pause";
import { type Health, healthOf, startedAt } from "../shared/health";
import type { Mood } from "../shared/mood";
import { type Chain, type ProgramStatus, programStatus } from "../shared/program-status";
import type { Service } from "../shared/services";

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

/** What is known of a service beforehand. */
interface ServiceContext {
  readonly pause: Pause | undefined;
  readonly chain: Chain | undefined;
  /** Who else registers one of its names, as a sentence. */
  readonly stranger: string | undefined;
}

/** A service as Nomad has it, and what its program says. */
export async function serviceView(
  client: NomadClient,
  service: Service,
  allocations: readonly AllocationStub[],
  { pause, chain, stranger }: ServiceContext,
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
  const seen = await Promise.all(running.map((one) => instanceHealth(client, service, one)));
  const instances = running.map((one, at) => instanceView(service, one, allocations, seen[at] as Health));
  const said = await programStatus(service, running, chain, seen[0]);
  const paused = pause !== undefined && groupIn(pause.groups, service) !== undefined;
  const count = liveGroup?.Count;
  const problem = problemOf({ service, live, count, instances, deployment, said, seen, stranger, paused });
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

function problemOf(seen: {
  readonly service: Service;
  readonly live: LiveJob;
  /** How many instances Nomad is to run; undefined for a group that it does not have. */
  readonly count: number | undefined;
  readonly instances: readonly InstanceView[];
  readonly deployment: Deployment | undefined;
  readonly said: ProgramStatus | undefined;
  readonly seen: readonly Health[];
  readonly stranger: string | undefined;
  readonly paused: boolean;
}): { mood: Mood; problem: string } | undefined {
  const { live, count, instances, deployment, said, paused, stranger } = seen;
  const { job, group } = seen.service;
  const bad = (problem: string) => ({ mood: "bad", problem }) as const;
  if (paused && instances.length === 0) return { mood: "waiting", problem: "stopped for the pause" };
  if (live.Stop) return bad("was stopped: raise metaVersion and deploy, or nomad job start");
  const wanted = job.Type === "system" || paused ? 0 : instancesOf(group);
  if (wanted > 0 && count === undefined) return bad(`the job in Nomad has no group ${group.Name}: deploy it`);
  // It looks calm, and stays down.
  if (wanted > 0 && count === 0) {
    const start = `nomad job scale -namespace ${job.Namespace} ${job.ID} ${group.Name} ${wanted}`;
    return bad(`is scaled to 0, and nothing starts it by itself: a deploy does, or ${start}`);
  }
  if (instances.some(({ status }) => status === "unknown")) return bad("its machine is away");
  if (job.Type !== "system" && count !== undefined && instances.length < count) {
    return bad(`${instances.length} of ${count} instances`);
  }
  if (deployment?.Status === "failed") return bad(`its last deployment failed: ${deployment.StatusDescription}`);
  const failing = seen.seen.find(({ healthy, mood }) => !healthy && mood === "bad");
  if (failing) return bad(failing.text);
  if (said?.mood === "bad") return bad(said.text);
  if (stranger) return bad(stranger);
  const ill = instances.find(({ healthy }) => !healthy);
  if (ill) return { mood: "waiting", problem: ill.health };
  return said?.mood === "waiting" ? { mood: "waiting", problem: said.text } : undefined;
}

/** The health of an instance; of one that fails, with what its program said last. */
async function instanceHealth(client: NomadClient, service: Service, allocation: AllocationStub): Promise<Health> {
  try {
    const health = await healthOf(client, service, allocation);
    const ends = health.mood === "bad" && / ends again and again, | has ended/.test(health.text);
    const said = ends ? await lastWords(client, service, allocation) : undefined;
    return said ? { ...health, text: `${health.text}; it said: ${said}` } : health;
  } catch (error) {
    if (!(error instanceof NomadError) || error.status === 403) throw error;
    return { healthy: false, mood: "bad", text: "its machine does not answer", checks: [] };
  }
}

/** Enough for a few lines. */
const LOG_TAIL = 4 * 1024;

/** The last line that the main task wrote: its errors before its log. */
async function lastWords(
  client: NomadClient,
  { main }: Service,
  allocation: AllocationStub,
): Promise<string | undefined> {
  for (const stream of ["stderr", "stdout"] as const) {
    const lines = await lastLines(client, { allocation, task: main.Name, stream }, LOG_TAIL).catch((error: unknown) => {
      if (error instanceof NomadError) return [];
      throw error;
    });
    const line = lines
      .at(-1)
      ?.trim()
      .replace(/^entry: /, "");
    if (line && !line.startsWith("waiting for ")) return line.length > 200 ? `${line.slice(0, 200)}…` : line;
  }
  return undefined;
}

function instanceView(
  service: Service,
  allocation: AllocationStub,
  all: readonly AllocationStub[],
  { healthy, text }: Health,
): InstanceView {
  const { ID, NodeName, ClientStatus, AllocatedResources } = allocation;
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

const DAY = Duration.days(1);

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
  const recent = starts.filter((time) => time > now - DAY.toMilliseconds()).length;
  const isNew = allocations.every(({ CreateTime }) => CreateTime / 1e6 > now - DAY.toMilliseconds());
  return Math.max(0, recent - (isNew ? 1 : 0));
}
