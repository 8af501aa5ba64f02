import type { Job, Nanoseconds, Task, TaskGroup, Template, UpdateStrategy, VolumeRequest } from "../../.gen/nomad/job";
import type { ClusterFigures, Dependency, Homelab, JobRecord, OtherStack, VolumeRecord } from "../../model/homelab";
import { Duration } from "../../nomad/duration";
import { file, instancesOf, Secret, secretPath } from "../../nomad/template";
import type { Finding, Rule } from "../../rules/rule";

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** A homelab that a test may change, with its parts at hand. */
export interface Draft {
  cluster: Mutable<ClusterFigures>;
  jobs: Mutable<JobRecord>[];
  volumes: Mutable<VolumeRecord>[];
  dependencies: Dependency[];
  others: OtherStack[];
  readonly bitcoin: Service;
  readonly electrs: Service;
  readonly albyhub: Service;
  readonly controller: Service;
  readonly node: Service;
  readonly backup: Mutable<JobRecord>;
  readonly backupVolume: Mutable<VolumeRecord>;
}

/** A job with its only group and task, its request for a volume, and its volume. */
export interface Service {
  readonly record: Mutable<JobRecord>;
  readonly job: Job;
  readonly group: TaskGroup;
  readonly task: Task;
  readonly request: VolumeRequest;
  readonly volume: Mutable<VolumeRecord>;
}

export const DIGEST = `sha256:${"0123456789abcdef".repeat(4)}`;

export const seconds = (amount: number): Nanoseconds => Duration.seconds(amount).toNanoseconds();
export const minutes = (amount: number): Nanoseconds => Duration.minutes(amount).toNanoseconds();
export const hours = (amount: number): Nanoseconds => Duration.hours(amount).toNanoseconds();

interface ServiceShape {
  readonly id: string;
  readonly image: string;
  readonly port: number;
  readonly kill: Nanoseconds;
  readonly update: UpdateStrategy;
  readonly holds: VolumeRecord["holds"];
  readonly resources: Task["Resources"];
  readonly templates: readonly Template[];
}

function serviceOf(shape: ServiceShape): Service {
  const { id } = shape;
  const volume: VolumeRecord = {
    path: `homelab/${id}-data`,
    namespace: "bitcoin",
    id: `${id}-data`,
    holds: shape.holds,
    accessMode: "multi-node-single-writer",
    attachmentMode: "file-system",
    mountFlags: ["nfsvers=4.1", "hard", "noatime"],
    retained: true,
    managed: true,
  };
  const request: VolumeRequest = {
    Name: "data",
    Type: "csi",
    Source: volume.id,
    ReadOnly: false,
    AccessMode: volume.accessMode,
    AttachmentMode: volume.attachmentMode,
  };
  const task: Task = {
    Name: id,
    Driver: "docker",
    User: "3001:3001",
    Config: { image: `${shape.image}@${DIGEST}`, args: ["-datadir=/data"], ulimit: [{ nofile: "65536:65536" }] },
    Env: { WORK_DIR: "/data" },
    Resources: shape.resources,
    KillTimeout: shape.kill,
    VolumeMounts: [{ Volume: "data", Destination: "/data", ReadOnly: false }],
    Templates: [...shape.templates],
  };
  const group: TaskGroup = {
    Name: id,
    Count: 1,
    Networks: [{ Mode: "bridge", ReservedPorts: [{ Label: "main", Value: shape.port, To: shape.port }] }],
    Services: [
      {
        Name: id,
        PortLabel: "main",
        Provider: "nomad",
        Checks: [{ Name: "tcp", Type: "tcp", Interval: seconds(15), Timeout: seconds(5) }],
      },
    ],
    Volumes: { data: request },
    Disconnect: { LostAfter: hours(2160), Replace: false, Reconcile: "keep_original" },
    Update: { AutoRevert: false, Canary: 0, ...shape.update },
    Tasks: [task],
  };
  const job: Job = { ID: id, Name: id, Namespace: "bitcoin", Type: "service", TaskGroups: [group] };
  return { record: { path: `homelab/${id}`, job, retained: true }, job, group, task, request, volume };
}

