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
} = {
  knownBad: [
    [30, 0],
    [30, 1],
  ].map((version) => ({
    program: "Bitcoin Core",
    version,
    because: "was withdrawn by the project: migrating a legacy wallet can delete the wallet's whole directory",
    use: "30.2 or later",
    source: "https://github.com/bitcoin/bitcoin/issues/34128",
  })),
  wrongArchitecture: [
    {
      repository: "bitcoin/bitcoin",
      tag: /^(?!master).*\balpine\b/,
      only: "amd64",
      source: "https://github.com/willcl-ark/bitcoin-core-docker#about-the-images",
    },
  ],
  oneWay: [
    {
      program: "electrs",
      since: [0, 11],
      because: "writes RocksDB 9.10 files, which older versions cannot read: going back means indexing anew",
      source: "https://github.com/romanz/electrs/blob/master/RELEASE-NOTES.md#0110-nov-16-2025",
    },
    {
      program: "electrs",
      since: [0, 12],
      because: "has another index format: it indexes anew for hours, needs 120 GB free for it, and so does going back",
      source: "https://github.com/romanz/electrs/blob/master/doc/upgrading.md",
    },
    {
      program: "Bitcoin Core",
      since: [28],
      because: "writes new block directories XOR-ed, which older versions cannot read: going back means syncing anew",
      source: "https://github.com/bitcoin/bitcoin/blob/master/doc/release-notes/release-notes-28.0.md#blockstorage",
    },
    {
      program: "Bitcoin Core",
      since: [30],
      because: "loads legacy (BDB) wallets no more: one that was migrated is not what an older version had",
      source: "https://github.com/bitcoin/bitcoin/blob/master/doc/release-notes/release-notes-30.0.md#wallet",
    },
    {
      program: "Alby Hub",
      since: "every minor",
      because: "migrates its database at the first start, and its migrations have no way back",
      source: "https://github.com/getAlby/hub/blob/master/db/migrations/README.md",
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
