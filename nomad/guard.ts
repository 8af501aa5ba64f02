import type { Job } from "../.gen/nomad/job";
import type { NomadClient } from "./client";
import { NomadError } from "./nomad-error";
import { pauseText, readPause } from "./pause";
import { readVariable, type VariableRef, variableExists } from "./variable";
import { hiddenWriters } from "./writers";

/** One key of a Nomad variable that a task reads. */
export interface RequiredSecret extends VariableRef {
  readonly key: string;
}

/** What a deploy is about to do. */
export interface Change {
  /** The jobs that would get a new version: no others can start a second writer. */
  readonly jobs: readonly Job[];
  /** What the jobs read. */
  readonly secrets: readonly RequiredSecret[];
}

/** Why it must not be done now, and what to do first. */
export interface Refusal {
  readonly reason: "paused" | "unknown" | "node" | "claim" | "stranger" | "secret" | "nomad" | "state";
  /** Absent when it concerns no single job. */
  readonly job?: string;
  readonly problem: string;
  readonly remedy: string;
}

/**
 * What speaks against deploying now; nothing when it may go on. A new version of a job gets past the fence of a group:
 * while its allocation is unknown Nomad places the new one elsewhere, and when the machine is back two write one volume.
 *
 * It takes a token that may read nodes (policy `read`), jobs (`read-job`), the variable of the pause, and the variables
 * of the jobs, or list these: then a variable that is there counts as whole.
 *
 * @throws NomadError when Nomad cannot be asked: then nobody knows, and the deploy must not go on either.
 */
export async function guard(client: NomadClient, { jobs, secrets }: Change): Promise<readonly Refusal[]> {
  const pause = await readPause(client);
  const [hidden, missing] = await Promise.all([
    hiddenWriters(client, jobs, pause?.writers),
    missingSecrets(client, secrets),
  ]);
  const refusals: Refusal[] = missing.map(({ namespace, path, key }) => ({
    reason: "secret",
    problem: `${key} in ${path}, namespace ${namespace}, has no value, and its task waits for it`,
    remedy: "run homelab secrets init; homelab secrets check names all that is missing",
  }));
  for (const { reason, job, problem, remedy } of hidden.toReversed()) {
    refusals.unshift({
      reason,
      job,
      problem: `${problem}; a new version of ${job} would start beside it`,
      remedy,
    });
  }
  if (pause) {
    refusals.unshift({
      reason: "paused",
      problem: `${pauseText(pause)}; a deploy would start what is stopped for it`,
      remedy: "run homelab resume when the maintenance is over",
    });
  }
  return refusals;
}

/** Keys without a value. Each variable is asked for once. */
async function missingSecrets(client: NomadClient, secrets: readonly RequiredSecret[]): Promise<RequiredSecret[]> {
  const asked = new Map<string, Promise<Readonly<Record<string, string>> | "unseen">>();
  for (const { namespace, path } of secrets) {
    const id = `${namespace}\n${path}`;
    if (!asked.has(id)) asked.set(id, itemsOf(client, { namespace, path }));
  }
  const has = await Promise.all(
    secrets.map(async ({ namespace, path, key }) => {
      const items = await asked.get(`${namespace}\n${path}`);
      return items === "unseen" || Boolean(items?.[key]);
    }),
  );
  return secrets.filter((_, at) => !has[at]);
}

/** The items of a variable; `unseen` when it is there for a token that may only list it. */
async function itemsOf(client: NomadClient, ref: VariableRef): Promise<Readonly<Record<string, string>> | "unseen"> {
  try {
    return (await readVariable(client, ref)).items;
  } catch (error) {
    if (!(error instanceof NomadError && error.status === 403)) throw error;
    return (await variableExists(client, ref)) ? "unseen" : {};
  }
}
