import type { PinnedImage } from "../../nomad/image";
import { scheduleProblem } from "../../rules/schedule";
import type { HomelabStack } from "../homelab-stack";
import type { ServiceProps } from "../job-parts";
import type { IVolume } from "../storage/volume";
import type { BackupDatabase, BackupSet } from "./set";

export interface BackupProps extends ServiceProps {
  /** restic with a shell and `wget`, such as `restic/restic:0.18.1`; 0.17 or later. */
  readonly image: PinnedImage;
  /** PostgreSQL of the server's own major version, such as `postgres:17.6`: dumps, loads, and the drill's own server. */
  readonly postgresImage: PinnedImage;
  /**
   * Where backups go; it must say `holds: "backup"`. Best on another disk or server than the data, by its prop `server` or
   * `share`: beside the data, a backup does not survive the NAS. Its folders: `restic`, `channels`, `restored`,
   * `before-upgrade`.
   */
  readonly volume: IVolume;
  /** What services declare, such as `albyHub.backupSet`. */
  readonly sets: readonly BackupSet[];
  /** Any repository of restic, without a password in its address. @default - the folder `restic` of the volume */
  readonly repository?: string;
  /** Environment variables that the repository's place needs, such as `AWS_ACCESS_KEY_ID` or `RESTIC_REST_PASSWORD`; each is a secret. @default - none */
  readonly repositoryKeys?: readonly string[];
  /** Where the servers' timers leave snapshots of Nomad's state, `<server>-<time>.snap`. @default - they are not taken */
  readonly snapshots?: IVolume;
  /** The database of Terraform's state, with `state: "pg"`. @default - it is not taken; a local state is the owner's to copy */
  readonly terraformState?: TerraformDatabase;
  /** Of the schedule. @default "UTC" */
  readonly timeZone?: string;
  /** When the jobs start, as cron has it. @default { backup: "7 * * * *", check: "37 3 * * 0", drill: "17 4 1 * *" } */
  readonly schedule?: Partial<Record<"backup" | "check" | "drill", string>>;
  /** How many snapshots of each set are kept besides those of the last two days, which are all. @default { hourly: 24, daily: 7, weekly: 4, monthly: 12 } */
  readonly keep?: Partial<Keep>;
  /** How much of the repository's data the weekly check reads: a percentage, a size, or `n/t`. @default "10%" */
  readonly checkSubset?: string;
}

/** Where Terraform's state is, when it is in PostgreSQL. */
export interface TerraformDatabase {
  /** @default the inventory's `postgres_address` */
  readonly address?: string;
  /** @default the inventory's `postgres_port` */
  readonly port?: number;
  /** @default "terraform" */
  readonly name?: string;
  /** @default "terraform" */
  readonly user?: string;
  /** @default "prefer" */
  readonly tls?: BackupDatabase["tls"];
}

/** How many snapshots `restic forget` keeps of each set. */
export interface Keep {
  readonly hourly: number;
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
}

/** The set of the cluster's own memory. */
export const CLUSTER = "cluster";
export const TERRAFORM = "terraform";

export const KEEP: Keep = { hourly: 24, daily: 7, weekly: 4, monthly: 12 };

/**
 * What types cannot say of the props; much of it stands in shell scripts later.
 *
 * @param path of the construct.
 * @param sets those of which something is taken.
 * @throws at the first that is wrong, with the prop, its value and the remedy.
 */
