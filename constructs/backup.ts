import type { Construct } from "constructs";
import type { Job, PeriodicConfig, Task, VolumeRequest } from "../.gen/nomad/job";
import { Duration } from "../nomad/duration";
import type { PinnedImage } from "../nomad/image";
import { Memory } from "../nomad/memory";
import { file, SERVICE_USER, secretLine, secretPath } from "../nomad/template";
import { drillDatabaseScript, dumpScript, restoreDatabaseScript, type SetDatabase } from "./backup-database";
import {
  backupMainScript,
  checkScript,
  copyScript,
  drillFilesScript,
  type Keep,
  restoreFilesScript,
  type SetFiles,
} from "./backup-scripts";
import type { BackupDatabase, BackupSet } from "./backup-set";
import { backupScript, KILLED_AT_MOST, reportScript } from "./backup-shell";
import type { IVolume } from "./csi-volume";
import { hardenedTask, resources, Service, type ServiceProps, serviceJob } from "./service";

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
  /** Any repository of restic. @default - the folder `restic` of the volume */
  readonly repository?: string;
  /** Environment variables that the repository's place needs, such as `AWS_ACCESS_KEY_ID`; each is a secret. @default - none */
  readonly repositoryKeys?: readonly string[];
  /** Where the servers' timers leave snapshots of Nomad's state, `<server>-<time>.snap`. @default - they are not taken */
  readonly snapshots?: IVolume;
  /** The database of Terraform's state, with `state: "pg"`. @default - it is not taken; a local state is the owner's to copy */
  readonly terraformState?: TerraformDatabase;
  /** Of the schedule. @default "UTC" */
  readonly timeZone?: string;
  /** When the jobs start, as cron has it. @default { backup: "7 * * * *", check: "37 3 * * 0", drill: "17 4 1 * *" } */
  readonly schedule?: Partial<Record<"backup" | "check" | "drill", string>>;
  /** How many snapshots of each set are kept. @default { hourly: 24, daily: 7, weekly: 4, monthly: 12 } */
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

/** Names of the jobs, which `homelab backup` goes by. */
const JOB = {
  backup: "backup",
  check: "backup-check",
  drill: "backup-drill",
  restore: "backup-restore",
  copy: "backup-copy",
} as const;

/** The set of the cluster's own memory. */
const CLUSTER = "cluster";
const TERRAFORM = "terraform";
const RESTIC_PASSWORD = "restic_password";
const BACKUP_FOLDER = "/backup";
/** With a folder for each service that has files. */
const DATA_FOLDER = "/data";
const SNAPSHOT_FOLDER = "/snapshots";

const SCHEDULE = { backup: "7 * * * *", check: "37 3 * * 0", drill: "17 4 1 * *" };
const KEEP: Keep = { hourly: 24, daily: 7, weekly: 4, monthly: 12 };

/** MiB that an allocation may put on its client's disk: dumps, files and raft snapshots, once. */
const SCRATCH = 1024;
const KILL = Duration.minutes(1);

const SMALL = { CPU: 20, MemoryMB: 32, MemoryMaxMB: 64 };
const DATABASE = { CPU: 100, MemoryMB: 128, MemoryMaxMB: 512 };
/** The drill's own server beside its clients. */
const SCRATCH_SERVER = { CPU: 200, MemoryMB: 256, MemoryMaxMB: 1024 };

/** One task of a job, before it is one of Nomad's. */
interface Step {
  readonly name: string;
  readonly script: string;
  readonly hook?: "prestart" | "poststop";
  readonly image?: "postgres";
  readonly user?: string;
  readonly size?: Task["Resources"];
  readonly env?: Record<string, string>;
  /** Names below `secrets/`. */
  readonly secrets?: readonly string[];
  /** Names of the group's volumes that it mounts; a name of its own says where. */
  readonly mounts?: readonly (readonly [volume: string, folder: string])[];
}

/**
 * Backups with restic: five batch jobs in the stack's namespace. Defaults of their main task: 200 MHz, 256 MiB reserved,
 * 1024 MiB at most.
 *
 * | job | when | what |
 * | --- | --- | --- |
 * | `backup` | hourly | a consistent dump of each database, the files that services declare, Nomad's state and the names of its variables; then retention |
 * | `backup-check` | weekly | frees what no snapshot needs, reads part of the repository |
 * | `backup-drill` | monthly | restores the newest snapshot of each set and proves it: dumps load with the same rows, channel backups parse and equal their source, raft snapshots open |
 * | `backup-restore` | when it is dispatched | one snapshot into a new folder, and into an empty database |
 * | `backup-copy` | when it is dispatched | the work directory of a stopped Alby Hub, before an upgrade |
 *
 * **Live Lightning state is never in a backup**: started from an old copy of it, a node loses its channels to penalties.
 * What is taken is declared file by file; the chain and electrs's index come back by themselves.
 *
 * Each run ends with its result in a Nomad variable below `homelab/backup/` in the namespace `default`, which the ACL
 * policy of the job must allow. `homelab backup` reads them.
 *
 * @see https://restic.readthedocs.io/en/v0.18.1/
 * @see https://guides.getalby.com/user-guide/alby-hub/backups-and-recover
 */
