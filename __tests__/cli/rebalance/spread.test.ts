import fc from "fast-check";
import { type Machine, type Movable, movesOf, unevenness } from "../../../cli/rebalance/spread";

const machine = (name: string, takenMemory = 0): Machine => ({
  name,
  cpu: 7200,
  memory: 7424,
  takenCpu: 0,
  takenMemory,
});
const service = (name: string, on: string, memory = 1000, cpu = 500): Movable => ({ name, on, memory, cpu });
const three = [machine("a"), machine("b"), machine("c")];

describe("moves", () => {
  test("spread what is piled on one machine, in the order of the services", () => {
    const piled = [service("bitcoin", "a", 4096, 2500), service("electrs", "a", 1280, 1000), service("hub", "a", 1280)];
    const { moves, after } = movesOf(three, piled);
    expect(new Set(after.map(({ on }) => on)).size).toBe(3);
    expect(moves.map(({ service }) => service)).toEqual(["bitcoin", "electrs"]);
  });

  test("are none where all is spread already", () => {
    const spread = [service("bitcoin", "a", 4096), service("electrs", "b"), service("hub", "c")];
    expect(movesOf(three, spread).moves).toEqual([]);
  });

  test("go to no machine that has no room", () => {
    const full = [machine("a"), machine("b", 7000)];
    expect(movesOf(full, [service("bitcoin", "a", 4096), service("electrs", "a")]).moves).toEqual([]);
  });
});

describe("whatever the placement", () => {
  const names = ["a", "b", "c", "d"];
  const machines = fc
    .array(
      fc.record({ memory: fc.integer({ min: 4096, max: 16384 }), takenMemory: fc.integer({ min: 0, max: 2048 }) }),
      { minLength: 1, maxLength: 4 },
    )
    .map((list) => list.map((one, at): Machine => ({ name: names[at] as string, cpu: 7200, takenCpu: 0, ...one })));
  const placement = machines.chain((list) =>
    fc
      .array(
        fc.record({
          cpu: fc.integer({ min: 10, max: 1000 }),
          memory: fc.integer({ min: 16, max: 2048 }),
          on: fc.constantFrom(...list.map(({ name }) => name)),
        }),
        { maxLength: 6 },
      )
      .map((services) => ({ list, services: services.map((one, at): Movable => ({ name: `s${at}`, ...one })) })),
  );

  test("every single move, after those before it, makes it more even by what an interruption is worth", () => {
    fc.assert(
      fc.property(placement, ({ list, services }) => {
        const { moves, after } = movesOf(list, services);
        let now = services;
        for (const { service, from, to } of moves) {
          expect(now.find(({ name }) => name === service)?.on).toBe(from);
          const next = now.map((one) => (one.name === service ? { ...one, on: to } : one));
          const before = unevenness(list, now);
          expect(unevenness(list, next)).toBeLessThanOrEqual(before * 0.99);
          now = next;
        }
        expect(now).toEqual(after);
        expect(new Set(moves.map(({ service }) => service)).size).toBe(moves.length);
      }),
      { numRuns: 500 },
    );
  });

  test("a machine that had room has it after the moves", () => {
    const overfull = (list: readonly Machine[], services: readonly Movable[]) =>
      list
        .filter(
          ({ name, memory, takenMemory }) =>
            takenMemory + services.filter(({ on }) => on === name).reduce((sum, one) => sum + one.memory, 0) > memory,
        )
        .map(({ name }) => name);
    fc.assert(
      fc.property(placement, ({ list, services }) => {
        const before = overfull(list, services);
        for (const name of overfull(list, movesOf(list, services).after)) expect(before).toContain(name);
      }),
    );
  });
});
