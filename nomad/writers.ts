import type { Job } from "../.gen/nomad/job";
import type { NomadClient } from "./client";
import { Duration } from "./duration";
import { type AllocationStub, isLive, type NodeStub, nodeOf, nodesOf, placedAllocations, taskStatsOf } from "./live";
import type { LastWriter } from "./pause";
import { type LiveVolume, soleWrites, volumeOf, writtenAlone } from "./volume";

/** An allocation that may still write a job's volumes, and whose end nobody has seen. */
export interface HiddenWriter {
  /** `unknown`: Nomad says so itself; `node`: its machine is away; `claim`: another job's, or one that Nomad has no record of. */
  readonly reason: "unknown" | "node" | "claim";
  readonly job: string;
  readonly namespace: string;
  /** Absent where Nomad has no record of the allocation. */
  readonly group?: string;
  readonly allocation: string;
  readonly problem: string;
  readonly remedy: string;
}

/** How a machine is, as far as Nomad can tell. */
export type NodeStatus = NodeStub["Status"] | "gone from Nomad's list";

/**
 * Who may still write the volumes of these jobs out of everybody's sight. Only `complete` and `failed` are ends, because
 * the machine itself tells them; `lost` is what the server assumes of a machine that it does not hear. What runs on a
 * machine that is ready is in sight, and no concern of this.
 *
 * @param remembered allocations that were told to stop and were not seen to end, after Nomad may have forgotten them.
 * @throws NomadError when Nomad cannot be asked: then nobody knows.
 */
export async function hiddenWriters(
  client: NomadClient,
  jobs: readonly Job[],
  remembered: readonly LastWriter[] = [],
): Promise<readonly HiddenWriter[]> {
  if (jobs.length === 0) return [];
  const [nodes, ...found] = await Promise.all([
    nodesOf(client),
    ...jobs.map(async (job) => ({
      job,
      allocations: (await placedAllocations(client, job)).filter(
        ({ JobID, Namespace }) => JobID === job.ID && Namespace === job.Namespace,
      ),
      volumes: await Promise.all(writtenAlone(job).map((source) => volumeOf(client, source, job.Namespace))),
    })),
  ]);
  const statusOf = (id: string) => nodeStatus(nodes, id);
  const hidden: HiddenWriter[] = [];
  for (const { job, allocations, volumes } of found) {
    for (const allocation of allocations) {
      const writer = await hiddenAllocation(client, job, allocation, allocations, statusOf(allocation.NodeID));
      if (writer) hidden.push(writer);
    }
    for (const one of remembered.filter(({ job: id, namespace }) => id === job.ID && namespace === job.Namespace)) {
      if (allocations.some(({ ID }) => ID === one.allocation)) continue;
      const writer = await forgottenWriter(client, one, statusOf(one.nodeId));
      if (writer) hidden.push(writer);
    }
    for (const volume of volumes) hidden.push(...hiddenClaims(job, volume, allocations, statusOf));
  }
  return hidden;
}

async function hiddenAllocation(
  client: NomadClient,
  job: Job,
  allocation: AllocationStub,
  all: readonly AllocationStub[],
  status: NodeStatus,
): Promise<HiddenWriter | undefined> {
  const { ID, ClientStatus, NodeName, TaskGroup: group } = allocation;
  if (ClientStatus === "complete" || ClientStatus === "failed") return undefined;
  const what = `allocation ${short(ID)} of ${job.ID}`;
  const at = { job: job.ID, namespace: job.Namespace, group, allocation: ID };
  if (ClientStatus === "unknown") {
    const problem = `${what} is unknown, because ${NodeName} is ${status === "ready" ? "back only now" : status}`;
    return { reason: "unknown", ...at, problem, remedy: remedyFor(NodeName, status) };
  }
  const problem = `${what} is on ${NodeName}, which is ${status}; it may run on there`;
  if (ClientStatus !== "lost") {
    return status === "ready" ? undefined : { reason: "node", ...at, problem, remedy: remedyFor(NodeName, status) };
  }
  // Whoever writes nothing, or writes where several may, is replaced without harm.
  const written = job.TaskGroups.find(({ Name }) => Name === group);
  if (written && soleWrites(written).length === 0) return undefined;
  if (status === "ready") {
    if (!(await taskStatsOf(client, allocation))) return undefined;
    return { reason: "node", ...at, problem: `${what} still runs on ${NodeName}`, remedy: "wait until it has ended" };
  }
  // What took the place of one whose machine was purged has the volume: whoever purged it has decided that.
  const replaced = all.some(
    (one) => one.TaskGroup === group && one.CreateIndex > allocation.CreateIndex && one.ClientStatus !== "pending",
  );
  if (status !== "down" && status !== "disconnected" && replaced) return undefined;
  return { reason: "node", ...at, problem, remedy: remedyFor(NodeName, status) };
}

