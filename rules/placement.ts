import type { Constraint, Job, Task, TaskGroup, TaskLifecycle } from "../.gen/nomad/job";
import type { ClientFigures, ClusterFigures, Homelab, JobRecord } from "../model/homelab";
import { isDistinct, runsEverywhere } from "../model/places";
import { instances, reserved } from "../nomad/defaults";
import type { Finding, Rule } from "./rule";
import { Bin, decreasing, type Item, type Packing, pack } from "./shared/bin-packing";

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

/** More instances of a group are not looked at: a count with some zeros too many must end in a finding. */
const MAX_INSTANCES = 1000;

/** More than so many clients or neighbours do not help to understand a finding. */
const MAX_LISTED = 4;

/**
 * Finds a place for every reservation with every client up, and with any one drained; where no client is known,
 * nothing can be said.
 *
 * Memory (`MemoryMB`; `MemoryMaxMB` is not reserved), CPU, static ports, `distinct_hosts`, and constraints on the host's
 * name, its architecture and the datacenter bind; disk, affinities and other constraints do not, and these are told. A
 * batch job must fit beside the services, with every client up and one at a time. A system job runs on every client, on a drained one too (`-ignore-system`), and
 * needs nothing elsewhere. `fits` says that an arrangement exists. Nomad itself places one allocation after another and
 * moves none aside, so it may need a hand to find it.
 *
 * Clients of one size are drained once, so it takes O(sizes × services × clients), plus an exact search where
 * first-fit fails with a dozen services or less.
 */
export function provePlacement(homelab: Homelab): readonly Scenario[] {
  const { clients } = homelab.cluster;
  if (clients.length === 0) {
    return [];
  }
  const instancesOf = (record: JobRecord) => instancesIn(record, homelab.cluster);
  const system = homelab.jobs.filter(runsEverywhere).flatMap(instancesOf);
  const others = homelab.jobs.filter((record) => !runsEverywhere(record));
  const services = others.filter((record) => !runsNowAndThen(record)).flatMap(instancesOf);
  const occasional = others.filter(runsNowAndThen).map(instancesOf);
  const inOrder = decreasing(services, clients.map(emptyBin));

  const wanted = [...system, ...services];
  const kindOf = ({ name, memory, cpu }: ClientFigures) =>
    [memory, cpu, ...wanted.map(({ bins }) => bins?.includes(name) ?? true)].join("/");
  const drains = grouped(clients, kindOf).map((alike) => alike.map(({ name }) => name));
  return [[], ...drains].map((drained) => ({
    drained,
    placement: place(
      system,
      inOrder,
      clients.filter(({ name }) => name !== drained[0]),
      // A drain is over before the next backup: what runs now and then waits for it.
      drained.length === 0 ? occasional : [],
    ),
  }));
}

/** Work that comes and goes by the clock or on demand: it runs beside the services, and not all of it at once. */
function runsNowAndThen({ job }: JobRecord): boolean {
  return job.Type === "batch";
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
    const failures = telling.flatMap(({ drained, placement: found }) =>
      found.verdict === "fits" ? [] : [{ drained, ...found }],
    );
    const causes = grouped(failures, ({ verdict, path, place }) => [verdict, path, place].join(" "));
    // A homelab of one Pi can be built; its owner knows what a drain means.
    const drainIsWarning = homelab.cluster.clients.length === 1;
    return [...causes.map((alike) => findingOf(alike, drainIsWarning)), ...unread(homelab)];
  },
} satisfies Rule;

type Failure = Pick<Scenario, "drained"> & Exclude<Placement, { verdict: "fits" }>;

/** One finding for scenarios that fail for the same cause: the first explains, the others are named. */
function findingOf(alike: readonly [Failure, ...Failure[]], drainIsWarning: boolean): Finding {
  const [{ drained, verdict, path, place, value, problem, remedy }] = alike;
  const [first, ...others] = alike.flatMap((failure) => failure.drained);
  const likewise = others.length > 0 ? ` (the same goes for ${listed(others, ", ")})` : "";
  const circumstance = drained.length === 0 ? "with every client up" : `with ${first} drained${likewise}`;
  const lenient = verdict === "not proven" || (drainIsWarning && drained.length > 0);
  return {
    path,
    place,
    value,
    problem: `${circumstance}, ${problem}`,
    remedy,
    severity: lenient ? "warning" : "violation",
  };
}

