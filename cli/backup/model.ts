import type { PeriodicConfig } from "../../.gen/nomad/job";
import type { NomadClient } from "../../nomad/client";
import { Duration } from "../../nomad/duration";
import { capability, ifThere } from "../../nomad/live";
import { type Pause, readPause } from "../../nomad/pause";
import { type Mood, worst } from "../shared/mood";
import { nameSecrets, needsOf } from "../shared/secret-needs";
import type { Target } from "../shared/target";
import { ageText } from "../shared/text";
import { backupJob } from "./jobs";
import { type Failed, type Results, resultsOf, type SetDone, type SetResult, setsOf } from "./results";
import { type LivePeriodic, stuckRun } from "./runs";

/** A backup older than this is red. It runs every hour, so this is more than a day of failures. */
export const RED_AFTER = Duration.hours(26);
/** The weekly check and the monthly drill, with a day of grace: later they are yellow. */
const CHECK_WITHIN = Duration.days(8);
const DRILL_WITHIN = Duration.days(32);
/** So much may the clock of the machine that wrote be ahead of this one's. */
const CLOCK_SKEW = Duration.minutes(10);

export interface SetView extends SetResult {
  /** ISO 8601 in UTC; absent when it is in no backup. */
  readonly at?: string;
  /** Seconds. */
  readonly age?: number;
  readonly mood: Mood;
  readonly problem?: string;
}

/** The weekly check or the monthly drill. */
export interface TrialView {
  readonly at?: string;
  readonly age?: number;
  /** What a drill compared. */
  readonly checks: readonly string[];
  readonly mood: Mood;
  readonly problem?: string;
}

/** How good the backup is, as `--json` prints it. */
export interface BackupView {
  /** That of the worst. */
  readonly mood: Mood;
  readonly sets: readonly SetView[];
  /** Why the last run failed, or why there is none; absent when all is well. */
  readonly problem?: string;
  readonly check: TrialView;
  readonly drill: TrialView;
}

/** What is judged. */
export interface Seen {
  readonly now: number;
  /** The sets that the job takes, as it was synthesized. */
  readonly wanted: readonly string[];
  /** Absent when Nomad has no such job. */
  readonly live?: { readonly stopped: boolean; readonly submitted: number };
  readonly pause?: Pause;
  /** What was last told of those of them that were ever well. */
  readonly sets: readonly SetDone[];
  readonly backup: Results;
  readonly check: Results;
  readonly drill: Results;
  /** What keeps one from running now. */
  readonly stuck?: Partial<Record<"backup" | "check" | "drill", string>>;
}

/** Asks Nomad for the state of a stack's backup. @throws when the stack has none, or it may not be read. */
export async function backupOf(target: Target, now = Date.now()): Promise<BackupView> {
  const { client } = target;
  const job = backupJob(target, "backup");
  const wanted = (job.Meta?.sets ?? "").split(",").filter(Boolean);
  const [live, pause, sets, backup, check, drill] = await Promise.all([
    liveOf(client, job),
    readPause(client),
    setsOf(client, wanted),
    resultsOf(client, "backup"),
    resultsOf(client, "backup-check"),
    resultsOf(client, "backup-drill"),
  ]);
  const stuck: Record<string, string> = {};
  if (!pause) {
    for (const [name, id, results] of [
      ["backup", "backup", backup],
      ["check", "backup-check", check],
      ["drill", "backup-drill", drill],
    ] as const) {
      const found = await liveOf(client, { ID: id, Namespace: job.Namespace });
      const problem = found && !found.stopped && (await stuckRun(client, found.job, results, now));
      if (problem) stuck[name] = nameSecrets(problem, needsOf(target).needs);
    }
  }
  return judge({ now, wanted, ...(live && { live }), ...(pause && { pause }), sets, backup, check, drill, stuck });
}

interface Live {
  readonly Stop: boolean;
  /** Nanoseconds since 1970. */
  readonly SubmitTime: number;
  readonly Periodic?: PeriodicConfig | null;
}

async function liveOf(
  client: NomadClient,
  { ID, Namespace }: { ID: string; Namespace: string },
): Promise<(NonNullable<Seen["live"]> & { readonly job: LivePeriodic }) | undefined> {
  const live = await ifThere(
    client.get<Live>(["job", ID], {
      namespace: Namespace,
      needs: capability("read-job", Namespace),
    }),
  );
  if (!live) return undefined;
  const submitted = live.SubmitTime / 1e6;
  return { stopped: live.Stop, submitted, job: { ID, Namespace, submitted, Periodic: live.Periodic ?? null } };
}

