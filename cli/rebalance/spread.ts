/** A machine and what jobs may take of it, and what is taken by things that stay where they are. */
export interface Machine {
  readonly name: string;
  /** MHz and MiB. */
  readonly cpu: number;
  readonly memory: number;
  readonly takenCpu: number;
  readonly takenMemory: number;
}

/** A service that may be moved, and where it is. */
export interface Movable {
  readonly name: string;
  readonly cpu: number;
  readonly memory: number;
  readonly on: string;
}

export interface Move {
  readonly service: string;
  readonly from: string;
  readonly to: string;
}

/** Less than this part of the whole is not worth an interruption. */
const WORTH = 0.01;

/**
 * How uneven a placement is: the lower, the more even. The sum over all machines of what Nomad's own spread algorithm
 * holds against a full one.
 *
 * @see https://github.com/hashicorp/nomad/blob/v2.0.5/nomad/structs/funcs.go `ScoreFitSpread`
 */
export function unevenness(machines: readonly Machine[], services: readonly Movable[]): number {
  return machines.reduce((sum, machine) => {
    const here = services.filter(({ on }) => on === machine.name);
    const used = (taken: number, of: number, own: readonly number[]) =>
      of > 0 ? (taken + own.reduce((total, one) => total + one, 0)) / of : 1;
    const cpu = used(
      machine.takenCpu,
      machine.cpu,
      here.map((one) => one.cpu),
    );
    const memory = used(
      machine.takenMemory,
      machine.memory,
      here.map((one) => one.memory),
    );
    return sum + 10 ** cpu + 10 ** memory;
  }, 0);
}

function fits(machine: Machine, services: readonly Movable[], service: Movable): boolean {
  const here = services.filter(({ on, name }) => on === machine.name && name !== service.name);
  const sum = (own: (one: Movable) => number) => here.reduce((total, one) => total + own(one), own(service));
  return (
    machine.takenCpu + sum(({ cpu }) => cpu) <= machine.cpu &&
    machine.takenMemory + sum(({ memory }) => memory) <= machine.memory
  );
}

/**
 * The machine that Nomad's spread algorithm likes best for a service, of those with room; undefined when that is where it
 * is, or when the move alone would not be worth its interruption.
 */
export function betterFor(
  machines: readonly Machine[],
  services: readonly Movable[],
  service: Movable,
): string | undefined {
  const [best] = machines
    .filter((machine) => fits(machine, services, service))
    .map(({ name }) => ({ name, cost: unevenness(machines, placed(services, service.name, name)) }))
    .toSorted((a, b) => a.cost - b.cost);
  const now = unevenness(machines, services);
  return best && best.name !== service.on && now - best.cost >= now * WORTH ? best.name : undefined;
}

function placed(services: readonly Movable[], service: string, on: string): Movable[] {
  return services.map((one) => (one.name === service ? { ...one, on } : one));
}

/**
 * The moves that make a placement more even, in the order in which the services are given, each at most once. A move is
 * only taken when it alone, after those before it, is worth its interruption.
 */
export function movesOf(
  machines: readonly Machine[],
  services: readonly Movable[],
): { moves: Move[]; after: Movable[] } {
  const moves: Move[] = [];
  let now = [...services];
  for (const service of services) {
    const to = betterFor(machines, now, service);
    if (to === undefined) continue;
    moves.push({ service: service.name, from: service.on, to });
    now = placed(now, service.name, to);
  }
  return { moves, after: now };
}
