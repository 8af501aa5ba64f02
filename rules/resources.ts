import { breach } from "./anatomy";
import { tasksOf } from "./homelab";
import type { Rule } from "./rule";

/** @see https://github.com/hashicorp/nomad/blob/v2.0.5/api/resources.go `DefaultResources` */
export const resources = {
  name: "resources",
  statement: "every task reserves CPU and memory, since Nomad's defaults are 100 MHz and 300 MiB",
  check: (homelab) =>
    tasksOf(homelab).flatMap((place) => {
      const { CPU, Cores, MemoryMB } = place.task.Resources ?? {};
      return [
        ...breach(!CPU && !Cores, place, "Resources.CPU", {
          value: "not set",
          problem: "the task gets Nomad's default of 100 MHz, whatever it needs",
          remedy: "set CPU, in MHz, to what was measured",
        }),
        ...breach(!MemoryMB, place, "Resources.MemoryMB", {
          value: "not set",
          problem: "the task gets Nomad's default of 300 MiB, whatever it needs",
          remedy: "set MemoryMB to the peak that was measured",
        }),
      ];
    }),
} as const satisfies Rule;
