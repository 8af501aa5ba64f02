import type { Constraint, Task, TaskGroup } from "../.gen/nomad/job";
import { Bin, decreasing, type Item, type Packing, pack } from "./bin-packing";
import type { ClientFigures, Homelab, JobRecord } from "./homelab";
import type { Finding, Rule } from "./rule";

/** What one client runs. */
export interface Arrangement {
  readonly client: string;
  /** Such as `bitcoin`, `csi-nfs-controller[0]`. */
  readonly instances: readonly string[];
  /** MiB reserved, system jobs included. */
  readonly memory: number;
  /** MHz reserved, system jobs included. */
  readonly cpu: number;
}

/** Why an instance has no client, in the words of a finding. */
export interface Obstacle extends Omit<Finding, "severity"> {
  readonly instance: string;
}

/** `does not fit` is proven; `not proven` says that an arrangement may exist. */
export type Placement =
  | { readonly verdict: "fits"; readonly arrangement: readonly Arrangement[] }
  | ({ readonly verdict: "does not fit" | "not proven" } & Obstacle);

export interface Scenario {
  /**
   * The client that is drained, then those of the same size, for which the same holds with the names exchanged. Empty:
   * every client is up.
   */
  readonly drained: readonly string[];
  /** Where everything runs; a drained client is not listed. */
  readonly placement: Placement;
}

/** One allocation to be. */
interface Instance extends Item {
  readonly name: string;
  readonly record: JobRecord;
  readonly ports: readonly number[];
  readonly reservesCores: boolean;
}

/** More than so many clients or neighbours do not help to understand a finding. */
const LISTED = 4;

/**
 * Finds a place for every reservation with every client up, and with any one drained.
 *
 * Memory (`MemoryMB`; `MemoryMaxMB` is not reserved), CPU, static ports and `distinct_hosts` bind; disk, other
 * constraints and affinities do not. A system job runs on every client, on a drained one too (`-ignore-system`), and
 * needs nothing elsewhere. `fits` says that an arrangement exists. Nomad itself places one allocation after another and
 * moves none aside, so it may need a hand to find it.
 *
 * Clients of one size are drained once, so it takes O(sizes × services × clients), plus an exact search where
 * first-fit fails with a dozen services or less.
 */
export function provePlacement(homelab: Homelab): readonly Scenario[] {
  const { clients } = homelab.cluster;
  const isSystem = ({ record }: Instance) => record.job.Type === "system" || record.job.Type === "sysbatch";
  const instances = homelab.jobs.flatMap(instancesOf);
  const system = instances.filter(isSystem);
  const services = decreasing(
    instances.filter((instance) => !isSystem(instance)),
    clients.map(emptyBin),
  );

  const sizes = Map.groupBy(clients, ({ memory, cpu }) => `${memory}/${cpu}`);
  const drains = [...sizes.values()].map((alike) => alike.map(({ name }) => name));
  return [[], ...drains].map((drained) => ({
    drained,
    placement: place(
      system,
      services,
      clients.filter(({ name }) => name !== drained[0]),
    ),
  }));
}

/** With any one client drained, every reservation still fits on the others. */
export const placement = {
  name: "placement",
  statement: "with any one client drained, every reservation still fits on the others",
  check: (homelab) => {
    const scenarios = provePlacement(homelab);
    const [allUp] = scenarios;
    // What does not fit on all clients fits on fewer still less: one cause, one finding.
    const telling = allUp?.placement.verdict === "does not fit" ? [allUp] : scenarios;
    const causes = Map.groupBy(telling, ({ placement: found }) =>
      found.verdict === "fits" ? "" : [found.verdict, found.path, found.place].join(" "),
    );
    return [...causes.values()].flatMap((alike) => findingOf(alike, homelab.cluster.clients.length));
  },
} satisfies Rule;

