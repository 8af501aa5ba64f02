import type { Construct } from "constructs";
import type { Job, PeriodicConfig, VolumeRequest } from "../../.gen/nomad/job";
import { BACKUP_JOBS, type BackupJob, CHANNEL_BACKUPS } from "../../model/backup-jobs";
import { VOLUME_MARKER } from "../../model/marker-files";
import { Memory } from "../../nomad/memory";
import { SERVICE_USER, type Secret } from "../../nomad/template";
import { resources, serviceJob } from "../job-parts";
import { Service } from "../service";
import { type BackupProps, CLUSTER, checkBackupProps, KEEP, TERRAFORM } from "./props";
import {
  backupMainScript,
  checkScript,
  copyScript,
  drillDatabaseScript,
  drillFilesScript,
  dumpScript,
  type RepositorySecrets,
  restoreDatabaseScript,
  restoreFilesScript,
  type SetDatabase,
  type SetFiles,
} from "./scripts";
import { type BackupSet, PART_SUFFIX } from "./set";
import { BACKUP, backupTask, RETRY_KILLED, reportStep, type Step } from "./task";

const RESTIC_PASSWORD = "restic_password";
const BACKUP_FOLDER = "/backup";
/** With a folder for each service that has files. */
const DATA_FOLDER = "/data";
const SNAPSHOT_FOLDER = "/snapshots";

const SCHEDULE = { backup: "7 * * * *", check: "37 3 * * 0", drill: "17 4 1 * *" };

/** MiB that an allocation may put on its client's disk: dumps, files and raft snapshots, once. */
const SCRATCH = 1024;

const DATABASE = { CPU: 100, MemoryMB: 128, MemoryMaxMB: 512 };
/** The drill's own server beside its clients. */
const SCRATCH_SERVER = { CPU: 200, MemoryMB: 256, MemoryMaxMB: 1024 };

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
  private readonly secrets: RepositorySecrets;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: BackupProps,
  ) {
    super(scope, id, props);
    const sets = props.sets.filter(({ nothing }) => nothing === undefined);
    this.checkData(props.volume, "backup", "volume");
    checkBackupProps(this.node.path, this.stack, props, sets);
    this.secrets = { password: RESTIC_PASSWORD, storage: props.repositoryKeys ?? [] };
    this.databases = this.databasesOf(sets);
    this.files = [
      ...sets.map(({ service, database, files }) => ({
        set: service,
        database: database !== undefined,
        files: files !== undefined,
        include: files?.include ?? [],
        ...(files?.include.includes(VOLUME_MARKER) && { marked: files.volume.volumeId }),
        channels: files?.include.some((pattern) => pattern.startsWith(`${CHANNEL_BACKUPS}/`)) ?? false,
      })),
      ...(props.terraformState ? [{ set: TERRAFORM, database: true, files: false, include: [], channels: false }] : []),
    ];
    this.volumes = {
      [BACKUP]: { Name: BACKUP, ...props.volume.request },
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
    this.notify("without restic_password kept outside of the cluster, on paper, nobody can open the backup");
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
    const { props, databases, files, secrets } = this;
    return this.job(
      BACKUP_JOBS.backup,
      [BACKUP, "snapshots", ...this.fileSets()],
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
          backupMainScript(files, secrets, { keep: { ...KEEP, ...props.keep }, snapshots: Boolean(props.snapshots) }),
          {
            asksNomad: true,
            env: { BACKUP: BACKUP_FOLDER },
            mounts: [...(props.snapshots ? [["snapshots", SNAPSHOT_FOLDER] as const] : []), ...this.fileMounts()],
          },
        ),
      ],
      { Periodic: this.periodic("backup"), Meta: this.meta() },
    );
  }

  private check(): Job {
    return this.job(
      BACKUP_JOBS.check,
      [BACKUP],
      [this.restic(checkScript(this.secrets, this.props.checkSubset ?? "10%"))],
      {
        Periodic: this.periodic("check"),
      },
    );
  }

  private drill(): Job {
    return this.job(
      BACKUP_JOBS.drill,
      [BACKUP, ...this.fileSets()],
      [
        this.restic(drillFilesScript(this.files, this.secrets), { hook: "prestart", mounts: this.fileMounts() }),
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
    const sets = this.files.flatMap(({ set, database, files }) =>
      database && files ? [set, `${set}${PART_SUFFIX}`] : [set],
    );
    const hasDatabase = databases.length > 0;
    return this.job(
      BACKUP_JOBS.restore,
      [BACKUP],
      [
        this.restic(restoreFilesScript(sets, this.secrets), {
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
      mounts: [[BACKUP, BACKUP_FOLDER], ...this.fileMounts()],
    };
    return [
      this.job(BACKUP_JOBS.copy, [BACKUP, ...services], [copy], {
        ParameterizedJob: { Payload: "forbidden", MetaRequired: ["job"], MetaOptional: ["snapshot"] },
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
      secrets: [this.secrets.password, ...this.secrets.storage],
      mounts: [[BACKUP, BACKUP_FOLDER], ...mounts],
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

  private job(id: BackupJob, volumes: readonly string[], steps: readonly Step[], more: Partial<Job>): Job {
    const all = [...steps, reportStep(id)];
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
      RestartPolicy: { ...RETRY_KILLED },
      // The next run is its second attempt.
      ReschedulePolicy: { Attempts: 0, Unlimited: false },
      Tasks: all.map((step) => backupTask(step, this.secretsOf(id, step), this.props)),
    });
    return { ...head, Type: "batch", ...more, Meta: { ...head.Meta, ...more.Meta } };
  }

  private secretsOf(job: string, { name, secrets = [] }: Step): Secret[] {
    return secrets.map((key) => {
      const database = this.databases.find((one) => one.key === key);
      return this.secret({ job, group: job, task: name }, key, {
        source: "owner",
        description:
          database?.secretDescription ??
          (key === RESTIC_PASSWORD
            ? "password of the backup's repository: choose it, and keep it on paper"
            : `${key} of the backup's repository`),
        sameAs: database?.secret ?? `backup/${key}`,
      });
    });
  }
}