export class Backup extends Service {
  /** The escape hatches, by job ID: each may be changed until synthesis. */
  readonly jobs: Readonly<Record<string, Job>>;

  private readonly files: readonly SetFiles[];
  private readonly databases: readonly SetDatabase[];
  private readonly volumes: Readonly<Record<string, VolumeRequest>>;
  private readonly keys: readonly string[];

  constructor(
    scope: Construct,
    id: string,
    private readonly props: BackupProps,
  ) {
    super(scope, id, props);
    const sets = props.sets.filter(({ nothing }) => nothing === undefined);
    this.checkProps(sets);
    this.keys = props.repositoryKeys ?? [];
    this.databases = this.databasesOf(sets);
    this.files = [
      ...sets.map(({ service, database, files }) => ({
        set: service,
        database: database !== undefined,
        files: files !== undefined,
        include: files?.include ?? [],
      })),
      ...(props.terraformState ? [{ set: TERRAFORM, database: true, files: false, include: [] }] : []),
    ];
    this.volumes = {
      backup: { Name: "backup", ...props.volume.request },
      ...(props.snapshots && { snapshots: { Name: "snapshots", ...props.snapshots.readOnly().request } }),
      ...Object.fromEntries(
        sets.flatMap(({ service, files }) =>
          files ? [[service, { Name: service, ...files.volume.readOnly().request }]] : [],
        ),
      ),
    };
    const jobs = [this.backup(), this.check(), this.drill(), this.restore(), ...this.copy()];
    this.jobs = Object.fromEntries(jobs.map((job) => [job.ID, job]));
    const dependables = [
      ...props.volume.dependables,
      ...(props.snapshots?.dependables ?? []),
      ...sets.flatMap(({ files }) => files?.volume.dependables ?? []),
    ];
    for (const job of jobs) this.addJob(job, [...new Set(dependables)], { id: job.ID });
    this.stack.notices.push({
      path: this.node.path,
      text: "without restic_password kept outside of the cluster, on paper, nobody can open the backup",
    });
  }

  private checkProps(sets: readonly BackupSet[]): void {
    const { path } = this.node;
    const { volume, snapshots, repositoryKeys = [], checkSubset, terraformState } = this.props;
    this.checkData(volume, "backup", "volume");
    if (snapshots && snapshots.holds !== "backup") {
      throw new Error(
        `${path}: snapshots = volume "${snapshots.volumeId}" holds "${snapshots.holds}"; pass the one with snapshots of Nomad's state, which says \`holds: "backup"\``,
      );
    }
    for (const key of repositoryKeys) {
      if (/^[A-Z][A-Z0-9_]*$/.test(key) && !/^RESTIC_|^NOMAD_|^PATH$/.test(key)) continue;
      throw new Error(`${path}: repositoryKeys: "${key}" is no environment variable of a repository's place`);
    }
    if (checkSubset !== undefined && !/^[0-9]+(\.[0-9]+)?%$|^[0-9]+\/[0-9]+$|^[0-9]+[KMGT]$/.test(checkSubset)) {
      throw new Error(
        `${path}: checkSubset = "${checkSubset}" must be a percentage, a size or a part, such as 10%, 500M or 1/12`,
      );
    }
    for (const [name, count] of Object.entries({ ...KEEP, ...this.props.keep })) {
      if (Number.isInteger(count) && count >= 0 && count < 1000) continue;
      throw new Error(`${path}: keep.${name} = ${count} must be a whole number from 0 to 999`);
    }
    const names = [CLUSTER, TERRAFORM, "backup", "snapshots"];
    for (const { service, files } of sets) {
      if (names.includes(service)) {
        throw new Error(
          `${path}: sets: "${service}" is there twice, or is a name of the backup's own; pass each set once`,
        );
      }
      names.push(service);
      for (const pattern of files?.include ?? []) {
        if (/^[A-Za-z0-9._*-]+(\/[A-Za-z0-9._*-]+)*$/.test(pattern) && !pattern.includes("..")) continue;
        throw new Error(
          `${path}: sets: ${service} includes "${pattern}", which is no plain path or pattern below its volume`,
        );
      }
    }
    if (terraformState && this.stack.state !== "pg") {
      throw new Error(
        `${path}: terraformState is for \`state: "pg"\` of the stack, and its state is local: copy terraform.${this.stack.node.id}.tfstate yourself`,
      );
    }
  }

