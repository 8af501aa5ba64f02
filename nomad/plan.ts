import type { Job } from "../.gen/nomad/job";
import { isTemplate } from "./batch";
import type { NomadClient } from "./client";
import { capability } from "./live";
import { NomadError } from "./nomad-error";
import { oneLine } from "./one-line";

/** One field in which a live job and a written one differ. */
export interface FieldChange {
  /** Where it stands: `TaskGroups[bitcoin].Tasks[bitcoind].Resources.MemoryMB`. */
  readonly field: string;
  /** As it is in Nomad; absent when it is not set there. */
  readonly live?: string;
  /** As it is written; absent when it is not. */
  readonly code?: string;
}

/** What becomes of the instances of a group, in numbers; what is 0 is absent. */
export interface GroupUpdates {
  readonly group: string;
  /** Stopped and started anew. */
  readonly restarts?: number;
  readonly starts?: number;
  readonly stops?: number;
}

/** What registering a job would do, as the server's own scheduler sees it. Nothing is changed by asking. */
export interface JobPlan {
  /** `missing`: Nomad has no such job. */
  readonly kind: "equal" | "differs" | "missing";
  readonly changes: readonly FieldChange[];
  /** Groups of which instances would be stopped or started. */
  readonly updates: readonly GroupUpdates[];
  /** Groups for which there is no room, and why: `group main: Constraint "…" filtered 2 nodes`. */
  readonly unplaced: readonly string[];
  /** What Nomad warns of, in its own words; empty when of nothing. */
  readonly warnings: string;
}

/**
 * Compares a job with the live one, both as Nomad completes them, so that a default that is written out differs in
 * nothing.
 *
 * @throws NomadError with status 403 when the token may not plan jobs.
 */
export async function planJob(client: NomadClient, job: Job): Promise<JobPlan> {
  let answer: PlanAnswer;
  try {
    answer = await client.put<PlanAnswer>(
      ["job", job.ID, "plan"],
      { Job: job, Diff: true },
      { namespace: job.Namespace, needs: capability("plan-job", job.Namespace), repeatable: true },
    );
  } catch (error) {
    if (error instanceof NomadError && error.message.includes("nonexistent namespace")) {
      return { kind: "missing", changes: [], updates: [], unplaced: [], warnings: "" };
    }
    throw error;
  }
  const { Diff, Annotations, FailedTGAllocs, Warnings } = answer;
  const unplaced = Object.entries(FailedTGAllocs ?? {}).map(([group, metric]) => `group ${group}: ${reasonOf(metric)}`);
  const rest = { unplaced, warnings: oneLine((Warnings ?? "").trim()) };
  // What would be placed is what its children place, some other time: registering it starts and stops nothing.
  const desired = isTemplate(job) ? {} : (Annotations?.DesiredTGUpdates ?? {});
  const updates = Object.entries(desired).flatMap(([group, desired]): GroupUpdates[] => {
    const { DestructiveUpdate: restarts, Place: starts, Stop: stops } = desired;
    if (!restarts && !starts && !stops) return [];
    return [{ group, ...(restarts && { restarts }), ...(starts && { starts }), ...(stops && { stops }) }];
  });
  if (!Diff || Diff.Type === "None") return { kind: "equal", changes: [], updates, ...rest };
  if (Diff.Type === "Added") return { kind: "missing", changes: [], updates, ...rest };
  return { kind: "differs", changes: changesOf(Diff), updates, ...rest };
}

/** Why no machine will do. */
interface Metric {
  readonly NodesEvaluated: number;
  readonly ConstraintFiltered: Readonly<Record<string, number>> | null;
  readonly DimensionExhausted: Readonly<Record<string, number>> | null;
}

function reasonOf({ NodesEvaluated, ConstraintFiltered, DimensionExhausted }: Metric): string {
  if (NodesEvaluated === 0) return "no machine is ready in its datacenters";
  const told = (what: string, counts: Metric["ConstraintFiltered"]) =>
    Object.entries(counts ?? {}).map(
      ([name, count]) => `${what} ${name} rules out ${count} of ${NodesEvaluated} machines`,
    );
  const reasons = [...told("constraint", ConstraintFiltered), ...told("a lack of", DimensionExhausted)];
  return reasons.join(", ") || "no machine has room";
}

interface PlanAnswer {
  readonly Diff?: JobDiff;
  readonly FailedTGAllocs?: Readonly<Record<string, Metric>> | null;
  readonly Warnings?: string;
  readonly Annotations?: {
    readonly DesiredTGUpdates?: Readonly<
      Record<string, { readonly DestructiveUpdate: number; readonly Place: number; readonly Stop: number }>
    >;
  };
}

type DiffType = "None" | "Added" | "Deleted" | "Edited";

interface FieldDiff {
  readonly Type: DiffType;
  readonly Name: string;
  readonly Old: string;
  readonly New: string;
}

interface ObjectDiff {
  readonly Type: DiffType;
  readonly Name: string;
  readonly Fields: readonly FieldDiff[] | null;
  readonly Objects: readonly ObjectDiff[] | null;
}

interface GroupDiff extends ObjectDiff {
  readonly Tasks: readonly ObjectDiff[] | null;
}

interface JobDiff extends ObjectDiff {
  readonly TaskGroups: readonly GroupDiff[] | null;
}

function changesOf(diff: JobDiff): FieldChange[] {
  const groups = (diff.TaskGroups ?? []).flatMap((group) => {
    const place = `TaskGroups[${group.Name}]`;
    const tasks = (group.Tasks ?? []).flatMap((task) => wholeOr(task, `${place}.Tasks[${task.Name}]`, inside));
    return wholeOr(group, place, (...args) => [...inside(...args), ...tasks]);
  });
  return [...inside(diff, ""), ...groups];
}

/** What is there on one side alone is one change, not one for each of its fields. */
function wholeOr(
  diff: ObjectDiff,
  place: string,
  parts: (diff: ObjectDiff, place: string) => FieldChange[],
  text = diff.Name,
): FieldChange[] {
  if (diff.Type === "None") return [];
  if (diff.Type === "Added") return [{ field: place, code: text }];
  if (diff.Type === "Deleted") return [{ field: place, live: text }];
  return parts(diff, place);
}

function inside({ Fields, Objects }: ObjectDiff, place: string): FieldChange[] {
  const at = (name: string) => (place ? `${place}.${name}` : name);
  const fields = (Fields ?? []).filter(({ Type }) => Type !== "None");
  return [
    ...fields.map(({ Type, Name, Old, New }) => ({
      field: at(Name),
      ...(Type !== "Added" && { live: Old }),
      ...(Type !== "Deleted" && { code: New }),
    })),
    ...(Objects ?? []).flatMap((object) => wholeOr(object, at(object.Name), inside, wholeText(object))),
  ];
}

/** What Nomad writes where nothing is set. */
const UNSET = new Set(["", "0", "false", "nil"]);

/** An object in one line: `Label rpc, To 8332, Value 8332`. */
function wholeText({ Fields, Objects }: ObjectDiff): string {
  const fields = (Fields ?? []).map(({ Name, Old, New }) => [Name, Old || New] as const);
  const set = fields.filter(([, value]) => !UNSET.has(value)).map(([name, value]) => `${name} ${value}`);
  const inner = (Objects ?? []).map((object) => `${object.Name} (${wholeText(object)})`);
  return [...set, ...inner].join(", ");
}
