import fc from "fast-check";
import type { Constraint, Job, Task, TaskGroup } from "../../.gen/nomad/job";
import type { ClientFigures, Homelab } from "../../model/homelab";
import { placement, provePlacement, type Scenario } from "../../rules/placement";

interface Shape {
  readonly id: string;
  readonly type?: Job["Type"];
  readonly memory?: number;
  readonly cpu?: number;
  readonly count?: number;
  readonly port?: number;
  readonly distinct?: boolean;
  readonly tasks?: readonly Omit<Task, "Driver" | "Config">[];
}

function jobOf({ id, type = "service", memory = 0, cpu = 0, count, port, distinct, tasks }: Shape): Job {
  const group: TaskGroup = {
    Name: id,
    Count: count,
    Networks: port === undefined ? undefined : [{ ReservedPorts: [{ Label: "port", Value: port, To: port }] }],
    Constraints: distinct ? [{ Operand: "distinct_hosts", RTarget: "true" }] : undefined,
    Tasks: (tasks ?? [{ Name: id, Resources: { MemoryMB: memory, CPU: cpu } }]).map((task) => ({
      ...task,
      Driver: "docker",
      Config: { image: "example.org/image:1.0" },
    })),
  };
  return { ID: id, Name: id, Namespace: "bitcoin", Type: type, TaskGroups: [group] };
}

function homelabOf(clients: readonly ClientFigures[], jobs: readonly (Shape | Job)[]): Homelab {
  return {
    cluster: {
      datacenter: "homelab",
      clients,
      maxKillTimeout: "15m",
      drainDeadline: "15m",
      memoryOversubscription: true,
    },
    jobs: jobs
      .map((job) => ("TaskGroups" in job ? job : jobOf(job)))
      .map((job) => ({ path: `homelab/${job.ID}`, job, retained: false })),
    volumes: [],
    secrets: [],
    dependencies: [],
    acknowledgements: [],
    notices: [],
  };
}

const pi = (name: string): ClientFigures => ({ name, memory: 7424, cpu: 7200 });
const PIS = [pi("pinode1"), pi("pinode3"), pi("pinode4")];

const BITCOIN: Shape = { id: "bitcoin", memory: 4096, cpu: 2500, port: 8333 };
const ELECTRS: Shape = { id: "electrs", memory: 1280, cpu: 1000 };
const ALBYHUB: Shape = { id: "albyhub", memory: 1280, cpu: 500 };
const CONTROLLER: Shape = { id: "csi-nfs-controller", memory: 128, cpu: 100, count: 2, distinct: true };
const NODE: Shape = { id: "csi-nfs-node", type: "system", memory: 128, cpu: 100 };
const SERVICES = [BITCOIN, ELECTRS, ALBYHUB, CONTROLLER, NODE];

const verdicts = (homelab: Homelab) => provePlacement(homelab).map(({ placement: { verdict } }) => verdict);

function arrangementOf(scenario: Scenario | undefined) {
  if (scenario?.placement.verdict !== "fits") {
    throw new Error(`expected an arrangement, received ${JSON.stringify(scenario)}`);
  }
  return scenario.placement.arrangement;
}