function pluginOf(type: "controller" | "node"): Service {
  const task: Task = {
    Name: "plugin",
    Driver: "docker",
    Config: {
      image: `registry.k8s.io/sig-storage/nfsplugin:v4.13.4@${DIGEST}`,
      privileged: true,
      network_mode: "host",
      args: ["--nodeid=${attr.unique.hostname}", "--endpoint=unix:///csi/csi.sock"],
    },
    CSIPluginConfig: { ID: "nfs", Type: type },
    Resources: { CPU: 100, MemoryMB: 128, MemoryMaxMB: 300 },
    KillTimeout: seconds(30),
  };
  const group: TaskGroup = {
    Name: type,
    ...(type === "controller" && { Count: 2 }),
    Networks: [{ Mode: "host" }],
    Update: { HealthyDeadline: minutes(5), ProgressDeadline: minutes(10) },
    Tasks: [task],
  };
  const id = `csi-nfs-${type}`;
  const job: Job = {
    ID: id,
    Name: id,
    Namespace: "default",
    Type: type === "controller" ? "service" : "system",
    Constraints: [{ Operand: "distinct_hosts", RTarget: "true" }],
    TaskGroups: [group],
  };
  const none = {} as never;
  return {
    record: { path: `homelab/csi-nfs/${type}`, job, retained: true },
    job,
    group,
    task,
    request: none,
    volume: none,
  };
}

/** The server of no other volume. */
const SECOND_SERVER = { server: "192.168.68.51", share: "/mnt/second/backup" };

/** A second place for the hub: its channel backups are copied there, and a backup takes its set. */
function addSecondPlace({ group }: Service): Pick<Draft, "backup" | "backupVolume"> {
  const volume: Mutable<VolumeRecord> = {
    path: "homelab/backup",
    namespace: "bitcoin",
    id: "backup",
    holds: "backup",
    accessMode: "multi-node-multi-writer",
    attachmentMode: "file-system",
    mountFlags: ["nfsvers=4.1", "soft", "noatime"],
    retained: true,
    source: SECOND_SERVER,
    managed: true,
  };
  const request: VolumeRequest = {
    Name: "backup",
    Type: "csi",
    Source: "backup",
    ReadOnly: false,
    AccessMode: volume.accessMode,
    AttachmentMode: volume.attachmentMode,
  };
  group.Volumes = { ...group.Volumes, second: { ...request, Name: "second" } };
  const task: Task = {
    Name: "restic",
    Driver: "docker",
    User: "3001:3001",
    Config: { image: `restic/restic:0.18.1@${DIGEST}` },
    Env: { RESTIC_REPOSITORY: "/backup/restic" },
    Resources: { CPU: 1, MemoryMB: 1 },
    KillTimeout: minutes(1),
    VolumeMounts: [{ Volume: "backup", Destination: "/backup", ReadOnly: false }],
  };
  const job: Job = {
    ID: "backup",
    Name: "backup",
    Namespace: "bitcoin",
    Type: "batch",
    Meta: { sets: "albyhub,cluster" },
    TaskGroups: [{ Name: "backup", Networks: [{ Mode: "bridge" }], Volumes: { backup: request }, Tasks: [task] }],
  };
  return { backup: { path: "homelab/backup-jobs", job, retained: true }, backupVolume: volume };
}

const secretFile = (id: string, destination: `secrets/${string}`, line: (secret: string) => string) =>
  file(destination, new Secret(secretPath(id, id, id), "password").line(line));

