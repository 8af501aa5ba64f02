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
   * `misshapen`: a field has another form than Nomad takes.
   */
  readonly reason: "sensitive" | "unknown" | "hcl" | "no-json" | "no-job" | "no-groups" | "misshapen";
  /** The parser's words, or the field that is misshapen and how. */
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

/** Other drivers have options of their own under the same names. */
function configMismatch({ TaskGroups }: Job): string | undefined {
  const tasks = (TaskGroups ?? []).flatMap(({ Tasks }) => Tasks ?? []);
  const found = tasks.map(({ Name, Driver, Config }) =>
    shapeMismatch(Config, !Driver || Driver === "docker" ? DOCKER : OPTIONS, "fine", `the Config of task ${Name}`),
  );
  return found.find(Boolean);
}
