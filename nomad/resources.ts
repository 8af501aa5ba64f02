import type { AllocationStub, NodeStub } from "./live";

/** MHz and MiB. */
export interface Share {
  readonly cpu: number;
  readonly memory: number;
}

/** What jobs may reserve of a machine in all. */
export function offeredBy({ NodeResources, ReservedResources }: NodeStub): Share {
  return {
    cpu: (NodeResources?.Cpu.CpuShares ?? 0) - (ReservedResources?.Cpu.CpuShares ?? 0),
    memory: (NodeResources?.Memory.MemoryMB ?? 0) - (ReservedResources?.Memory.MemoryMB ?? 0),
  };
}

/** What allocations reserve of their machines. */
export function reservedBy(allocations: readonly AllocationStub[]): Share {
  const tasks = allocations.flatMap(({ AllocatedResources }) => Object.values(AllocatedResources?.Tasks ?? {}));
  return {
    cpu: tasks.reduce((sum, { Cpu }) => sum + Cpu.CpuShares, 0),
    memory: tasks.reduce((sum, { Memory }) => sum + Memory.MemoryMB, 0),
  };
}
