import type { Job, Task } from "../../.gen/nomad/job";
import type { DatabaseRecord, VolumeRecord } from "../../model/homelab";
import { servicesIn } from "../../model/places";
import { isSameServer } from "../../model/server";
import { identify } from "../../model/versions";
import type { JobStub } from "../../nomad/batch";
import type { NomadClient } from "../../nomad/client";
import type { Refusal } from "../../nomad/guard";
import { type AllocationStub, capability, ifThere, isLive, nodesOf, placedAllocations } from "../../nomad/live";
import { NomadError } from "../../nomad/nomad-error";
import { type LiveVolume, volumeOf, writtenAlone } from "../../nomad/volume";
import { type NodeStatus, nodeStatus, remedyFor } from "../../nomad/writers";
import { overlap } from "../../rules/volume-identity";
import type { Target } from "./target";

/** What was found beside a stack's own jobs. */
export interface Strangers {
  readonly refusals: readonly Refusal[];
  /** What could not be told. */
  readonly notes: readonly string[];
}

/** A job of somebody else that may run now. What Go writes as null is absent. */
interface LiveJob {
  readonly ID: string;
  readonly Namespace: string;
  readonly Type: string;
  readonly TaskGroups?: readonly LiveGroup[];
  /** Of a job that has ended: what may run of it still. */
  readonly rest?: readonly Rest[];
}

/** An allocation that may run, whatever became of its job. */
interface Rest {
  readonly allocation: AllocationStub;
  readonly status: NodeStatus;
}

interface LiveGroup {
  readonly Volumes?: Job["TaskGroups"][0]["Volumes"];
  readonly Services?: Job["TaskGroups"][0]["Services"];
  readonly Tasks?: readonly (Omit<Task, "Config"> & { readonly Config?: { readonly image?: string } })[];
}

/**
 * Compares what a deploy would start with what Nomad runs already, of other stacks and of strangers, in every namespace
 * that the token sees: folders of volumes, databases of hubs, and names of services.
 *
 * @param changing the jobs that would get a new version.
 */
export async function strangersTo(
  { client, homelab }: Pick<Target, "client" | "homelab">,
  changing: readonly Job[],
): Promise<Strangers> {
  if (changing.length === 0) return { refusals: [], notes: [] };
  const isOwn = (id: string, namespace: string) =>
    homelab.jobs.some(({ job }) => job.ID === id && job.Namespace === namespace);
  const [volumes, { jobs, purged }, seesAll] = await Promise.all([
    liveVolumes(client),
    liveJobs(client, isOwn),
    seesEverything(client),
  ]);
  const notes = seesAll
    ? []
    : [
        "the token may not see every namespace, so jobs and volumes elsewhere were not compared; ansible-playbook nomad_cluster.yml renews its policy",
      ];
  for (const one of purged) {
    const { JobID, Namespace } = one.allocation;
    notes.push(
      `job ${JobID} in namespace ${Namespace} was purged, but ${restText([one])}, and what that writes was not compared: ${restRemedy([one])}`,
    );
  }
  const records = new Map(volumes.map((volume) => [`${volume.Namespace}/${volume.ID}`, volume]));
  const ownVolumes = (job: Job) =>
    writtenAlone(job).map((id): OwnVolume => {
      const told =
        homelab.volumes.find((one) => one.id === id && one.namespace === job.Namespace) ?? unknownVolume(job, id);
      return { job, told, volume: withFolder(told, records.get(`${job.Namespace}/${id}`)) };
    });
  const refusals = ownFolders(
    homelab.jobs.flatMap(({ job }) => ownVolumes(job)),
    changing,
  );
  for (const job of changing) {
    const database = homelab.jobs.find((one) => one.job.ID === job.ID && one.job.Namespace === job.Namespace)?.database;
    const written = ownVolumes(job);
    for (const other of jobs) {
      const problems = [
        ...written.flatMap(({ volume }) => volumeProblem(volume, other, records) ?? []),
        ...(database ? databaseProblem(database, other, notes) : []),
        ...nameProblem(job, other),
      ];
      for (const [problem, remedy] of problems) {
        refusals.push({ reason: "stranger", job: job.ID, problem: `${job.ID}: ${problem}`, remedy });
      }
    }
  }
  return { refusals, notes: [...new Set(notes)] };
}

type Problem = readonly [problem: string, remedy: string];

