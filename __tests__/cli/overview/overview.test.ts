import { mermaid } from "../../../cli/overview/mermaid";
import { overviewOf } from "../../../cli/overview/model";
import { overviewText } from "../../../cli/overview/text";
import { readSynthesized } from "../../../cli/shared/synthesized";
import { printable, styleFor } from "../../../cli/shared/text";
import type { Homelab, HomelabOutput, SecretRecord, VolumeRecord } from "../../../model/homelab";
import type { Finding } from "../../../rules/rule";
import { job, stackFile, synthesized, task } from "../project";

/** One rule in place of all: what they find is theirs to test. */
jest.mock("../../../rules", () => {
  const check = ({ jobs }: Homelab): Finding[] =>
    jobs.flatMap(({ path, job }) => {
      const image = job.TaskGroups[0]?.Tasks[0]?.Config.image ?? "";
      if (image.includes("@")) return [];
      const finding = { path, place: "image", value: image, problem: "has no digest", remedy: "add one" };
      return [{ ...finding, severity: image.includes(":") ? "warning" : "violation" }];
    });
  return { RULES: [{ name: "pinned-image", statement: "an image has a digest", check }] };
});

const DIGEST = "@sha256:f1d5d4e431d39e0aaa0697014d2852880183e350ffcad612edb87183f0c11b25";

const probe = {
  ...task("probe", "busybox:1.37.0-musl", [20, 16, 32]),
  Lifecycle: { Hook: "prestart", Sidecar: true },
} as const;
const busybox = {
  ...task("busybox", "busybox:1.37.0-musl", [20, 16, 32]),
  Lifecycle: { Hook: "prestart", Sidecar: false },
} as const;

const request = (source: string, readOnly = false) =>
  ({ data: { Name: "data", Type: "csi", Source: source, ReadOnly: readOnly } }) as const;

const JOBS = [
  job("electrs", [busybox, task("electrs", `getumbrel/electrs:v0.11.1${DIGEST}`, [1000, 1280, 2048], 120), probe], {
    Networks: [
      { ReservedPorts: [{ Label: "electrum", Value: 50001, To: 50001 }], DynamicPorts: [{ Label: "probe", To: 8081 }] },
    ],
    Volumes: request("electrs-data"),
  }),
  job("bitcoin", [task("bitcoind", `bitcoin/bitcoin:31.1${DIGEST}`, [2500, 4096, 6144], 900)], {
    Networks: [
      {
        ReservedPorts: [
          { Label: "rpc", Value: 8332, To: 8332 },
          { Label: "p2p", Value: 8333, To: 8333 },
        ],
        DynamicPorts: [{ Label: "indexer", To: 8335 }],
      },
    ],
    Volumes: request("bitcoin-data"),
  }),
  job("backup", [task("rsync", "backup:1.0", [100, 64])], { Count: 2, Volumes: request("bitcoin-data", true) }),
  {
    ...job("csi-nfs-node", [
      {
        ...task("plugin", "registry.k8s.io/sig-storage/nfsplugin:v4.13.4", [100, 128, 300], 30),
        CSIPluginConfig: { ID: "nfs", Type: "node", MountDir: "/csi" },
      },
    ]),
    Namespace: "default",
    Type: "system",
  },
] as const;

const volume = (id: string, holds: VolumeRecord["holds"], managed = true): VolumeRecord => ({
  path: `homelab/${id}`,
  namespace: "bitcoin",
  id,
  holds,
  accessMode: "multi-node-single-writer",
  attachmentMode: "file-system",
  mountFlags: [],
  retained: true,
  managed,
});

const secret = (
  service: string,
  task: string,
  rest: Omit<SecretRecord, "namespace" | "path" | "readBy">,
): SecretRecord => ({
  namespace: "bitcoin",
  path: `nomad/jobs/${service}/${service}/${task}`,
  readBy: `${service}/${service}/${task}`,
  ...rest,
});

