import type { Job } from "../.gen/nomad/job";
import type { Dependency } from "../model/homelab";
import { memoryText, stopTime, updateOf } from "../model/places";
import { UNKNOWN } from "../model/values";
import { identify } from "../model/versions";
import { isTemplate } from "../nomad/batch";
import { Duration } from "../nomad/duration";
import { type Allowance, judgeFindings } from "./allow";
import { type Context, contextOf, isRemoved, type JobChange, jobName } from "./context";
import { exposure } from "./dangers/exposure";
import { images } from "./dangers/images";
import { limits } from "./dangers/limits";
import { providers } from "./dangers/providers";
import { removals } from "./dangers/removals";
import { stack } from "./dangers/stack";
import { unjudged } from "./dangers/unjudged";
import { volumes } from "./dangers/volumes";
import { writers } from "./dangers/writers";
import { type FieldChange, fieldsOf } from "./diff";
import { type DriftReview, driftOf } from "./drift";
import { FINDINGS, type Finding, type JudgedFinding } from "./findings";
import type { Change, Plan } from "./plan";
import { fieldsOfResource, type ResourceReview, resourceOf } from "./resources";
import { expectedOutcomes, type GroupOutcome } from "./restarts";
import { type Holds, reviewState, type StateNote } from "./state";
import { whyUnreadable } from "./unreadable";

/** What a live Nomad says of one job; see `--nomad`. */
export interface Live {
  /** What its scheduler would do. */
  readonly outcomes: readonly GroupOutcome[];
  /** Fields in which the live job is not what Terraform believes it to be. */
  readonly drift: readonly FieldChange[];
  /** How long past restarts took the job out of service, in seconds, the newest first. */
  readonly past: readonly number[];
  /** What Nomad's scheduler says against it: warnings, and groups it finds no room for. */
  readonly warnings: readonly string[];
}

/** One job of the plan, told. */
export interface ServiceReview {
  readonly address: string;
  readonly job: string;
  readonly namespace: string;
  readonly action: Change["action"];
  readonly unreadable?: string;
  readonly fields: readonly FieldChange[];
  readonly outcomes: readonly GroupOutcome[];
  /** Whether a live Nomad told the outcomes; otherwise they are expected. */
  readonly asked: boolean;
  readonly outOfService?: string;
  /** Jobs that need it, directly or through others. */
  readonly dependents: readonly string[];
  readonly volumes: readonly VolumeUse[];
  readonly drift: readonly FieldChange[];
  readonly warnings: readonly string[];
  /** What a new job is made of: images, memory, ports. */
  readonly facts: readonly string[];
  /** The address under which Terraform knew the job before. */
  readonly movedFrom?: string;
  /** Whether the job of before runs on beside the new one. */
  readonly beside?: true;
  /** The job as it will be, without what looks like a secret. */
  readonly json?: string;
}

/** A volume that a job mounts. */
export interface VolumeUse {
  readonly id: string;
  readonly holds?: Holds;
  /** Mounted only to read. */
  readonly reads: boolean;
  /** Whether this plan takes it away. */
  readonly removed: boolean;
}

export interface Review {
  readonly verdict: "safe" | "needs acknowledgement" | "refused";
  readonly exit: 0 | 2 | 3;
  readonly counts: {
    readonly created: number;
    readonly changed: number;
    readonly removed: number;
    readonly replaced: number;
    readonly unchanged: number;
    /** Jobs of which an instance is stopped and started anew. */
    readonly restarts: number;
  };
  readonly findings: readonly JudgedFinding[];
  readonly services: readonly ServiceReview[];
  readonly resources: readonly ResourceReview[];
  readonly unusedAllowances: readonly Allowance[];
  readonly state: readonly StateNote[];
  /** What was changed past Terraform since the last apply. */
  readonly drift: readonly DriftReview[];
}

const DANGERS: readonly ((context: Context) => Finding[])[] = [
  removals,
  writers,
  providers,
  images,
  limits,
  volumes,
  exposure,
  unjudged,
  stack,
];

export interface ReviewOptions {
  readonly allowances?: readonly Allowance[];
  /** What Nomad says, by the address of the resource. */
  readonly live?: ReadonlyMap<string, Live>;
  /** What only a live cluster can tell. */
  readonly more?: readonly Finding[];
}