describe("placement: with any one client drained, every reservation still fits on the others", () => {
  it("finds nothing wrong with the homelab", () => {
    expect(placement.check(homelabOf(PIS, SERVICES))).toEqual([]);
  });

  it("shows an arrangement with every client up, and one for each size of client that may be drained", () => {
    const [allUp, drained, ...more] = provePlacement(homelabOf(PIS, SERVICES));
    expect(more).toEqual([]);
    expect(allUp?.drained).toEqual([]);
    expect(drained?.drained).toEqual(["pinode1", "pinode3", "pinode4"]);
    expect(arrangementOf(drained)).toEqual([
      {
        client: "pinode3",
        instances: ["csi-nfs-node", "bitcoin", "electrs", "albyhub", "csi-nfs-controller[0]"],
        memory: 6912,
        cpu: 4200,
      },
      { client: "pinode4", instances: ["csi-nfs-node", "csi-nfs-controller[1]"], memory: 256, cpu: 200 },
    ]);
  });

  it("drains every size of client once", () => {
    const clients = [pi("pinode1"), { name: "nuc", memory: 15_000, cpu: 12_000 }, pi("pinode3")];
    const scenarios = provePlacement(homelabOf(clients, SERVICES));
    expect(scenarios.map(({ drained }) => drained)).toEqual([[], ["pinode1", "pinode3"], ["nuc"]]);
    expect(arrangementOf(scenarios[2]).map(({ client }) => client)).toEqual(["pinode1", "pinode3"]);
  });

  it("accepts reservations that fill the clients left to the last MiB, and no MiB more", () => {
    const full = (memory: number) =>
      homelabOf(PIS, [
        { id: "bitcoin", memory: 7424 },
        { id: "electrs", memory },
      ]);
    expect(placement.check(full(7424))).toEqual([]);
    expect(verdicts(full(7425))).toEqual(["does not fit", "does not fit"]);
    const three = homelabOf(PIS, [
      { id: "bitcoin", memory: 7424 },
      { id: "electrs", memory: 7424 },
      { id: "albyhub", memory: 1 },
    ]);
    expect(verdicts(three)).toEqual(["fits", "does not fit"]);
  });

  it("refuses one MHz too much", () => {
    const with2 = (cpu: number) =>
      homelabOf(PIS, [
        { id: "bitcoin", cpu: 7200 },
        { id: "electrs", cpu: 7000 },
        { id: "albyhub", cpu },
      ]);
    expect(placement.check(with2(200))).toEqual([]);
    expect(placement.check(with2(201))).toMatchObject([{ path: "homelab/albyhub", place: "CPU", value: "201 MHz" }]);
  });

  it("names the job, the drained client, and what every other client has free beside what", () => {
    const homelab = homelabOf(PIS, [
      { ...BITCOIN, memory: 6144 },
      { ...ELECTRS, memory: 4096 },
      { ...ALBYHUB, memory: 3456 },
      NODE,
    ]);
    expect(placement.check(homelab)).toEqual([
      {
        path: "homelab/albyhub",
        place: "MemoryMB",
        value: "3456 MiB",
        problem:
          "with pinode1 drained (the same goes for pinode3, pinode4), albyhub (3456 MiB) does not fit, however the services are arranged: pinode4 has 3200 MiB free beside csi-nfs-node, electrs; pinode3 has 1152 MiB free beside csi-nfs-node, bitcoin",
        remedy: "lower the reservation, add a client, or raise a client's memory in the inventory",
        severity: "violation",
      },
    ]);
  });

  it("reports what does not fit with every client up once, and not again for each drain", () => {
    const findings = placement.check(homelabOf(PIS, [...SERVICES, { id: "mempool", memory: 8192 }]));
    expect(findings).toMatchObject([{ path: "homelab/mempool", value: "8192 MiB", severity: "violation" }]);
    expect(findings[0]?.problem).toMatch(/^with every client up, mempool \(8192 MiB\) does not fit/);
  });

  it("merges drains of clients of different sizes that fail for the same cause", () => {
    const clients = [pi("pinode1"), { name: "pinode3", memory: 7000, cpu: 7200 }];
    const findings = placement.check(
      homelabOf(clients, [
        { id: "bitcoin", memory: 6000 },
        { id: "electrs", memory: 2000 },
      ]),
    );
    expect(findings).toHaveLength(1);
    expect(findings[0]?.problem).toContain("with pinode1 drained (the same goes for pinode3), electrs (2000 MiB)");
  });

  it("reports a service that fits on the drained client only", () => {
    const clients = [pi("pinode1"), { name: "nuc", memory: 15_000, cpu: 12_000 }];
    expect(placement.check(homelabOf(clients, [{ id: "bitcoin", memory: 8192 }]))).toMatchObject([
      {
        path: "homelab/bitcoin",
        problem:
          "with nuc drained, bitcoin (8192 MiB) does not fit, however the services are arranged: pinode1 has 7424 MiB free",
      },
    ]);
  });
});

