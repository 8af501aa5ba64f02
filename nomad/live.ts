import type { NomadClient } from "./client";
import { NomadError } from "./nomad-error";

/** A machine, as `/v1/nodes` lists it. */
export interface NodeStub {
  readonly ID: string;
  readonly Name: string;
  /** `disconnected`: it is away, and has allocations that wait for it. */
  readonly Status: "initializing" | "ready" | "down" | "disconnected";
  readonly SchedulingEligibility: "eligible" | "ineligible";
  readonly Drain: boolean;
  readonly Datacenter: string;
  /** Of its Nomad, such as `2.0.5`. */
  readonly Version?: string;
  /** Of the machine; present with `resources=true`. */
  readonly NodeResources?: {
    readonly Memory: { readonly MemoryMB: number };
    readonly Cpu: { readonly CpuShares: number };
  };
  /** Kept from jobs; present with `resources=true`. */
  readonly ReservedResources?: {
    readonly Memory: { readonly MemoryMB: number };
    readonly Cpu: { readonly CpuShares: number };
  };
}

export interface TaskState {
  readonly State: "pending" | "running" | "dead";
  readonly Failed: boolean;
  readonly Restarts: number;
  /** Absent until it was restarted. */
  readonly LastRestart: string | null;
  readonly StartedAt: string | null;
  readonly FinishedAt: string | null;
  readonly Events: readonly TaskEvent[] | null;
}

export interface TaskEvent {
  readonly Type: string;
  /** Nanoseconds since 1970. */
  readonly Time: number;
  readonly DisplayMessage: string;
}

/** An allocation, as lists have it. */
export interface AllocationStub {
  readonly ID: string;
  /** `job.group[index]`. */
  readonly Name: string;
  readonly Namespace: string;
  readonly NodeID: string;
  readonly NodeName: string;
  readonly JobID: string;
  readonly JobVersion: number;
  readonly TaskGroup: string;
  readonly DesiredStatus: "run" | "stop" | "evict";
  readonly DesiredDescription: string;
  /** `unknown`: its machine is away, and nobody can tell whether it runs. */
  readonly ClientStatus: "pending" | "running" | "complete" | "failed" | "lost" | "unknown";
  readonly TaskStates: Readonly<Record<string, TaskState>> | null;
  readonly DeploymentStatus: { readonly Healthy: boolean | null; readonly Timestamp?: string } | null;
  readonly NextAllocation: string;
  readonly CreateIndex: number;
  /** Present with `resources=true`. */
  readonly AllocatedResources?: AllocatedResources;
  /** Nanoseconds since 1970. */
  readonly CreateTime: number;
  readonly ModifyTime: number;
}

export interface AllocatedResources {
  readonly Tasks: Readonly<
    Record<string, { readonly Cpu: { readonly CpuShares: number }; readonly Memory: { readonly MemoryMB: number } }>
  >;
  readonly Shared: { readonly Ports: readonly Port[] | null };
}

/** A port of an allocation on its machine. */
export interface Port {
  readonly Label: string;
  readonly Value: number;
  readonly HostIP: string;
}

export interface Deployment {
  readonly ID: string;
  readonly Namespace: string;
  readonly JobID: string;
  readonly JobVersion: number;
  readonly Status: string;
  readonly StatusDescription: string;
  readonly CreateIndex: number;
}

/** What a check of Nomad's said last. */
export interface CheckResult {
  readonly Check: string;
  readonly Service: string;
  readonly Status: "success" | "failure" | "pending";
  readonly Output: string;
  /** Seconds since 1970. */
  readonly Timestamp: number;
}

/** A job by its name. */
export interface JobRef {
  readonly ID: string;
  readonly Namespace: string;
}

/** Whether it may still run somewhere: `lost`, `complete` and `failed` are ends. */
export function isLive({ ClientStatus }: Pick<AllocationStub, "ClientStatus">): boolean {
  return ClientStatus === "pending" || ClientStatus === "running" || ClientStatus === "unknown";
}

export function capability(name: string, namespace: string): string {
  return `the capability "${name}" in namespace "${namespace}"`;
}

/** Every machine that has registered. */
export function nodesOf(client: NomadClient): Promise<readonly NodeStub[]> {
  return client.get(["nodes"], { query: { resources: true }, needs: 'the policy "read" for nodes' });
}

/** Every allocation of a job that Nomad remembers, those of an earlier job of the same name as well. */
export function allocationsOf(client: NomadClient, { ID, Namespace }: JobRef): Promise<readonly AllocationStub[]> {
  return client.get(["job", ID, "allocations"], {
    namespace: Namespace,
    query: { all: true },
    needs: capability("read-job", Namespace),
  });
}

/** Allocations with what they take of their machine: of one job, or all that the token may see. */
export function placedAllocations(client: NomadClient, job?: JobRef): Promise<readonly AllocationStub[]> {
  return client.get(["allocations"], {
    namespace: job?.Namespace ?? "*",
    query: { resources: true, filter: job && `JobID == ${JSON.stringify(job.ID)}` },
    needs: job ? capability("read-job", job.Namespace) : 'the capability "read-job" in every namespace',
  });
}

/** Asked of the machine it runs on: fails while that is away. */
export async function checksOf(client: NomadClient, allocation: AllocationStub): Promise<readonly CheckResult[]> {
  const results = await client.get<Readonly<Record<string, CheckResult>> | null>(
    ["client", "allocation", allocation.ID, "checks"],
    { namespace: allocation.Namespace, needs: capability("read-job", allocation.Namespace) },
  );
  return Object.values(results ?? {});
}

/**
 * When a file of an allocation was last written, in milliseconds since 1970 by the clock of its machine; undefined when it
 * is not there. A file below `secrets/` may be asked for too: its text is kept from everybody, its time is not.
 *
 * @param path below the allocation's folder, such as `bitcoind/secrets/bitcoin.conf`.
 */
export async function writtenAt(
  client: NomadClient,
  { ID, Namespace }: Pick<AllocationStub, "ID" | "Namespace">,
  path: string,
): Promise<number | undefined> {
  const file = await ifThere(
    client.get<{ readonly ModTime: string }>(["client", "fs", "stat", ID], {
      namespace: Namespace,
      query: { path },
      needs: capability("read-fs", Namespace),
    }),
  );
  return file && Date.parse(file.ModTime);
}

/** The last deployment of a job; undefined when there was none. */
export async function deploymentOf(client: NomadClient, { ID, Namespace }: JobRef): Promise<Deployment | undefined> {
  const answer = await ifThere(
    client.get<Deployment | null>(["job", ID, "deployment"], {
      namespace: Namespace,
      needs: capability("read-job", Namespace),
    }),
  );
  return answer ?? undefined;
}

export function isRunning({ Status }: Deployment): boolean {
  return ["running", "pending", "initializing", "blocked", "unblocking", "paused"].includes(Status);
}

/** The answer, or undefined when there is no such thing. */
export async function ifThere<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof NomadError && error.status === 404) return undefined;
    throw error;
  }
}