/** Judges a plan. Pure: the same plan gives the same review. */
export function reviewPlan(plan: Plan, { allowances = [], live, more = [] }: ReviewOptions = {}): Review {
  const context = contextOf(plan);
  const all = [...DANGERS.flatMap((danger) => danger(context)), ...more].sort(byWeight);
  // What stands in two templates alike is one thing to accept.
  const findings = all.filter((one, at) => at === 0 || byWeight(one, all[at - 1] as Finding) !== 0);
  const { judged, unused } = judgeFindings(findings, allowances);
  const services = context.jobs
    .filter(({ change, movedTo }) => isTold(change) && !movedTo)
    .map((one) => serviceOf(one, context, live))
    .sort(byDisturbance);
  const open = judged.filter(({ allowed }) => allowed === undefined);
  const exit = Math.max(0, ...open.map(({ exit }) => exit)) as 0 | 2 | 3;
  const told = plan.changes.filter(isTold);
  const count = (action: Change["action"]) => told.filter((change) => change.action === action).length;
  return {
    verdict: exit === 3 ? "refused" : exit === 2 ? "needs acknowledgement" : "safe",
    exit,
    counts: {
      created: count("create"),
      changed: count("update"),
      removed: count("delete") + count("forget"),
      replaced: count("replace"),
      unchanged: plan.changes.length - told.length,
      restarts: services.filter(({ outcomes }) => outcomes.some(({ outcome }) => outcome === "restarts")).length,
    },
    findings: judged,
    services,
    resources: told.filter(({ type }) => type !== "nomad_job").map(resourceOf),
    unusedAllowances: unused,
    state: plan.state ? reviewState(plan.state) : [],
    drift: driftOf(plan),
  };
}

/** An update in which nothing differs that is known now is Terraform's own bookkeeping. */
function isTold(change: Change): boolean {
  if (change.action !== "update") return change.action !== "none";
  return change.hiddenChange || change.after?.jobspec === UNKNOWN || fieldsOfResource(change).length > 0;
}

const ORDER = Object.keys(FINDINGS);

function byWeight(a: Finding, b: Finding): number {
  return (
    ORDER.indexOf(a.finding) - ORDER.indexOf(b.finding) ||
    (a.resource < b.resource ? -1 : a.resource > b.resource ? 1 : 0) ||
    (a.problem < b.problem ? -1 : a.problem > b.problem ? 1 : 0)
  );
}

function serviceOf(one: JobChange, context: Context, live: ReviewOptions["live"]): ServiceReview {
  const { change, before, after, paths } = one;
  const [old, now] = [before?.shown, after?.shown];
  const known = live?.get(change.address);
  const outcomes = known?.outcomes ?? outcomesOf(one);
  const shown = now ?? old;
  const unreadable = whyUnreadable(after?.read ?? {}) ?? whyUnreadable(before?.read ?? {});
  const restarts = outcomes.some(({ outcome }) => outcome === "restarts");
  const timeOut = restarts && old ? outOfService(old, now ?? old, known?.past ?? []) : undefined;
  return {
    address: change.address,
    job: jobName(one),
    namespace: shown?.Namespace ?? "",
    action: change.action,
    ...(unreadable && { unreadable }),
    fields: old && now ? fieldsOf(paths, old, now) : [],
    outcomes,
    asked: known !== undefined,
    ...(timeOut && { outOfService: timeOut }),
    dependents: shown
      ? dependentsOf(shown.ID, [...context.before.homelab.dependencies, ...context.after.homelab.dependencies])
      : [],
    volumes: shown && !unreadable ? volumesOf(shown, context) : [],
    drift: known?.drift ?? [],
    warnings: known?.warnings ?? [],
    facts: now && !old ? factsOf(now, context) : [],
    ...(one.movedFrom && { movedFrom: one.movedFrom }),
    ...(context.left.includes(one) && change.action !== "delete" && change.action !== "forget" && { beside: true }),
    ...(now && change.action !== "delete" && { json: JSON.stringify(now, null, 2) }),
  };
}

/** What runs, in its owner's words: its main tasks, since a sidecar or a preparation says little. */
function factsOf(job: Job, { after }: Context): string[] {
  const record = after.homelab.jobs.find((one) => one.job === job);
  return job.TaskGroups.flatMap((group) => [
    ...group.Tasks.filter(({ Lifecycle }) => !Lifecycle).map((task) => {
      const { Config, Resources } = task;
      const program = identify({ job, task, ...(record && { record }) }, Config.image ?? "");
      const what = program
        ? `${program.program} ${program.tag ?? ""}`.trim()
        : (Config.image ?? "a program").replace(/@.*$/, "");
      const memory = Resources?.MemoryMB ? `, ${memoryText(Resources.MemoryMB)} of memory` : "";
      return `${what}${memory}${Resources?.MemoryMaxMB ? `, killed at ${memoryText(Resources.MemoryMaxMB)}` : ""}`;
    }),
    ...(group.Networks ?? []).flatMap(({ ReservedPorts = [] }) =>
      ReservedPorts.map(({ Label, Value }) => `port ${Value} (${Label})`),
    ),
  ]);
}