const OUTPUT: Partial<HomelabOutput> = {
  volumes: [volume("bitcoin-data", "chain"), volume("electrs-data", "index", false)],
  secrets: [
    secret("bitcoin", "bitcoind", {
      key: "rpcauth_electrs",
      source: "rpc-hash",
      rpcUser: "electrs",
      description: "hash of electrs's password",
    }),
    secret("electrs", "electrs", {
      key: "bitcoin_rpc_password",
      source: "rpc-password",
      rpcUser: "electrs",
      description: "password of the RPC user electrs",
    }),
    secret("electrs", "electrs", { key: "seed", source: "random", description: "anything" }),
    secret("bitcoin", "bitcoind", { key: "pin", source: "owner", description: "of the door" }),
  ],
  dependencies: [{ from: "electrs", on: "bitcoin" }],
  notices: [{ path: "homelab/bitcoin", text: "the first sync takes days" }],
  acknowledgements: [
    { path: "homelab/backup", rule: "pinned-image", reason: "built here" },
    { path: "homelab/gone", rule: "pinned-image", reason: "was needed once" },
  ],
};

const REGISTRATION = {
  nomad_csi_volume_registration: {
    "bitcoin-data": {
      volume_id: "bitcoin-data",
      plugin_id: "nfs",
      namespace: "bitcoin",
      context: { server: "192.168.68.50", share: "/mnt/bitcoin-data" },
    },
  },
};

const overviews = (...args: Parameters<typeof stackFile>) =>
  readSynthesized(synthesized({ homelab: stackFile(...args) }), {}).map(overviewOf);
const sample = () => overviews(JOBS, OUTPUT, REGISTRATION);
const text = (...args: Parameters<typeof stackFile>) =>
  overviews(...args)
    .map((overview) => overviewText(overview, styleFor(false)))
    .join("\n");

/** The lines of one section, without its title. */
const section = (whole: string, title: string) =>
  whole
    .trimEnd()
    .split("\n\n")
    .find((block) => block.startsWith(title))
    ?.split("\n")
    .slice(1);

