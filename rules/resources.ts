import { tasksOf } from "../model/homelab";
import type { Place } from "../model/places";
import { DEFAULTS } from "../nomad/defaults";
import type { Finding, Rule } from "./rule";
import { breach } from "./shared/breach";

/** An amount that Nomad takes: its job JSON has whole numbers, and refuses others only when the job is applied. */
function judgeAmount(place: Place, field: string, amount: number | undefined, unit: string): Finding[] {
  const isAmount = !amount || (Number.isInteger(amount) && amount > 0);
  return breach(!isAmount, place, `Resources.${field}`, {
    value: `${amount} ${unit}`,
    problem: "is no amount that Nomad can reserve or grant",
    remedy: `set ${field} to a whole number of ${unit} above zero`,
  });
}

export const resources = {
  name: "resources",
  statement: `every task reserves CPU and memory, in whole numbers, since Nomad's defaults are ${DEFAULTS.cpu} MHz and ${DEFAULTS.memory}`,
  check: (homelab) =>
    tasksOf(homelab).flatMap((place) => {
      const { CPU, Cores, MemoryMB, MemoryMaxMB } = place.task.Resources ?? {};
      return [
        ...breach(!CPU && !Cores, place, "Resources.CPU", {
          value: CPU === undefined ? "not set" : `${CPU} MHz`,
          problem: `the task gets Nomad's default of ${DEFAULTS.cpu} MHz, whatever it needs`,
          remedy: "set CPU, in MHz, to what was measured",
        }),
        ...breach(!MemoryMB, place, "Resources.MemoryMB", {
          value: MemoryMB === undefined ? "not set" : `${MemoryMB} MiB`,
          problem: `the task gets Nomad's default of ${DEFAULTS.memory}, whatever it needs`,
          remedy: "set MemoryMB to the peak that was measured",
        }),
        ...judgeAmount(place, "CPU", CPU, "MHz"),
        ...judgeAmount(place, "Cores", Cores, "cores"),
        ...judgeAmount(place, "MemoryMB", MemoryMB, "MiB"),
        // -1 is "no ceiling", of which memory-limits speaks.
        ...judgeAmount(place, "MemoryMaxMB", MemoryMaxMB === -1 ? undefined : MemoryMaxMB, "MiB"),
      ];
    }),
} as const satisfies Rule;
