import type { AllocationStub, NodeStub } from "../../../nomad/live";
import { job, stackFile, synthesized, task } from "../project";
import { told } from "../told";
import { World } from "../world";

const volume = (id: string) => ({
  [id]: { Name: id, Type: "csi" as const, Source: `${id}-data`, AccessMode: "single-node-writer" as const },
});
const jobs = [
  job("base", [task("main", "name:1", [100, 128])]),
  job("hub", [task("main", "name:1", [100, 128])], { Volumes: volume("hub") }),
];

let world: World;
let folder: string;
beforeAll(async () => {
  world = await World.start();
  const provider = { nomad: [{ address: world.address }] };
  const stack = stackFile(jobs, { dependencies: [{ from: "hub", on: "base" }] });
  folder = synthesized({ homelab: { ...stack, provider } });
});
beforeEach(() => {
  world.reset();
  world.place("base", "b");
});
afterAll(() => world.stop());

const pause = () => told(["pause", "--reason", "a disk", "--yes"], folder);
const resume = () => told(["resume"], folder);
const remembered = () => JSON.parse(world.variables.get("homelab/pause")?.Items.writers ?? "[]");

describe("a pause, and a resume, while something may write out of sight", () => {
  type State = [
    what: string,
    allocation: Partial<AllocationStub>,
    machine: NodeStub["Status"] | undefined,
    words: string,
  ];
  const STATES: State[] = [
    ["is unknown", { ClientStatus: "unknown" }, "disconnected", "of hub is unknown, because a is disconnected"],
    ["is unknown on a machine that is back", { ClientStatus: "unknown" }, "ready", "because a is back only now"],
    ["runs, and its machine is down", {}, "down", "of hub is on a, which is down; it may run on there"],
    ["runs, and its machine is gone", {}, undefined, "of hub is on a, which is gone from Nomad's list"],
    ["runs, and its machine only starts", {}, "initializing", "of hub is on a, which is initializing"],
    [
      "is pending, and its machine is disconnected",
      { ClientStatus: "pending" },
      "disconnected",
      "which is disconnected",
    ],
    ["is lost, and its machine is down", { ClientStatus: "lost", DesiredStatus: "stop" }, "down", "which is down"],
    ["is lost, and its machine is gone", { ClientStatus: "lost", DesiredStatus: "stop" }, undefined, "gone from"],
    [
      "was told to stop, and its machine is disconnected",
      { DesiredStatus: "stop" },
      "disconnected",
      "which is disconnected",
    ],
  ];

  test.each(STATES)("stops and starts nothing when the allocation %s", async (_, allocation, machine, words) => {
    const { ID } = world.place("hub", "a", allocation);
    world.machine("a", machine);
    const paused = await pause();
    expect([paused.code, paused.err]).toEqual([1, expect.stringContaining(words)]);
    expect(paused.err).toContain(`allocation ${ID.slice(0, 8)} of hub`);
    expect(paused.err).toMatch(/: wait .*; nothing was stopped\n$/);
    world.variables.set("homelab/pause", {
      Items: { groups: JSON.stringify([{ namespace: "bitcoin", job: "hub", group: "hub", count: 1 }]) },
      ModifyIndex: 1,
      ModifyTime: 0,
    });
    world.counts.set("hub", 0);
    const resumed = await resume();
    expect([resumed.code, resumed.err]).toEqual([1, expect.stringContaining(words)]);
    expect(resumed.err).toMatch(/; nothing was started, and the pause stays on\n$/);
    expect(world.changes).toEqual([]);
  });

  test("asks the machine whether it knows what Nomad calls lost", async () => {
    const { ID } = world.place("hub", "a", { ClientStatus: "lost", DesiredStatus: "stop" });
    world.known.add(ID);
    expect((await pause()).err).toContain("of hub still runs on a: wait until it has ended; nothing was stopped");
    world.known.clear();
    expect((await pause()).code).toBe(0);
  });

  test("goes by a purge that let another take the place of what is lost", async () => {
    world.place("hub", "a", { ClientStatus: "lost", DesiredStatus: "stop" });
    world.place("hub", "b");
    world.machine("a", undefined);
    expect((await pause()).code).toBe(0);
  });

  test("minds the claims of other jobs, and those that nobody can explain", async () => {
    world.place("hub", "a");
    const other = world.place("other", "b");
    world.claims.set("hub-data", { [other.ID]: null });
    expect((await pause()).err).toContain(`of other on b writes the volume hub-data: wait until it has ended`);
    world.claims.set("hub-data", { "deadbeef-1": null });
    expect((await pause()).err).toContain("is claimed by allocation deadbeef, of which Nomad has no record");
    world.alter("other", { ClientStatus: "complete" });
    world.claims.set("hub-data", { [other.ID]: null });
    expect((await pause()).code).toBe(0);
  });

  test("lets go what ended before its machine went away", async () => {
    world.place("hub", "a");
    expect((await pause()).code).toBe(0);
    expect(remembered()).toEqual([]);
    world.machine("a", "down");
    expect((await resume()).code).toBe(0);
    expect([world.counts.get("hub"), world.writers("hub")]).toEqual([1, 1]);
  });

  test("remembers what it told to stop until its end is seen, also when Nomad has forgotten it", async () => {
    const { ID } = world.place("hub", "a", {
      AllocatedResources: { Tasks: {}, Shared: { Ports: [{ Label: "http", Value: 8080, HostIP: "10.0.0.1" }] } },
    });
    world.agents.set("a", "10.0.0.1:4646");
    world.before = (change) => change === "PUT job/hub/scale 0" && world.machine("a", "down");
    const paused = await pause();
    expect([paused.code, paused.err]).toEqual([
      1,
      expect.stringMatching(
        /on a, which is down; .*; stopped: nothing; not, or not yet: hub, base; homelab pause goes on/,
      ),
    ]);
    // What it needs is not taken from under it.
    expect(world.counts.get("base")).toBe(1);
    const addresses = ["10.0.0.1:4646", "10.0.0.1:8080"];
    const hub = {
      namespace: "bitcoin",
      job: "hub",
      group: "hub",
      allocation: ID,
      node: "a",
      nodeId: "a",
      stopTime: "5s",
      addresses,
    };
    expect(remembered()).toContainEqual(hub);

    world.allocations = world.allocations.filter(({ JobID }) => JobID !== "hub");
    for (const machine of ["down", undefined] as const) {
      world.machine("a", machine);
      world.changes = [];
      const words = `nobody saw the end of allocation ${ID.slice(0, 8)} of hub on a, which Nomad has forgotten since`;
      for (const verb of [resume, pause]) {
        const { code, err } = await verb();
        expect([code, err]).toEqual([1, expect.stringContaining(words)]);
      }
      expect(world.changes).toEqual([]);
    }
    const status = await told(["status"], folder);
    expect([status.code, status.out]).toEqual([
      2,
      expect.stringContaining(
        `allocation ${ID.slice(0, 8)} of hub on a was told to stop, and nobody has seen it end yet`,
      ),
    ]);
    const guard = await told(["guard"], folder);
    expect([guard.code, guard.out]).toEqual([2, expect.stringMatching(/a pause is on since/)]);

    // It ends what Nomad has forgotten, but not at once.
    const now = Math.floor(Date.now() / 1000);
    world.machine("a", "ready");
    world.readySince.set("a", now - 10);
    expect((await resume()).err).toMatch(
      /a is back only now and may take 1m5s to end it: wait 5[45] s; nothing was started/,
    );
    world.readySince.set("a", now - 66);
    const resumed = await resume();
    expect([resumed.code, resumed.out]).toEqual([0, expect.stringMatching(/hub is healthy\nthe pause is over\n$/)]);
    expect(world.writers("hub")).toBe(1);
  });

  test("stops nothing more when a machine goes away between two services", async () => {
    world.place("hub", "a");
    world.before = (change) => change === "PUT job/hub/scale 0" && world.machine("b", "disconnected");
    const { code, err } = await pause();
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/of base is on b, which is disconnected.*; stopped: hub; not, or not yet: base;/),
    ]);
    expect(world.counts.get("base")).toBe(1);
    const again = await pause();
    expect(again.err).toMatch(/^error: a pause is on since .*: a disk; it cannot go on: .* which is disconnected/);
  });

  test("remembers what runs when it is stopped, wherever that has moved to since the pause began", async () => {
    world.place("hub", "a");
    let moved = "";
    let known: unknown[] = [];
    world.before = (change) => {
      if (change === "PUT job/hub/scale 0") {
        world.alter("base", { ClientStatus: "complete", DesiredStatus: "stop" });
        moved = world.place("base", "a").ID;
      }
      if (change === "PUT job/base/scale 0") known = remembered();
    };
    expect((await pause()).code).toBe(0);
    expect(known).toContainEqual(expect.objectContaining({ job: "base", allocation: moved, node: "a" }));
    expect(remembered()).toEqual([]);
  });

  test("waits for what was told to stop before it starts the next", async () => {
    world.place("hub", "a", { DesiredStatus: "stop" });
    world.counts.set("hub", 0);
    world.variables.set("homelab/pause", {
      Items: { groups: JSON.stringify([{ namespace: "bitcoin", job: "hub", group: "hub", count: 1 }]) },
      ModifyIndex: 1,
      ModifyTime: 0,
    });
    let most = 0;
    setTimeout(() => world.alter("hub", { ClientStatus: "complete" }), 2_000);
    world.asked = () => {
      most = Math.max(most, world.writers("hub"));
    };
    expect((await resume()).code).toBe(0);
    expect([most, world.changes]).toEqual([1, ["PUT job/hub/scale 1", "DELETE var/homelab/pause"]]);
  });

  test("says what an interrupted resume has started already", async () => {
    world.place("hub", "a");
    await pause();
    world.counts.set("base", 1);
    world.place("base", "b");
    expect((await resume()).out).toMatch(/^goes on: base is started already\nbase is healthy\nhub is healthy\n/);
  });

  test("calls what waits for its owner up, not healthy", async () => {
    world.place("hub", "a");
    world.waits.set("hub", "locked: its owner unlocks it by hand");
    await pause();
    const { code, out } = await resume();
    const told = "base is healthy\nhub is up; locked: its owner unlocks it by hand\nthe pause is over\n";
    expect([code, out]).toEqual([0, told]);
  });

  test("gives way to somebody else's pause", async () => {
    world.place("hub", "a");
    let others = false;
    world.before = (change) => {
      if (others || change !== "PUT var/homelab/pause") return;
      others = true;
      world.variables.set("homelab/pause", { Items: { reason: "mine" }, ModifyIndex: 7, ModifyTime: 0 });
    };
    const { code, err } = await pause();
    expect([code, err]).toEqual([1, expect.stringContaining("somebody else began, changed or ended a pause")]);
    expect(world.counts.get("hub")).toBe(1);
  });
});

test("a pause of a hub says how long nobody may watch its channels, and for how long it has been on", async () => {
  const albyhub = job("albyhub", [task("main", "ghcr.io/getalby/hub:v1.24.0", [500, 1280])]);
  const own = synthesized({ homelab: { ...stackFile([albyhub]), provider: { nomad: [{ address: world.address }] } } });
  const words = "nobody watches the channels of albyhub: a peer that cheats must be answered within 144 blocks";
  world.place("albyhub", "a");
  /** In one line, however it is wrapped. */
  const said = async () => (await told(["pause", "--reason", "a disk"], own)).out.replaceAll(/\n +/g, " ");
  expect(await said()).toContain(`during the pause, ${words}, about 24 h (LDK's default); resume it within 12h`);
  const Items = {
    since: new Date(Date.now() - 5 * 3_600_000).toISOString(),
    groups: JSON.stringify([{ namespace: "bitcoin", job: "albyhub", group: "albyhub", count: 1 }]),
  };
  world.variables.set("homelab/pause", { Items, ModifyIndex: 1, ModifyTime: 0 });
  expect(await said()).toContain(`during the pause, which began 5 h ago, ${words}`);
});
