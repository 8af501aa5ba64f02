import type { Job } from "../../.gen/nomad/job";
import { isTemplate } from "../../nomad/batch";
import { NomadClient } from "../../nomad/client";
import { guard } from "../../nomad/guard";
import { type AllocationStub, allocationsOf } from "../../nomad/live";
import { NomadError } from "../../nomad/nomad-error";
import { type JobPlan, planJob } from "../../nomad/plan";
import { contextOf, type JobChange } from "../../review/context";
import type { Finding } from "../../review/findings";
import type { Plan } from "../../review/plan";
import type { GroupOutcome } from "../../review/restarts";
import type { Live, ReviewOptions } from "../../review/review";
import { needsOf } from "../shared/secret-needs";
import { strangersTo } from "../shared/strangers";
import type { Synthesized } from "../shared/synthesized";

/** How many past restarts are told. */
const REMEMBERED = 3;

/**
 * Asks the cluster what it would do with the jobs of a plan, what it runs instead of what Terraform believes, how long
 * restarts have taken, and whether a deploy may go on. Nothing is changed.
 *
 * @throws NomadError when it cannot be asked.
 */
export async function liveOf(
  target: Pick<Synthesized, "stack" | "nomadAddress" | "homelab">,
  plan: Plan,
): Promise<Pick<ReviewOptions, "live" | "more">> {
  const client = NomadClient.ofStack(target.stack, target.nomadAddress);
  const jobs = contextOf(plan).jobs.filter(({ change, after }) => change.action !== "none" && after?.read.job);
  const asked = await Promise.all(jobs.map((one) => look(client, one)));
  const changing = jobs.flatMap(({ after }) => (after?.read.job ? [after.read.job] : []));
  const own = { client, homelab: target.homelab };
  const refusals = [
    ...(await guard(client, { jobs: changing, secrets: needsOf(target).needs })),
    ...(await strangersTo(own, changing)).refusals,
  ];
  const addressOf = (id: string | undefined) => jobs.find(({ after }) => after?.read.job?.ID === id)?.change.address;
  return {
    live: new Map(asked.flatMap(({ address, live }) => (live ? [[address, live] as const] : []))),
    more: [
      ...asked.flatMap(({ findings }) => findings),
      ...refusals.map(({ job, problem, remedy }): Finding => {
        const resource = addressOf(job) ?? "stack";
        return {
          finding: "not-now",
          resource,
          subject: job ? `job ${job}` : "the stack",
          problem: `must wait: ${problem}`,
          remedy,
        };
      }),
    ],
  };
}

interface Answer {
  readonly address: string;
  readonly live?: Live;
  readonly findings: readonly Finding[];
}

async function look(client: NomadClient, { change, before, after }: JobChange): Promise<Answer> {
  const { address } = change;
  const [old, now] = [before?.read.job, after?.read.job as Job];
  const at = { finding: "nomad-refuses", resource: address, subject: `job ${now.ID}` } as const;
  let plan: JobPlan;
  try {
    plan = await planJob(client, now);
  } catch (error) {
    // What Nomad does not accept it answers with these; anything else means that it was not asked.
    if (!(error instanceof NomadError && (error.status === 400 || error.status === 500))) throw error;
    return { address, findings: [{ ...at, problem: `would be refused: ${error.message}` }] };
  }
  const [believed, allocations] = await Promise.all([
    old && old.ID === now.ID && old.Namespace === now.Namespace ? planJob(client, old) : undefined,
    plan.kind === "missing" ? [] : allocationsOf(client, now),
  ]);
  return {
    address,
    live: {
      outcomes: outcomesOf(now, plan),
      drift: (believed?.changes ?? []).map(({ field, live, code }) => ({
        field,
        ...(live !== undefined && { old: live }),
        ...(code !== undefined && { new: code }),
      })),
      past: restartsOf(allocations).slice(0, REMEMBERED),
      warnings: plan.warnings ? [plan.warnings.replace(/\.$/, "")] : [],
    },
    findings: plan.unplaced.map((problem): Finding => ({ ...at, problem: `would find no place: ${problem}` })),
  };
}

/** The scheduler names the groups it stops or starts; what else differs is changed in the running instance. */
function outcomesOf(job: Job, { kind, updates, changes }: JobPlan): GroupOutcome[] {
  const { TaskGroups } = job;
  const told = updates.flatMap(({ group, restarts, starts, stops }): GroupOutcome[] => {
    const because = changes.map(({ field }) => field).filter((field) => concerns(field, group));
    if (restarts) return [{ group, outcome: "restarts", because }];
    if (starts) return [{ group, outcome: "starts", because: [] }];
    return stops ? [{ group, outcome: "stops", because: [] }] : [];
  });
  if (kind !== "differs") return told;
  const silent = TaskGroups.filter(({ Name }) => !updates.some(({ group }) => group === Name));
  return [
    ...told,
    ...silent.flatMap(({ Name }): GroupOutcome[] => {
      const because = changes.map(({ field }) => field).filter((field) => concerns(field, Name));
      return because.length > 0 ? [{ group: Name, outcome: isTemplate(job) ? "next run" : "in place", because }] : [];
    }),
  ];
}

function concerns(field: string, group: string): boolean {
  return field.startsWith(`TaskGroups[${group}]`) || !field.startsWith("TaskGroups[");
}

/** For how many seconds past restarts took an instance away, the newest first: from its end to the health of the next. */
function restartsOf(allocations: readonly AllocationStub[]): number[] {
  const ordered = [...allocations].sort((a, b) => b.CreateIndex - a.CreateIndex);
  return ordered.flatMap((now, at) => {
    const { Healthy, Timestamp } = now.DeploymentStatus ?? {};
    const before = ordered.slice(at + 1).find(({ Name }) => Name === now.Name);
    if (!Healthy || !Timestamp || !before || before.DesiredStatus !== "stop") return [];
    const ends = Object.values(before.TaskStates ?? {}).map(({ FinishedAt }) => Date.parse(FinishedAt ?? ""));
    const seconds = (Date.parse(Timestamp) - Math.max(...ends)) / 1000;
    return Number.isFinite(seconds) && seconds >= 0 ? [seconds] : [];
  });
}
