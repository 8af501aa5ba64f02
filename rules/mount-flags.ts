import { groupsOf, type Holds, volumeOf } from "../model/homelab";
import { fieldOf } from "../model/places";
import type { Finding, Rule } from "./rule";

/** Options that stand alone. A misspelt one fails the mount on the machine, or under `sloppy` does nothing. */
const PLAIN = new Set(
  `_netdev ac noac acl noacl async atime noatime bg cto nocto defaults dev nodev diratime nodiratime dirsync exec noexec fg fsc
  nofsc hard lazytime nolazytime lock migration nomigration nofail posix noposix rdirplus nordirplus rdma relatime
  norelatime resvport noresvport ro rw sharecache nosharecache softreval nosoftreval strictatime nostrictatime suid
  nosuid sync tcp trunkdiscovery notrunkdiscovery udp v3 v4 v4.0 v4.1 v4.2 alignwrite noalignwrite`.split(/\s+/),
);

/** Options that take a value. */
const VALUED = new Set(
  `acdirmax acdirmin acregmax acregmin actimeo bsize clientaddr context defcontext fsc fscontext lookupcache
  max_connect minorversion mountaddr mounthost mountport mountproto mountvers namlen nconnect nfsvers port proto rdirplus
  retrans retry rootcontext rsize sec timeo vers write wsize xprtsec fatal_neterrors`.split(/\s+/),
);

/** What gives up waiting for the NAS. On a volume with backups it may: no database is there, and a copy is tried again. */
const SOFT = /^soft(?:err)?$/;

const REFUSED: readonly [RegExp, string][] = [
  [
    /^nolock$|^local_lock=(?!none$)/,
    "keeps locks on one machine, and bitcoind's own lock is the last fence against a second writer",
  ],
  [SOFT, "hands an I/O error to a database when the NAS is away for a moment"],
  [/^(?:no)?intr$/, "does nothing since Linux 2.6.25"],
  [/^sloppy$/, "makes misspelt options do nothing, without a word"],
];

function judgeFlag(flag: string, holds: Holds | undefined): Pick<Finding, "problem" | "remedy"> | undefined {
  if (holds === "backup" && SOFT.test(flag)) return undefined;
  const refused = REFUSED.find(([pattern]) => pattern.test(flag));
  if (refused) return { problem: refused[1], remedy: `take "${flag}" out of the mount flags` };
  const [option = "", value] = flag.split("=", 2);
  const isKnown =
    value === undefined ? PLAIN.has(option) : flag === "local_lock=none" || (VALUED.has(option) && value !== "");
  return isKnown ? undefined : { problem: "is no mount option of NFS", remedy: "see nfs(5) for how it is written" };
}

function judgeFlags(path: string, place: string, flags: readonly string[], holds?: Holds): Finding[] {
  return flags
    .flatMap((flag) => flag.split(","))
    .map((flag) => flag.trim())
    .flatMap((value) => {
      const verdict = judgeFlag(value, holds);
      return verdict ? [{ path, place, value: value || '""', ...verdict }] : [];
    });
}

/**
 * @see https://man7.org/linux/man-pages/man5/nfs.5.html
 * @see https://github.com/torvalds/linux/blob/master/fs/nfs/fs_context.c
 */
export const mountFlags = {
  name: "mount-flags",
  statement:
    "mount options are ones that NFS knows, and none switches off locks or, but for backups, gives up waiting for the NAS",
  check: (homelab) => [
    ...homelab.volumes.flatMap(({ path, mountFlags: flags, holds }) => judgeFlags(path, "mountFlags", flags, holds)),
    ...groupsOf(homelab).flatMap((place) =>
      Object.entries(place.group.Volumes ?? {}).flatMap(([name, { MountOptions, Source }]) =>
        judgeFlags(
          place.record.path,
          fieldOf(place, `Volumes[${name}].MountOptions.MountFlags`),
          MountOptions?.MountFlags ?? [],
          volumeOf(homelab, place.job, Source)?.holds,
        ),
      ),
    ),
  ],
} as const satisfies Rule;
