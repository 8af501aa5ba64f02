import type { IVolume } from "../storage/volume";

/** A database on a PostgreSQL server, as a task of a backup reaches it. */
export interface BackupDatabase {
  readonly address: string;
  readonly port: number;
  readonly name: string;
  readonly user: string;
  /** libpq's `sslmode`. */
  readonly tls: "disable" | "prefer" | "require" | "verify-full";
  /** Label of the secret with the password, which several tasks need; see {@link SecretRecord.sameAs}. */
  readonly secret: string;
  /** What the secret is, for the owner. */
  readonly secretDescription: string;
  /** This schema alone. @default - every schema */
  readonly schema?: string;
}

/** Files of a volume that a backup reads through a read-only claim. */
export interface BackupFiles {
  /** Read-only. */
  readonly volume: IVolume;
  /**
   * Shell patterns below the volume's root, such as `ldk/static_channel_backups/*.json`. Regular files alone: no
   * folder, no link. A list of what is taken and never of what is not, so that what a new version of the program writes
   * stays out until somebody has looked at it.
   */
  readonly include: readonly string[];
  /**
   * Where the service's own sidecar removes stale copies of the work directory, see `homelab backup before-upgrade`. It
   * must be the volume of the backup.
   */
  readonly copies: IVolume | undefined;
}

/** Ends the name of a snapshot that holds part of a set, because the rest could not be taken. */
export const PART_SUFFIX = "-part";

/** What a service declares to be taken, or why nothing is. */
export interface BackupSet {
  /** ID of the job; the name of the set. */
  readonly service: string;
  readonly database?: BackupDatabase;
  readonly files?: BackupFiles;
  /** Why nothing of it needs a backup. */
  readonly nothing?: string;
}