/** A volume that a job of the stack writes. */
interface OwnVolume {
  readonly job: Job;
  /** As the code has it. */
  readonly told: VolumeRecord;
  /** With the folder that Nomad knows of. */
  readonly volume: VolumeRecord;
}

/** Two volumes of the stack that are one folder, which only Nomad tells: what the code tells was judged at synthesis. */
function ownFolders(all: readonly OwnVolume[], changing: readonly Job[]): Refusal[] {
  const changes = ({ job }: OwnVolume) =>
    changing.some(({ ID, Namespace }) => ID === job.ID && Namespace === job.Namespace);
  return all.flatMap((first, at) =>
    all.slice(at + 1).flatMap((second): Refusal[] => {
      const [one, other] = changes(first) ? [first, second] : [second, first];
      const { volume, job } = one;
      if (!changes(one) || (volume.id === other.volume.id && volume.namespace === other.volume.namespace)) return [];
      const shared = overlap(volume, other.volume);
      if (shared === false || shared === overlap(one.told, other.told)) return [];
      const whose = other.job === job ? "its volume" : "the volume";
      const of = other.job === job ? "" : ` of job ${other.job.ID}`;
      const places = [...new Set([placeOf(volume), placeOf(other.volume)])].join(" and ");
      return [
        {
          reason: "stranger",
          job: job.ID,
          problem: `${job.ID}: its volume ${volume.id} and ${whose} ${other.volume.id}${of} ${shared ? "are" : "may be"} one folder (${places})`,
          remedy: "give each a folder of its own, or refer to one volume in both",
        },
      ];
    }),
  );
}

function placeOf({ source }: VolumeRecord): string {
  return source ? `${source.server}:${source.share}` : "its folder";
}

/** Jobs of others that run, or of which something may run still, and what may run without a job. */
async function liveJobs(
  client: NomadClient,
  isOwn: (id: string, namespace: string) => boolean,
): Promise<{ readonly jobs: readonly LiveJob[]; readonly purged: readonly Rest[] }> {
  // Before the jobs: whatever is stopped in between was seen to run.
  const allocations = await placedAllocations(client);
  const [stubs, nodes] = await Promise.all([
    client.get<readonly JobStub[]>(["jobs"], {
      namespace: "*",
      needs: 'the capability "list-jobs" in every namespace',
    }),
    nodesOf(client),
  ]);
  const keyOf = (id: string, namespace: string) => `${namespace}/${id}`;
  const known = new Map(stubs.map((stub) => [keyOf(stub.ID, stub.Namespace), stub]));
  // A run is what its parent says, as long as there is one.
  const rootOf = ({ ID, Namespace, ParentID }: JobStub) =>
    known.has(keyOf(ParentID, Namespace)) ? keyOf(ParentID, Namespace) : keyOf(ID, Namespace);
  const rests = new Map<string, Rest[]>();
  const purged: Rest[] = [];
  for (const allocation of allocations) {
    const { JobID, Namespace, NodeID, ClientStatus } = allocation;
    const status = nodeStatus(nodes, NodeID);
    // Only the server calls one lost; its machine tells the end of it when it is back.
    if (!isLive(allocation) && !(ClientStatus === "lost" && status !== "ready")) continue;
    const stub = known.get(keyOf(JobID, Namespace));
    if (stub) rests.set(rootOf(stub), [...(rests.get(rootOf(stub)) ?? []), { allocation, status }]);
    else if (!isOwn(JobID, Namespace)) purged.push({ allocation, status });
  }
  const others = stubs.filter(
    (stub) =>
      rootOf(stub) === keyOf(stub.ID, stub.Namespace) &&
      !isOwn(stub.ID, stub.Namespace) &&
      !(stub.ParentID && isOwn(stub.ParentID, stub.Namespace)) &&
      (!hasEnded(stub) || rests.has(rootOf(stub))),
  );
  const found = await Promise.all(
    others.map(async (stub): Promise<LiveJob | undefined> => {
      const { ID, Namespace } = stub;
      const options = { namespace: Namespace, needs: capability("read-job", Namespace) };
      const job = await ifThere(client.get<LiveJob>(["job", ID], options));
      const plain = job && JSON.parse(JSON.stringify(job), (_, member) => member ?? undefined);
      return plain && (hasEnded(stub) ? { ...plain, rest: rests.get(rootOf(stub)) } : plain);
    }),
  );
  return { jobs: found.filter((job) => job !== undefined), purged };
}

