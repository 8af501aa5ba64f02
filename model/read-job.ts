import { FIELDS } from "../.gen/nomad/field-names";
import type { Job } from "../.gen/nomad/job";
import { DEFAULT_NAMESPACE } from "../nomad/defaults";
import { DOCKER, JOB, OPTIONS, shapeMismatch } from "./shape";
import { SENSITIVE, UNKNOWN, type Values } from "./values";

/** A job, or why it cannot be read. */
export type ReadJob =
  | { readonly job: Job; readonly unreadable?: undefined }
  | { readonly job?: undefined; readonly unreadable: Unreadable };

export interface Unreadable {
  /**
   * `sensitive` and `unknown`: Terraform keeps the spec to itself; `hcl`: it is not JSON, and does not say so;
   * `no-json`: it says so, and is none; `no-job`: it lacks the ID; `no-groups`: its groups are no list;
   * `ambiguous`: a key stands twice or in another case, so Nomad may read another job than the one that is shown;
   * `misshapen`: a field has another form than Nomad takes.
   */
  readonly reason: "sensitive" | "unknown" | "hcl" | "no-json" | "no-job" | "no-groups" | "ambiguous" | "misshapen";
  /** The parser's words, or the field that is ambiguous or misshapen and how. */
  readonly detail: string;
}

/** Reads the job of a `nomad_job`, as Terraform evaluates it, with what Nomad fills in of names and type. */
export function readJob({ jobspec, json }: Values): ReadJob {
  if (jobspec === SENSITIVE) return unreadable("sensitive");
  if (jobspec === UNKNOWN) return unreadable("unknown");
  if (json !== true) return unreadable("hcl", `json = ${json ?? "false"}`);
  let parsed: { Job?: unknown } | null;
  try {
    // Go writes null for what is absent.
    parsed = JSON.parse(String(jobspec), (_, member) =>
      Array.isArray(member) ? member.filter((one) => one !== undefined) : (member ?? undefined),
    );
  } catch (error) {
    return unreadable("no-json", (error as Error).message);
  }
  // Nomad takes a job bare or wrapped.
  const job = (parsed?.Job ?? parsed) as Partial<Job> | undefined;
  const doubt = ambiguity(String(jobspec), job);
  if (doubt) return unreadable("ambiguous", doubt);
  if (typeof job !== "object" || !job.ID) return unreadable("no-job");
  if (!Array.isArray(job.TaskGroups ?? [])) return unreadable("no-groups");
  const mismatch = shapeMismatch(job, JOB, "fine") ?? configMismatch(job as Job);
  if (mismatch) return unreadable("misshapen", mismatch);
  const groups = (job.TaskGroups ?? []).map((group) => ({
    ...group,
    Tasks: (group.Tasks ?? []).map((task) => ({ ...task, Config: task.Config ?? {} })),
  }));
  return {
    job: { Name: job.ID, Namespace: DEFAULT_NAMESPACE, Type: "service", ...job, ID: job.ID, TaskGroups: groups } as Job,
  };
}

function unreadable(reason: Unreadable["reason"], detail = ""): ReadJob {
  return { unreadable: { reason, detail } };
}

/** Maps whose keys are the owner's; every other key is a field of Nomad's. */
const FREE =
  /^(?:Env|Meta|CanaryMeta|Config|DriverConfig|Header|GetterOptions|GetterHeaders|Policy|TaggedAddresses|Add|Set|Target)$/;
const SPELLINGS = new Map(FIELDS.map((name) => [folded(name), name]));

/** Go takes `count` for `Count`, and joins what stands twice: what is read here would not be what Nomad reads. */
function ambiguity(text: string, job: unknown): string | undefined {
  const written = [...text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/gs)].filter(([, colon]) => colon).length;
  if (written !== keysIn(JSON.parse(text))) return "a key stands twice in one object";
  const odd = misspelt(job, false);
  return odd && `its key ${odd} is another spelling of ${SPELLINGS.get(folded(odd))}`;
}

function keysIn(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce((sum: number, one) => sum + keysIn(one), own);
}

/** @param isMap of things under names of the owner's, such as the volumes of a group. */
function misspelt(value: unknown, isMap: boolean): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  for (const [key, member] of Object.entries(value)) {
    const isField = !isMap && !Array.isArray(value);
    if (isField && !FIELDS.includes(key) && SPELLINGS.has(folded(key))) return key;
    const odd = isField && FREE.test(key) ? undefined : misspelt(member, isField && key === "Volumes");
    if (odd) return odd;
  }
  return undefined;
}

/** As Go compares names: to it the long s and the Kelvin sign are letters too. */
function folded(name: string): string {
  return name.toLowerCase().replaceAll("ſ", "s");
}

/** Other drivers have options of their own under the same names. */
function configMismatch({ TaskGroups }: Job): string | undefined {
  const tasks = (TaskGroups ?? []).flatMap(({ Tasks }) => Tasks ?? []);
  const found = tasks.map(({ Name, Driver, Config }) =>
    shapeMismatch(Config, !Driver || Driver === "docker" ? DOCKER : OPTIONS, "fine", `the Config of task ${Name}`),
  );
  return found.find(Boolean);
}