describe("what binds", () => {
  it("keeps instances of a group with distinct_hosts apart", () => {
    const apart = (count: number) => homelabOf(PIS, [{ ...CONTROLLER, count }]);
    expect(verdicts(apart(2))).toEqual(["fits", "fits"]);
    expect(verdicts(apart(3))).toEqual(["fits", "does not fit"]);
    expect(verdicts(apart(4))).toEqual(["does not fit", "does not fit"]);
    expect(placement.check(apart(3))).toMatchObject([
      { path: "homelab/csi-nfs-controller", place: "Constraints", value: "distinct_hosts", severity: "violation" },
    ]);
  });

  it("lets instances of a group without distinct_hosts share a client", () => {
    expect(verdicts(homelabOf(PIS, [{ ...CONTROLLER, count: 30, distinct: false }]))).toEqual(["fits", "fits"]);
  });

  it("keeps all groups of a job with distinct_hosts apart", () => {
    const groups = ["a", "b", "c"].flatMap((id) => jobOf({ id }).TaskGroups);
    const job = { ...jobOf({ id: "trio" }), TaskGroups: groups };
    const distinct: Job = { ...job, Constraints: [{ Operand: "distinct_hosts" }] };
    expect(verdicts(homelabOf(PIS, [job]))).toEqual(["fits", "fits"]);
    expect(verdicts(homelabOf(PIS, [distinct]))).toEqual(["fits", "does not fit"]);
    expect(arrangementOf(provePlacement(homelabOf(PIS, [distinct]))[0]).map(({ instances }) => instances)).toEqual([
      ["trio/a"],
      ["trio/b"],
      ["trio/c"],
    ]);
  });

  it("reads distinct_hosts as Nomad does: false switches it off", () => {
    const job = jobOf({ id: "controller", count: 3 });
    const off: Job = { ...job, Constraints: [{ Operand: "distinct_hosts", RTarget: "false" }] };
    expect(verdicts(homelabOf(PIS, [off]))).toEqual(["fits", "fits"]);
  });

  it("does not let a constraint on the Nomad version or the kernel bind", () => {
    const job = jobOf(BITCOIN);
    job.Constraints = [{ LTarget: "${attr.nomad.version}", Operand: "semver", RTarget: ">= 2.0.5" }];
    expect(verdicts(homelabOf(PIS, [job]))).toEqual(["fits", "fits"]);
  });

  it("keeps two services with one static port apart", () => {
    const jobs = ["a", "b", "c"].map((id) => ({ id, port: 3000 }));
    expect(verdicts(homelabOf(PIS, jobs))).toEqual(["fits", "does not fit"]);
    expect(placement.check(homelabOf(PIS, jobs))).toMatchObject([{ place: "ReservedPorts", value: "3000" }]);
    expect(verdicts(homelabOf(PIS, jobs.slice(1)))).toEqual(["fits", "fits"]);
  });

  it("does not place a service beside a system job with its static port", () => {
    const findings = placement.check(
      homelabOf(PIS, [
        { id: "web", port: 9100 },
        { ...NODE, port: 9100 },
      ]),
    );
    expect(findings).toMatchObject([{ path: "homelab/web", place: "ReservedPorts", value: "9100" }]);
    expect(findings[0]?.problem).toContain("pinode1 runs csi-nfs-node (static port 9100)");
  });

  it("names the memory that is short on one client when another is barred by a claim", () => {
    const clients = [pi("pinode1"), pi("pinode3"), { name: "zero", memory: 100, cpu: 7200 }];
    expect(placement.check(homelabOf(clients, [CONTROLLER]))).toMatchObject([
      {
        place: "MemoryMB",
        problem: expect.stringContaining(
          "pinode3 runs csi-nfs-controller[0] (distinct_hosts of homelab/csi-nfs-controller, group csi-nfs-controller); zero has 100 MiB free",
        ),
      },
    ]);
  });

  it("takes the room of a system job from every client", () => {
    const jobs = [{ id: "bitcoin", memory: 7300 }, NODE];
    expect(verdicts(homelabOf(PIS, jobs))).toEqual(["does not fit", "does not fit"]);
    expect(placement.check(homelabOf(PIS, [{ ...NODE, memory: 7425 }]))).toMatchObject([
      { path: "homelab/csi-nfs-node", value: "7425 MiB" },
    ]);
  });

  it("runs every system and sysbatch job on every client, whatever its distinct_hosts says", () => {
    const twins = ["a", "b"].flatMap((id) => jobOf({ id, memory: 100 }).TaskGroups);
    const everywhere = (Type: "system" | "sysbatch"): Job => ({
      ...jobOf({ id: "node" }),
      Type,
      Constraints: [{ Operand: "distinct_hosts" }],
      TaskGroups: twins,
    });
    for (const type of ["system", "sysbatch"] as const) {
      const [allUp] = provePlacement(homelabOf(PIS, [everywhere(type)]));
      expect(arrangementOf(allUp).map(({ instances }) => instances)).toEqual(PIS.map(() => ["node/a", "node/b"]));
    }
  });

  it("lets instances share a static port that ignores collisions", () => {
    const job = jobOf({ id: "mdns", count: 3 });
    const Networks = [{ ReservedPorts: [{ Label: "mdns", Value: 5353, IgnoreCollision: true }] }];
    const shared: Job = { ...job, TaskGroups: job.TaskGroups.map((group) => ({ ...group, Networks })) };
    expect(verdicts(homelabOf(PIS, [shared]))).toEqual(["fits", "fits"]);
  });

  it("counts the least that a scaled group runs when it has no count", () => {
    const job = jobOf({ id: "worker" });
    const Scaling = { Min: 2, Max: 5 };
    const scaled: Job = { ...job, TaskGroups: job.TaskGroups.map((group) => ({ ...group, Scaling })) };
    expect(arrangementOf(provePlacement(homelabOf(PIS, [scaled]))[0])[0]?.instances).toEqual([
      "worker[0]",
      "worker[1]",
    ]);
    expect(verdicts(homelabOf(PIS, [{ id: "worker", memory: 8000, count: 0 }]))).toEqual(["fits", "fits"]);
  });

  it("counts what runs at one time, as Nomad does", () => {
    const task = (Name: string, MemoryMB: number, Lifecycle?: Task["Lifecycle"]) => ({
      Name,
      Lifecycle,
      Resources: { MemoryMB, CPU: 100 },
    });
    const reserved = (...tasks: ReturnType<typeof task>[]) =>
      arrangementOf(provePlacement(homelabOf(PIS, [{ id: "job", tasks }]))[0])[0];

    const main = task("main", 1000);
    expect(reserved(main, task("init", 600, { Hook: "prestart" }))).toMatchObject({ memory: 1000, cpu: 100 });
    expect(reserved(main, task("init", 1600, { Hook: "prestart" }))).toMatchObject({ memory: 1600, cpu: 100 });
    expect(reserved(main, task("a", 600, { Hook: "prestart" }), task("b", 600, { Hook: "prestart" }))).toMatchObject({
      memory: 1200,
      cpu: 200,
    });
    const sidecar = task("sidecar", 300, { Hook: "prestart", Sidecar: true });
    expect(reserved(main, sidecar)).toMatchObject({ memory: 1300, cpu: 200 });
    expect(reserved(main, sidecar, task("init", 1100, { Hook: "prestart" }))).toMatchObject({ memory: 1400 });
    expect(reserved(main, task("after", 50, { Hook: "poststart" }))).toMatchObject({ memory: 1050, cpu: 200 });
    expect(reserved(main, task("end", 1200, { Hook: "poststop" }))).toMatchObject({ memory: 1200, cpu: 100 });
  });

  it("takes Nomad's defaults for a task that reserves nothing, and adds the memory of its secrets", () => {
    const reserved = (Resources?: Task["Resources"]) =>
      arrangementOf(provePlacement(homelabOf(PIS, [{ id: "job", tasks: [{ Name: "job", Resources }] }]))[0])[0];
    expect(reserved()).toMatchObject({ memory: 300, cpu: 100 });
    expect(reserved({ MemoryMB: 64, MemoryMaxMB: 4096, SecretsMB: 2, CPU: 50 })).toMatchObject({ memory: 66, cpu: 50 });
  });
});