/** Judges what was seen; pure. */
export function judge(seen: Seen): BackupView {
  const { wanted, live, backup } = seen;
  const { failed } = backup;
  const sets = wanted.map((name): SetView => {
    const found = seen.sets.find((one) => one.name === name);
    if (!found) return { name, ...missing(seen) };
    const { at: _, ...result } = found;
    return { ...result, ...judged(found, seen) };
  });
  const { stuck = {} } = seen;
  const check = trial("check", seen.check, CHECK_WITHIN, seen);
  const drill = trial("drill", seen.drill, DRILL_WITHIN, seen);
  const own = !live
    ? { mood: "bad" as const, problem: "the job backup is not in Nomad: deploy it" }
    : live.stopped
      ? { mood: "bad" as const, problem: "the job backup was stopped: raise its metaVersion and deploy" }
      : stuck.backup
        ? { mood: "bad" as const, problem: stuck.backup }
        : failed
          ? { mood: "waiting" as const, problem: failureText("the last run", failed) }
          : undefined;
  const moods = [...sets.map(({ mood }) => mood), check.mood, drill.mood, ...(own ? [own.mood] : [])];
  return { mood: worst(moods), sets, ...(own && { problem: own.problem }), check, drill };
}

/** Seconds; negative for a time that is to come. */
function ageOf(at: number, now: number): number {
  return Math.round((now - at) / 1000);
}

function judged(
  { at, rows, incomplete = 0 }: SetDone,
  { now, pause }: Seen,
): Pick<SetView, "at" | "age" | "mood" | "problem"> {
  const age = ageOf(at, now);
  const told = { at: new Date(at).toISOString(), age: Math.max(0, age) };
  if (age < -CLOCK_SKEW.toSeconds()) {
    return { ...told, mood: "bad", problem: "it is of a time to come: a clock is wrong, here or on the server" };
  }
  if (rows === 0) return { ...told, mood: "bad", problem: "its database holds no row" };
  if (age <= RED_AFTER.toSeconds()) {
    if (incomplete === 0) return { ...told, mood: "good" };
    return { ...told, mood: "waiting", problem: `${incomplete} of its files are not whole, and were left out` };
  }
  if (pause) return { ...told, mood: "waiting", problem: "no backup runs while the pause is on" };
  return { ...told, mood: "bad", problem: `older than ${ageText(RED_AFTER.toSeconds())}` };
}

/** A set that no backup holds: bad, unless the job has just been deployed. */
function missing({ now, live, backup: { failed }, pause }: Seen): Pick<SetView, "mood" | "problem"> {
  const isNew = live !== undefined && now - live.submitted < RED_AFTER.toMilliseconds();
  if (pause) return { mood: "waiting", problem: "was never backed up; a pause is on" };
  if (failed || !isNew) return { mood: "bad", problem: "was never backed up" };
  return { mood: "waiting", problem: "not backed up yet: homelab backup now, or wait for the hour" };
}

function trial(
  what: "check" | "drill",
  { done, failed }: Results,
  within: Duration,
  { now, live, stuck }: Seen,
): TrialView {
  const age = done && ageOf(done.at, now);
  const told = {
    ...(done && age !== undefined && { at: new Date(done.at).toISOString(), age: Math.max(0, age) }),
    checks: done?.checks ?? [],
  };
  if (failed) return { ...told, mood: "bad", problem: failureText(`the last ${what}`, failed) };
  const problem = stuck?.[what];
  if (problem) return { ...told, mood: "bad", problem };
  // Without a job the backup itself is told of; what comes weeks later is not missed yet.
  if (age === undefined)
    return live ? { ...told, mood: "waiting", problem: `there was no ${what} yet` } : { ...told, mood: "waiting" };
  if (age <= within.toSeconds()) return { ...told, mood: "good" };
  return {
    ...told,
    mood: "waiting",
    problem: `the last ${what} is older than ${within.toSeconds() / Duration.days(1).toSeconds()} days`,
  };
}

function failureText(what: string, { at, task, message }: Failed): string {
  return `${what} failed at ${new Date(at).toISOString()} in its task ${task}: ${message}`;
}