  private databasesOf(sets: readonly BackupSet[]): SetDatabase[] {
    const { terraformState } = this.props;
    const { postgres } = this.stack.cluster;
    const services = sets.flatMap(({ service, database }) =>
      database ? [{ ...database, set: service, key: `${service.replaceAll("-", "_")}_database_password` }] : [],
    );
    if (!terraformState) return services;
    const { address = postgres.address, port = postgres.port, name = TERRAFORM, user = TERRAFORM } = terraformState;
    return [
      ...services,
      {
        set: TERRAFORM,
        key: "terraform_database_password",
        ...{ address, port, name, user, tls: terraformState.tls ?? "prefer" },
        secret: "terraform/database_password",
        secretDescription: `password of the PostgreSQL role ${user}, as in PG_CONN_STR`,
        schema: `terraform_${this.stack.node.id}`,
      },
    ];
  }

  private backup(): Job {
    const { props, databases, files, keys } = this;
    return this.job(
      JOB.backup,
      ["backup", "snapshots", ...this.fileSets()],
      [
        ...(databases.length > 0
          ? [
              {
                name: "database",
                hook: "prestart" as const,
                image: "postgres" as const,
                size: DATABASE,
                script: dumpScript(databases),
                secrets: databases.map(({ key }) => key),
              },
            ]
          : []),
        this.restic(
          backupMainScript(files, { keep: { ...KEEP, ...props.keep }, keys, snapshots: Boolean(props.snapshots) }),
          { mounts: [["snapshots", SNAPSHOT_FOLDER], ...this.fileMounts()] },
        ),
      ],
      { Periodic: this.periodic("backup"), Meta: this.meta() },
    );
  }

  private check(): Job {
    return this.job(JOB.check, ["backup"], [this.restic(checkScript(this.keys, this.props.checkSubset ?? "10%"))], {
      Periodic: this.periodic("check"),
    });
  }

  private drill(): Job {
    return this.job(
      JOB.drill,
      ["backup", ...this.fileSets()],
      [
        this.restic(drillFilesScript(this.files, this.keys), { hook: "prestart", mounts: this.fileMounts() }),
        {
          name: "database",
          image: "postgres",
          // initdb wants a user that its image knows; the group is that of the files.
          user: `postgres:${SERVICE_USER}`,
          size: SCRATCH_SERVER,
          script: drillDatabaseScript(this.databases),
        },
      ],
      { Periodic: this.periodic("drill"), Meta: this.meta() },
    );
  }

  private restore(): Job {
    const { databases } = this;
    const sets = this.files.map(({ set }) => set);
    const hasDatabase = databases.length > 0;
    return this.job(
      JOB.restore,
      ["backup"],
      [
        this.restic(restoreFilesScript(sets, this.keys), {
          ...(hasDatabase && { hook: "prestart" }),
          env: { BACKUP: BACKUP_FOLDER, DATABASE_FOLLOWS: String(hasDatabase) },
        }),
        ...(hasDatabase
          ? [
              {
                name: "database",
                image: "postgres" as const,
                size: DATABASE,
                script: restoreDatabaseScript(databases),
                secrets: databases.map(({ key }) => key),
              },
            ]
          : []),
      ],
      {
        ParameterizedJob: { Payload: "forbidden", MetaRequired: ["set", "snapshot"], MetaOptional: ["database"] },
      },
    );
  }

  /** None without a service that has a work directory. */
  private copy(): Job[] {
    const services = this.fileSets();
    if (services.length === 0) return [];
    const copy: Step = {
      name: "copy",
      script: copyScript(services),
      size: { CPU: 200, MemoryMB: 64, MemoryMaxMB: 256 },
      env: { BACKUP: BACKUP_FOLDER, DATA: DATA_FOLDER },
      mounts: [["backup", BACKUP_FOLDER], ...this.fileMounts()],
    };
    return [
      this.job(JOB.copy, ["backup", ...services], [copy], {
        ParameterizedJob: { Payload: "forbidden", MetaRequired: ["job"] },
      }),
    ];
  }

  private fileSets(): string[] {
    return this.files.flatMap(({ set, files }) => (files ? [set] : []));
  }

  private fileMounts(): (readonly [string, string])[] {
    return this.files.flatMap(({ set, files }) => (files ? [[set, `${DATA_FOLDER}/${set}`] as const] : []));
  }

  private meta(): Record<string, string> {
    return { sets: [...this.files.map(({ set }) => set), CLUSTER].join(",") };
  }

  private periodic(job: keyof typeof SCHEDULE): PeriodicConfig {
    const { schedule, timeZone = "UTC" } = this.props;
    return {
      Enabled: true,
      Spec: schedule?.[job] ?? SCHEDULE[job],
      SpecType: "cron",
      ProhibitOverlap: true,
      TimeZone: timeZone,
    };
  }

