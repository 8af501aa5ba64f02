import type { Job } from "../../.gen/nomad/job";
import type { VariableRef } from "../../nomad/variable";
import type { Target } from "../shared/target";

/** The jobs of the construct `Backup`, by their ids. */
export const BACKUP_JOBS = ["backup", "backup-check", "backup-drill", "backup-restore", "backup-copy"] as const;
export type BackupJob = (typeof BACKUP_JOBS)[number];

/** What the program of a job tells at its end: when it last ended well, and when it last failed. */
export function resultOf(job: BackupJob, kind: "done" | "failed"): VariableRef {
  return { namespace: "default", path: `homelab/backup/${job}/${kind}` };
}

/** What the last hourly run told in which a set was well. */
export function setResultOf(set: string): VariableRef {
  return { namespace: "default", path: `homelab/backup/backup/sets/${set}` };
}

/** The list of snapshots, as the last good backup left it. */
export const SNAPSHOTS: VariableRef = { namespace: "default", path: "homelab/backup/snapshots" };

/** A job of the backup as it was synthesized. @throws when the stack has none. */
export function backupJob({ homelab, stack }: Pick<Target, "homelab" | "stack">, id: BackupJob): Job {
  const found = homelab.jobs.find(({ job }) => job.ID === id);
  if (found) return found.job;
  throw new Error(
    `stack ${stack} has no job ${id}: add new Backup(…) to main.ts, as the README says, then npm run synth and deploy`,
  );
}

export function hasBackup({ homelab }: Pick<Target, "homelab">): boolean {
  return homelab.jobs.some(({ job }) => job.ID === "backup");
}
