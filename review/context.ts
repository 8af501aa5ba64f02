import type { Job } from "../.gen/nomad/job";
import type { JobRecord } from "../model/homelab";
import type { JobEntry } from "../model/read-stack";
import { known } from "../model/values";
import { changedPaths } from "./diff";
import type { Change, Plan } from "./plan";
import { type Side, sidesOf } from "./stack";

/** One `nomad_job` of the plan, with the job before and after. */
export interface JobChange {
  readonly change: Change;
  readonly before?: JobEntry;
  readonly after?: JobEntry;
  /** The address under which Terraform knew the same job: its construct was renamed, the job goes on. */
  readonly movedFrom?: string;
  /** The address under which it goes on. */
  readonly movedTo?: string;
  /** Fields that differ when it can be read on both sides. */
  readonly paths: readonly string[];
}

/** Everything the dangers are judged by. */
export interface Context {
  readonly plan: Plan;
  readonly before: Side;
  readonly after: Side;
  readonly jobs: readonly JobChange[];
  /** Jobs that go on running though they leave the code: destroyed without being deregistered, or under another ID now. */
  readonly left: readonly JobChange[];
}

export function contextOf(plan: Plan): Context {
  const { before, after } = sidesOf(plan);
  const [was, will] = [before, after].map(
    ({ jobs }) => new Map(jobs.flatMap((entry) => (entry.read.job ? [[keyOf(entry.read.job), entry] as const] : []))),
  );
  const jobs = plan.changes
    .filter(({ type }) => type === "nomad_job")
    .map((change): JobChange => {
      const own = change.before && before.jobs.find(({ address }) => address === change.address);
      const now = change.after && after.jobs.find(({ address }) => address === change.address);
      const from = change.action === "create" && now?.read.job ? was?.get(keyOf(now.read.job)) : undefined;
      const to = isRemoved(change) && !now && own?.read.job ? will?.get(keyOf(own.read.job)) : undefined;
      const old = own ?? from;
      const isReadable = old?.read.job && now?.read.job && change.action !== "none";
      return {
        change,
        ...(old && { before: old }),
        ...(now && { after: now }),
        ...(from && { movedFrom: from.address }),
        ...(to && { movedTo: to.address }),
        paths: isReadable ? changedPaths(old.read.job, now.read.job) : [],
      };
    });
  return { plan, before, after, jobs, left: leftBehind(jobs, after) };
}

/** A job by its name in Nomad. */
export function keyOf({ Namespace, ID }: Pick<Job, "Namespace" | "ID">): string {
  return `${Namespace}/${ID}`;
}

/** The address of the resource that a finding about a job of the code belongs to. */
export function addressOf({ jobs }: Context, job: Job): string {
  const entry = jobs.find(({ after }) => after?.read.job && keyOf(after.read.job) === keyOf(job));
  return entry?.change.address ?? "stack";
}

/** Jobs that leave the code and go on running, as rules read them. */
export function leftRecords({ left }: Pick<Context, "left">): JobRecord[] {
  return left.flatMap(({ before, change }) =>
    before?.shown ? [{ path: change.address, job: before.shown, retained: true }] : [],
  );
}

/** Whether Terraform destroys what the resource was. */
export function isRemoved({ action }: Change): boolean {
  return action === "delete" || action === "replace" || action === "forget";
}

/** The job that Terraform knows under this address, as text calls it; of one that cannot be read the provider has the name. */
export function jobName({ change, before, after }: JobChange): string {
  const name = known(change.before?.name) ?? known(change.after?.name);
  return (before?.read.job ?? after?.read.job)?.ID ?? name ?? change.address.replace(/^.*\./, "");
}

function leftBehind(jobs: readonly JobChange[], after: Side): JobChange[] {
  const running = new Set(after.jobs.flatMap(({ read }) => (read.job ? [keyOf(read.job)] : [])));
  return jobs.filter((one) => {
    const job = one.before?.read.job;
    if (!job || running.has(keyOf(job))) return false;
    const { change, before } = one;
    if (change.action === "update") return one.after?.read.job !== undefined;
    if (change.action === "forget") return true;
    return isRemoved(change) && before?.deregisters === false;
  });
}