  /** A task with restic and the way to the repository. */
  private restic(script: string, { mounts = [], env, ...rest }: Partial<Step> = {}): Step {
    return {
      name: "restic",
      script,
      size: resources(this.props, { cpu: 200, memory: Memory.mebibytes(256), memoryMax: Memory.mebibytes(1024) }),
      secrets: [RESTIC_PASSWORD, ...this.keys],
      mounts: [["backup", BACKUP_FOLDER], ...mounts],
      env: {
        RESTIC_REPOSITORY: this.props.repository ?? `${BACKUP_FOLDER}/restic`,
        RESTIC_PASSWORD_FILE: `/secrets/${RESTIC_PASSWORD}`,
        RESTIC_CACHE_DIR: "/local/cache",
        // The root is read-only.
        TMPDIR: "/local",
        // For another run to end.
        LOCK_WAIT: "5m",
        // Seconds. restic itself tries for a quarter of an hour.
        OPEN_WAIT: "120",
        DATA: DATA_FOLDER,
        SNAPSHOTS: SNAPSHOT_FOLDER,
        ...env,
      },
      ...rest,
    };
  }

  private job(id: string, volumes: readonly string[], steps: readonly Step[], more: Partial<Job>): Job {
    const report: Step = { name: "report", hook: "poststop", script: reportScript(id), size: SMALL };
    const head = serviceJob(this.stack, id, this.props, {
      Name: id,
      Count: 1,
      Networks: [{ Mode: "bridge" }],
      Volumes: Object.fromEntries(
        Object.entries(this.volumes)
          .filter(([name]) => volumes.includes(name))
          .map(([name, request]) => [name, { ...request }]),
      ),
      EphemeralDisk: { SizeMB: SCRATCH },
      RestartPolicy: {
        Attempts: KILLED_AT_MOST,
        Interval: Duration.hours(24).toNanoseconds(),
        Delay: Duration.seconds(15).toNanoseconds(),
        Mode: "fail",
      },
      // The next run is its second attempt.
      ReschedulePolicy: { Attempts: 0, Interval: 0 as never, Unlimited: false },
      Tasks: [...steps, report].map((step) => this.task(id, step, volumes)),
    });
    return { ...head, Type: "batch", ...more, Meta: { ...head.Meta, ...more.Meta } };
  }

  private task(job: string, step: Step, volumes: readonly string[]): Task {
    const { props } = this;
    const { name, hook, env, secrets = [], mounts = [], size } = step;
    const reports = name === "report";
    const path = secretPath(job, job, name);
    for (const key of secrets) this.declareSecret(job, name, key);
    const task = hardenedTask({
      name,
      image: step.image === "postgres" ? props.postgresImage : props.image,
      forcePull: props.forcePull,
      config: { entrypoint: ["sh"], args: [`/local/${name}`] },
      resources: { ...size },
      killTimeout: KILL,
    });
    const asksNomad = reports || (job === JOB.backup && name === "restic");
    return {
      ...task,
      ...(step.user && { User: step.user }),
      ...(hook && { Lifecycle: { Hook: hook, Sidecar: false } }),
      ...((env || asksNomad) && {
        Env: {
          ...env,
          // The client's own API, which passes on to the servers.
          ...(asksNomad && { NOMAD_API: "http://${attr.unique.network.ip-address}:4646" }),
        },
      }),
      ...(asksNomad && { Identity: { Env: true } }),
      ...(reports && {
        RestartPolicy: {
          Attempts: 0,
          Interval: Duration.hours(24).toNanoseconds(),
          Delay: Duration.seconds(15).toNanoseconds(),
          Mode: "fail" as const,
        },
      }),
      ...(mounts.length > 0 && {
        VolumeMounts: mounts
          .filter(([volume]) => volumes.includes(volume) && this.volumes[volume])
          .map(([Volume, Destination]) => ({ Volume, Destination, ReadOnly: Volume !== "backup" })),
      }),
      Templates: [
        reports ? file("local/report", step.script) : backupScript(name, step.script),
        ...secrets.map((key) =>
          file(
            `secrets/${key}`,
            secretLine(path, key, (secret) => secret),
          ),
        ),
      ],
    };
  }

  private declareSecret(job: string, task: string, key: string): void {
    const database = this.databases.find((one) => one.key === key);
    this.stack.secrets.push({
      namespace: this.stack.namespaceName,
      path: secretPath(job, job, task),
      key,
      readBy: `${job}/${job}/${task}`,
      source: "owner",
      description:
        database?.secretDescription ??
        (key === RESTIC_PASSWORD
          ? "password of the backup's repository: choose it, and keep it on paper"
          : `${key} of the backup's repository`),
      sameAs: database?.secret ?? `backup/${key}`,
    });
  }
}
