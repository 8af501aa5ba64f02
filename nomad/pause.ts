import type { NomadClient } from "./client";
import { DEFAULT_NAMESPACE } from "./defaults";
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

/** Services are stopped on purpose, and must not be started by a deploy. */
export interface Pause {
  readonly reason: string;
  /** When it began, in ISO 8601. */
  readonly since: string;
  /** In the order in which they were stopped. */
  readonly groups: readonly PausedGroup[];
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
  const { reason = "no reason given", since = "an unknown time", groups = "[]" } = items;
  try {
    return { reason, since, groups: JSON.parse(groups) };
  } catch {
    throw new Error(`the variable ${PAUSE.path} in namespace ${PAUSE.namespace} holds no JSON under the key groups`);
  }
}

export function pauseText({ reason, since }: Pause): string {
  return `a pause is on since ${since}: ${reason}`;
}
