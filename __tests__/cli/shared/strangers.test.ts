import { strangersTo } from "../../../cli/shared/strangers";
import type { Homelab, VolumeRecord } from "../../../model/homelab";
import { NomadClient } from "../../../nomad/client";
import { job, task } from "../project";
import { World } from "../world";

const NAS = "192.168.68.50";
const request = (Source: string, more: object = {}) => ({
  data: { Name: "data", Type: "csi" as const, Source, AccessMode: "multi-node-single-writer" as const, ...more },
});
const hub = job("albyhub", [task("albyhub", "ghcr.io/getalby/hub:v1.24.0", [500, 1280])], {
  Volumes: request("albyhub-data"),
  Services: [{ Name: "albyhub", Provider: "nomad" }],
});
const volume: VolumeRecord = {
  path: "homelab/albyhub-data",
  namespace: "bitcoin",
  id: "albyhub-data",
  holds: "funds",
  accessMode: "multi-node-single-writer",
  attachmentMode: "file-system",
  mountFlags: [],
  retained: true,
  source: { server: NAS, share: "/mnt/homelab-general/albyhub-data" },
  managed: true,
};
const homelab = {
  jobs: [
    {
      path: "homelab/albyhub",
      job: hub,
      retained: true,
      program: "Alby Hub",
      database: { server: NAS, port: 5432, name: "nwc" },
    },
  ],
  volumes: [volume],
} as unknown as Homelab;

let world: World;
beforeAll(async () => {
  world = await World.start();
});
beforeEach(() => {
  world.reset();
  world.folders.set("bitcoin/albyhub-data", { server: NAS, share: "/mnt/homelab-general/albyhub-data" });
});
afterAll(() => world.stop());

const ask = (own: Homelab = homelab) =>
  strangersTo({ client: new NomadClient(world.address, {}), homelab: own }, [hub]);
const problems = async (own?: Homelab) => (await ask(own)).refusals.map(({ problem }) => problem);
/** A job of somebody else with one task. */
const stranger = (name: string, config: object, group: object = {}) =>
  world.strangers.set(name, { TaskGroups: [{ Name: "g", Tasks: [{ Name: "main", ...config }], ...group }] });

describe("two volumes of the stack", () => {
  const { source: _, ...untold } = volume;
  const referred: VolumeRecord = { ...untold, path: "homelab/copy", id: "copy", managed: false };
  const copy = job("copy", [task("copy", "name:1", [100, 128])], { Volumes: request("copy") });
  const reader = job("reader", [task("reader", "name:1", [100, 128])], {
    Volumes: request("copy", { ReadOnly: true }),
  });
  const stack = (record: VolumeRecord, ...more: (typeof hub)[]) =>
    ({
      jobs: [...homelab.jobs, ...more.map((one) => ({ path: `homelab/${one.ID}`, job: one, retained: true }))],
      volumes: [volume, record],
    }) as unknown as Homelab;
  const of = async (own: Homelab, changing = own.jobs.map((one) => one.job)) =>
    (await strangersTo({ client: new NomadClient(world.address, {}), homelab: own }, changing)).refusals;
  const folder = `${NAS}:/mnt/homelab-general/albyhub-data`;

  test("that Nomad knows to be one folder have one writer, and are told of once", async () => {
    world.folders.set("bitcoin/copy", { server: NAS, share: "/mnt/homelab-general/albyhub-data/" });
    const refusal = {
      reason: "stranger",
      job: "albyhub",
      problem: `albyhub: its volume albyhub-data and the volume copy of job copy are one folder (${folder} and ${folder}/)`,
      remedy: "give each a folder of its own, or refer to one volume in both",
    };
    expect(await of(stack(referred, copy, reader))).toEqual([refusal]);
    expect(await of(stack(referred, copy, reader), [copy])).toEqual([
      {
        ...refusal,
        job: "copy",
        problem: `copy: its volume copy and the volume albyhub-data of job albyhub are one folder (${folder}/ and ${folder})`,
      },
    ]);
    expect(await of(stack(referred, copy), [])).toEqual([]);
  });

  test("may be one folder, where only a server's name tells them apart", async () => {
    world.folders.set("bitcoin/copy", { server: "nas.local", share: "/mnt/homelab-general/albyhub-data" });
    expect(await of(stack(referred, copy))).toEqual([
      expect.objectContaining({ problem: expect.stringContaining("of job copy may be one folder") }),
    ]);
  });

  test("have two writers in two groups of one job as well", async () => {
    world.folders.set("bitcoin/copy", { server: NAS, share: "/mnt/homelab-general/albyhub-data" });
    const both = { ...hub, TaskGroups: [...hub.TaskGroups, ...copy.TaskGroups] };
    const own = { ...stack(referred), jobs: [{ ...homelab.jobs[0], job: both }] } as Homelab;
    expect(await of(own)).toEqual([
      expect.objectContaining({
        problem: `albyhub: its volume albyhub-data and its volume copy are one folder (${folder})`,
      }),
    ]);
  });

  test("are fine with a reader, with folders of their own, and where the synthesis has judged them", async () => {
    world.folders.set("bitcoin/copy", { server: NAS, share: "/mnt/homelab-general/albyhub-data" });
    expect(await of(stack(referred, reader))).toEqual([]);
    const twin = { ...referred, source: { server: NAS, share: "/mnt/homelab-general/albyhub-data" } };
    expect(await of(stack(twin, copy))).toEqual([]);
    world.folders.set("bitcoin/copy", { server: NAS, share: "/mnt/homelab-general/copy" });
    expect(await of(stack(referred, copy))).toEqual([]);
  });
});

