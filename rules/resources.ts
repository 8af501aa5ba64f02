import { fieldOf } from "./anatomy";
import { tasksOf } from "./homelab";
import type { Finding, Rule } from "./rule";

export const resources = {
  name: "resources",
  statement: "every task reserves CPU and memory, since Nomad's defaults are 100 MHz and 300 MiB",
  check: (homelab) =>
    tasksOf(homelab).flatMap((place) => {
      const { CPU, Cores, MemoryMB } = place.task.Resources ?? {};
      const missing = [
        ...(CPU || Cores ? [] : [{ field: "CPU", byDefault: "100 MHz" }]),
        ...(MemoryMB ? [] : [{ field: "MemoryMB", byDefault: "300 MiB" }]),
      ];
      return missing.map(
        ({ field, byDefault }): Finding => ({
          path: place.record.path,
          place: fieldOf(place, `Resources.${field}`),
          value: "not set",
          problem: `the task gets Nomad's default of ${byDefault}, whatever it needs`,
          remedy: `set Resources.${field} to what was measured`,
        }),
      );
    }),
} as const satisfies Rule;
