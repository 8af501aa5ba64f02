import type { Job } from "../.gen/nomad/job";
import type { NomadClient } from "./client";
import { type AllocationStub, allocationsOf, capability, type JobRef } from "./live";

/** A job as lists have it. */
export interface JobStub extends JobRef {
  /** Of a child: the periodic or parameterized job that made it. Empty for any other. */
  readonly ParentID: string;
  /** `dead`: it has ended, well or badly. */
  readonly Status: "pending" | "running" | "dead";
  readonly Stop: boolean;
}

/** Whether a job runs to an end, instead of for ever: it is no service, and what it runs are its children. */
export function isBatch({ Type }: Pick<Job, "Type">): boolean {
  return Type === "batch" || Type === "sysbatch";
}

/** Whether a job only makes others: what is registered runs nothing by itself. */
export function isTemplate({ Periodic, ParameterizedJob }: Pick<Job, "Periodic" | "ParameterizedJob">): boolean {
  return Boolean(Periodic ?? ParameterizedJob);
}

/** Runs a periodic job now, whatever the time. Nomad does that even when another run has not ended. @returns the run. */
export async function forcePeriodic(client: NomadClient, { ID, Namespace }: JobRef): Promise<JobRef> {
  const needs = `${capability("dispatch-job", Namespace)} or "submit-job"`;
  const { EvalID } = await client.put<{ EvalID: string }>(
    ["job", ID, "periodic", "force"],
    {},
    { namespace: Namespace, needs },
  );
  const { JobID } = await client.get<{ JobID: string }>(["evaluation", EvalID], {
    namespace: Namespace,
    needs: capability("read-job", Namespace),
  });
  return { ID: JobID, Namespace };
}

/** Runs a parameterized job with these values. @returns the run. */
export async function dispatch(
  client: NomadClient,
  { ID, Namespace }: JobRef,
  Meta: Readonly<Record<string, string>>,
): Promise<JobRef> {
  const { DispatchedJobID } = await client.put<{ DispatchedJobID: string }>(
    ["job", ID, "dispatch"],
    { Meta },
    { namespace: Namespace, needs: capability("dispatch-job", Namespace) },
  );
  return { ID: DispatchedJobID, Namespace };
}

/** The runs of a periodic or parameterized job that have not ended. */
export async function runsOf(client: NomadClient, job: JobRef): Promise<readonly JobStub[]> {
  return (await childrenOf(client, job)).filter(({ Status }) => Status !== "dead");
}

/** The runs of a periodic or parameterized job that Nomad remembers. */
export async function childrenOf(client: NomadClient, { ID, Namespace }: JobRef): Promise<readonly JobStub[]> {
  const jobs = await client.get<readonly JobStub[]>(["jobs"], {
    namespace: Namespace,
    query: { prefix: `${ID}/` },
    needs: capability("list-jobs", Namespace),
  });
  return jobs.filter(({ ParentID }) => ParentID === ID);
}

/** How far a run has come. */
export interface Progress {
  readonly ended: boolean;
  /** The last one; absent while there is none. */
  readonly allocation?: AllocationStub;
  /** Why Nomad finds no place for it; empty when it does. */
  readonly unplaced: string;
}

/** Looks at a run once. */
export async function progressOf(client: NomadClient, run: JobRef): Promise<Progress> {
  const options = { namespace: run.Namespace, needs: capability("read-job", run.Namespace) };
  const [job, allocations, evaluations] = await Promise.all([
    client.get<{ Status: JobStub["Status"] }>(["job", run.ID], options),
    allocationsOf(client, run),
    client.get<readonly Evaluation[]>(["job", run.ID, "evaluations"], options),
  ]);
  const [allocation] = allocations.toSorted((a, b) => b.CreateIndex - a.CreateIndex);
  const reasons = evaluations.flatMap(({ FailedTGAllocs }) => Object.values(FailedTGAllocs ?? {})).flatMap(reasonsOf);
  return {
    ended: job.Status === "dead",
    ...(allocation && { allocation }),
    unplaced: allocation ? "" : [...new Set(reasons)].join(", "),
  };
}

interface Evaluation {
  readonly FailedTGAllocs?: Readonly<Record<string, Metric>> | null;
}

interface Metric {
  readonly ConstraintFiltered?: Readonly<Record<string, number>> | null;
  readonly DimensionExhausted?: Readonly<Record<string, number>> | null;
}

function reasonsOf({ ConstraintFiltered, DimensionExhausted }: Metric): string[] {
  return [
    ...Object.keys(ConstraintFiltered ?? {}),
    ...Object.keys(DimensionExhausted ?? {}).map((one) => `a lack of ${one}`),
  ];
}
