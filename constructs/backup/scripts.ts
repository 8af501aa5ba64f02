import {
  type BackupJob,
  BEFORE_UPGRADE,
  CHANNEL_BACKUPS,
  CHANNEL_COPIES,
  resultOf,
  SET_RESULTS,
  SNAPSHOTS,
} from "../../model/backup-jobs";
import {
  IDENTITY_MARKER,
  LOCK,
  RESTORE_PART,
  SET_ASIDE,
  UNFINISHED_RESTORE,
  VOLUME_MARKER,
} from "../../model/marker-files";
import { type ShellValues, shellScript, table, words } from "../../nomad/shell";
import { MISSING_SECRET } from "../../nomad/template";
import { CLUSTER, type Keep } from "./props";
import { type BackupDatabase, PART_SUFFIX } from "./set";

/**
 * How often a backup task may be killed, for want of memory for example, before it gives up by itself. Beyond that Nomad
 * would fail the allocation, and a failed allocation can no longer report anything.
 */
export const MAX_KILLS = 3;

/** What the backup takes of a set besides its database. */
export interface SetFiles {
  readonly set: string;
  /** Whether a database is dumped for it, before. */
  readonly database: boolean;
  /** Whether it has files, which are mounted in `$DATA` under the set's name. */
  readonly files: boolean;
  readonly include: readonly string[];
  /** The volume whose marker must be among the files: a folder without it is another one, or an empty mount. */
  readonly marked?: string;
  /** Whether there are static channel backups among them, which the sidecar of the hub has copied to the second place. */
  readonly channels: boolean;
}

/** A database of a set, with the key of its password below `secrets/`. */
export interface SetDatabase extends BackupDatabase {
  readonly set: string;
  readonly key: string;
}

/** What opens the repository: the key of restic's password, and environment variables that its storage needs. */
export interface RepositorySecrets {
  readonly password: string;
  readonly storage: readonly string[];
}

/** The main task of the hourly job. */
export function backupMainScript(
  sets: readonly SetFiles[],
  secrets: RepositorySecrets,
  { keep, snapshots }: { readonly keep: Keep; readonly snapshots: boolean },
): string {
  return resticScript(["constructs/alby-hub/is-complete.sh", own("backup")], secrets, {
    SETS: table(
      sets.map(({ set, database, files, marked = "", channels }) => [set, database, files, marked, channels]),
    ),
    INCLUDE: table(sets.flatMap(({ set, include }) => include.map((pattern) => [set, pattern]))),
    PART_SUFFIX,
    CLUSTER,
    TAKES_RAFT: snapshots,
    VOLUME_MARKER,
    CHANNEL_BACKUPS,
    CHANNEL_COPIES,
    SNAPSHOT_LIST: SNAPSHOTS.path,
    KEEP_HOURLY: keep.hourly,
    KEEP_DAILY: keep.daily,
    KEEP_WEEKLY: keep.weekly,
    KEEP_MONTHLY: keep.monthly,
  });
}

/** Dumps each database, before the main task of the hourly job. */
export function dumpScript(databases: readonly SetDatabase[]): string {
  return connectScript("dump", databases);
}

/** The weekly job. */
export function checkScript(secrets: RepositorySecrets, subset: string): string {
  return resticScript([own("check")], secrets, { SUBSET: subset });
}

/** The first half of the drill: the newest snapshot of each set. */
export function drillFilesScript(sets: readonly SetFiles[], secrets: RepositorySecrets): string {
  return resticScript([own("drill-files")], secrets, {
    SETS: words([...sets.map(({ set }) => set), CLUSTER]),
    FILE_SETS: words(sets.flatMap(({ set, files }) => (files ? [set] : []))),
  });
}

/** The second half of the drill: the databases. */
export function drillDatabaseScript(databases: readonly SetDatabase[]): string {
  return backupScript([own("psql"), own("drill-database")], {
    SCHEMAS: table(databases.map(({ set, schema = "" }) => [set, schema])),
    CHANNEL_BACKUPS,
  });
}

/**
 * Restores one snapshot.
 *
 * @param sets names that a snapshot can have: the sets, and parts of them.
 */
export function restoreFilesScript(sets: readonly string[], secrets: RepositorySecrets): string {
  return resticScript([own("restore-files")], secrets, { SETS: words([...sets, CLUSTER]) });
}

/** Loads the dump that was restored. */
export function restoreDatabaseScript(databases: readonly SetDatabase[]): string {
  return connectScript("restore-database", databases, { PART_SUFFIX });
}

/** Copies the work directory of a stopped service. */
export function copyScript(services: readonly string[]): string {
  return backupScript(["constructs/alby-hub/lock.sh", own("copy")], {
    SERVICES: words(services),
    BEFORE_UPGRADE,
    LOCK,
    IDENTITY_MARKER,
    UNFINISHED_RESTORE,
    RESTORE_PART,
    SET_ASIDE,
  });
}

/** The last task of every job. */
export function reportScript(job: BackupJob): string {
  return shellScript([own("report")], {
    JOB: job,
    NAMESPACE: SNAPSHOTS.namespace,
    DONE: resultOf(job, "done").path,
    FAILED: resultOf(job, "failed").path,
    SET_RESULTS: job === "backup" ? SET_RESULTS : "",
    SNAPSHOT_LIST: SNAPSHOTS.path,
    ADDS_SNAPSHOT: job === "backup-copy",
  });
}

function own(name: string): string {
  return `constructs/backup/${name}.sh`;
}

/** A script that skips its work when a task before it failed. */
function backupScript(files: readonly string[], values: ShellValues): string {
  return shellScript([own("prelude"), ...files], { MAX_KILLS, ...values });
}

function resticScript(files: readonly string[], { password, storage }: RepositorySecrets, values: ShellValues): string {
  return backupScript([own("secret"), own("open-repository"), ...files], {
    MISSING_VALUE: MISSING_SECRET,
    REPOSITORY_PASSWORD_NAME: password,
    REPOSITORY_KEYS: words(storage),
    ...values,
  });
}

/** A script that logs in to databases. */
function connectScript(name: string, databases: readonly SetDatabase[], values: ShellValues = {}): string {
  const rows = databases.map(({ set, address, port, name, user, tls, key, schema = "" }) => {
    return [set, address, port, name, user, tls, key, schema];
  });
  return backupScript(["secret", "psql", "connect", name].map(own), {
    MISSING_VALUE: MISSING_SECRET,
    DATABASES: table(rows),
    ...values,
  });
}
