import { tasksOf } from "../model/homelab";
import { memoryText } from "../model/places";
import type { Rule } from "./rule";
import { breach } from "./shared/breach";

/** Docker's `memory_hard_limit` is the same ceiling by another name; `MemoryMaxMB = -1` means no ceiling at all. */
export const memoryLimits = {
  name: "memory-limits",
  statement: "a memory ceiling is at least the reservation, is honoured, and fits the smallest client",
  check: ({ cluster, ...homelab }) => {
    const smallest = Math.min(...cluster.clients.map(({ memory }) => memory));
    return tasksOf(homelab).flatMap((place) => {
      const { MemoryMB = 0, MemoryMaxMB = 0 } = place.task.Resources ?? {};
      const { memory_hard_limit = 0 } = place.task.Config;
      const ceilings = [
        { field: "Resources.MemoryMaxMB", ceiling: MemoryMaxMB === -1 ? Number.POSITIVE_INFINITY : MemoryMaxMB },
        { field: "Config.memory_hard_limit", ceiling: memory_hard_limit },
      ].filter(({ ceiling }) => ceiling !== 0);
      return ceilings.flatMap(({ field, ceiling }) => {
        const value = Number.isFinite(ceiling) ? memoryText(ceiling) : "no ceiling";
        const isIgnored = field === "Resources.MemoryMaxMB" && cluster.memoryOversubscription === false;
        return [
          ...breach(ceiling < MemoryMB, place, field, {
            value,
            problem: `is below the reservation (${memoryText(MemoryMB)})`,
            remedy: "raise it, or lower MemoryMB",
          }),
          ...breach(isIgnored, place, field, {
            value,
            problem: "is ignored while memory oversubscription is off: the task is killed at its reservation",
            remedy: "switch memory oversubscription on in the scheduler's configuration, or take MemoryMaxMB out",
          }),
          ...breach(ceiling > smallest, place, field, {
            value,
            problem: `is more than the smallest client has (${memoryText(smallest)}): the machine runs out before the task does`,
            remedy: `lower it to at most ${memoryText(smallest)}`,
          }),
        ];
      });
    });
  },
} as const satisfies Rule;