/** For a machine that is back to notice that Nomad has forgotten an allocation, and for clocks that differ. */
const NOTICE = Duration.minutes(1);

/** An allocation that Nomad has no record of any more. A machine that comes back ends such a one, in its own time. */
async function forgottenWriter(
  client: NomadClient,
  { job, namespace, group, allocation, node, nodeId, stopTime }: LastWriter,
  status: NodeStatus,
): Promise<HiddenWriter | undefined> {
  const at = { reason: "node", job, namespace, group, allocation } as const;
  const what = `nobody saw the end of allocation ${short(allocation)} of ${job} on ${node}, which Nomad has forgotten since`;
  if (status !== "ready") {
    return { ...at, problem: `${what}, and ${node} is ${status}`, remedy: remedyFor(node, status) };
  }
  const { StatusUpdatedAt = 0 } = (await nodeOf(client, nodeId)) ?? {};
  const ready = Duration.between(StatusUpdatedAt * 1000, Date.now());
  const needed = Duration.parse(stopTime).plus(NOTICE);
  if (ready.isLongerThan(needed)) return undefined;
  const left = Math.ceil(needed.toSeconds() - ready.toSeconds());
  return {
    ...at,
    problem: `${what}; ${node} is back only now and may take ${needed} to end it`,
    remedy: `wait ${left} s`,
  };
}

/** Claims that other jobs hold, and claims that nobody can explain. */
function hiddenClaims(
  job: Job,
  volume: LiveVolume | undefined,
  own: readonly AllocationStub[],
  statusOf: (node: string) => NodeStatus,
): HiddenWriter[] {
  if (!volume) return [];
  const claimed = Object.keys(volume.WriteAllocs ?? {}).filter((id) => !own.some(({ ID }) => ID === id));
  return claimed.flatMap((id): HiddenWriter[] => {
    const found = (volume.Allocations ?? []).find(({ ID }) => ID === id);
    const at = { reason: "claim", job: job.ID, namespace: job.Namespace, allocation: id } as const;
    if (!found) {
      return [
        {
          ...at,
          problem: `the volume ${volume.ID} is claimed by allocation ${short(id)}, of which Nomad has no record`,
          remedy: `find out whether its container still runs; Nomad drops the claim by itself, as nomad volume status -namespace ${volume.Namespace} ${volume.ID} shows`,
        },
      ];
    }
    if (!isLive(found) && found.ClientStatus !== "lost") return [];
    const status = statusOf(found.NodeID);
    return [
      {
        ...at,
        problem: `allocation ${short(id)} of ${found.JobID} on ${found.NodeName} writes the volume ${volume.ID}`,
        remedy: status === "ready" ? "wait until it has ended" : remedyFor(found.NodeName, status),
      },
    ];
  });
}

export function nodeStatus(nodes: readonly NodeStub[], id: string): NodeStatus {
  return nodes.find(({ ID }) => ID === id)?.Status ?? "gone from Nomad's list";
}

/** What to do about an allocation whose end nobody sees. */
export function remedyFor(node: string, status: NodeStatus): string {
  if (status === "ready") return "wait a minute, until Nomad has heard of it again";
  const forget = status === "gone from Nomad's list" ? ", and then nomad system gc, so that Nomad forgets it" : "";
  return `wait until ${node} is back; if it never will be, make sure that it is off and run homelab node-lost ${node}${forget}`;
}

function short(id: string): string {
  return id.slice(0, 8);
}