/** Whether a job is to run no more; what it ran may take its time to stop, or be out of sight. */
function hasEnded({ Stop, Status }: JobStub): boolean {
  return Stop || Status === "dead";
}

function restText(rest: readonly Rest[]): string {
  const each = rest.map(
    ({ allocation: { ID, NodeName }, status }) =>
      `allocation ${ID.slice(0, 8)} may still run on ${NodeName}${status === "ready" ? "" : `, which is ${status}`}`,
  );
  return each.join(", and ");
}

function restRemedy(rest: readonly Rest[]): string {
  const each = rest.map(({ allocation: { ClientStatus, NodeName }, status }) =>
    status === "ready" && ClientStatus !== "unknown" ? "wait until it has ended" : remedyFor(NodeName, status),
  );
  return [...new Set(each)].join("; ");
}

/** Every volume that the token sees, with its folder. */
async function liveVolumes(client: NomadClient): Promise<readonly LiveVolume[]> {
  const stubs = await client.get<readonly { readonly ID: string; readonly Namespace: string }[] | null>(["volumes"], {
    namespace: "*",
    query: { type: "csi" },
    needs: 'the capability "csi-list-volume" in every namespace',
  });
  const found = await Promise.all((stubs ?? []).map(({ ID, Namespace }) => volumeOf(client, ID, Namespace)));
  return found.filter((volume) => volume !== undefined);
}

/**
 * Whether the token sees every namespace. Nomad leaves out of its lists what a token may not see, and does not say so;
 * but it shows a token the policies that it has.
 */
async function seesEverything(client: NomadClient): Promise<boolean> {
  const needs = "a token";
  try {
    const self = await client.get<{ readonly Type: string }>(["acl", "token", "self"], { needs });
    if (self.Type === "management") return true;
    const stubs = await client.get<readonly { readonly Name: string }[]>(["acl", "policies"], { needs });
    const policies = await Promise.all(
      stubs.map(({ Name }) => client.get<{ readonly Rules: string }>(["acl", "policy", Name], { needs })),
    );
    return policies.some(({ Rules }) => /namespace\s+"\*"/.test(Rules));
  } catch (error) {
    if (!(error instanceof NomadError)) throw error;
    // Where there are no ACLs, everybody sees everything.
    return error.message.includes("ACL support disabled");
  }
}

/** A volume with the folder that Nomad knows of, where the code tells none. */
function withFolder(volume: VolumeRecord, live: LiveVolume | undefined): VolumeRecord {
  const { server, share } = live?.Context ?? {};
  return volume.source || !server || !share ? volume : { ...volume, source: { server, share } };
}

function unknownVolume({ ID, Namespace }: Pick<LiveJob, "ID" | "Namespace">, id: string): VolumeRecord {
  return {
    path: `job ${ID} in namespace ${Namespace}`,
    namespace: Namespace,
    id,
    holds: "index",
    accessMode: "single-node-writer",
    attachmentMode: "file-system",
    mountFlags: [],
    retained: true,
    managed: false,
  };
}

function named({ ID, Namespace, rest }: LiveJob): string {
  return `job ${ID} in namespace ${Namespace}${rest ? ` (it has ended, but ${restText(rest)})` : ""}`;
}

function stopIt({ ID, Namespace, rest }: LiveJob): string {
  return rest ? restRemedy(rest) : `stop that first (nomad job stop -namespace ${Namespace} ${ID})`;
}

function volumeProblem(
  volume: VolumeRecord,
  other: LiveJob,
  records: ReadonlyMap<string, LiveVolume>,
): Problem[] | undefined {
  const place = placeOf(volume);
  const remedy = `${stopIt(other)}, or give one of the two a folder of its own`;
  for (const id of writtenAlone(other)) {
    if (id === volume.id && other.Namespace === volume.namespace) {
      return [[`${named(other)}, which this code does not know, writes the same volume ${id}`, remedy]];
    }
    const shared = overlap(volume, withFolder(unknownVolume(other, id), records.get(`${other.Namespace}/${id}`)));
    if (shared === false) continue;
    const how = shared ? "writes that folder too" : "may write that folder too, since nothing tells the two apart";
    return [[`its volume ${volume.id} is ${place}, and ${named(other)} ${how}, as its volume ${id}`, remedy]];
  }
  const mounts = volume.source && tasksOf(other).find((task) => names(task, volume.source as Folder));
  return (
    mounts && [
      [`its volume ${volume.id} is ${place}, and ${named(other)} names that folder in its task ${mounts.Name}`, remedy],
    ]
  );
}

