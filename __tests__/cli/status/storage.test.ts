import type { Job } from "../../../.gen/nomad/job";
import { JOBS, minutesAgo, Programs, ScriptedNomad } from "./scripted-nomad";

const nomad = new ScriptedNomad();
const programs = new Programs();
beforeAll(() => nomad.start());
afterAll(() => nomad.stop());
afterEach(() => programs.stop());

const machine = (Name: string, more: object = {}) => ({
  ID: `id-${Name}`,
  Name,
  Status: "ready",
  SchedulingEligibility: "eligible",
  Drain: false,
  Datacenter: "homelab",
  NodeResources: { Memory: { MemoryMB: 8192 }, Cpu: { CpuShares: 7200 } },
  ...more,
});
const plugin = (healthy: readonly string[]) => ({
  ID: "nfs",
  ControllersHealthy: 2,
  ControllersExpected: 2,
  // What Nomad expects is what it has.
  NodesHealthy: healthy.length,
  NodesExpected: healthy.length,
  Nodes: Object.fromEntries(healthy.map((name) => [`id-${name}`, { Healthy: true }])),
});
const NAMES = ["pinode1", "pinode3", "pinode4"];
const controller = JOBS["csi-nfs-controller"] as Job;
const node = JOBS["csi-nfs-node"] as Job;

beforeEach(async () => {
  nomad.services = {
    electrs: { port: await programs.electrs(930_000) },
    albyhub: { port: await programs.hub({ running: true, setupCompleted: true }) },
  };
  nomad.answers = { nodes: NAMES.map((name) => machine(name)), "plugin/csi/nfs": plugin(NAMES) };
});

const volume = {
  path: "homelab/bitcoin-data",
  namespace: "bitcoin",
  id: "bitcoin-data",
  holds: "chain",
  accessMode: "multi-node-single-writer",
  attachmentMode: "file-system",
  mountFlags: [],
  retained: true,
  managed: true,
  pluginId: "nfs",
} as const;
const status = async () => {
  const { out, err } = await nomad.run(["status", "--json"], { jobs: [node], volumes: [volume] });
  expect(err).toMatch(/^(asking .*\n)*$/);
  const [{ plugins, volumes }] = JSON.parse(out).stacks;
  return { plugin: plugins[0], volume: volumes[0] };
};

describe("a CSI plugin", () => {
  test("is well when it is healthy on every machine", async () => {
    expect((await status()).plugin).toEqual({ id: "nfs", controllers: "2 of 2", nodes: "3 of 3", mood: "good" });
  });

  test("that a machine lacks is red, though Nomad expects none there, with the machine and the remedy", async () => {
    nomad.answers["plugin/csi/nfs"] = plugin(["pinode1", "pinode4"]);
    expect((await status()).plugin).toEqual({
      id: "nfs",
      controllers: "2 of 2",
      nodes: "2 of 3",
      mood: "bad",
      problem:
        "no healthy node plugin on pinode3, where no volume can be mounted or unmounted: nomad job eval csi-nfs-node",
    });
    const { out } = await nomad.run(["status"], { jobs: [node], volumes: [volume] });
    expect(out).toMatch(/nodes 2 of 3\n {4}no healthy node plugin on pinode3, where/);
  });

  test("so is one that is unhealthy there, or of which Nomad knows nothing any more", async () => {
    const all = plugin(NAMES);
    nomad.answers["plugin/csi/nfs"] = { ...all, Nodes: { ...all.Nodes, "id-pinode1": { Healthy: false } } };
    expect((await status()).plugin).toMatchObject({ nodes: "2 of 3", problem: expect.stringContaining("on pinode1,") });
    delete nomad.answers["plugin/csi/nfs"];
    expect((await status()).plugin).toMatchObject({ nodes: "0 of 3", mood: "bad" });
  });

  test("is not expected on a machine that is away, or in another datacenter", async () => {
    nomad.answers.nodes = [
      ...NAMES.map((name) => machine(name)),
      machine("gone", { Status: "down" }),
      machine("elsewhere", { Datacenter: "attic" }),
    ];
    expect((await status()).plugin).toMatchObject({ nodes: "3 of 3", mood: "good" });
  });

  test("is expected wherever its job may run, by its patterns", async () => {
    nomad.answers.nodes = [...NAMES.map((name) => machine(name)), machine("other", { Datacenter: "home2" })];
    const jobs = [{ ...node, Datacenters: ["home*"] }, controller];
    const { out } = await nomad.run(["status", "--json"], { jobs, volumes: [volume] });
    expect(JSON.parse(out).stacks[0].plugins[0]).toMatchObject({ nodes: "3 of 4" });
  });
});

describe("a volume", () => {
  const ended = (JobID: string, minutes: number) => ({
    ID: JobID,
    JobID,
    NodeName: "pinode3",
    ClientStatus: "complete",
    ModifyTime: minutesAgo(minutes) * 1e6,
  });
  const live = (Allocations: readonly object[], ReadAllocs: object) => ({
    ID: "bitcoin-data",
    Schedulable: true,
    WriteAllocs: {},
    ReadAllocs,
    Allocations,
  });
  const path = "volume/csi/bitcoin-data";

  test("that stays mounted where nothing uses it is told, with the machine", async () => {
    nomad.answers[path] = live([ended("reader", 6)], { reader: {} });
    expect((await status()).volume).toMatchObject({
      mood: "bad",
      problem: "stays mounted where nothing uses it: reader on pinode3; is the node plugin healthy there?",
    });
    nomad.answers[path] = live([], { forgotten: {} });
    expect((await status()).volume.problem).toMatch(
      /^stays mounted where nothing uses it: \? on a machine that is gone/,
    );
  });

  test("is well while a reader that just ended is unmounted", async () => {
    nomad.answers[path] = live([ended("reader", 2)], { reader: {} });
    expect((await status()).volume.mood).toBe("good");
  });
});
