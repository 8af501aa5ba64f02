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
  readonly DeploymentStatus: { readonly Healthy: boolean | null } | null;
  readonly NextAllocation: string;
  readonly CreateIndex: number;
  /** Nanoseconds since 1970. */
  readonly CreateTime: number;
  readonly ModifyTime: number;
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

/** The answer, or undefined when there is no such thing. */
export async function ifThere<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof NomadError && error.status === 404) return undefined;
    throw error;
  }
}