describe("another job that runs already", () => {
  test("is none of the guard's concern with a folder, a database and a name of its own", async () => {
    world.folders.set("lab/other", { server: NAS, share: "/mnt/homelab-general/albyhub-data-2" });
    stranger(
      "lab/hub",
      { Config: { image: "ghcr.io/getalby/hub:v1.24.0" }, Env: { DATABASE_URI: `postgres://hub:x@${NAS}:5432/lab` } },
      {
        Volumes: request("other"),
        Services: [{ Name: "albyhub", Provider: "nomad" }],
      },
    );
    expect(await ask()).toEqual({ refusals: [], notes: [] });
  });

  test.each([
    [
      "the same folder under another name, in another namespace",
      NAS,
      "/mnt/homelab-general/albyhub-data",
      "writes that",
    ],
    ["a folder above it", NAS, "/mnt/homelab-general/", "writes that folder too"],
    ["a folder in it", NAS, "/mnt/homelab-general/albyhub-data/ldk", "writes that folder too"],
    [
      "a folder of a server by its name, which may be the same",
      "nas.local",
      "/mnt/homelab-general/albyhub-data",
      "may write",
    ],
  ])("must not write %s", async (_, server, share, words) => {
    world.folders.set("lab/second", { server, share });
    stranger("lab/try", { Config: {} }, { Volumes: request("second") });
    const [problem = "", ...more] = await problems();
    expect([problem, more]).toEqual([expect.stringContaining(words), []]);
    expect(problem).toContain(
      `albyhub: its volume albyhub-data is ${NAS}:/mnt/homelab-general/albyhub-data, and job try in`,
    );
  });

  test("must not write the same volume, as a job that was renamed in the code does", async () => {
    stranger("bitcoin/hub-before", { Config: {} }, { Volumes: request("albyhub-data") });
    const { refusals } = await ask();
    expect(refusals).toEqual([
      {
        reason: "stranger",
        job: "albyhub",
        problem:
          "albyhub: job hub-before in namespace bitcoin, which this code does not know, writes the same volume albyhub-data",
        remedy:
          "stop that first (nomad job stop -namespace bitcoin hub-before), or give one of the two a folder of its own",
      },
    ]);
  });

  test("may read it, and write where several may", async () => {
    stranger("bitcoin/reader", { Config: {} }, { Volumes: request("albyhub-data", { ReadOnly: true }) });
    const shared = request("albyhub-data", { AccessMode: "multi-node-multi-writer" });
    stranger("bitcoin/shared", { Config: {} }, { Volumes: shared });
    expect(await problems()).toEqual([]);
  });

  test("is compared with the folder that Nomad knows of, where the code only refers to a volume", async () => {
    const { source: _, ...untold } = volume;
    const referring = { ...homelab, volumes: [{ ...untold, managed: false }] } as Homelab;
    world.folders.set("lab/second", { server: NAS, share: "/mnt/homelab-general/albyhub-data" });
    stranger("lab/try", { Config: {} }, { Volumes: request("second") });
    expect(await problems(referring)).toEqual([expect.stringContaining("writes that folder too")]);
    world.folders.delete("bitcoin/albyhub-data");
    world.folders.set("lab/second", { server: NAS, share: "/elsewhere/albyhub-data" });
    expect(await problems(referring)).toEqual([expect.stringContaining("may write that folder too")]);
  });

  const nfs = (device: string, address = NAS) => ({
    Config: {
      mounts: [
        {
          type: "volume",
          volume_options: [{ driver_config: [{ options: [{ type: "nfs", o: `addr=${address},rw`, device }] }] }],
        },
      ],
    },
  });
  test.each([
    ["mounts it by Docker's own means", nfs(":/mnt/homelab-general/albyhub-data")],
    ["mounts what it lies in", nfs(":/mnt/homelab-general")],
    ["binds it from its machine", { Config: { volumes: ["/mnt/homelab-general/albyhub-data:/data"] } }],
  ])("must not be one that %s", async (_, config) => {
    stranger("default/old", config);
    expect(await problems()).toEqual([
      expect.stringContaining("job old in namespace default names that folder in its task"),
    ]);
  });

  test.each([
    ["another folder that begins alike", nfs(":/mnt/homelab-general/albyhub-data-2")],
    ["the same folder of another server", nfs(":/mnt/homelab-general/albyhub-data", "192.168.68.51")],
  ])("may mount %s", async (_, config) => {
    stranger("default/old", config);
    expect(await problems()).toEqual([]);
  });

  test.each([
    [
      "in its environment",
      { Env: { DATABASE_URI: `postgresql://nwc:secret@${NAS}:5432/nwc?sslmode=disable` } },
      "is that of",
    ],
    ["without a port", { Env: { DATABASE_URI: `postgres://nwc@${NAS}/nwc` } }, "is that of"],
    ["through a pooler", { Env: { DATABASE_URI: `postgres://nwc@${NAS}:6432/nwc` } }, "may be that of"],
    ["by the server's name", { Env: { DATABASE_URI: "postgres://nwc@nas.local:5432/nwc" } }, "may be that of"],
    ["in libpq's words", { Env: { DATABASE_URI: `host=${NAS} dbname=nwc user=nwc` } }, "is that of"],
    [
      "in a template",
      { Templates: [{ EmbeddedTmpl: `export DATABASE_URI=postgres://nwc:{{ .p }}@${NAS}:5432/nwc` }] },
      "is that of",
    ],
    ["as another stack of this project", { Templates: [{ EmbeddedTmpl: `DATABASE='${NAS}:5432/nwc'` }] }, "is that of"],
  ])("must not be a hub on the same database %s", async (_, more, words) => {
    stranger("lab/second-hub", { Config: { image: "mirror.lan/getalby/hub:v1.24.0" }, ...more });
    const [problem = ""] = await problems();
    expect(problem).toContain(words);
    expect(problem).toContain("job second-hub in namespace lab: two hubs with one seed can lose their channels");
    expect(problem).not.toContain("secret");
  });

  test("may be a hub on another database, and no hub on that one; one that cannot be told is noted", async () => {
    const image = "ghcr.io/getalby/hub:v1.24.0";
    stranger("lab/hub", { Config: { image }, Env: { DATABASE_URI: `postgres://${NAS}:5432/other` } });
    stranger("lab/exporter", { Config: { image: "exporter:1" }, Env: { DSN: `postgres://e@${NAS}:5432/nwc` } });
    expect(await ask()).toEqual({ refusals: [], notes: [] });
    stranger("lab/vague", { Config: { image }, Templates: [{ EmbeddedTmpl: "DATABASE_URI={{ .uri }}" }] });
    expect(await ask()).toEqual({
      refusals: [],
      notes: [
        expect.stringContaining("job vague in namespace lab runs an Alby Hub whose database its job does not tell"),
      ],
    });
  });

  test("must not register the same service in the same namespace", async () => {
    const Services = [{ Name: "albyhub", Provider: "nomad" }];
    stranger("bitcoin/ghost", { Config: {} }, { Services });
    stranger("lab/ghost", { Config: {} }, { Services });
    stranger("bitcoin/consul", { Config: {} }, { Services: [{ Name: "albyhub", Provider: "consul" }] });
    stranger("bitcoin/ghost-task", { Config: {}, Services });
    expect(await problems()).toEqual([
      expect.stringContaining("job ghost in namespace bitcoin registers the service albyhub too"),
      expect.stringContaining("job ghost-task in namespace bitcoin registers the service albyhub too"),
    ]);
  });

  const gone = { Volumes: request("albyhub-data") };
  test.each([{ Stop: true }, { Status: "dead" }])("is forgiven when it was stopped: %p", async (end) => {
    world.strangers.set("bitcoin/hub-before", { ...end, TaskGroups: [gone] });
    world.place("hub-before", "a", { ClientStatus: "complete" });
    world.place("hub-before", "b", { ClientStatus: "lost" });
    world.place("hub-before", "a", { Namespace: "lab", ClientStatus: "failed" });
    expect(await ask()).toEqual({ refusals: [], notes: [] });
  });

  test.each([
    ["takes its time to stop", "running", "ready", "on a), which", "wait until it has ended, or"],
    ["is unknown", "unknown", "disconnected", "on a, which is disconnected), which", "wait until a is back; if it"],
    ["is lost on a machine that is down", "lost", "down", "on a, which is down), which", "run homelab node-lost a, or"],
    ["is lost on a machine that was purged", "lost", undefined, "which is gone from", "nomad system gc"],
  ] as const)("is not forgiven that it was stopped while it %s", async (_, ClientStatus, status, words, remedy) => {
    for (const [name, end] of [
      ["hub-before", { Stop: true }],
      ["hub-dead", { Status: "dead" }],
    ] as const) {
      world.strangers.set(`bitcoin/${name}`, { ...end, TaskGroups: [gone] });
      const { ID } = world.place(name, "a", { ClientStatus, DesiredStatus: "stop" });
      world.machine("a", status);
      const { refusals } = await ask();
      expect(refusals).toEqual([
        expect.objectContaining({
          problem: expect.stringContaining(
            `job ${name} in namespace bitcoin (it has ended, but allocation ${ID.slice(0, 8)} may still run `,
          ),
          remedy: expect.stringContaining(remedy),
        }),
      ]);
      expect(refusals[0]?.problem).toContain(words);
      world.strangers.clear();
      world.allocations = [];
    }
  });

  test("is not forgiven that it was stopped while a run of it goes on", async () => {
    world.strangers.set("bitcoin/nightly", { Stop: true, TaskGroups: [gone] });
    world.strangers.set("bitcoin/nightly/periodic-1", { ParentID: "nightly", TaskGroups: [gone] });
    world.place("nightly/periodic-1", "a");
    expect(await problems()).toEqual([expect.stringContaining("job nightly in namespace bitcoin (it has ended, but")]);
    world.alter("nightly/periodic-1", { ClientStatus: "complete" });
    expect(await problems()).toEqual([]);
  });

  test("whose job was purged is told of while it runs, and no longer", async () => {
    world.place("albyhub", "a");
    const { ID } = world.place("hub-before", "a");
    expect(await ask()).toEqual({
      refusals: [],
      notes: [
        `job hub-before in namespace bitcoin was purged, but allocation ${ID.slice(0, 8)} may still run on a, and what that writes was not compared: wait until it has ended`,
      ],
    });
    world.alter("hub-before", { ClientStatus: "complete" });
    expect((await ask()).notes).toEqual([]);
  });

  test("that the token cannot see is told of", async () => {
    world.seesAll = false;
    expect((await ask()).notes).toEqual([expect.stringContaining("the token may not see every namespace")]);
  });
});