function draftOf(): Draft {
  const bitcoin = serviceOf({
    id: "bitcoin",
    image: "bitcoin/bitcoin:31.1",
    port: 8332,
    kill: minutes(15),
    update: { HealthyDeadline: minutes(10), ProgressDeadline: minutes(30) },
    holds: "chain",
    resources: { CPU: 2500, MemoryMB: 4096, MemoryMaxMB: 6144 },
    templates: [
      secretFile("bitcoin", "secrets/bitcoin.conf", (hash) => `rpcauth=electrs:${hash}\nserver=1\ndbcache=450`),
    ],
  });
  const electrs = serviceOf({
    id: "electrs",
    image: "getumbrel/electrs:v0.11.1",
    port: 50001,
    kill: minutes(2),
    update: { HealthyDeadline: minutes(5), ProgressDeadline: minutes(15) },
    holds: "index",
    resources: { CPU: 1000, MemoryMB: 1280, MemoryMaxMB: 2048 },
    templates: [
      secretFile("electrs", "secrets/electrs.toml", (password) => `auth = "electrs:${password}"`),
      file("local/address", instancesOf({ service: "bitcoin", job: "bitcoin" }, "{{ .Address }}:{{ .Port }}")),
    ],
  });
  const albyhub = serviceOf({
    id: "albyhub",
    image: "ghcr.io/getalby/hub:v1.24.0",
    port: 8080,
    kill: minutes(6),
    update: { HealthyDeadline: minutes(5), ProgressDeadline: minutes(15) },
    holds: "funds",
    resources: { CPU: 500, MemoryMB: 1280, MemoryMaxMB: 2048 },
    templates: [
      secretFile("albyhub", "secrets/password", (password) => password),
      file("local/address", instancesOf({ service: "electrs", job: "electrs" }, "{{ .Address }}:{{ .Port }}")),
    ],
  });
  const [controller, node] = [pluginOf("controller"), pluginOf("node")];
  for (const { volume } of [bitcoin, electrs, albyhub]) {
    volume.source = { server: "192.168.68.50", share: `/mnt/homelab-general/${volume.id}` };
  }
  const { backup, backupVolume } = addSecondPlace(albyhub);
  return {
    cluster: {
      datacenter: "homelab",
      clients: ["pinode1", "pinode3", "pinode4"].map((name) => ({ name, memory: 7424, cpu: 7200 })),
      maxKillTimeout: "15m",
      drainDeadline: "15m",
      memoryOversubscription: true,
    },
    jobs: [...[bitcoin, electrs, albyhub, controller, node].map(({ record }) => record), backup],
    volumes: [...[bitcoin, electrs, albyhub].map(({ volume }) => volume), backupVolume],
    dependencies: [
      { from: "electrs", on: "bitcoin" },
      { from: "albyhub", on: "electrs" },
    ],
    others: [],
    bitcoin,
    electrs,
    albyhub,
    controller,
    node,
    backup,
    backupVolume,
  };
}

export type Change = (draft: Draft) => void;

/** A homelab that breaks no rule: three Raspberry Pis of 8 GiB, Bitcoin Core, electrs, Alby Hub and NFS; or a changed one. */
export function homelabWith(change: Change = () => {}): Homelab {
  const draft = draftOf();
  change(draft);
  const { cluster, jobs, volumes, dependencies, others } = draft;
  return { cluster, jobs, volumes, dependencies, secrets: [], acknowledgements: [], notices: [], others };
}

/** A job of the homelab's namespace with one group that only reads a volume, such as a backup. */
export function addReader(draft: Draft, source: string, change: (group: TaskGroup) => void = () => {}): void {
  const reader = serviceOf({
    id: "backup",
    image: "example.org/backup:1.0",
    port: 9000,
    kill: minutes(1),
    update: {},
    holds: "index",
    resources: { CPU: 100, MemoryMB: 64 },
    templates: [],
  });
  Object.assign(reader.request, { Source: source, ReadOnly: true });
  delete reader.group.Disconnect;
  change(reader.group);
  draft.jobs.push(reader.record);
}

/** What a rule finds in a changed homelab. Every finding must be written so that its owner can act on it. */
export function findings(rule: Rule, change?: Change): readonly Finding[] {
  const found = rule.check(homelabWith(change));
  for (const { path, place, value, problem, remedy } of found) {
    expect(path).toMatch(/^homelab/);
    expect(
      [place, value, problem, remedy].every((text) => text.length > 0 && !/undefined|NaN|\[object/.test(text)),
    ).toBe(true);
    for (const text of [problem, remedy]) {
      expect(text).not.toMatch(/\.$/);
    }
  }
  return found;
}

/** The findings as short lines, `path place = value`. */
export function places(rule: Rule, change?: Change): string[] {
  return findings(rule, change).map(({ path, place, value }) => `${path} ${place} = ${value}`);
}
