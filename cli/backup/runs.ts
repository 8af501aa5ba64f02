import type { PeriodicConfig } from "../../.gen/nomad/job";
import { childrenOf, type JobStub, progressOf } from "../../nomad/batch";
import type { NomadClient } from "../../nomad/client";
import { Cron } from "../../nomad/cron";
import { Duration } from "../../nomad/duration";
import type { JobRef } from "../../nomad/live";
import { pendingFor } from "../shared/failures";
import { ageText } from "../shared/text";
import type { Results } from "./results";
import { LONGEST_RUN } from "./run";

/** Nomad launches a run within a second; a new leader takes longer. */
const LAUNCH_WITHIN = Duration.minutes(10);

/** A run before it may still hold what it needs. */
const PLACED_WITHIN = Duration.minutes(10);

/** No schedule of a backup is longer. */
const LOOK_BACK = Duration.days(40);

/** A periodic job as Nomad has it. */
export interface LivePeriodic extends JobRef {
  readonly Periodic?: PeriodicConfig | null;
  /** Milliseconds since 1970. */
  readonly submitted: number;
}

/**
 * What keeps a periodic job from running: a run that does not begin or does not end, or a due time at which none was
 * launched. Undefined when nothing does.
 *
 * @param results what it told last: Nomad forgets runs after some hours.
 */
export async function stuckRun(
  client: NomadClient,
  job: LivePeriodic,
  { done, failed }: Results,
  now: number,
): Promise<string | undefined> {
  const children = await childrenOf(client, job);
  const live = children.filter(({ Status }) => Status !== "dead");
  for (const run of live) {
    const problem = await runProblem(client, run, now);
    if (problem) return problem;
  }
  // Nomad starts none beside one that runs.
  if (live.length > 0) return undefined;
  const seen = Math.max(0, ...children.map(launchedAt), done?.at ?? 0, failed?.at ?? 0);
  return missed(job, seen, now);
}

async function runProblem(client: NomadClient, run: JobStub, now: number): Promise<string | undefined> {
  const { allocation, unplaced } = await progressOf(client, run);
  const runs = Duration.between(launchedAt(run) || now, now);
  const age = ageText(runs.toSeconds());
  if (!allocation) {
    if (!runs.isLongerThan(PLACED_WITHIN)) return undefined;
    return `the run ${run.ID} has found no place for ${age}: ${unplaced || "Nomad gives no reason"}`;
  }
  if (allocation.ClientStatus === "pending") {
    const problem = pendingFor(allocation, Duration.seconds(0), now);
    return problem && `the run ${run.ID} on ${allocation.NodeName} is ${problem}`;
  }
  return runs.isLongerThan(LONGEST_RUN) ? `the run ${run.ID} has not ended for ${age}` : undefined;
}

function missed({ ID, Periodic, submitted }: LivePeriodic, seen: number, now: number): string | undefined {
  if (!Periodic || Periodic.Enabled === false) return `the schedule of the job ${ID} is off, so it never runs`;
  const { Spec, Specs, TimeZone } = Periodic;
  const since = new Date(Math.max(submitted, now - LOOK_BACK.toMilliseconds()));
  const before = new Date(now - LAUNCH_WITHIN.toMilliseconds());
  const due = [...(Spec ? [Spec] : []), ...(Specs ?? [])].map((one) => lastOf(one, before, TimeZone || "UTC", since));
  const last = Math.max(0, ...due);
  if (last <= seen) return undefined;
  return `the job ${ID} was due at ${new Date(last).toISOString()}, and Nomad started no run: nomad job status ${ID}`;
}

/** Milliseconds since 1970; 0 when it did not come. */
function lastOf(schedule: string, before: Date, timeZone: string, since: Date): number {
  try {
    return Cron.parse(schedule).last(before, timeZone, since)?.getTime() ?? 0;
  } catch {
    // It was registered past our rules, and Nomad reads it.
    return 0;
  }
}

/** Milliseconds since 1970, by its name: `backup/periodic-1795736592`; 0 for a run of another kind. */
function launchedAt({ ID }: JobRef): number {
  return Number(/\/periodic-(\d+)$/.exec(ID)?.[1] ?? 0) * 1000;
}
