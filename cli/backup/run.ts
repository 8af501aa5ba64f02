import type { Job } from "../../.gen/nomad/job";
import type { BackupJob } from "../../model/backup-jobs";
import { progressOf, runsOf } from "../../nomad/batch";
import type { NomadClient } from "../../nomad/client";
import { Duration } from "../../nomad/duration";
import { type AllocationStub, capability, ifThere, type JobRef } from "../../nomad/live";
import { lastLines } from "../../nomad/logs";
import { NomadError } from "../../nomad/nomad-error";
import { pauseText, readPause } from "../../nomad/pause";
import type { Session } from "../shared/session";
import { Interrupted } from "../shared/watch";
import { resultsOf } from "./results";

/** A run that has ended, as `--json` prints it. */
export interface Outcome {
  /** `backup/periodic-1795736592`. */
  readonly run: string;
  readonly allocation: string;
  readonly node: string;
  readonly succeeded: boolean;
  readonly seconds: number;
  /** The task that failed. */
  readonly failedTask?: string;
  /** Why it failed, in that task's words. */
  readonly message?: string;
  /** The last lines of the log of that task, or of the main one. */
  readonly log: readonly string[];
}

/** The task that a job of the backup is there for; others come before or after it. */
export function mainTask({ ID, TaskGroups }: Job): string {
  return TaskGroups[0]?.Tasks.find(({ Lifecycle }) => !Lifecycle)?.Name ?? ID;
}

/** How many lines of a log are shown, and how many bytes are read for them. */
const LINES = 15;
const LOG_TAIL = 16 * 1024;

/** How much the clocks of two machines may differ. */
export const CLOCK_SKEW = Duration.minutes(1);

/** A place may come free when a run before it ends; after that nobody is served by waiting. */
const LONGEST_WAIT_FOR_PLACE = Duration.minutes(10);

/** A first backup, or a check of a large repository over a slow network. */
export const LONGEST_RUN = Duration.hours(12);

/**
 * @param options.allowPaused whether a pause is no hindrance.
 * @throws while a pause is on, or when the job is not there, was stopped, or has a run that has not ended.
 */
export async function assertCanRun(
  client: NomadClient,
  job: JobRef,
  { allowPaused = false }: { readonly allowPaused?: boolean } = {},
): Promise<void> {
  const [pause, live, runs] = await Promise.all([
    readPause(client),
    ifThere(
      client.get<{ readonly Stop: boolean }>(["job", job.ID], {
        namespace: job.Namespace,
        needs: capability("read-job", job.Namespace),
      }),
    ),
    runsOf(client, job),
  ]);
  if (pause && !allowPaused) throw new Error(`${pauseText(pause)}; homelab resume ends it, and backups run again`);
  if (!live) throw new Error(`the job ${job.ID} is not in Nomad: deploy it with npm run deploy`);
  if (live.Stop) throw new Error(`the job ${job.ID} was stopped: raise its metaVersion and deploy`);
  const [run] = runs;
  if (run) throw new Error(`${run.ID} has not ended; wait for it, or stop it with nomad job stop ${run.ID}`);
}

/** What is known of a run beforehand. */
export interface Kind {
  /** The task whose log is shown when all went well. */
  readonly main: string;
  /** The job in whose name it tells of its end; absent for one that does not. */
  readonly tells?: BackupJob;
}

/** Of a job of the backup. */
export function kindOf(job: Job): Kind {
  return { main: mainTask(job), tells: job.ID as BackupJob };
}

/** Begins a run and waits for its end. Ctrl-C ends the waiting, not the run. */
export function follow(
  session: Session,
  client: NomadClient,
  kind: Kind,
  begin: () => Promise<JobRef>,
): Promise<Outcome> {
  return session.watch(async (watch) => {
    const since = Date.now();
    const run = await begin();
    const allocation = await watch
      .until(`the end of ${run.ID}`, LONGEST_RUN, async () => {
        const { ended, allocation, unplaced } = await progressOf(client, run);
        if (!allocation && Duration.between(since, Date.now()).isLongerThan(LONGEST_WAIT_FOR_PLACE)) {
          throw new Error(
            `Nomad finds no place for ${run.ID}: ${unplaced || "it gives no reason"}; see homelab status`,
          );
        }
        if (!allocation && ended) throw new Error(`${run.ID} has ended without running; nomad job status ${run.ID}`);
        watch.tell(`waiting for the end of ${run.ID}: ${stageOf(allocation, unplaced)}`);
        return ended ? allocation : undefined;
      })
      .catch((error: unknown) => {
        if (!(error instanceof Interrupted)) throw error;
        throw new Error(`interrupted; ${run.ID} goes on in Nomad, and homelab backup status tells of it at its end`);
      });
    return outcomeOf(client, run, allocation, kind, since);
  });
}

function stageOf(allocation: AllocationStub | undefined, unplaced: string): string {
  if (!allocation) return unplaced ? `no machine has room for it now (${unplaced})` : "not placed yet";
  const running = Object.entries(allocation.TaskStates ?? {}).filter(([, { State }]) => State === "running");
  const tasks = running.map(([name]) => name).join(", ");
  return `${tasks || allocation.ClientStatus} on ${allocation.NodeName}`;
}

/** A task of the backup that fails ends all the same, so that the last one can tell of it: what it told counts. */
async function outcomeOf(
  client: NomadClient,
  run: JobRef,
  allocation: AllocationStub,
  { main, tells }: Kind,
  since: number,
): Promise<Outcome> {
  const succeeded = allocation.ClientStatus === "complete";
  const told = succeeded || !tells ? undefined : (await resultsOf(client, tells)).failed;
  const fresh = told && told.at > since - CLOCK_SKEW.toMilliseconds() ? told : undefined;
  const ended = Object.entries(allocation.TaskStates ?? {}).find(([, { Failed }]) => Failed)?.[0];
  const failed = succeeded ? undefined : (fresh?.task ?? ended);
  return {
    run: run.ID,
    allocation: allocation.ID,
    node: allocation.NodeName,
    succeeded,
    seconds: Math.round((Date.now() - since) / 1000),
    ...(failed && { failedTask: failed }),
    ...(fresh && { message: fresh.message }),
    log: await logOf(client, allocation, failed && allocation.TaskStates?.[failed] ? failed : main),
  };
}

/** The end of what a task said, on both its streams. A log that cannot be read is said in its place. */
async function logOf(client: NomadClient, allocation: AllocationStub, task: string): Promise<string[]> {
  const read = async (stream: "stdout" | "stderr"): Promise<readonly string[]> => {
    try {
      return await lastLines(client, { allocation, task, stream }, LOG_TAIL);
    } catch (error) {
      if (!(error instanceof NomadError)) throw error;
      return error.status === 404 ? [] : [`(its log cannot be read: ${error.message})`];
    }
  };
  const [out, err] = await Promise.all([read("stdout"), read("stderr")]);
  return [...out.slice(-LINES), ...err.slice(-LINES)];
}

/** What an ended run is told by: a verdict, and the log below it. */
export function outcomeText(
  what: string,
  { run, node, succeeded, seconds, failedTask, message, log }: Outcome,
): string {
  const verdict = succeeded
    ? `${what} ended well on ${node} after ${seconds} s`
    : `${what} failed on ${node} after ${seconds} s${failedTask ? `, in its task ${failedTask}` : ""}${message ? `: ${message}` : `; nomad job status ${run}`}`;
  return `${[...log.map((line) => `  | ${line}`), verdict].join("\n")}\n`;
}