export function checkBackupProps(
  path: string,
  stack: HomelabStack,
  props: BackupProps,
  sets: readonly BackupSet[],
): void {
  const {
    volume,
    snapshots,
    repository,
    repositoryKeys = [],
    checkSubset,
    keep,
    timeZone,
    schedule,
    terraformState,
  } = props;
  if (snapshots && snapshots.holds !== "backup") {
    throw new Error(
      `${path}: snapshots = volume "${snapshots.volumeId}" holds "${snapshots.holds}"; pass the one with snapshots of Nomad's state, which says \`holds: "backup"\``,
    );
  }
  for (const key of repositoryKeys) {
    // Of restic's own, those alone that belong to a place.
    if (/^RESTIC_REST_(USERNAME|PASSWORD)$/.test(key)) continue;
    if (/^[A-Z][A-Z0-9_]*$/.test(key) && !/^RESTIC_|^NOMAD_|^PATH$/.test(key)) continue;
    throw new Error(`${path}: repositoryKeys: "${key}" is no environment variable of a repository's place`);
  }
  if (/\/\/[^/]*:[^/]*@/.test(repository ?? "")) {
    throw new Error(
      `${path}: repository has a password in its address, which stands in the job, in messages and in Nomad's variables; leave it out, and name it in repositoryKeys, such as RESTIC_REST_USERNAME and RESTIC_REST_PASSWORD`,
    );
  }
  if (checkSubset !== undefined && !/^[0-9]+(\.[0-9]+)?%$|^[0-9]+\/[0-9]+$|^[0-9]+[KMGT]$/.test(checkSubset)) {
    throw new Error(
      `${path}: checkSubset = "${checkSubset}" must be a percentage, a size or a part, such as 10%, 500M or 1/12`,
    );
  }
  for (const [name, count] of Object.entries({ ...KEEP, ...keep })) {
    if (Number.isInteger(count) && count >= 0 && count < 1000) continue;
    throw new Error(`${path}: keep.${name} = ${count} must be a whole number from 0 to 999`);
  }
  if (timeZone !== undefined && !isTimeZone(timeZone)) {
    throw new Error(`${path}: timeZone = "${timeZone}" is none; write one such as Europe/Berlin, or UTC`);
  }
  for (const [job, cron] of Object.entries(schedule ?? {})) {
    const problem = /^\S+( \S+){4}$/.test(cron) ? scheduleProblem(cron) : "is not five fields";
    if (!problem) continue;
    throw new Error(`${path}: schedule.${job} = "${cron}" ${problem}; write five fields of cron, such as "7 * * * *"`);
  }
  const databases = [...sets.map(({ database }) => database), terraformState];
  for (const { address, name, user } of databases.filter((one) => one !== undefined)) {
    for (const [field, value] of Object.entries({ address, name, user })) {
      if (value === undefined || /^[A-Za-z0-9._-]+$/.test(value)) continue;
      throw new Error(
        `${path}: ${field} = "${value}" of a database must be letters, digits, dots, dashes and underscores alone`,
      );
    }
  }
  const names = [CLUSTER, TERRAFORM, "backup", "snapshots"];
  for (const { service, files } of sets) {
    if (names.includes(service)) {
      throw new Error(
        `${path}: sets: "${service}" is there twice, or is a name of the backup's own; pass each set once`,
      );
    }
    names.push(service);
    // The job backup-copy puts live Lightning state there; nothing but the sidecar would ever remove it.
    if (files && files.copies?.volumeId !== volume.volumeId) {
      const found = files.copies ? `on the volume "${files.copies.volumeId}"` : "nowhere";
      throw new Error(
        `${path}: sets: ${service} has its channel backups copied ${found}, and volume is "${volume.volumeId}": pass ${service} the same volume as channelBackups, or copies of its work directory would stay for ever and be restored when they are stale`,
      );
    }
    for (const pattern of files?.include ?? []) {
      if (/^[A-Za-z0-9._*-]+(\/[A-Za-z0-9._*-]+)*$/.test(pattern) && !pattern.includes("..")) continue;
      throw new Error(
        `${path}: sets: ${service} includes "${pattern}", which is no plain path or pattern below its volume`,
      );
    }
  }
  if (terraformState && stack.state !== "pg") {
    throw new Error(
      `${path}: terraformState is for \`state: "pg"\` of the stack, and its state is local: copy terraform.${stack.node.id}.tfstate yourself`,
    );
  }
}

function isTimeZone(timeZone: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat("en", { timeZone }));
  } catch {
    return false;
  }
}
