import type { NomadClient } from "../../nomad/client";
import { NomadError } from "../../nomad/nomad-error";
import type { Need } from "../shared/secret-needs";
import type { Variables } from "./variables";

/** Why a secret that could be made must not be: its service has one already, or may have. */
export type Held = ReadonlyMap<Need, string>;

/** Which of the random secrets that Nomad lacks may be in use all the same, such as a password lost from its variable. */
export async function heldSecrets(client: NomadClient, needs: readonly Need[], variables: Variables): Promise<Held> {
  const held = new Map<Need, string>();
  for (const need of needs) {
    if (need.source !== "random" || variables.isUnseen(need) || variables.value(need) !== "") continue;
    for (const reader of need.readBy) {
      const why = await whyHeld(client, need.namespace, reader);
      if (why) held.set(need, why);
    }
  }
  return held;
}

/** The parts of Nomad's answers that are read here. */
interface Allocation {
  readonly TaskGroup: string;
  readonly TaskStates?: Readonly<Record<string, { readonly State: string; readonly StartedAt?: string | null }>> | null;
}

/** A job whose task never started, such as one that waits for this very secret, has none yet. */
async function whyHeld(client: NomadClient, namespace: string, reader: string): Promise<string | undefined> {
  // Only the job's ID may hold slashes.
  const [, job = "", group, task = ""] = /^(.*)\/([^/]*)\/([^/]*)$/.exec(reader) ?? [];
  const needs = `the capability "read-job" in namespace "${namespace}"`;
  try {
    const { Stop } = await client.get<{ Stop?: boolean }>(["job", job], { namespace, needs });
    if (Stop) return undefined;
    // All: those of an earlier job with this ID too.
    const allocations = await client.get<readonly Allocation[]>(["job", job, "allocations"], {
      ...{ namespace, needs, query: { all: true } },
    });
    const started = allocations.some(({ TaskGroup, TaskStates }) => {
      const state = TaskStates?.[task];
      // Go writes year 1 for a time that is not set.
      return TaskGroup === group && (state?.State === "running" || Date.parse(state?.StartedAt ?? "") > 0);
    });
    return started ? `${job} has run already` : undefined;
  } catch (error) {
    if (error instanceof NomadError && error.status === 404) return undefined;
    if (!(error instanceof NomadError && error.status === 403)) throw error;
    return `this token may not see whether ${job} has run already, which takes ${needs}`;
  }
}
