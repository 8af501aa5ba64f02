import { createServer, type Server } from "node:net";
import { job, stackFile, synthesized, task } from "../project";
import { told } from "../told";
import { World } from "../world";

const jobs = [
  job("electrs", [task("main", "getumbrel/electrs:v0.11.1", [100, 128])]),
  job("hub", [task("main", "ghcr.io/getalby/hub:v1.24.0", [100, 128])], {
    Volumes: {
      hub: { Name: "hub", Type: "csi" as const, Source: "hub-data", AccessMode: "single-node-writer" as const },
    },
  }),
];

let world: World;
let folder: string;
/** An index that takes connections and answers nothing yet. */
let index: Server;
beforeAll(async () => {
  world = await World.start();
  index = createServer((socket) => socket.on("data", () => socket.end()).on("error", () => {})).listen(0, "127.0.0.1");
  await new Promise((done) => index.once("listening", done));
  const stack = stackFile(jobs, { dependencies: [{ from: "hub", on: "electrs" }] });
  folder = synthesized({ homelab: { ...stack, provider: { nomad: [{ address: world.address }] } } });
});
beforeEach(() => {
  world.reset();
  const { port } = index.address() as { port: number };
  world.place("electrs", "b", {
    AllocatedResources: { Tasks: {}, Shared: { Ports: [{ Label: "electrum", Value: port, HostIP: "127.0.0.1" }] } },
  });
});
afterAll(async () => {
  index.close();
  await world.stop();
});

const restart = (...names: string[]) => told(["restart", ...names, "--yes"], folder);

describe("restart, while something may write out of sight", () => {
  test.each([
    [
      "is unknown",
      { ClientStatus: "unknown" as const },
      "disconnected" as const,
      "of hub is unknown, because a is disconnected",
    ],
    ["runs on a machine that is down", {}, "down" as const, "of hub is on a, which is down"],
    [
      "is being stopped",
      { DesiredStatus: "stop" as const },
      "ready" as const,
      "hub is being stopped on a; wait for its end",
    ],
  ])("restarts nothing when an allocation of one of them %s", async (_, allocation, machine, words) => {
    world.place("hub", "a", allocation);
    world.machine("a", machine);
    const { code, err } = await restart("electrs", "hub");
    expect([code, err]).toEqual([1, expect.stringContaining(words)]);
    expect(world.changes).toEqual([]);
  });

  test("looks again after it has asked", async () => {
    world.place("hub", "a");
    let looks = 0;
    world.asked = (path) => {
      // Whoever is asked takes his time.
      if (path === "var/homelab/pause" && ++looks === 2) world.machine("a", "down");
    };
    const { code, err } = await restart("hub");
    expect([code, err]).toEqual([1, expect.stringContaining("which is down")]);
    expect(world.changes).toEqual([]);
  });

  test("looks again before each service, after the one before it took its time", async () => {
    world.place("hub", "a");
    world.before = (change) => {
      if (change.startsWith("PUT client/allocation/") && change.includes("electrs")) world.machine("a", "disconnected");
      const started = new Date(Date.now() + 60_000).toISOString();
      world.allocations = world.allocations.map((one) =>
        one.JobID === "electrs"
          ? { ...one, TaskStates: { main: { ...one.TaskStates?.main, State: "running", StartedAt: started } as never } }
          : one,
      );
    };
    const { code, err } = await restart("electrs", "hub");
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/of hub is on a, which is disconnected.*healthy again: electrs; not, or not yet: hub/),
    ]);
    expect(world.changes.filter((change) => change.includes("-hub"))).toEqual([]);
  });

  test("calls a dependant that waits for its owner up, not healthy", async () => {
    world.place("hub", "a");
    world.waits.set("hub", "set-up is open to whoever comes first");
    world.waits.set("electrs", "locked: x");
    world.before = () => {
      const started = new Date(Date.now() + 1_000).toISOString();
      for (const { JobID, TaskStates } of world.allocations) {
        if (JobID !== "electrs") continue;
        world.alter(JobID, {
          TaskStates: { main: { ...TaskStates?.main, State: "running", StartedAt: started } as never },
        });
      }
    };
    const { code, out, err } = await restart("electrs");
    expect([code, err, out]).toEqual([
      0,
      expect.any(String),
      expect.stringMatching(
        /electrs is up again after \d+ s; locked: x\nhub is up; set-up is open to whoever comes first\n$/,
      ),
    ]);
    expect(JSON.parse((await told(["restart", "electrs", "--yes", "--json"], folder)).out).healthy).toEqual([]);
  });

  test("says what a restart of an index that is not complete means for the hub", async () => {
    world.place("hub", "a");
    const { out } = await told(["restart", "electrs"], folder);
    expect(out.replaceAll(/\n +/g, " ")).toMatch(
      /electrs does not answer, so it may have to index: until it has, hub waits, and nobody watches its channels; a peer that cheats must be answered within 144 blocks/,
    );
  });
});
