import type { Job, TaskGroup } from "../.gen/nomad/job";
import type { NomadClient } from "./client";
import { DEFAULT_NAMESPACE } from "./defaults";
import { NomadError } from "./nomad-error";
import { readVariable, type VariableRef } from "./variable";

/** One for the whole cluster, in the namespace that every cluster has. */
export const PAUSE: VariableRef = { namespace: DEFAULT_NAMESPACE, path: "homelab/pause" };

/** A group that was stopped for a pause, and how many instances it had. */
export interface PausedGroup {
  readonly namespace: string;
  readonly job: string;
  readonly group: string;
  readonly count: number;
}

/** An allocation that was told to stop and has not been seen to end, and where it may still run. */
export interface LastWriter {
  readonly namespace: string;
  readonly job: string;
  readonly group: string;
  readonly allocation: string;
  readonly node: string;
  readonly nodeId: string;
  /** How long its machine may take to stop it, such as `6m`: so long it may write after the machine is back. */
  readonly stopTime: string;
  /** `host:port` of the machine's agent and of the allocation's ports: who gives the machine up asks there first. */
  readonly addresses: readonly string[];
}

/** Services are stopped on purpose, and must not be started by a deploy. */
export interface Pause {
  readonly reason: string;
  /** When it began, in ISO 8601. */
  readonly since: string;
  /** In the order in which they were stopped. */
  readonly groups: readonly PausedGroup[];
  /** Kept here because Nomad forgets an allocation that has stopped, and a machine that is away for a day. */
  readonly writers: readonly LastWriter[];
}

/** The group as a pause has it; undefined when it was not stopped for it. */
export function groupIn(
  groups: readonly PausedGroup[],
  { job, group }: { readonly job: Pick<Job, "ID" | "Namespace">; readonly group: Pick<TaskGroup, "Name"> },
): PausedGroup | undefined {
  return groups.find((one) => one.job === job.ID && one.namespace === job.Namespace && one.group === group.Name);
}

/**
 * The pause that is on, if one is.
 *
 * @throws NomadError with status 403 when the token may not read it: then nobody knows.
 */
export async function readPause(client: NomadClient): Promise<Pause | undefined> {
  const { items } = await readVariable(client, PAUSE);
  return pauseOf(items);
}

/** A pause as its variable holds it. A variable that somebody wrote by hand is a pause too. */
export function pauseOf(items: Readonly<Record<string, string>>): Pause | undefined {
  if (Object.keys(items).length === 0) return undefined;
  const { reason = "no reason given", since = "an unknown time", groups, writers } = items;
  return { reason, since, groups: listIn(groups, "groups"), writers: listIn(writers, "writers") };
}

function listIn<T>(text = "[]", key: string): T[] {
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list)) return list;
  } catch {
    // Told below.
  }
  throw new Error(
    `the variable ${PAUSE.path} in namespace ${PAUSE.namespace} holds no JSON list under the key ${key}; correct it with nomad var put`,
  );
}

/**
 * Writes a pause, if nobody else wrote it since.
 *
 * @param modifyIndex of the variable as it was read; 0 for a pause that is new.
 * @returns the variable's next index.
 * @throws when somebody else came first, or the token may not write it.
 */
export async function writePause(
  client: NomadClient,
  { reason, since, groups, writers }: Pause,
  modifyIndex: number,
): Promise<number> {
  const Items = { reason, since, groups: JSON.stringify(groups), writers: JSON.stringify(writers) };
  return changing(async () => {
    const { ModifyIndex } = await client.put<{ readonly ModifyIndex: number }>(
      ["var", PAUSE.path],
      { Namespace: PAUSE.namespace, Path: PAUSE.path, Items },
      { namespace: PAUSE.namespace, query: { cas: modifyIndex }, needs: NEEDS },
    );
    return ModifyIndex;
  });
}

/** Ends a pause; otherwise as {@link writePause}. */
export async function deletePause(client: NomadClient, modifyIndex: number): Promise<void> {
  await changing(() =>
    client.delete(["var", PAUSE.path], { namespace: PAUSE.namespace, query: { cas: modifyIndex }, needs: NEEDS }),
  );
}

const NEEDS = `the capabilities "write" and "destroy" for variables at ${PAUSE.path} in namespace "${PAUSE.namespace}"`;

async function changing<T>(change: () => Promise<T>): Promise<T> {
  try {
    return await change();
  } catch (error) {
    if (!(error instanceof NomadError && error.status === 409)) throw error;
    throw new Error("somebody else began, changed or ended a pause in the meantime; look again with homelab status");
  }
}

export function pauseText({ reason, since }: Pause): string {
  return `a pause is on since ${since}: ${reason}`;
}

/** What was told to stop for a pause and was not seen to end, a sentence each; empty when all was. */
export function unseenTexts({ writers }: Pause): string[] {
  return writers.map(
    ({ allocation, job, node }) =>
      `allocation ${allocation.slice(0, 8)} of ${job} on ${node} was told to stop, and nobody has seen it end yet`,
  );
}
