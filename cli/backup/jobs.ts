import type { Job } from "../../.gen/nomad/job";
import { BACKUP_JOBS, type BackupJob } from "../../model/backup-jobs";
import type { Target } from "../shared/target";

/** A job of the backup as it was synthesized. @throws when the stack has none. */
export function backupJob({ homelab, stack }: Pick<Target, "homelab" | "stack">, id: BackupJob): Job {
  const found = homelab.jobs.find(({ job }) => job.ID === id);
  if (found) return found.job;
  throw new Error(
    `stack ${stack} has no job ${id}: add new Backup(…) to main.ts, as docs/backups.md says, then npm run synth and deploy`,
  );
}

export function hasBackup({ homelab }: Pick<Target, "homelab">): boolean {
  return homelab.jobs.some(({ job }) => job.ID === BACKUP_JOBS.backup);
}