type Folder = NonNullable<VolumeRecord["source"]>;

/** Whether a task mounts an NFS folder, or one above it, by Docker's own means, or names it in any other way. */
function names(task: unknown, { server, share }: Folder): boolean {
  const texts = textsOf(task);
  const folder = share.replace(/\/+$/, "");
  const elsewhere = texts.some((text) => {
    const [, address] = /(?:^|,)addr=([^,]+)/.exec(text) ?? [];
    return address !== undefined && isSameServer(address, server) === false;
  });
  if (elsewhere) return false;
  return texts.some((text) => {
    const device = /^:(\/.*?)\/*$/.exec(text)?.[1];
    if (device !== undefined) return `${folder}/`.startsWith(`${device}/`) || `${device}/`.startsWith(`${folder}/`);
    const at = text.indexOf(folder);
    return at >= 0 && !/[\w.-]/.test(text[at + folder.length] ?? "");
  });
}

function databaseProblem(database: DatabaseRecord, other: LiveJob, notes: string[]): Problem[] {
  const hubs = tasksOf(other).filter((task) => {
    const known = identify({ job: other as unknown as Job, task: task as Task }, task.Config?.image ?? "");
    return known?.program === "Alby Hub" || /"DATABASE_URI"|\bDATABASE_URI=/.test(JSON.stringify(task));
  });
  const runs = other.Type === "service" || other.Type === "system";
  return (runs ? hubs : []).flatMap((hub): Problem[] => {
    const found = textsOf(hub).flatMap(databasesIn);
    if (found.length === 0 && /DATABASE_URI|postgres/.test(JSON.stringify(hub))) {
      notes.push(`${named(other)} runs an Alby Hub whose database its job does not tell: make sure that it is another`);
    }
    const twin = found.find((one) => one.name === database.name && isSameServer(one.server, database.server) !== false);
    if (!twin) return [];
    const certain = isSameServer(twin.server, database.server) && twin.port === database.port;
    const text = `${twin.server}:${twin.port}/${twin.name}`;
    return [
      [
        `its database ${text} ${certain ? "is" : "may be"} that of ${named(other)}: two hubs with one seed can lose their channels`,
        `${stopIt(other)}, or give each its own databaseName and databaseUser`,
      ],
    ];
  });
}

/** `server:port/name` wherever it stands, `@server/name` of a URL, and libpq's `host=… dbname=…`. */
function databasesIn(text: string): DatabaseRecord[] {
  const found = [
    ...[...text.matchAll(/(\[[0-9a-f:]+\]|[\w.-]+):(\d{2,5})\/([A-Za-z_][\w-]*)/gi)],
    ...[...text.matchAll(/@(\[[0-9a-f:]+\]|[\w.-]+)()\/([A-Za-z_][\w-]*)/gi)],
  ].map(([, server = "", port, name = ""]) => ({ server, port: Number(port || POSTGRES_PORT), name }));
  const libpq = (key: string) => new RegExp(`\\b${key}\\s*=\\s*'?([^\\s']+)`).exec(text)?.[1];
  const [server, name] = [libpq("host"), libpq("dbname")];
  if (!server || !name) return found;
  return [...found, { server, port: Number(libpq("port") ?? POSTGRES_PORT), name }];
}

const POSTGRES_PORT = 5432;

/** Only one namespace shares its names; a job that has ended gives them back at once. */
function nameProblem(job: Job, other: LiveJob): Problem[] {
  if (job.Namespace !== other.Namespace || other.rest) return [];
  const taken = registered(other);
  return registered(job)
    .filter((name) => taken.includes(name))
    .map((name) => [
      `${named(other)} registers the service ${name} too, and whoever asks for it may get either`,
      `${stopIt(other)}, or give one of the two another name`,
    ]);
}

function registered({ TaskGroups = [] }: Pick<LiveJob, "TaskGroups">): string[] {
  return TaskGroups.flatMap(servicesIn)
    .filter(({ Provider }) => Provider === "nomad")
    .flatMap(({ Name }) => Name ?? []);
}

function tasksOf({ TaskGroups }: LiveJob) {
  return (TaskGroups ?? []).flatMap(({ Tasks }) => Tasks ?? []);
}

/** Every text in a value, at any depth. */
function textsOf(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsOf) : [];
}