describe("what it does not decide", () => {
  it("warns of a group that reserves whole cores", () => {
    const cores: Shape = { id: "index", tasks: [{ Name: "index", Resources: { Cores: 2, MemoryMB: 512 } }] };
    expect(placement.check(homelabOf(PIS, [cores]))).toMatchObject([
      { path: "homelab/index", place: "Cores", severity: "warning" },
    ]);
    const huge: Shape = { id: "index", tasks: [{ Name: "index", Resources: { Cores: 2, MemoryMB: 8000 } }] };
    expect(placement.check(homelabOf(PIS, [huge]))).toMatchObject([{ place: "MemoryMB", severity: "violation" }]);
  });

  it("says nothing where no client is known", () => {
    expect(provePlacement(homelabOf([], SERVICES))).toEqual([]);
    expect(placement.check(homelabOf([], SERVICES))).toEqual([]);
  });

  it("warns that a drain stops every service of a homelab with one client", () => {
    expect(placement.check(homelabOf([pi("pinode1")], [BITCOIN, NODE]))).toMatchObject([
      {
        path: "homelab/bitcoin",
        problem: "with pinode1 drained, no client is left: a drain stops every service",
        severity: "warning",
      },
    ]);
    expect(placement.check(homelabOf([pi("pinode1")], [NODE]))).toEqual([]);
    expect(placement.check(homelabOf([pi("pinode1")], [{ ...BITCOIN, memory: 8000 }]))).toMatchObject([
      { severity: "violation" },
    ]);
  });

  /** Largest first fills 3+3 and 2+2+2, and leaves the last out; 3+2+2 twice is the way. */
  const KNAPSACK = [3, 3, 2, 2, 2, 2].map((share, index) => ({ id: `s${index}`, memory: share * 1000 }));
  const TWO = ["a", "b"].map((name) => ({ name, memory: 7000, cpu: 7200 }));

  it("finds an arrangement that first-fit decreasing misses, up to 12 instances", () => {
    const [allUp] = provePlacement(homelabOf(TWO, KNAPSACK));
    expect(arrangementOf(allUp).map(({ memory }) => memory)).toEqual([7000, 7000]);
    const dozen = [...KNAPSACK, { id: "crumbs", count: 6 }];
    expect(verdicts(homelabOf(TWO, dozen))[0]).toBe("fits");
  });

  it("warns above 12 instances when first-fit decreasing fails and no bound proves it right", () => {
    const homelab = homelabOf(TWO, [...KNAPSACK, { id: "crumbs", count: 7 }]);
    expect(verdicts(homelab)).toEqual(["not proven", "does not fit"]);
    expect(placement.check(homelab)[0]).toMatchObject({ path: "homelab/s5", severity: "warning" });
    expect(placement.check(homelab)[0]?.problem).toContain("though another arrangement may exist");
  });

  it("proves above 12 instances that a sum is too much", () => {
    const homelab = homelabOf(PIS, [{ id: "worker", memory: 3000, count: 14 }]);
    expect(verdicts(homelab)).toEqual(["does not fit", "does not fit"]);
  });

  it("proves above 12 instances that one is larger than every client", () => {
    const homelab = homelabOf(PIS, [
      { id: "whale", memory: 7425 },
      { id: "crumbs", count: 20 },
    ]);
    expect(verdicts(homelab)).toEqual(["does not fit", "does not fit"]);
  });
});