/** Stopped and restarted first, new ones last. */
function byDisturbance(a: ServiceReview, b: ServiceReview): number {
  return rank(a) - rank(b) || (a.address < b.address ? -1 : 1);
}

function rank({ action, outcomes }: ServiceReview): number {
  if (action === "delete" || action === "replace") return 0;
  if (outcomes.some(({ outcome }) => outcome === "restarts")) return 1;
  return action === "create" ? 3 : 2;
}

function outcomesOf({ change, before, after, paths, movedFrom }: JobChange): GroupOutcome[] {
  const [old, now] = [before?.read.job, after?.read.job];
  const all = (job: Job | undefined, outcome: GroupOutcome["outcome"]) =>
    (job?.TaskGroups ?? []).map(({ Name }) => ({ group: Name, outcome, because: [] }));
  if (change.action === "create" && !old) return all(now, now && isTemplate(now) ? "next run" : "starts");
  if (isRemoved(change) && change.action !== "replace")
    return before?.deregisters && change.action === "delete" ? all(old, "stops") : [];
  if (before?.deregisters && (change.action === "replace" || movedFrom)) return all(now ?? old, "restarts");
  if (!old || !now) return [];
  if (old.ID !== now.ID || old.Namespace !== now.Namespace) return all(now, "starts");
  return expectedOutcomes(old, now, paths);
}

/** From the job's own fields, and from what was measured; never a guess. */
function outOfService(old: Job, now: Job, past: readonly number[]): string {
  const measured =
    past.length > 0
      ? `the last ${past.length === 1 ? "time" : `${past.length} times`}: ${past.map(seconds).join(", ")}; `
      : "";
  if (
    now.Type !== "service" &&
    !(now.Type === "system" && (now.Update || now.TaskGroups.some(({ Update }) => Update)))
  ) {
    return `${measured}${measured ? "by its own fields " : ""}unknown`;
  }
  const parts = now.TaskGroups.map((group) => {
    const before = old.TaskGroups.find(({ Name }) => Name === group.Name) ?? group;
    const { HealthyDeadline } = updateOf({ job: now, group });
    return { stop: stopTime(before), healthy: Duration.fromNanoseconds(Math.max(0, HealthyDeadline)) };
  });
  const stop = Duration.longest(parts.map((part) => part.stop));
  const healthy = Duration.longest(parts.map((part) => part.healthy));
  return `${measured}at most ${stop.plus(healthy)} (up to ${stop} to stop, up to ${healthy} until it is healthy; then the deployment fails)`;
}

function seconds(amount: number): string {
  return Duration.seconds(Math.round(amount)).toString();
}

/** Jobs that need one, the nearest first. */
function dependentsOf(id: string, dependencies: readonly Dependency[]): string[] {
  const found: string[] = [];
  for (let next = [id]; next.length > 0; ) {
    next = [
      ...new Set(
        dependencies
          .filter(({ on, from }) => next.includes(on) && from !== id && !found.includes(from))
          .map(({ from }) => from),
      ),
    ];
    found.push(...next);
  }
  return found;
}

function volumesOf(job: Job, { plan, before, after }: Context): VolumeUse[] {
  const entries = [...after.volumes, ...before.volumes];
  return job.TaskGroups.flatMap(({ Volumes }) =>
    Object.values(Volumes ?? {})
      .filter(({ Type }) => Type === "csi")
      .map(({ Source = "", ReadOnly }) => {
        const entry = entries.find(({ record }) => record.id === Source && record.namespace === job.Namespace);
        const holds = entry
          ? entry.holds
          : after.homelab.volumes.find(({ id, namespace }) => id === Source && namespace === job.Namespace)?.holds;
        const removed = plan.changes.some(
          (one) => one.address === entry?.address && isRemoved(one) && entry.deregisters,
        );
        return { id: Source, ...(holds && { holds }), reads: ReadOnly === true, removed };
      }),
  );
}
