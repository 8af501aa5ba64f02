import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FIXTURE_INVENTORY, FIXTURE_MAIN, runMain } from "./fixture-project";
import { typeErrors } from "./type-errors";

const { sentenceOf } = require("../bin/synth.js");

const INVENTORY = readFileSync(FIXTURE_INVENTORY, "utf8");
const SYNTH = "app.synth();";
const BITCOIN = 'image: "bitcoin/bitcoin:31.1",';
const WITH_MEMORY: [string, string] = ["import { AlbyHub,", "import { Memory, AlbyHub,"];
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
    name: "kill timeout above the client's",
    main: [onJob("bitcoin", "group.Tasks[0]!.KillTimeout = 1_200_000_000_000 as never;")],
    told: ["homelab/bitcoin", "KillTimeout", "20m", "15m", "stop-chain"],
  },
  {
    name: "memory above what fits with one client drained",
    main: [
      [BITCOIN, `${BITCOIN}\n  memory: Memory.mebibytes(7200),\n  memoryMax: Memory.mebibytes(7300),`],
      WITH_MEMORY,
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

/** Mistakes that are reported before any rule runs, with all that is printed. */
const SENTENCES: readonly (Omit<Mistake, "told"> & { readonly sentence: string })[] = [
  {
    name: "a misspelt variable",
    inventory: ["nomad_drain_deadline: 15m", "nomad_drain_deadlin: 15m"],
    sentence:
      'ansible/inventory.yml:20:5: unknown variable "nomad_drain_deadlin", very near to "nomad_drain_deadline": ' +
      "correct it, or choose a name less alike",
  },
  {
    name: "a missing variable",
    inventory: ["    nas_address: 192.168.68.50\n", ""],
    sentence: "ansible/inventory.yml:5:1: nas_address is not set: add it, such as nas_address: 192.168.68.50",
  },
  {
    name: "a bad CIDR",
    inventory: ["192.168.68.0/24", "192.168.68.0/33"],
    sentence:
      "ansible/inventory.yml:24:15: lan_cidr: the prefix of 192.168.68.0/33 is out of range: " +
      "write 8 to 30 bits, such as 192.168.68.0/24",
  },
  {
    name: "a host in two groups",
    inventory: ["        pinode4:", "        pinode2:"],
    sentence: 'ansible/inventory.yml:68:9: host "pinode2" is already in nomad_servers (line 42): keep it in one group',
  },
  {
    name: "invalid YAML",
    inventory: ["nomad_region: global", "nomad_region: [global"],
    sentence:
      "ansible/inventory.yml:12:5: not valid YAML (Flow sequence in block collection must be sufficiently indented and " +
      "end with a ]): fix this first; the rest is checked afterwards",
  },
  {
    name: "no folder for snapshots, and a backup of it",
    inventory: [/ +nas_snapshot_export: .*\n/, ""],
    sentence:
      "homelab/nomad-snapshots: share = undefined, which a variable is that the inventory lacks: set it there, or leave " +
      "out this volume and the prop that takes it",
  },
  {
    name: "an amount of memory that is no whole number of MiB",
    main: [[BITCOIN, `${BITCOIN}\n  memory: Memory.gibibytes(1.3),`], WITH_MEMORY],
    sentence:
      "memory must be a whole number of MiB, zero or more, received 1331.2 MiB: write it in MiB, such as Memory.mebibytes(1536)",
  },
  {
    name: "an id twice",
    main: [['new Electrs(homelab, "electrs"', 'new Electrs(homelab, "bitcoin"']],
    sentence: "There is already a Construct with name 'bitcoin' in HomelabStack [homelab]: give one of them another id",
  },
  {
    name: "metaVersion 0",
    main: [[/metaVersion: 1,\n {2}bitcoin,/, "metaVersion: 0,\n  bitcoin,"]],
    sentence:
      "homelab/electrs: metaVersion = 0 must be a positive whole number; " +
      "start with 1, and raise it by one to restart the service",
  },
  {
    name: "an invalid job id",
    main: [[BITCOIN, `${BITCOIN}\n  jobId: "Bitcoin Core",`]],
    sentence:
      'homelab/bitcoin: jobId = "Bitcoin Core" must be lower-case letters, digits and dashes, a letter first, 51 at most',
  },
  {
    name: "a volume that holds something else",
    main: [['volumeId: "bitcoin-data", holds: "chain"', 'volumeId: "bitcoin-data", holds: "index"']],
    sentence:
      'homelab/bitcoin: data = volume "bitcoin-data" holds "index", and this service needs one that holds "chain": ' +
      "pass that volume, or correct `holds`",
  },
  {
    name: "txindex with prune",
    main: [[BITCOIN, `${BITCOIN}\n  txindex: true,\n  prune: Memory.mebibytes(2000),`], WITH_MEMORY],
    sentence:
      "homelab/bitcoin: txindex = true with prune = 2000 MiB: the index needs every block; leave one of them out",
  },
  {
    name: "electrs on a pruned node",
    main: [[BITCOIN, `${BITCOIN}\n  prune: Memory.mebibytes(2000),`], WITH_MEMORY],
    sentence:
      "homelab/electrs: bitcoin = homelab/bitcoin is pruned, and electrs needs every block; take `prune` from it",
  },
  {
    name: "a Terraform reference in a job, found only while CDKTF writes",
    main: [[BITCOIN, `${BITCOIN}\n  extraConfig: { uacomment: homelab.scheduler.id },`]],
    sentence:
      'job.TaskGroups.0.Tasks.0.Templates.0.EmbeddedTmpl of job "bitcoin" is a Terraform reference (a CDKTF token): ' +
      "a job takes plain values only, so that the plan stays readable; " +
      "write the plain name and order the resources with dependsOn",
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

  /** What synth prints for the edited files. */
  const told = ({ main = [], inventory }: Omit<Mistake, "told">): string => {
    const file = join(directory, "inventory.yml");
    writeFileSync(file, inventory ? edit(INVENTORY, inventory) : INVENTORY);
    try {
      runMain(main.reduce(edit, FIXTURE_MAIN), file);
      return "";
    } catch (error) {
      return sentenceOf(error).replaceAll(file, "ansible/inventory.yml");
    }
  };

  test.each(MISTAKES)("$name is refused at synth", ({ told: parts, ...mistake }) => {
    const text = told(mistake);
    for (const part of parts) expect(text).toMatch(part);
  });

  test.each(SENTENCES)("$name prints one sentence and nothing else", ({ sentence, ...mistake }) => {
    expect(told(mistake)).toBe(sentence);
  });

  test("an unpinned image is refused at the type check", () => {
    expect(typeErrors(edit(FIXTURE_MAIN, [BITCOIN, 'image: "bitcoin/bitcoin",']))).toMatch(
      /main\.ts\(\d+,\d+\): error TS2322: Type '"bitcoin\/bitcoin"' is not assignable to type '`\$\{string\}:\$\{string\}`'/,
    );
  });
});