describe("exactness", () => {
  const client = fc.record({ memory: fc.integer({ min: 4, max: 10 }), cpu: fc.integer({ min: 4, max: 10 }) });
  const clients = fc
    .array(client, { minLength: 1, maxLength: 3 })
    .map((figures) => figures.map((figure, index) => ({ name: `pinode${index}`, ...figure })));
  const service = fc.record({
    memory: fc.integer({ min: 0, max: 7 }),
    cpu: fc.integer({ min: 0, max: 7 }),
    count: fc.constantFrom(1, 1, 1, 2),
    port: fc.constantFrom(undefined, undefined, 1, 2),
    distinct: fc.boolean(),
    type: fc.constant("service" as const),
  });
  const services = fc
    .array(service, { maxLength: 4 })
    .map((shapes) => shapes.map((shape, index) => ({ id: `job${index}`, ...shape })));
  const system = fc
    .option(fc.record({ memory: fc.integer({ max: 2, min: 0 }), port: fc.constantFrom(undefined, 2) }))
    .map((shape) => (shape ? [{ id: "system", type: "system" as const, cpu: 1, ...shape }] : []));

  interface Instance extends Shape {
    readonly name: string;
  }

  const instancesOf = (shapes: readonly Shape[]): Instance[] =>
    shapes.flatMap((shape) =>
      (shape.count ?? 1) === 1
        ? [{ ...shape, name: shape.id }]
        : Array.from({ length: shape.count ?? 1 }, (_, index) => ({ ...shape, name: `${shape.id}[${index}]` })),
    );

  /** Whether one client can run all of these together. */
  const holds = ({ memory, cpu }: ClientFigures, instances: readonly Instance[]) =>
    instances.reduce((sum, instance) => sum + (instance.memory ?? 0), 0) <= memory &&
    instances.reduce((sum, instance) => sum + (instance.cpu ?? 0), 0) <= cpu &&
    instances.every((one, index) =>
      instances
        .slice(index + 1)
        .every((two) => !(one.distinct && one.id === two.id) && (one.port === undefined || one.port !== two.port)),
    );

  /** Tries every client for every instance. */
  const fitsByBruteForce = (
    machines: readonly ClientFigures[],
    toPlace: readonly Instance[],
    everywhere: readonly Instance[],
    placed: readonly (readonly Instance[])[] = machines.map(() => everywhere),
  ): boolean => {
    const [next, ...rest] = toPlace;
    return next
      ? machines.some((_, at) =>
          fitsByBruteForce(
            machines,
            rest,
            everywhere,
            placed.map((held, index) => (index === at ? [...held, next] : held)),
          ),
        )
      : machines.every((machine, index) => holds(machine, placed[index] ?? []));
  };

  it("agrees with trying every client for every instance, and every arrangement it gives is valid", () => {
    const seen = { fits: 0, "does not fit": 0, "not proven": 0 };
    fc.assert(
      fc.property(clients, services, system, (machines, shapes, everywhere) => {
        for (const { drained, placement: found } of provePlacement(homelabOf(machines, [...shapes, ...everywhere]))) {
          seen[found.verdict]++;
          const left = machines.filter(({ name }) => name !== drained[0]);
          const toPlace = instancesOf(shapes);
          const onAll = instancesOf(everywhere);
          expect(found.verdict).toBe(fitsByBruteForce(left, toPlace, onAll) ? "fits" : "does not fit");
          if (found.verdict === "fits") {
            const byName = new Map([...toPlace, ...onAll].map((instance) => [instance.name, instance]));
            expect(found.arrangement.map(({ client: name }) => name)).toEqual(left.map(({ name }) => name));
            expect(found.arrangement.flatMap(({ instances }) => instances).sort()).toEqual(
              [...toPlace, ...left.flatMap(() => onAll)].map(({ name }) => name).sort(),
            );
            found.arrangement.forEach(({ instances, memory, cpu }, index) => {
              const here = instances.flatMap((name) => byName.get(name) ?? []);
              expect(onAll.every(({ name }) => instances.includes(name))).toBe(true);
              expect(holds(left[index] as ClientFigures, here)).toBe(true);
              expect(memory).toBe(here.reduce((sum, instance) => sum + (instance.memory ?? 0), 0));
              expect(cpu).toBe(here.reduce((sum, instance) => sum + (instance.cpu ?? 0), 0));
            });
          }
        }
      }),
      { numRuns: 500 },
    );
    expect(seen.fits).toBeGreaterThan(100);
    expect(seen["does not fit"]).toBeGreaterThan(100);
    expect(seen["not proven"]).toBe(0);
  });

  it("agrees with trying everything where memory is tight and first-fit often errs", () => {
    const memory = fc.array(fc.integer({ min: 2, max: 8 }), { minLength: 5, maxLength: 8 });
    const sizes = fc.array(fc.constantFrom(10, 11, 12), { minLength: 2, maxLength: 3 });
    fc.assert(
      fc.property(sizes, memory, (capacities, amounts) => {
        const machines = capacities.map((capacity, index) => ({ name: `pinode${index}`, memory: capacity, cpu: 100 }));
        const shapes = amounts.map((amount, index) => ({ id: `job${index}`, memory: amount }));
        fc.pre(amounts.reduce((sum, amount) => sum + amount, 0) >= capacities.reduce((sum, size) => sum + size, 0) - 2);
        const expected = fitsByBruteForce(machines, instancesOf(shapes), []) ? "fits" : "does not fit";
        expect(verdicts(homelabOf(machines, shapes))[0]).toBe(expected);
      }),
      { numRuns: 300 },
    );
  });

  it("finds room for 12 instances on clients that are as large as one arrangement of them needs", () => {
    const part = fc.record({
      at: fc.integer({ min: 0, max: 3 }),
      memory: fc.integer({ min: 1, max: 5 }),
      cpu: fc.integer({ min: 1, max: 5 }),
      port: fc.constantFrom(undefined, 1, 2, 3),
    });
    const parts = fc.array(part, { minLength: 6, maxLength: 12 });
    fc.assert(
      fc.property(parts, (cut) => {
        const taken = new Set<string>();
        const shapes = cut.map(({ at, port, ...figures }, index) => {
          const free = port !== undefined && !taken.has(`${at}:${port}`);
          taken.add(`${at}:${port}`);
          return { id: `job${index}`, at, ...figures, port: free ? port : undefined };
        });
        const machines = [0, 1, 2, 3].map((at) => {
          const here = shapes.filter((shape) => shape.at === at);
          return {
            name: `pinode${at}`,
            memory: here.reduce((sum, { memory }) => sum + memory, 0),
            cpu: here.reduce((sum, { cpu }) => sum + cpu, 0),
          };
        });
        expect(verdicts(homelabOf(machines, shapes))[0]).toBe("fits");
      }),
      { numRuns: 600 },
    );
  });

  it("never lets one client more make a set unfit that fitted with every client up", () => {
    fc.assert(
      fc.property(clients, client, services, (machines, figure, shapes) => {
        const [before] = verdicts(homelabOf(machines, shapes));
        const [after] = verdicts(homelabOf([...machines, { name: "another", ...figure }], shapes));
        expect(before !== "fits" || after === "fits").toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe("a large cluster", () => {
  const services = Array.from({ length: 1000 }, (_, index) => ({
    id: `service-${index}`,
    memory: 256 + ((index * 997) % 2300),
    cpu: 100 + ((index * 613) % 1100),
    port: 20_000 + index,
  }));
  const clientsOf = (sizes: number) =>
    Array.from({ length: 250 }, (_, index) => ({ ...pi(`client-${index}`), memory: 7424 + (index % sizes) }));

  it("places 1000 services on 250 clients of one size, and with each of them drained", () => {
    expect(verdicts(homelabOf(clientsOf(1), services))).toEqual(["fits", "fits"]);
  });

  it("places 1000 services on 250 clients that all differ, and with each of them drained", () => {
    expect(new Set(verdicts(homelabOf(clientsOf(250), services)))).toEqual(new Set(["fits"]));
  });

  it("says what does not fit in one finding that names a few clients", () => {
    const findings = placement.check(
      homelabOf(clientsOf(250), [...services.slice(0, 100), { id: "whale", memory: 7424 + 249 }]),
    );
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({ path: "homelab/whale", value: "7673 MiB" });
    expect(findings[0]?.problem.length).toBeLessThan(500);
  });
});

describe("constraints", () => {
  const on = (job: Job, ...constraints: readonly (readonly [string, string, Constraint["Operand"]?])[]): Job => ({
    ...job,
    Constraints: constraints.map(([LTarget, RTarget, Operand = "="]) => ({ LTarget, RTarget, Operand })),
  });
  const small = jobOf({ id: "small", memory: 100, cpu: 100 });
  const clients: ClientFigures[] = [pi("pinode1"), pi("pinode3"), { ...pi("nuc"), arch: "amd64" }];
  const placed = (job: Job) => provePlacement(homelabOf(clients, [job]))[0];
  const where = (job: Job) =>
    arrangementOf(placed(job))
      .filter(({ instances }) => instances.length > 0)
      .map(({ client }) => client);

  it("on a host's name, an architecture or the datacenter are honoured", () => {
    expect(where(on(small, ["${attr.unique.hostname}", "pinode3"]))).toEqual(["pinode3"]);
    expect(where(on(small, ["${node.unique.name}", "pinode1", "!="]))).toEqual(["pinode3"]);
    expect(where(on(small, ["${attr.cpu.arch}", "amd64"]))).toEqual(["nuc"]);
    expect(where(on(small, ["${node.unique.name}", "x, nuc", "set_contains_any"]))).toEqual(["nuc"]);
    expect(placed(on(small, ["${node.datacenter}", "elsewhere"]))?.placement.verdict).toBe("does not fit");
  });

  it("that no client is left for with one drained break the rule, and say why", () => {
    const [found, ...more] = placement.check(homelabOf(clients, [on(small, ["${attr.cpu.arch}", "amd64"])]));
    expect(more).toEqual([]);
    expect(found).toMatchObject({ place: "Constraints", value: "only nuc", severity: "violation" });
    expect(found?.problem).toContain("with nuc drained");
    expect(found?.problem).toContain("pinode1 does not meet its constraints");
  });

  it("that the inventory does not answer are told, and those that Ansible answers are not", () => {
    const found = placement.check(
      homelabOf(clients, [
        on(small, ["${meta.ssd}", "true"], ["${node.class}", "x"], ["${attr.nomad.version}", ">= 2", "semver"]),
      ]),
    );
    expect(found.map(({ value, severity }) => [value, severity])).toEqual([
      ["${meta.ssd} = true", "warning"],
      ["${node.class} = x", "warning"],
    ]);
  });

  it("of two that want one client each tell the clients apart in the exact search", () => {
    const big = (id: string, host: string) => on(jobOf({ id, memory: 7000 }), ["${node.unique.name}", host]);
    const jobs = [big("a", "nuc"), big("b", "pinode1"), jobOf({ id: "c", memory: 7000 })];
    expect(provePlacement(homelabOf(clients, jobs))[0]?.placement.verdict).toBe("fits");
  });
});

describe("work that runs now and then", () => {
  const batch = (id: string, memory: number) => jobOf({ id, memory, type: "batch" });

  it("need not survive a drain, and does not count as if all ran at once", () => {
    const jobs = [jobOf({ id: "node", memory: 7000 }), batch("drill", 7000), batch("check", 7000)];
    expect(placement.check(homelabOf([pi("a"), pi("b")], jobs))).toEqual([]);
  });

  it("must fit beside the services while every client is up", () => {
    const jobs = [jobOf({ id: "node", memory: 7000 }), jobOf({ id: "hub", memory: 7000 }), batch("drill", 7000)];
    const found = placement.check(homelabOf([pi("a"), pi("b")], jobs));
    expect(found[0]?.problem).toMatch(/^with every client up, drill/);
  });
});
