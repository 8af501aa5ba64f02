import { posix } from "node:path";
import type { VolumeRecord } from "../model/homelab";
import type { Finding, Rule } from "./rule";

interface Folder {
  readonly server: string;
  readonly share: string;
}

/** Where a volume that can be written lies, in one spelling; undefined for one that is only referred to. */
function folderOf({ source, accessMode }: VolumeRecord): Folder | undefined {
  if (!source || accessMode.endsWith("-reader-only")) return undefined;
  return {
    server: source.server.toLowerCase(),
    // With the slash at its end, /mnt/a is no part of /mnt/ab.
    share: posix.normalize(`${source.share}/`),
  };
}

/** Whether one folder is the other, or lies in it. */
function overlap(one: Folder | undefined, other: Folder | undefined): boolean {
  if (!one || !other || one.server !== other.server) return false;
  return one.share.startsWith(other.share) || other.share.startsWith(one.share);
}

/** Nomad guards the claims of one volume; it does not know that two are one folder. */
export const volumeIdentity = {
  name: "volume-identity",
  statement:
    "a volume is declared once, and no two that can be written have one folder of the NAS, or one in the other",
  check: ({ volumes }) => {
    const folders = volumes.map(folderOf);
    return volumes.flatMap((volume, at): Finding[] => {
      const before = volumes.slice(0, at);
      const { path, id, namespace, holds, source } = volume;
      const same = before.find((other) => other.id === id && other.namespace === namespace);
      if (same) {
        const contents =
          same.holds === holds ? "" : `, which says that it holds "${same.holds}", and this one "${holds}"`;
        return [
          {
            path,
            place: "volumeId",
            value: id,
            problem: `is the volume of ${same.path} in namespace ${namespace} already${contents}`,
            remedy: "declare it once and pass that to whoever uses it, to a reader as its `readOnly()`",
          },
        ];
      }
      return before
        .filter((_, index) => overlap(folders[at], folders[index]))
        .map((other) => ({
          path,
          place: "share",
          value: `${source?.server}:${source?.share}`,
          problem: `is, holds, or lies in the folder of ${other.path} (${other.source?.share}): writers of the two volumes are two writers of one folder`,
          remedy:
            'give each a folder of its own with the prop `share`, or one of them `accessMode: "multi-node-reader-only"`',
        }));
    });
  },
} as const satisfies Rule;
