import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FIXTURE_INVENTORY, FIXTURE_MAIN, runMain } from "./fixture-project";
import { typeErrors } from "./type-errors";

const INVENTORY = readFileSync(FIXTURE_INVENTORY, "utf8");
const SYNTH = "app.synth();";
const BITCOIN = 'image: "bitcoin/bitcoin:31.1",';
const ELECTRS = /image: "getumbrel\/electrs:v0.11.1.*",/;

/** A mistake: a line of main.ts or of the inventory, what it becomes, and what the owner is told. */
interface Mistake {
  readonly name: string;
  readonly main?: readonly [from: string | RegExp, to: string][];
  readonly inventory?: readonly [from: string | RegExp, to: string];
  readonly told: readonly (string | RegExp)[];
}

/** Something done to the typed job, where no prop can do it. */
const onJob = (construct: string, change: string): [string, string] => [
  SYNTH,
  `const group = ${construct}.job.TaskGroups[0]!;\n${change}\n${SYNTH}`,
];

const MISTAKES: readonly Mistake[] = [
  {
    name: "latest",
    main: [[BITCOIN, 'image: "bitcoin/bitcoin:latest",']],
    told: ["homelab/bitcoin", "bitcoin/bitcoin:latest", "pinned-image"],
  },
  {
    name: "Core 30.0",
    main: [[BITCOIN, 'image: "bitcoin/bitcoin:30.0",']],
    told: ["bitcoin/bitcoin:30.0", "30.2", "image-versions"],
  },
  {
    name: "an alpine tag",
    main: [[BITCOIN, 'image: "bitcoin/bitcoin:31.1-alpine",']],
    told: ["31.1-alpine", "amd64", "image-versions"],
  },
  {
    name: "metaVersion 0",
    main: [[/metaVersion: 1,\n {2}bitcoin,/, "metaVersion: 0,\n  bitcoin,"]],
    told: ["homelab/electrs: metaVersion = 0 must be a positive whole number", "raise it by one"],
  },
  {
    name: "kill timeout above the client's",
    main: [onJob("bitcoin", "group.Tasks[0]!.KillTimeout = 1_200_000_000_000 as never;")],
    told: ["homelab/bitcoin", "KillTimeout", "20m", "15m", "stop-chain"],
  },
  {
    name: "memory above what fits with one client drained",
    main: [
      [BITCOIN, `${BITCOIN}\n  memory: Memory.mebibytes(7200),\n  memoryMax: Memory.mebibytes(7300),`],
      ['import { App } from "cdktf";', 'import { App } from "cdktf";\nimport { Memory } from "./nomad/memory";'],
    ],
    told: ["drained", "placement"],
  },
  {
    name: "two writers on one volume",
    main: [
      [
        /data: new CsiVolume\(homelab, "electrs-data".*/,
        'data: CsiVolume.fromVolumeId(homelab, "electrs-data", { volumeId: "bitcoin-data", holds: "index" }),',
      ],
    ],
    told: ["bitcoin-data", "single-writer"],
  },
  {
    name: "funds volume without fence",
    main: [onJob("albyHub", "delete group.Disconnect;")],
    told: ["homelab/albyhub", "Disconnect", "albyhub-data"],
  },
  {
    name: "count 2 on a single-writer group",
    main: [onJob("electrs", "group.Count = 2;")],
    told: ["homelab/electrs", "Count", "2", "single-writer"],
  },
  {
    name: "a static port twice",
    main: [[ELECTRS, 'image: "getumbrel/electrs:v0.11.1",\n  port: 8332,']],
    told: ["8332", "static-port", "homelab/bitcoin"],
  },
  {
    name: "the soft mount flag",
    main: [['volumeId: "bitcoin-data",', 'volumeId: "bitcoin-data", mountFlags: ["nfsvers=4.1", "soft"],']],
    told: ["homelab/bitcoin-data", "soft", "mount-flags"],
  },
  {
    name: "host network in a service",
    main: [onJob("electrs", 'group.Networks![0]!.Mode = "host";')],
    told: ["homelab/electrs", "host", "bridge-networking"],
  },
  {
    name: "txindex with prune",
    main: [
      [BITCOIN, `${BITCOIN}\n  txindex: true,\n  prune: Memory.mebibytes(2000),`],
      ['import { App } from "cdktf";', 'import { App } from "cdktf";\nimport { Memory } from "./nomad/memory";'],
    ],
    told: ["homelab/bitcoin: txindex = true with prune", "leave one of them out"],
  },
  {
    name: "electrs on a pruned node",
    main: [
      [BITCOIN, `${BITCOIN}\n  prune: Memory.mebibytes(2000),`],
      ['import { App } from "cdktf";', 'import { App } from "cdktf";\nimport { Memory } from "./nomad/memory";'],
    ],
    told: ["homelab/electrs: bitcoin = homelab/bitcoin is pruned", "take `prune` from it"],
  },
  {
    name: "electrs 0.12 with Core 30",
    main: [
      [BITCOIN, 'image: "bitcoin/bitcoin:30.2",'],
      [ELECTRS, 'image: "getumbrel/electrs:v0.12.0",'],
    ],
    told: ["electrs", "0.12", "31", "image-versions"],
  },
  {
    name: "electrs 0.12 of a registry of one's own with Core 30",
    main: [
      [BITCOIN, 'image: "registry.lan:5000/bitcoind:30.2",'],
      [ELECTRS, 'image: "registry.lan:5000/electrs:v0.12.0",'],
    ],
    told: ["registry.lan:5000/electrs:v0.12.0", "Bitcoin Core 31", "homelab/bitcoin runs 30.2", "image-versions"],
  },
  {
    name: "Core 30.0 of another publisher",
    main: [[BITCOIN, 'image: "getumbrel/bitcoind:v30.0",']],
    told: ["getumbrel/bitcoind:v30.0", "30.2", "image-versions"],
  },
  {
    name: "electrs 0.12 past its prop",
    main: [onJob("electrs", 'group.Tasks[0]!.Config.image = "getumbrel/electrs:v0.12.0";')],
    told: ["daemon_p2p_addr", "homelab/bitcoin is configured without rest=1", "image-versions"],
  },
  {
    name: "a secret in extraConfig",
    main: [[BITCOIN, `${BITCOIN}\n  extraConfig: { torpassword: "hunter2" },`]],
    told: ['homelab/bitcoin: extraConfig: "torpassword" looks like a secret'],
  },
  {
    name: "an owned key in extraConfig",
    main: [[BITCOIN, `${BITCOIN}\n  extraConfig: { dbcache: 4000 },`]],
    told: ['homelab/bitcoin: extraConfig: "dbcache" is set by the prop `dbcache`'],
  },
  {
    name: "an unknown volume",
    main: [onJob("electrs", 'group.Volumes!.data!.Source = "electrs-dta";')],
    told: ["homelab/electrs", "electrs-dta", "volume-exists"],
  },
  {
    name: "a bad CIDR",
    inventory: [/192\.168\.68\.0\/\d+/, "192.168.68.0/33"],
    told: [/inventory\.yml:\d+:\d+: .*192\.168\.68\.0\/33/],
  },
  {
    name: "a duration without unit",
    inventory: [/nomad_drain_deadline: 15m/, "nomad_drain_deadline: 15"],
    told: [/inventory\.yml:\d+:\d+: .*15/, "unit"],
  },
  {
    name: "a template asking for a service nobody provides",
    main: [
      onJob(
        "electrs",
        'group.Tasks[0]!.Templates![0]!.EmbeddedTmpl += `{{ range nomadService "bitcoin-zmq" }}{{ end }}`;',
      ),
    ],
    told: ["homelab/electrs", "bitcoin-zmq", "service-provided"],
  },
];

describe("a mistake in one line of main.ts or of the inventory", () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "mistakes-"));
    process.env.CDKTF_OUTDIR = join(directory, "cdktf.out");
    mkdirSync(process.env.CDKTF_OUTDIR);
  });
  afterAll(() => {
    delete process.env.CDKTF_OUTDIR;
    rmSync(directory, { recursive: true });
  });

  const edit = (text: string, [from, to]: readonly [string | RegExp, string]) => {
    const edited = text.replace(from, () => to);
    if (edited === text) throw new Error(`the line to be changed is not there: ${from}`);
    return edited;
  };

  test("the program itself passes", () => {
    expect(() => runMain()).not.toThrow();
  });

  test.each(MISTAKES)("$name is refused at synth", ({ main = [], inventory, told }) => {
    const file = join(directory, "inventory.yml");
    writeFileSync(file, inventory ? edit(INVENTORY, inventory) : INVENTORY);
    let message = "";
    try {
      runMain(main.reduce(edit, FIXTURE_MAIN), file);
    } catch (error) {
      message = (error as Error).message;
    }
    for (const part of told) expect(message).toMatch(part);
  });

  test("an unpinned image is refused at the type check", () => {
    expect(typeErrors(edit(FIXTURE_MAIN, [BITCOIN, 'image: "bitcoin/bitcoin",']))).toMatch(
      /main\.ts\(\d+,\d+\): error TS2322: Type '"bitcoin\/bitcoin"' is not assignable to type '`\$\{string\}:\$\{string\}`'/,
    );
  });
});