describe("the overview", () => {
  const whole = text(JOBS, OUTPUT, REGISTRATION);

  test("reads like this", () => {
    expect(whole).toMatchInlineSnapshot(`
      "homelab at http://pinode2.local:4646, datacenter homelab

      Services (MHz and MiB reserved, MiB at most, time to stop)
        SERVICE              VER  IMAGE, VOLUMES                       HOST PORTS        MHz   MiB   MAX  STOP  NEEDS
        bitcoin                1  bitcoin/bitcoin:31.1                 8332 rpc         2500  4096  6144   15m
          namespace bitcoin         @sha256:f1d5d4e431d3               8333 p2p
                                  bitcoin-data rw, chain               dynamic indexer
        backup                 1  backup:1.0                                             100    64    64    5s
          2 instances             bitcoin-data ro, chain
          namespace bitcoin
        electrs                1  getumbrel/electrs:v0.11.1            50001 electrum   1000  1280  2048    2m  bitcoin
          + probe                   @sha256:f1d5d4e431d3               dynamic probe     +20   +16   +32    5s
          namespace bitcoin       electrs-data rw, index, not managed
        csi-nfs-node           1  registry.k8s.io/sig-storage/                           100   128   300   30s
          on each client            nfsplugin:v4.13.4
          namespace default       CSI plugin nfs

      Secrets: 4 keys in 2 Nomad variables
        nomad/jobs/bitcoin/bitcoin/bitcoind in namespace bitcoin, read by bitcoin/bitcoin/bitcoind
          rpcauth_electrs       made together with electrs's password  hash of electrs's password
          pin                   only you know it                       of the door
        nomad/jobs/electrs/electrs/electrs in namespace bitcoin, read by electrs/electrs/electrs
          bitcoin_rpc_password  random, made together with its hash    password of the RPC user electrs
          seed                  random                                 anything

      Placement: everything fits, with any one client drained too (one way; Nomad spreads as it likes)
        all up
          pinode1  5648 of 7424 MiB  3820 of 7200 MHz  csi-nfs-node, bitcoin, electrs, backup[0], backup[1]
          pinode3   128 of 7424 MiB   100 of 7200 MHz  csi-nfs-node
          pinode4   128 of 7424 MiB   100 of 7200 MHz  csi-nfs-node
        pinode1 drained (the same holds for pinode3, pinode4)
          pinode3  5648 of 7424 MiB  3820 of 7200 MHz  csi-nfs-node, bitcoin, electrs, backup[0], backup[1]
          pinode4   128 of 7424 MiB   100 of 7200 MHz  csi-nfs-node

      Notices
        homelab/bitcoin: the first sync takes days

      Warnings
        pinned-image: has no digest
          homelab/electrs: image = busybox:1.37.0-musl
          homelab/csi-nfs-node: image = registry.k8s.io/sig-storage/nfsplugin:v4.13.4
          remedy: add one

      Acknowledged
        homelab/backup: pinned-image: built here (1 finding)
        homelab/gone: pinned-image: was needed once (no finding any more: take it out)
      "
    `);
    expect(whole).toMatch(/^homelab at http:\/\/pinode2\.local:4646, datacenter homelab\n/);
    for (const line of whole.split("\n")) expect(line.length).toBeLessThanOrEqual(120);
  });

  test("lists what is needed before what needs it, and CSI plugins last", () => {
    expect(sample()[0]?.services.map((service) => service.job)).toEqual([
      "bitcoin",
      "backup",
      "electrs",
      "csi-nfs-node",
    ]);
  });

  test("shortens a digest to twelve characters", () => {
    expect(whole).toContain("@sha256:f1d5d4e431d3 ");
    expect(whole).not.toContain(DIGEST);
  });

  test("shows what a sidecar adds, and leaves out tasks that end by themselves", () => {
    const rows = section(whole, "Services") ?? [];
    expect(rows.find((row) => row.includes("+ probe"))).toMatch(/\+20 +\+16 +\+32 +5s/);
    expect(rows.join()).not.toContain("busybox");
  });

  test("counts whole cores as such, and knows tasks without a ceiling and groups beside others", () => {
    const cores = { ...task("a", "a:1.0", []), Resources: { Cores: 2, MemoryMB: 64, MemoryMaxMB: -1 } };
    const two = job("two", [cores]);
    const TaskGroups = ["a", "b"].flatMap((Name) => two.TaskGroups.map((group) => ({ ...group, Name })));
    const rows = text([{ ...two, TaskGroups }], {});
    expect(rows).toMatch(/two\/a +1 +a:1\.0 +2 cores +64 +none +5s/);
    expect(rows).toContain("two/b");
  });

  test("tells a reader of a volume from its writer, and a volume that is only used", () => {
    expect(whole).toContain("bitcoin-data rw, chain");
    expect(whole).toContain("bitcoin-data ro, chain");
    expect(whole).toContain("electrs-data rw, index, not managed");
  });

  test("says of every secret who reads it and where it comes from", () => {
    expect(section(whole, "Secrets")?.map((line) => line.trimEnd())).toEqual([
      "  nomad/jobs/bitcoin/bitcoin/bitcoind in namespace bitcoin, read by bitcoin/bitcoin/bitcoind",
      "    rpcauth_electrs       made together with electrs's password  hash of electrs's password",
      "    pin                   only you know it                       of the door",
      "  nomad/jobs/electrs/electrs/electrs in namespace bitcoin, read by electrs/electrs/electrs",
      "    bitcoin_rpc_password  random, made together with its hash    password of the RPC user electrs",
      "    seed                  random                                 anything",
    ]);
  });

  test("says of an RPC user outside of the homelab how its password is seen", () => {
    const laptop = secret("bitcoin", "bitcoind", {
      key: "rpcauth_laptop",
      source: "rpc-hash",
      rpcUser: "laptop",
      description: "hash of laptop's password",
    });
    const rows = section(text(JOBS, { ...OUTPUT, secrets: [...(OUTPUT.secrets ?? []), laptop] }), "Secrets") ?? [];
    const rowOf = (key: string) => rows.find((row) => row.includes(key));
    expect(rowOf("rpcauth_laptop")).toContain("made by secrets init --show, which shows laptop's password");
    expect(rowOf("rpcauth_electrs")).toContain("made together with electrs's password");
  });

  test("says where everything fits, and what fails to", () => {
    const rows = section(whole, "Placement: everything fits") ?? [];
    expect(rows[0]).toBe("  all up");
    expect(rows.some((row) => row.startsWith("  pinode1 drained (the same holds for pinode3, pinode4)"))).toBe(true);
    expect(rows.join("\n")).toMatch(/pinode1 +\d+ of 7424 MiB +\d+ of 7200 MHz +csi-nfs-node, bitcoin/);

    const big = job("big", [task("big", "big:1.0", [100, 9000])]);
    expect(text([big], {})).toMatch(/Placement: not everything fits\n {2}all up: does not fit: big \(9000 MiB\)/);
  });

  test("shows open findings, each cause once, violations first", () => {
    expect(section(whole, "Warnings")).toEqual([
      "  pinned-image: has no digest",
      "    homelab/electrs: image = busybox:1.37.0-musl",
      "    homelab/csi-nfs-node: image = registry.k8s.io/sig-storage/nfsplugin:v4.13.4",
      "    remedy: add one",
    ]);
    expect(whole).not.toContain("Violations");
    const loose = text([job("loose", [task("loose", "loose", [100, 64])])], {});
    expect(loose).toMatch(
      /Violations\n {2}pinned-image: has no digest\n {4}homelab\/loose: image = loose\n {4}remedy: add one\n\nWarnings: none/,
    );
  });

  test("shows which acknowledgements answer nothing any more", () => {
    const acknowledged = section(whole, "Acknowledged");
    expect(acknowledged).toEqual([
      "  homelab/backup: pinned-image: built here (1 finding)",
      "  homelab/gone: pinned-image: was needed once (no finding any more: take it out)",
    ]);
  });

  test("reads well with nothing in it", () => {
    const empty = text([job("solo", [task("solo", `solo:1.0${DIGEST}`, [100, 64])])], {
      cluster: {
        datacenter: "dc1",
        clients: [],
        maxKillTimeout: "30s",
        drainDeadline: "1h",
        memoryOversubscription: false,
      },
    });
    expect(empty).toContain("Secrets: none\n\nPlacement: unknown, because no client is named\n\nNotices: none");
    expect(empty).toContain("Acknowledged: none");
  });

  test("of a project without the output claims nothing about its volumes", () => {
    const [foreign] = overviews(JOBS, undefined, REGISTRATION);
    const [bitcoin] = foreign?.services.filter((service) => service.job === "bitcoin") ?? [];
    expect(bitcoin?.volumes).toEqual([
      { id: "bitcoin-data", type: "csi", readOnly: false, pluginId: "nfs", server: "192.168.68.50" },
    ]);
  });

  test("has colours only when they are asked for", () => {
    const [overview] = sample();
    expect(printable(overview ? overviewText(overview, styleFor(true)) : "")).toContain(
      "\x1b[32meverything fits\x1b[39m",
    );
    expect(whole).not.toContain("\x1b");
  });
});