/** One finding for scenarios that fail for the same cause: the first explains, the others are named. */
function findingOf(alike: readonly Scenario[], clients: number): Finding[] {
  const found = alike[0]?.placement;
  if (!found || found.verdict === "fits") {
    return [];
  }
  const { verdict, instance: _, ...obstacle } = found;
  // A homelab of one Pi can be built; its owner knows what a drain means.
  const nowhereToGo = clients === 1 && alike[0]?.drained.length === 1;
  return [
    {
      ...obstacle,
      problem: `${circumstance(alike)}, ${obstacle.problem}`,
      severity: verdict === "not proven" || nowhereToGo ? "warning" : "violation",
    },
  ];
}

function circumstance(alike: readonly Scenario[]): string {
  if (alike.some(({ drained }) => drained.length === 0)) {
    return "with every client up";
  }
  const [first, ...others] = alike.flatMap(({ drained }) => drained);
  return `with ${first} drained${others.length > 0 ? ` (the same goes for ${listed(others, ", ")})` : ""}`;
}

function place(
  system: readonly Instance[],
  services: readonly Instance[],
  clients: readonly ClientFigures[],
): Placement {
  const bins = clients.map(emptyBin);
  for (const bin of bins) {
    for (const instance of system) {
      if (!bin.takes(instance)) {
        return { verdict: "does not fit", ...obstacleOf({ fits: false, proven: true, item: instance, bins: [bin] }) };
      }
      bin.put(instance);
    }
  }
  const packing = pack(services, bins);
  if (!packing.fits) {
    return { verdict: packing.proven ? "does not fit" : "not proven", ...obstacleOf(packing) };
  }
  const withCores = [...system, ...services].find(({ reservesCores }) => reservesCores);
  if (withCores) {
    return {
      verdict: "not proven",
      instance: withCores.name,
      path: withCores.record.path,
      place: "Cores",
      value: "whole cores",
      problem: `${withCores.name} reserves whole cores, which this rule does not count`,
      remedy: "reserve MHz with CPU instead of Cores",
    };
  }
  return {
    verdict: "fits",
    arrangement: packing.bins.map(({ name, items }) => ({
      client: name,
      instances: items.map((item) => item.name),
      memory: items.reduce((sum, { memory }) => sum + memory, 0),
      cpu: items.reduce((sum, { cpu }) => sum + cpu, 0),
    })),
  };
}

function emptyBin({ name, memory, cpu }: ClientFigures): Bin<Instance> {
  return new Bin(name, memory, cpu);
}

function obstacleOf({ proven, item, bins, claim }: Extract<Packing<Instance>, { fits: false }>): Obstacle {
  const of = { instance: item.name, path: item.record.path };
  if (bins.length === 0) {
    return {
      ...of,
      place: "clients",
      value: "none left",
      problem: "no client is left: a drain stops every service",
      remedy: "add a client to the inventory",
    };
  }
  if (claim !== undefined) {
    return {
      ...of,
      ...claimed(item, claim),
      problem: `more instances ask for a client of their own (${claim}) than the ${bins.length} clients there are`,
    };
  }

  const reasons = bins
    .toSorted((a, b) => b.freeMemory - a.freeMemory || b.freeCpu - a.freeCpu)
    .map((bin) => ({ bin, short: shortage(item, bin) }));
  const short =
    ["MemoryMB", "CPU"].find((resource) => reasons.some((reason) => reason.short === resource)) ??
    reasons[0]?.short ??
    "";
  const field = (
    {
      MemoryMB: {
        place: "MemoryMB",
        value: `${item.memory} MiB`,
        remedy: "lower the reservation, add a client, or raise a client's memory in the inventory",
      },
      CPU: {
        place: "CPU",
        value: `${item.cpu} MHz`,
        remedy: "lower the reservation, add a client, or raise a client's CPU in the inventory",
      },
    } as Record<string, Pick<Finding, "place" | "value" | "remedy">>
  )[short] ?? claimed(item, short);
  const clients = listed(
    reasons.map((reason) => describe(reason.bin, reason.short)),
    "; ",
  );
  return {
    ...of,
    ...field,
    problem: proven
      ? `${item.name} (${field.value}) does not fit, however the services are arranged: ${clients}`
      : `no client was found for ${item.name} (${field.value}), though another arrangement may have one: ${clients}`,
  };
}
