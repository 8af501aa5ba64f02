import { compareVersions, type ImageReference, parseImage } from "../nomad/image";
import type { Program, TaskPlace } from "./homelab";

/** Image repositories, without registry, whose tags are versions of the program; for jobs that do not say what they run. */
const REPOSITORIES: Readonly<Record<Program, readonly string[]>> = {
  "Bitcoin Core": ["bitcoin/bitcoin", "btcpayserver/bitcoin", "lncm/bitcoind", "ruimarinho/bitcoin-core"],
  electrs: ["getumbrel/electrs", "romanz/electrs"],
  "Alby Hub": ["getalby/hub"],
};

interface Row {
  readonly program: Program;
  /** Why, in a sentence that goes on after the version. */
  readonly because: string;
  readonly source: string;
  /** When the source said so, or was read: `2026-11` or `2026-11-28`. */
  readonly date: string;
}

/** Versions that must never run. */
interface KnownBad extends Row {
  readonly version: readonly number[];
  /** What to use instead. */
  readonly use: string;
}

/** Tags of a repository that are not built for the arm64 of a Raspberry Pi. */
interface WrongArchitecture {
  readonly repository: string;
  readonly tag: RegExp;
  readonly only: string;
  readonly source: string;
  readonly date: string;
}

/** Versions that are given up: they go on, and what is found in them is not mended. */
interface Outdated extends Row {
  /** The first version that is not. */
  readonly below: readonly number[];
}

/** Versions that cannot read what a newer version of another program answers. */
interface TooOldFor extends Row {
  readonly below: readonly number[];
  readonly other: { readonly program: Program; readonly from: readonly number[] };
}

/** What a version does unless a setting says otherwise. */
interface Unset extends Row {
  readonly from: readonly number[];
  readonly setting: Setting;
}

/** Images of which older versions have stopped working. */
interface StoppedWorking {
  readonly repository: RegExp;
  readonly below: readonly number[];
  readonly because: string;
  readonly source: string;
  readonly date: string;
}

/** A version of what runs the homelab rather than in it. */
interface ToolVersion {
  readonly tool: "Nomad" | "hashicorp/nomad";
  /** One version, or every one below. */
  readonly bad: readonly number[] | { readonly below: readonly number[] };
  readonly because: string;
  readonly use: string;
  readonly source: string;
  readonly date: string;
}

/** A version since when data is written that older versions cannot read. */
interface OneWay extends Row {
  /** The first such version, or every new minor version. */
  readonly since: readonly number[] | "every minor";
}

/** A line of a configuration, or an argument. */
interface Setting {
  readonly name: string;
  readonly pattern: RegExp;
}

/** From this version on a program needs another one, of at least that version. */
interface Requirement extends Row {
  readonly from: readonly number[];
  readonly needs: { readonly program: Program; readonly version: readonly number[]; readonly setting: Setting };
  /** What older versions had in their configuration. */
  readonly gone: Setting;
  /** What its first start brings, said as a warning. */
  readonly warning: string;
}