describe("the chart", () => {
  test("shows users, services, what they need, volumes and the NAS", () => {
    expect(mermaid(sample())).toMatchInlineSnapshot(`
      "flowchart TB
        user_anyone_on_the_LAN(["anyone on the LAN"])
        user_Bitcoin_peers(["Bitcoin peers"])
        user_wallets(["wallets"])
        subgraph nomad["Nomad, datacenter homelab"]
          job_bitcoin_bitcoin["bitcoin"]
          job_bitcoin_backup["backup"]
          job_bitcoin_electrs["electrs"]
          csi_nfs[["CSI plugin nfs<br>csi-nfs-node"]]
        end
        subgraph nas_192_168_68_50["NAS 192.168.68.50"]
          volume_bitcoin_bitcoin_data[("bitcoin-data<br>chain")]
        end
        volume_bitcoin_electrs_data[("electrs-data<br>index")]
        user_anyone_on_the_LAN -->|"8332 rpc"| job_bitcoin_bitcoin
        user_Bitcoin_peers -->|"8333 p2p"| job_bitcoin_bitcoin
        user_wallets -->|"50001 electrum"| job_bitcoin_electrs
        job_bitcoin_electrs -->|needs| job_bitcoin_bitcoin
        job_bitcoin_bitcoin -->|writes| volume_bitcoin_bitcoin_data
        job_bitcoin_backup -->|reads| volume_bitcoin_bitcoin_data
        job_bitcoin_electrs -->|writes| volume_bitcoin_electrs_data
        csi_nfs -.->|mounts| nas_192_168_68_50
      "
    `);
  });

  test("is the same for every image, version, size and order of jobs", () => {
    const other = JOBS.toReversed().map((one) => ({ ...one, Meta: { version: "2" } }));
    const lines = (chart: string) => chart.split("\n").sort();
    expect(lines(mermaid(overviews(other, OUTPUT, REGISTRATION)))).toEqual(lines(mermaid(sample())));
    expect(mermaid(sample())).toBe(mermaid(sample()));
    expect(mermaid(sample())).not.toContain("31.1");
  });

  test("draws a CSI plugin once, however many jobs it has", () => {
    const [, , , node] = JOBS;
    const controller = { ...node, ID: "csi-nfs-controller", Name: "csi-nfs-controller", Type: "service" } as const;
    const chart = mermaid(overviews([...JOBS, controller], OUTPUT, REGISTRATION));
    expect(chart.match(/\[\[/g)).toHaveLength(1);
    expect(chart).toContain('csi_nfs[["CSI plugin nfs<br>csi-nfs-node<br>csi-nfs-controller"]]');
  });

  test("of several stacks keeps them apart", () => {
    const [overview] = sample();
    const chart = overview ? mermaid([overview, { ...overview, stack: "second" }]) : "";
    expect(chart).toContain('subgraph s1_stack["homelab"]');
    expect(chart).toContain('subgraph s2_stack["second"]');
    expect(chart.match(/subgraph/g)?.length).toBe(chart.match(/^ *end$/gm)?.length);
  });
});

test("the machine form has these keys, and every figure", () => {
  const [overview] = JSON.parse(JSON.stringify(sample()));
  expect(Object.keys(overview)).toEqual([
    "stack",
    "nomadAddress",
    "cluster",
    "services",
    "secrets",
    "placement",
    "notices",
    "findings",
    "acknowledgements",
  ]);
  expect(overview.services[2]).toEqual({
    path: "homelab/electrs",
    job: "electrs",
    group: "electrs",
    namespace: "bitcoin",
    type: "service",
    count: 1,
    version: "1",
    tasks: [
      {
        name: "electrs",
        role: "main",
        image: `getumbrel/electrs:v0.11.1${DIGEST}`,
        cpu: 1000,
        memory: 1280,
        memoryMax: 2048,
        killTimeout: "2m",
      },
      {
        name: "busybox",
        role: "start",
        image: "busybox:1.37.0-musl",
        cpu: 20,
        memory: 16,
        memoryMax: 32,
        killTimeout: "5s",
      },
      {
        name: "probe",
        role: "sidecar",
        image: "busybox:1.37.0-musl",
        cpu: 20,
        memory: 16,
        memoryMax: 32,
        killTimeout: "5s",
      },
    ],
    ports: [
      { label: "electrum", host: 50001, to: 50001 },
      { label: "probe", to: 8081 },
    ],
    volumes: [{ id: "electrs-data", type: "csi", readOnly: false, holds: "index", managed: false }],
    dependsOn: ["bitcoin"],
  });
  expect(overview.placement[0]).toMatchObject({ drained: [], placement: { verdict: "fits" } });
  expect(overview.acknowledgements).toEqual([
    { path: "homelab/backup", rule: "pinned-image", reason: "built here", findings: 1 },
    { path: "homelab/gone", rule: "pinned-image", reason: "was needed once", findings: 0 },
  ]);
});
