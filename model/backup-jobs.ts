import { DEFAULT_NAMESPACE } from "../nomad/defaults";
import type { VariableRef } from "../nomad/variable";

/** The ids of the jobs of the construct `Backup`, by what they do. */
export const BACKUP_JOBS = {
  backup: "backup",
  check: "backup-check",
  drill: "backup-drill",
  restore: "backup-restore",
  copy: "backup-copy",
} as const;
export type BackupJob = (typeof BACKUP_JOBS)[keyof typeof BACKUP_JOBS];

/** What the program of a job tells at its end: when it last ended well, and when it last failed. */
export function resultOf(job: BackupJob, kind: "done" | "failed"): VariableRef {
  return { namespace: DEFAULT_NAMESPACE, path: `homelab/backup/${job}/${kind}` };
}

/** Folder of the variables that {@link setResultOf} names. */
export const SET_RESULTS = "homelab/backup/backup/sets";

/** What the last hourly run told in which a set was well. */
export function setResultOf(set: string): VariableRef {
  return { namespace: DEFAULT_NAMESPACE, path: `${SET_RESULTS}/${set}` };
}

/** The list of snapshots, as the last good backup left it. */
export const SNAPSHOTS: VariableRef = { namespace: DEFAULT_NAMESPACE, path: "homelab/backup/snapshots" };

/**
 * Where the hub writes its static channel backups, below the work directory: one file each time that a channel becomes
 * ready, named by the time, not in one step.
 *
 * @see https://github.com/getAlby/hub/blob/v1.24.0/service/start.go
 */
export const CHANNEL_BACKUPS = "ldk/static_channel_backups";

/** Folder on the backup volume for static channel backups, with a folder for each job. */
export const CHANNEL_COPIES = "channels";

/** Folder on the backup volume for copies of work directories, with a folder for each job, and in there one for each copy. */
export const BEFORE_UPGRADE = "before-upgrade";
