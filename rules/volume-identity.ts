import { posix } from "node:path";
import type { VolumeRecord } from "../model/homelab";
import { isSameServer } from "../model/server";
import type { Finding, Rule } from "./rule";

interface Candidate {
  readonly volume: VolumeRecord;
  /** Of another stack of the app. */
  readonly elsewhere: boolean;
  readonly sameCluster: boolean;
}

const isReader = ({ accessMode }: VolumeRecord) => accessMode.endsWith("-reader-only");

/** With the slash at its end, /mnt/a is no part of /mnt/ab. */
const folderOf = (share: string) => posix.normalize(`${share}/`);

/** The name that the folder of a volume has, when nothing else is told of it: its own. */
const folderName = ({ id, source }: VolumeRecord) => (source ? posix.basename(source.share) : id);

/** Whether the folder of one is, holds, or lies in that of the other; undefined when it cannot be told. */
export function overlap(one: VolumeRecord, other: VolumeRecord): boolean | undefined {
  if (isReader(one) || isReader(other)) return false;
  if (!one.source || !other.source) {
    const bothManaged = one.managed && other.managed;
    return bothManaged || folderName(one) !== folderName(other) ? false : undefined;
  }
  const [a, b] = [folderOf(one.source.share), folderOf(other.source.share)];
  return (a.startsWith(b) || b.startsWith(a)) && isSameServer(one.source.server, other.source.server);
}

/** Within a stack a volume is declared once; a second stack may refer to it, to read. */
function isDeclaredTwice(volume: VolumeRecord, { volume: other, elsewhere, sameCluster }: Candidate): boolean {
  const isSame = sameCluster && other.id === volume.id && other.namespace === volume.namespace;
  return isSame && !(elsewhere && (isReader(volume) || isReader(other)));
}

function whereText({ source, id }: VolumeRecord): string {
  return source ? `${source.server}:${source.share}` : `volume "${id}", whose folder nobody tells`;
}

function declaredTwice({ path, id, namespace, holds }: VolumeRecord, { volume: other, elsewhere }: Candidate): Finding {
  const contents = other.holds === holds ? "" : `, which says that it holds "${other.holds}", and this one "${holds}"`;
  return {
    path,
    place: "volumeId",
    value: id,
    problem: `is the volume of ${other.path} in namespace ${namespace} already${contents}`,
    remedy: elsewhere
      ? 'declare it in one stack, with everything that writes it; a stack that reads it says `accessMode: "multi-node-reader-only"`'
      : "declare it once and pass that to whoever uses it, to a reader as its `readOnly()`",
  };
}

function oneFolder(volume: VolumeRecord, { volume: other }: Candidate): Finding[] {
  const shared = overlap(volume, other);
  if (shared === false) return [];
  const rest = { path: volume.path, place: "share", value: whereText(volume) };
  if (shared) {
    return [
      {
        ...rest,
        problem: `is, holds, or lies in the folder of ${other.path} (${other.source?.share}): writers of the two volumes are two writers of one folder`,
        remedy:
          'give each a folder of its own with the prop `share`, or one of them `accessMode: "multi-node-reader-only"`',
      },
    ];
  }
  return [
    {
      ...rest,
      problem: `may be the folder of ${other.path} (${whereText(other)}), since nothing here tells the two apart: writers of the two volumes would be two writers of one folder`,
      remedy:
        "write the address of each NFS server as a number, and give a volume that is referred to its `server` and `share`; or give each a folder of its own",
    },
  ];
}

/** Nomad guards the claims of one volume; it does not know that two are one folder, and nothing of another cluster. */
export const volumeIdentity = {
  name: "volume-identity",
  statement:
    "a volume is declared once in the app, and no two that can be written have one folder of the NAS, or one in the other",
  check: ({ volumes, others = [] }) => {
    const elsewhere = others.flatMap(({ volumes, sameCluster }) =>
      volumes.map((volume): Candidate => ({ volume, elsewhere: true, sameCluster })),
    );
    const here = volumes.map((volume): Candidate => ({ volume, elsewhere: false, sameCluster: true }));
    return volumes.flatMap((volume, at): Finding[] => {
      const before = [...elsewhere, ...here.slice(0, at)];
      const same = before.find((other) => isDeclaredTwice(volume, other));
      return same ? [declaredTwice(volume, same)] : before.flatMap((other) => oneFolder(volume, other));
    });
  },
} as const satisfies Rule;
