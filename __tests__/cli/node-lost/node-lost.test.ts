import { createServer, type Server } from "node:net";
import type { Asked, Place } from "../../../cli/node-lost/ask";
import { freePort } from "../../cluster/loopback-agent";
import { job, stackFile, synthesized, task } from "../project";
import { told } from "../told";
import { node, World } from "../world";

/** Loopback always answers, if only with a refusal; so the silence of these hosts is made up. All else is really asked. */
const mockSilent = new Set<string>();
/** Loopback stands for other machines too, but where a test says that it is the one that asks. */
const mockOwn = new Set<string>();
jest.mock("../../../cli/node-lost/ask", () => {
  const real = jest.requireActual("../../../cli/node-lost/ask");
  const ask = async (places: readonly Place[]): Promise<readonly Asked[]> => {
    const asked = await real.ask(places.filter(({ host }) => !mockSilent.has(host)));
    return places.map(
      (place) =>
        asked.find((one: Asked) => one.host === place.host && one.port === place.port) ?? {
          ...place,
          answer: "silent",
        },
    );
  };
  return { ...real, ask, ownAddresses: () => mockOwn };
});
const silentAt = (...hosts: string[]) => {
  for (const host of hosts) mockSilent.add(host);
};

const volume = { Name: "hub", Type: "csi" as const, Source: "hub-data", AccessMode: "single-node-writer" as const };
const hub = job("hub", [task("main", "name:1", [100, 128])], { Volumes: { hub: volume } });

let world: World;
let folder: string;
let machine: Server;
let port: number;
beforeAll(async () => {
  world = await World.start();
  const provider = { nomad: [{ address: world.address }] };
  folder = synthesized({ homelab: { ...stackFile([hub]), provider } });
});
beforeEach(async () => {
  world.reset();
  machine = createServer().listen(0, "127.0.0.1");
  await new Promise((done) => machine.once("listening", done));
  ({ port } = machine.address() as { port: number });
});
afterEach(() => {
  mockSilent.clear();
  mockOwn.clear();
  machine.close();
});
afterAll(() => world.stop());

