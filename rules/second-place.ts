import { isIP } from "node:net";
import { posix } from "node:path";
import { BACKUP_JOBS } from "../model/backup-jobs";
import { type Homelab, tasksOf, type VolumeRecord, volumeOf } from "../model/homelab";
import { type Writer, writersOf } from "../model/places";
import { canonicalHost, isSameServer } from "../model/server";
import type { Finding, Rule } from "./rule";

/** A place of copies, and whether it outlives the server that holds the funds. */
interface CopyPlace {
  readonly text: string;
  /** Undefined when it cannot be told. */
  readonly isElsewhere: boolean | undefined;
}

type Server = string | undefined;

/** Names that nobody outside of a home network resolves. */
const HOME_NAME = /^[^.]*$|\.(?:local|localdomain|localhost|lan|home|internal|intranet|private|corp|arpa|box|test)$/;

/** Repositories at a provider, whose address is in its client. */
const PROVIDER = /^(?:b2|gs|azure|swift):/;

/** Of `s3:https://host/bucket`, `s3:host/bucket`, `rest:http://host:8000/`, `sftp:user@host:/folder` and the like. */
const REMOTE = /^(?:s3|rest|sftp):(?:https?:)?(?:\/\/)?(?:[^@/]*@)?(\[[^\]]*\]|[^:/]+)/i;

function onVolume(volume: VolumeRecord | undefined, funds: Server): CopyPlace {
  const server = volume?.source?.server;
  const same = server === undefined || funds === undefined ? undefined : isSameServer(server, funds);
  return {
    text: server ? `${server}:${volume?.source?.share}` : `volume "${volume?.id ?? "?"}", whose server nobody tells`,
    isElsewhere: same === undefined ? undefined : !same,
  };
}

function atHost(host: string, funds: Server): boolean | undefined {
  const name = canonicalHost(host);
  if (/^127\.|^::1$|^0\.0\.0\.0$|^::$/.test(name)) return undefined;
  const same = funds === undefined ? undefined : isSameServer(name, funds);
  if (same !== undefined) return !same;
  return isIP(name) === 0 && !HOME_NAME.test(name) ? true : undefined;
}

/** The repository of the job `backup`, when it takes the set of a job; see `RESTIC_REPOSITORY` of restic. */
function repositoryOf(homelab: Homelab, { job }: Writer, funds: Server): CopyPlace | undefined {
  const backup = homelab.jobs.find(
    (record) =>
      record.job.ID === BACKUP_JOBS.backup &&
      record.job.Namespace === job.Namespace &&
      record.job.Meta?.sets?.split(",").includes(job.ID ?? ""),
  );
  const place = backup && tasksOf({ jobs: [backup] }).find(({ task }) => task.Env?.RESTIC_REPOSITORY !== undefined);
  if (!place) return undefined;
  const { group, task } = place;
  const text = task.Env?.RESTIC_REPOSITORY ?? "";
  const folder = posix.normalize(text.replace(/^local:/, ""));
  const mount = task.VolumeMounts?.find(({ Destination }) => Destination && `${folder}/`.startsWith(`${Destination}/`));
  if (mount) return onVolume(volumeOf(homelab, place.job, group.Volumes?.[mount.Volume ?? ""]?.Source), funds);
  const host = REMOTE.exec(text)?.[1];
  return { text, isElsewhere: PROVIDER.test(text) || (host === undefined ? undefined : atHost(host, funds)) };
}

/** Where tasks beside the writer copy what it leaves, such as the sidecar of the hub. */
function copiesOf(homelab: Homelab, { job, group }: Writer, funds: Server): CopyPlace[] {
  return Object.values(group.Volumes ?? {})
    .filter(({ ReadOnly }) => ReadOnly !== true)
    .map(({ Source }) => volumeOf(homelab, job, Source))
    .filter((volume) => volume?.holds === "backup")
    .map((volume) => onVolume(volume, funds));
}

function check(homelab: Homelab, writer: Writer): Finding[] {
  const { record, job, request } = writer;
  const held = writer.volumes.find(({ holds }) => holds === "funds");
  const funds = held?.source?.server;
  const repository = repositoryOf(homelab, writer, funds);
  const copies = copiesOf(homelab, writer, funds);
  const places = [...(repository ? [repository] : []), ...copies];
  const { path } = record;
  const findings: Finding[] = [];
  if (!repository) {
    findings.push({
      path,
      place: "backupSet",
      value: `of ${job.ID}, in no Backup`,
      problem:
        "its database holds the seed and its channel backups the way to the money in the channels, and nobody copies them",
      remedy: "add its backupSet to the `sets` of a Backup; docs/backups.md shows one",
    });
  }
  if (copies.length === 0) {
    findings.push({
      path,
      place: "channelBackups",
      value: "none",
      problem: "a channel that opened since the last backup cannot be recovered when its channel state is lost",
      remedy: "set the prop `channelBackups` to a volume that holds backups, best on another server",
    });
  }
  if (places.length > 0 && !places.some(({ isElsewhere }) => isElsewhere)) {
    const unknown = places.some(({ isElsewhere }) => isElsewhere === undefined);
    findings.push({
      path,
      place: "backups",
      value: places.map(({ text }) => text).join(" and "),
      problem: unknown
        ? `none of it is known to be another server than that of volume "${request.Source}" (${funds ?? "nobody tells which"}), and a copy beside the funds is lost with them`
        : `all of it is on ${funds}, which holds the channels, and is lost with them`,
      remedy:
        "set the prop `repository` of the Backup to a place elsewhere, such as s3:… or rest:…, or its volume's `server` to another machine; docs/backups.md shows how",
    });
  }
  return findings;
}

/**
 * A second place on the server that holds the first is none. What cannot be told to be another machine is not taken for
 * one; a host name of the internet is, since nobody can see from here where it leads.
 *
 * @see https://restic.readthedocs.io/en/v0.18.1/030_preparing_a_new_repo.html the forms of a repository
 */
export const secondPlace = {
  name: "second-place",
  statement:
    "what holds Lightning state is in a Backup, has its channel backups copied, and one of the two is not on its own server",
  check: (homelab) =>
    writersOf(homelab)
      .filter(({ volumes }) => volumes.some(({ holds }) => holds === "funds"))
      .flatMap((writer) => check(homelab, writer)),
} as const satisfies Rule;