/** What is known of versions, as data: the rule `image-versions` and the review of a plan read it. */
export const VERSIONS: {
  readonly knownBad: readonly KnownBad[];
  readonly wrongArchitecture: readonly WrongArchitecture[];
  readonly oneWay: readonly OneWay[];
  readonly requirements: readonly Requirement[];
  readonly outdated: readonly Outdated[];
  readonly tooOldFor: readonly TooOldFor[];
  readonly unset: readonly Unset[];
  readonly stoppedWorking: readonly StoppedWorking[];
  readonly tools: readonly ToolVersion[];
} = {
  knownBad: [
    [30, 0],
    [30, 1],
  ].map((version) => ({
    program: "Bitcoin Core",
    version,
    because: "was withdrawn by the project: migrating a legacy wallet can delete the wallet's whole directory",
    use: "30.2 or later",
    source: "https://bitcoincore.org/en/2026/01/05/wallet-migration-bug/",
    date: "2026-01-05",
  })),
  wrongArchitecture: [
    {
      repository: "bitcoin/bitcoin",
      tag: /^(?!master).*\balpine\b/,
      only: "amd64",
      source: "https://github.com/willcl-ark/bitcoin-core-docker#about-the-images",
      date: "2026-11",
    },
  ],
  oneWay: [
    {
      program: "electrs",
      since: [0, 11],
      because: "writes RocksDB 9.10 files, which older versions cannot read: going back means indexing anew",
      source: "https://github.com/romanz/electrs/blob/master/RELEASE-NOTES.md#0110-nov-16-2025",
      date: "2025-11-16",
    },
    {
      program: "electrs",
      since: [0, 12],
      because: "has another index format: it indexes anew for hours, needs 120 GB free for it, and so does going back",
      source: "https://github.com/romanz/electrs/blob/master/doc/upgrading.md",
      date: "2026-09-13",
    },
    {
      program: "Bitcoin Core",
      since: [28],
      because: "writes new block directories XOR-ed, which older versions cannot read: going back means syncing anew",
      source: "https://github.com/bitcoin/bitcoin/blob/master/doc/release-notes/release-notes-28.0.md#blockstorage",
      date: "2024-10-02",
    },
    {
      program: "Bitcoin Core",
      since: [30],
      because: "loads legacy (BDB) wallets no more: one that was migrated is not what an older version had",
      source: "https://github.com/bitcoin/bitcoin/blob/master/doc/release-notes/release-notes-30.0.md#wallet",
      date: "2025-10-10",
    },
    {
      program: "Alby Hub",
      since: "every minor",
      because: "migrates its database at the first start, and its migrations have no way back",
      source: "https://github.com/getAlby/hub/blob/master/db/migrations/README.md",
      date: "2026-11",
    },
  ],
  requirements: [
    {
      program: "electrs",
      from: [0, 12],
      needs: {
        program: "Bitcoin Core",
        version: [31],
        setting: { name: "rest=1", pattern: /^-{0,2}rest(?:=1)?$/m },
      },
      gone: { name: "daemon_p2p_addr", pattern: /\bdaemon[_-]p2p[_-]addr\b/ },
      because: "reads blocks over REST endpoints that came with Core 30.0 and 31.0, with `rest=1`",
      warning:
        "keeps another index format: coming from 0.11 it indexes anew for hours, with 120 GB free, and there is no way back",
      source: "https://github.com/romanz/electrs/blob/master/doc/upgrading.md",
      date: "2026-09-13",
    },
  ],
  outdated: [
    {
      program: "Bitcoin Core",
      below: [30],
      because:
        "is at its end of life, and holes of medium and high severity that 30.0 mended are about to be disclosed",
      source: "https://bitcoincore.org/en/releases/",
      date: "2026-11",
    },
  ],
  tooOldFor: [
    {
      program: "electrs",
      below: [0, 10, 5],
      other: { program: "Bitcoin Core", from: [28] },
      because: "cannot read what it answers: `warnings` became a list",
      source: "https://github.com/romanz/electrs/blob/master/RELEASE-NOTES.md",
      date: "2024-05-18",
    },
  ],
  unset: [
    {
      program: "Bitcoin Core",
      from: [31],
      setting: { name: "dbcache", pattern: /(?:^|[\s"'])-{0,2}dbcache=\d/m },
      because: "takes 1,024 MiB for its cache where the machine has 4 GiB, whatever its container may use",
      source: "https://github.com/bitcoin/bitcoin/pull/34692",
      date: "2026-11",
    },
  ],
  stoppedWorking: [
    {
      repository: /(?:^|\/)tor(?:-[a-z]{1,20})?$/,
      below: [0, 4, 9],
      because: "no longer works on the network since about 2026-09-01",
      source: "https://github.com/WalletWasabi/WalletWasabi/issues/14701",
      date: "2026-09-01",
    },
  ],
  tools: [
    {
      tool: "hashicorp/nomad",
      bad: [2, 6, 0],
      because: "fails to load without NOMAD_ADDR in the environment",
      use: "2.6.1",
      source: "https://github.com/hashicorp/terraform-provider-nomad/pull/608",
      date: "2026-11",
    },
    {
      tool: "Nomad",
      bad: { below: [2, 0, 5] },
      because:
        "leaves orphaned allocations running (GH-28394), keeps secrets on disk after a reboot (GH-28345), and misses jobs in lists (GH-28132)",
      use: "2.0.5 or later",
      source: "https://github.com/hashicorp/nomad/blob/main/CHANGELOG.md",
      date: "2026-11",
    },
  ],
};

/** The oldest Nomad that may run what must have one writer, on servers and clients. */
export const MINIMUM_NOMAD = {
  version: [2, 0, 5],
  because: "can leave the tasks of a deleted allocation running, which are then a second writer of its volumes",
  source: "https://github.com/hashicorp/nomad/issues/28394",
} as const;

/** Why a release of Nomad must not run the homelab; undefined when it may. */
export function judgeNomad(version: string): string | undefined {
  const [, numbers, prerelease] = /^v?(\d+\.\d+\.\d+)(-[\w.]+)?(?:\+[\w.]+)?$/.exec(version.trim()) ?? [];
  const { version: minimum, because, source } = MINIMUM_NOMAD;
  const wanted = minimum.join(".");
  if (!numbers) return `is no release that can be compared with ${wanted}, and an older one ${because} (${source})`;
  const order = compareVersions(numbers.split(".").map(Number), minimum);
  // What comes before a release has not all of it.
  const isOld = order < 0 || (order === 0 && prerelease !== undefined);
  return isOld ? `is older than ${wanted}, and ${because} (${source})` : undefined;
}

/** An image of which the table knows the program. */
export interface KnownImage extends ImageReference {
  readonly program: Program;
}

/** Whether an image is of this repository, from whatever registry or mirror. */
export function isOf({ repository }: ImageReference, path: string): boolean {
  return `/${repository.toLowerCase()}`.endsWith(`/${path}`);
}

/** The program that a task runs: what its job says of its main task, otherwise by the path of the image's repository. */
export function identify(
  { record, job, task }: Pick<TaskPlace, "job" | "task"> & Partial<Pick<TaskPlace, "record">>,
  image: string,
): KnownImage | undefined {
  const reference = parseImage(image);
  const programs = Object.keys(REPOSITORIES) as Program[];
  const isMain = task === job.TaskGroups[0]?.Tasks.find(({ Lifecycle }) => !Lifecycle);
  const program =
    (isMain && record?.program) || programs.find((name) => REPOSITORIES[name].some((path) => isOf(reference, path)));
  return program && { ...reference, program };
}

/** A point of no return between two versions. */
export interface OneWayStep {
  /** The first version behind it, as its tag has it. */
  readonly since: string;
  readonly because: string;
  readonly source: string;
}

/** The points of no return of a program between two of its versions, whichever comes first. */
export function oneWaysBetween(program: Program, a: readonly number[], b: readonly number[]): OneWayStep[] {
  const [low, high] = compareVersions(a, b) < 0 ? [a, b] : [b, a];
  return VERSIONS.oneWay
    .filter((row) => row.program === program)
    .flatMap(({ since, because, source }) => {
      const first = since === "every minor" ? [high[0] ?? 0, high[1] ?? 0] : since;
      const isBetween = compareVersions(low, first) < 0 && compareVersions(first, high) <= 0;
      return isBetween ? [{ since: first.join("."), because, source }] : [];
    });
}

/** What is wrong with a version of Nomad or of its provider; nothing when it is well or cannot be read. */
export function judgeTool(
  tool: ToolVersion["tool"],
  text: string,
): { readonly problem: string; readonly remedy: string }[] {
  const version = (/^v?(\d+(?:\.\d+)*)/.exec(text.trim())?.[1] ?? "").split(".").filter(Boolean).map(Number);
  if (version.length === 0) return [];
  return VERSIONS.tools
    .filter((row) => row.tool === tool)
    .filter(({ bad }) =>
      "below" in bad ? compareVersions(version, bad.below) < 0 : compareVersions(version, bad) === 0,
    )
    .map(({ because, use, source }) => ({ problem: `${tool} ${text} ${because}`, remedy: `use ${use} (${source})` }));
}