const giveUp = () => told(["node-lost", "a", "--confirm-powered-off"], folder);
const ports = (value: number, host = "127.0.0.1") => ({
  AllocatedResources: { Tasks: {}, Shared: { Ports: [{ Label: "http", Value: value, HostIP: host }] } },
});
describe("node-lost with --confirm-powered-off", () => {
  test("purges nothing while the machine's hub answers at the port that Nomad names", async () => {
    world.place("hub", "a", { ClientStatus: "unknown", ...ports(port) });
    world.machine("a", "disconnected");
    const { code, err } = await giveUp();
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(
        new RegExp(`^error: a is on: it answers at 127\\.0\\.0\\.1:${port} \\(port http of hub\\), .*pull its plug`),
      ),
    ]);
    expect(world.changes).toEqual([]);
  });

  test("takes a refused connection for the answer that it is, at its agent and at SSH too", async () => {
    world.agents.set("a", `127.0.0.1:${await freePort()}`);
    world.machine("a", "down");
    const { code, err } = await giveUp();
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(
        /its Nomad agent; the connection was refused, which only a machine that is on does\).*127\.0\.0\.1:22 \(SSH/,
      ),
    ]);
    expect(world.changes).toEqual([]);
  });

  test("shows without the confirmation that it is on", async () => {
    world.place("hub", "a", { ClientStatus: "unknown", ...ports(port) });
    world.machine("a", "disconnected");
    const { code, out } = await told(["node-lost", "a"], folder);
    expect([code, out]).toEqual([2, expect.stringContaining(`it is on: it answers at 127.0.0.1:${port}`)]);
  });

  test("purges when all is silent, and says what it asked", async () => {
    silentAt("10.9.9.1");
    world.agents.set("a", "10.9.9.1:4646");
    world.place("hub", "a", { ClientStatus: "unknown", ...ports(8080, "10.9.9.1") });
    world.machine("a", "disconnected");
    const { code, out } = await giveUp();
    expect([code, out]).toEqual([
      0,
      expect.stringContaining(
        "a is silent everywhere: asked 10.9.9.1:4646 (its Nomad agent), 10.9.9.1:8080 (port http of hub), 10.9.9.1:22 (SSH)\na is purged",
      ),
    ]);
    expect(world.changes).toEqual(["PUT node/a/purge"]);
  });

  test("believes no silence where the machines that are well are silent as well", async () => {
    silentAt("10.9.9.1", "10.9.9.2");
    world.agents.set("a", "10.9.9.1:4646");
    world.agents.set("b", "10.9.9.2:4646");
    world.machine("a", "down");
    expect((await giveUp()).err).toContain("a is silent, and so is every machine that is well (b)");
    world.agents.set("b", "127.0.0.1:1");
    expect((await giveUp()).code).toBe(0);
  });

  test("does not take its own answers for a proof that it hears others", async () => {
    silentAt("10.9.9.1", "10.9.9.2");
    mockOwn.add("127.0.0.1");
    world.agents.set("a", "10.9.9.1:4646");
    world.agents.set("b", `127.0.0.1:${port}`);
    for (const [name, address] of [
      ["c", `127.0.0.1:${port}`],
      ["d", `127.0.0.1:${port}`],
      ["e", "10.9.9.2:4646"],
    ] as const) {
      world.nodes.push(node(name));
      world.agents.set(name, address);
    }
    world.machine("a", "down");
    expect((await giveUp()).err).toContain("a is silent, and so is every machine that is well (e)");
    expect(world.changes).toEqual([]);
  });

  test("warns when no other machine can show that an answer would be heard", async () => {
    silentAt("10.9.9.1");
    mockOwn.add("127.0.0.1");
    world.agents.set("a", "10.9.9.1:4646");
    world.agents.set("b", `127.0.0.1:${port}`);
    world.machine("a", "down");
    const { code, err } = await giveUp();
    expect([code, err.replaceAll(/\s+/g, " ")]).toEqual([
      0,
      expect.stringContaining("nothing confirms that an answer of a would be heard here"),
    ]);
  });

  test("refuses where nobody knows an address of it", async () => {
    world.machine("a", "down");
    expect((await giveUp()).err).toContain("nobody knows an address of a");
    expect(world.changes).toEqual([]);
  });

  test("asks Nomad again before it purges: the machine may have come back meanwhile", async () => {
    silentAt("10.9.9.1");
    world.nodes = [node("a", { Status: "down", Address: "10.9.9.1" }), node("b")];
    let lists = 0;
    world.asked = (path) => {
      if (path === "nodes" && ++lists === 1) world.nodes = [node("a"), node("b")];
    };
    expect((await giveUp()).err).toContain("a is ready, not lost");
    expect(world.changes).toEqual([]);
  });

  test("takes what ran there out of the pause, of a machine that Nomad has forgotten too", async () => {
    silentAt("10.9.9.1");
    const at = {
      namespace: "bitcoin",
      job: "hub",
      group: "hub",
      allocation: "1",
      stopTime: "5s",
      addresses: ["10.9.9.1:4646"],
    };
    const writers = [
      { ...at, node: "a", nodeId: "a" },
      { ...at, node: "b", nodeId: "b" },
    ];
    const groups = [{ namespace: "bitcoin", job: "hub", group: "hub", count: 1 }];
    const Items = { reason: "x", groups: JSON.stringify(groups), writers: JSON.stringify(writers) };
    world.variables.set("homelab/pause", { Items, ModifyIndex: 3, ModifyTime: 0 });
    world.counts.set("hub", 0);
    world.machine("a", undefined);
    expect((await told(["resume"], folder)).err).toContain("and a is gone from Nomad's list");
    const { code, out } = await giveUp();
    expect([code, out]).toEqual([0, expect.stringContaining("the pause forgets what ran on a\n")]);
    expect(JSON.parse(world.variables.get("homelab/pause")?.Items.writers ?? "")).toEqual([writers[1]]);
    expect((await told(["resume"], folder)).code).toBe(0);
  });

  test("knows no machine that never was", async () => {
    expect((await told(["node-lost", "aa", "--confirm-powered-off"], folder)).err).toBe(
      "error: there is no node aa; there are a, b\n",
    );
  });
});
