import { fieldOf, memoryText } from "./anatomy";
import { tasksOf } from "./homelab";
import type { Finding, Rule } from "./rule";

/** Docker's `memory_hard_limit` is the same ceiling by another name; `MemoryMaxMB = -1` means no ceiling at all. */
export const memoryLimits = {
  name: "memory-limits",
  statement: "a memory ceiling is at least the reservation, is honoured, and fits the smallest client",
  check: ({ cluster, ...homelab }) => {
    const smallest = Math.min(...cluster.clients.map(({ memory }) => memory));
    return tasksOf(homelab).flatMap((place) => {
      const { MemoryMB, MemoryMaxMB } = place.task.Resources ?? {};
      const ceilings = [
        ["Resources.MemoryMaxMB", MemoryMaxMB === -1 ? Number.POSITIVE_INFINITY : MemoryMaxMB],
        ["Config.memory_hard_limit", place.task.Config.memory_hard_limit],
      ] as const;
      return ceilings.flatMap(([field, ceiling]): Finding[] => {
        if (!ceiling) return [];
        const value = Number.isFinite(ceiling) ? memoryText(ceiling) : "no ceiling";
        const at = { path: place.record.path, place: fieldOf(place, field), value };
        const name = field.replace(/.*\./, "");
        const findings: Finding[] = [];
        if (MemoryMB !== undefined && ceiling < MemoryMB) {
          const problem = `is below the reservation (${memoryText(MemoryMB)})`;
          findings.push({ ...at, problem, remedy: `raise ${name} or lower MemoryMB` });
        }
        if (name === "MemoryMaxMB" && !cluster.memoryOversubscription) {
          const problem = "is ignored, since memory oversubscription is off: the task is killed at its reservation";
          findings.push({
            ...at,
            problem,
            remedy: "switch it on in the scheduler's configuration, or take MemoryMaxMB out",
          });
        }
        if (ceiling > smallest) {
          const problem = `is more than the smallest client has (${memoryText(smallest)}): the machine runs out before the task does`;
          findings.push({ ...at, problem, remedy: `lower ${name} to at most ${memoryText(smallest)}` });
        }
        return findings;
      });
    });
  },
} as const satisfies Rule;
