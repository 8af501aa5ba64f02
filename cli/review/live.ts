import type { Job } from "../../.gen/nomad/job";
import { isTemplate } from "../../nomad/batch";
import { NomadClient } from "../../nomad/client";
import { DEFAULT_NAMESPACE } from "../../nomad/defaults";
import { guard } from "../../nomad/guard";
import { type AllocationStub, allocationsOf, capability, ifThere } from "../../nomad/live";
import { NomadError } from "../../nomad/nomad-error";
import { type JobPlan, planJob } from "../../nomad/plan";
import { volumeOf } from "../../nomad/volume";
import { contextOf, type JobChange } from "../../review/context";
import type { Finding } from "../../review/findings";
import { type Created, comparedWithLiving, createdBy, type Living, stateLost } from "../../review/lost-state";
import type { Plan } from "../../review/plan";
import type { GroupOutcome } from "../../review/restarts";
import type { Live, ReviewOptions } from "../../review/review";
import { shownField } from "../../review/secrets";
import { scrub } from "../../rules/shared/scrub";
import { nomadRefusals } from "../shared/nomad-version";
import { needsOf } from "../shared/secret-needs";
import { strangersTo } from "../shared/strangers";
import type { Synthesized } from "../shared/synthesized";

/** How many past restarts are told. */
const REMEMBERED = 3;

/** What the cluster said of a plan. */
export interface Asked extends Pick<ReviewOptions, "live" | "more"> {
  readonly plan: Plan;
  /** What could not be told. */
  readonly notes?: readonly string[];
}

/**
 * Asks the cluster what it would do with the jobs of a plan, what it runs instead of what Terraform believes, how long
 * restarts have taken, and whether a deploy may go on. Nothing is changed.
 *
 * @throws NomadError when it cannot be asked.
 */
export async function liveOf(
  target: Pick<Synthesized, "stack" | "nomadAddress" | "homelab">,
  plan: Plan,
): Promise<Asked> {
  const client = NomadClient.ofStack(target.stack, target.nomadAddress);
  const living = await livingOf(client, plan);
  const jobs = contextOf(plan).jobs.filter(({ change, after }) => change.action !== "none" && after?.read.job);
  const asked = await Promise.all(jobs.map((one) => look(client, one)));
  const changing = jobs.flatMap(({ after }) => (after?.read.job ? [after.read.job] : []));
  const own = { client, homelab: target.homelab };
  const [strangers, nomad] = await Promise.all([strangersTo(own, changing), jobs.length > 0 ? nomadRefusals(own) : []]);
  const refusals = [
    ...(await guard(client, { jobs: changing, secrets: needsOf(target).needs })),
    ...strangers.refusals,
  ];
  const addressOf = (id: string | undefined) => jobs.find(({ after }) => after?.read.job?.ID === id)?.change.address;
  return {
    plan: comparedWithLiving(plan, living),
    notes: strangers.notes,
    live: new Map(asked.flatMap(({ address, live }) => (live ? [[address, live] as const] : []))),
    more: [
      ...stateLost(living),
      ...nomad.map(
        ({ problem, remedy }): Finding => ({
          finding: "nomad-outdated",
          resource: "stack",
          subject: "the stack",
          problem: `must wait: ${problem}`,
          remedy,
        }),
      ),
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

/** What Nomad has of what the plan would create. */
async function livingOf(client: NomadClient, plan: Plan): Promise<Living[]> {
  const asked = await Promise.all(
    createdBy(plan).map(async (created): Promise<Living[]> => {
      const found = await valuesOf(client, created);
      return found ? [{ created, ...found }] : [];
    }),
  );
  return asked.flat();
}

/** What a server keeps of a job for itself. */
const KEPT_BY_SERVER =
  /^(?:Stop|Status|StatusDescription|Stable|Version|VersionTag|SubmitTime|CreateIndex|ModifyIndex|JobModifyIndex|Dispatched|DispatchIdempotencyToken|ParentID|Payload|NomadTokenID|ConsulToken|VaultToken|UI)$/;

interface LiveNamespace {
  readonly Capabilities: Readonly<
    Record<"EnabledTaskDrivers" | "EnabledNetworkModes", readonly string[] | null>
  > | null;
}

/** A job, volume or namespace as the provider reads it into a state. */
async function valuesOf(
  client: NomadClient,
  { kind, id, namespace = DEFAULT_NAMESPACE }: Created,
): Promise<Pick<Living, "values" | "stopped"> | undefined> {
  if (kind === "job") {
    const job = await ifThere(
      client.get<Readonly<Record<string, unknown>>>(["job", id], {
        namespace,
        needs: capability("read-job", namespace),
      }),
    );
    if (!job) return undefined;
    const spec = Object.entries(job).filter(([key, value]) => value !== null && !KEPT_BY_SERVER.test(key));
    const values = { json: true, jobspec: JSON.stringify(Object.fromEntries(spec)), deregister_on_destroy: false };
    return { values, stopped: job.Stop === true };
  }
  if (kind === "volume") {
    const volume = await volumeOf(client, id, namespace);
    if (!volume) return undefined;
    const capability = (volume.RequestedCapabilities ?? []).map(({ AccessMode, AttachmentMode }) => ({
      access_mode: AccessMode,
      attachment_mode: AttachmentMode,
    }));
    const { PluginID: plugin_id, ExternalID: external_id, Context: context } = volume;
    const values = { volume_id: id, namespace, plugin_id, capability, context: context ?? {} };
    return { values: { ...values, ...(external_id && { external_id }) }, stopped: false };
  }
  const needs = `any capability in namespace "${id}"`;
  const found = await ifThere(client.get<LiveNamespace>(["namespace", id], { needs }));
  if (!found) return undefined;
  const { EnabledTaskDrivers, EnabledNetworkModes } = found.Capabilities ?? {};
  const capabilities = [{ enabled_task_drivers: EnabledTaskDrivers, enabled_network_modes: EnabledNetworkModes }];
  return { values: { name: id, capabilities }, stopped: false };
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
    return { address, findings: [{ ...at, problem: `would be refused: ${scrub(error.message)}` }] };
  }
  const [believed, allocations] = await Promise.all([
    old && old.ID === now.ID && old.Namespace === now.Namespace ? planJob(client, old) : undefined,
    plan.kind === "missing" ? [] : allocationsOf(client, now),
  ]);
  return {
    address,
    live: {
      outcomes: outcomesOf(now, plan),
      drift: (believed?.changes ?? []).map(({ field, live, code }) =>
        shownField({ field, ...(live !== undefined && { old: live }), ...(code !== undefined && { new: code }) }),
      ),
      past: restartsOf(allocations).slice(0, REMEMBERED),
      warnings: plan.warnings ? [scrub(plan.warnings.replace(/\.$/, ""))] : [],
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