function place(
  system: readonly Instance[],
  services: readonly Instance[],
  clients: readonly ClientFigures[],
  occasional: readonly (readonly Instance[])[],
): Placement {
  const bins = clients.map(emptyBin);
  for (const bin of bins) {
    for (const instance of system) {
      if (instance.bins && !instance.bins.includes(bin.name)) continue;
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
  for (const work of occasional) {
    const beside = pack([...services, ...work], bins);
    if (!beside.fits) {
      return { verdict: beside.proven ? "does not fit" : "not proven", ...obstacleOf(beside) };
    }
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

type Place = "MemoryMB" | "CPU" | "ReservedPorts" | "Constraints";

const VALUE: Readonly<Record<Place, (instance: Instance) => string>> = {
  MemoryMB: ({ memory }) => `${memory} MiB`,
  CPU: ({ cpu }) => `${cpu} MHz`,
  ReservedPorts: ({ ports }) => ports.join(", "),
  Constraints: ({ bins }) => (bins ? `only ${bins.join(", ") || "no client"}` : "distinct_hosts"),
};

const REMEDY: Readonly<Record<Place, string>> = {
  MemoryMB: "lower the reservation, add a client, or raise a client's memory in the inventory",
  CPU: "lower the reservation, add a client, or raise a client's CPU in the inventory",
  ReservedPorts: "give it a static port of its own, lower the count, or add a client",
  Constraints: "lower the count, loosen its constraints, or add a client",
};

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
    const place = placeOfClaim(item, claim);
    return {
      ...of,
      place,
      value: VALUE[place](item),
      problem: `${item.name} finds every client taken by another instance (${claim}); clients: ${bins.length}`,
      remedy: REMEDY[place],
    };
  }
  const shortages = bins
    .toSorted((a, b) => b.freeMemory - a.freeMemory || b.freeCpu - a.freeCpu)
    .map((bin) => shortageOf(item, bin));
  const place = (Object.keys(VALUE) as Place[]).find((one) => shortages.some((short) => short.place === one)) ?? "CPU";
  const value = VALUE[place](item);
  return {
    ...of,
    place,
    value,
    problem: `${item.name} (${value}) ${
      proven
        ? "does not fit, however the services are arranged"
        : "found no client, though another arrangement may exist"
    }: ${listed(
      shortages.map(({ text }) => text),
      "; ",
    )}`,
    remedy: REMEDY[place],
  };
}

/** What keeps the instance off this client. */
function shortageOf(instance: Instance, bin: Bin<Instance>): { place: Place; text: string } {
  const neighbours = bin.items.map(({ name }) => name);
  const beside = neighbours.length > 0 ? ` beside ${listed(neighbours, ", ")}` : "";
  if (instance.memory > bin.freeMemory) {
    return { place: "MemoryMB", text: `${bin.name} has ${bin.freeMemory} MiB free${beside}` };
  }
  if (instance.cpu > bin.freeCpu) {
    return { place: "CPU", text: `${bin.name} has ${bin.freeCpu} MHz free${beside}` };
  }
  if (instance.bins && !instance.bins.includes(bin.name)) {
    return { place: "Constraints", text: `${bin.name} does not meet its constraints` };
  }
  const claim = instance.claims.find((one) => bin.has(one)) ?? "";
  const holder = bin.items.find(({ claims }) => claims.includes(claim));
  return { place: placeOfClaim(instance, claim), text: `${bin.name} runs ${holder?.name} (${claim})` };
}

function placeOfClaim({ ports }: Instance, claim: string): Place {
  return ports.some((port) => portClaim(port) === claim) ? "ReservedPorts" : "Constraints";
}

/** The things by their key, in the order in which the keys appear. */
function grouped<T>(things: readonly T[], keyOf: (thing: T) => string): [T, ...T[]][] {
  const groups = new Map<string, [T, ...T[]]>();
  for (const thing of things) {
    const group = groups.get(keyOf(thing));
    group ? group.push(thing) : groups.set(keyOf(thing), [thing]);
  }
  return [...groups.values()];
}

function listed(texts: readonly string[], separator: string): string {
  const more = texts.length - MAX_LISTED;
  return [...texts.slice(0, MAX_LISTED), ...(more > 0 ? [`${more} more`] : [])].join(separator);
}

/** The clients that the constraints of a group leave, of those that can be read; undefined when they leave all. */
function clientsFor(
  { job, group }: { readonly job: Job; readonly group: TaskGroup },
  { clients, datacenter }: ClusterFigures,
): string[] | undefined {
  const constraints = constraintsOf(job, group);
  const suits = (client: ClientFigures) => constraints.every((one) => holds(one, client, datacenter) !== false);
  const names = clients.filter(suits).map(({ name }) => name);
  return names.length === clients.length ? undefined : names;
}

function constraintsOf(job: Job, group: TaskGroup): Constraint[] {
  const parts = [job, group, ...group.Tasks];
  return parts.flatMap(({ Constraints }) => Constraints ?? []).filter(({ Operand }) => Operand !== "distinct_hosts");
}

/** What the machines have by the way they are set up: Ansible gives each client Docker and this Nomad. */
const GIVEN = /^\$\{attr\.(?:nomad\.|kernel\.|driver\.|plugins\.|consul\.|vault\.)/;

/** Whether a client meets a constraint; undefined when nobody can tell from the inventory. */
function holds({ LTarget = "", RTarget = "", Operand = "=" }: Constraint, client: ClientFigures, datacenter: string) {
  const value = attributeOf(LTarget, client, datacenter);
  if (value === undefined) return undefined;
  switch (Operand) {
    case "=":
    case "==":
    case "is":
      return value === RTarget;
    case "!=":
    case "not":
      return value !== RTarget;
    case "set_contains_any":
      return RTarget.split(",").some((one) => one.trim() === value);
    default:
      return undefined;
  }
}

function attributeOf(target: string, { name, arch }: ClientFigures, datacenter: string): string | undefined {
  switch (target) {
    case "${attr.unique.hostname}":
    case "${node.unique.name}":
      return name;
    case "${attr.cpu.arch}":
      return arch ?? "arm64";
    case "${node.datacenter}":
      return datacenter;
    default:
      return undefined;
  }
}

/** Constraints that the proof leaves out, since the inventory does not say whether a client meets them. */
function unread({ jobs, cluster }: Homelab): Finding[] {
  const [client] = cluster.clients;
  if (!client) return [];
  return jobs.flatMap(({ job, path }) => {
    const all = job.TaskGroups.flatMap((group) => constraintsOf(job, group));
    const left = all.filter(
      (one) => !GIVEN.test(one.LTarget ?? "") && holds(one, client, cluster.datacenter) === undefined,
    );
    const texts = new Set(
      left.map(({ LTarget, Operand, RTarget }) => [LTarget, Operand ?? "=", RTarget].filter(Boolean).join(" ")),
    );
    return [...texts].map((value) => ({
      path,
      place: "Constraints",
      value,
      problem: "is not counted: the inventory does not say which clients meet it, and fewer may than the proof assumes",
      remedy:
        "constrain by ${node.unique.name} or ${attr.cpu.arch}, which the inventory knows, or look that enough clients meet it",
      severity: "warning" as const,
    }));
  });
}

function instancesIn(record: JobRecord, cluster: ClusterFigures): Instance[] {
  const { job, path } = record;
  // The scheduler of system jobs does not look at distinct_hosts.
  const isApart = ({ Constraints }: Job | TaskGroup) => !runsEverywhere(record) && isDistinct(Constraints);
  return job.TaskGroups.flatMap((group) => {
    const ports = staticPortsOf(group);
    const bins = clientsFor({ job, group }, cluster);
    const shared = {
      record,
      ports,
      ...(bins && { bins }),
      claims: [
        ...ports.map(portClaim),
        ...(isApart(job) ? [`distinct_hosts of ${path}`] : []),
        ...(isApart(group) ? [`distinct_hosts of ${path}, group ${group.Name}`] : []),
      ],
      ...reservationOf(group.Tasks),
      reservesCores: group.Tasks.some(({ Resources }) => (Resources?.Cores ?? 0) > 0),
    };
    const name = job.TaskGroups.length > 1 ? `${job.ID}/${group.Name}` : job.ID;
    const count = Math.min(instances(group), MAX_INSTANCES);
    return Array.from({ length: Math.max(0, count) }, (_, index) => ({
      ...shared,
      name: count > 1 ? `${name}[${index}]` : name,
    }));
  });
}

/**
 * What Nomad reserves for an allocation: the most that its tasks hold at one time, memory and CPU apart. The main,
 * poststart and sidecar tasks run together; prestart tasks run before and beside the prestart sidecars, poststop tasks
 * alone. CPU of a task with whole cores counts as nothing, so that what does not fit even then is proven.
 *
 * @see https://github.com/hashicorp/nomad/blob/v2.0.5/nomad/structs/structs.go `AllocatedResources.Comparable`
 * @see https://github.com/hashicorp/nomad/blob/v2.0.5/scheduler/feasible/rank.go for `SecretsMB`, which comes on top
 */
function reservationOf(tasks: readonly Task[]): Pick<Item, "memory" | "cpu"> {
  const peak = (amount: (task: Task) => number) => {
    const sum = (runs: (task: Task) => boolean) => tasks.filter(runs).reduce((total, task) => total + amount(task), 0);
    return Math.max(
      sum(({ Lifecycle }) => Lifecycle?.Hook === "prestart"),
      sum(({ Lifecycle }) => !Lifecycle || Lifecycle.Hook === "poststart" || isPrestartSidecar(Lifecycle)),
      sum(({ Lifecycle }) => Lifecycle?.Hook === "poststop"),
    );
  };
  return {
    memory: peak((task) => reserved(task).memory + (task.Resources?.SecretsMB ?? 0)),
    cpu: peak((task) => reserved(task).cpu),
  };
}

function isPrestartSidecar({ Hook, Sidecar }: TaskLifecycle): boolean {
  return Hook === "prestart" && Sidecar === true;
}

function staticPortsOf(group: TaskGroup): number[] {
  const networks = [...(group.Networks ?? []), ...group.Tasks.flatMap(({ Resources }) => Resources?.Networks ?? [])];
  const ports = networks.flatMap(({ ReservedPorts }) => ReservedPorts ?? []);
  return [...new Set(ports.flatMap(({ Value, IgnoreCollision }) => (Value && !IgnoreCollision ? [Value] : [])))];
}

function portClaim(port: number): string {
  return `static port ${port}`;
}
