import { VOLUME_TYPES } from "../model/read-stack";
import { known, type Values } from "../model/values";
import { DEFAULT_NAMESPACE } from "../nomad/defaults";
import { contextOf } from "./context";
import type { Finding } from "./findings";
import type { Change, Plan } from "./plan";

/** What a plan creates, by the name that Nomad would know it by. */
export interface Created {
  readonly address: string;
  readonly kind: "job" | "volume" | "namespace";
  readonly id: string;
  /** Absent of a namespace. */
  readonly namespace?: string;
}

/** What a plan creates of jobs, volumes and namespaces. What only gets another address is not created. */
export function createdBy(plan: Plan): Created[] {
  const moved = new Set(
    contextOf(plan)
      .jobs.filter(({ movedFrom }) => movedFrom)
      .map(({ change }) => change.address),
  );
  const before = new Set(plan.changes.map((change) => nameOf(change, change.before)).filter(Boolean));
  const jobs = new Map(contextOf(plan).after.jobs.map(({ address, read }) => [address, read.job]));
  return plan.changes.flatMap((change): Created[] => {
    const { address, action, type, after } = change;
    if (action !== "create" || moved.has(address) || before.has(nameOf(change, after))) return [];
    const job = jobs.get(address);
    if (job) return [{ address, kind: "job", id: job.ID, namespace: job.Namespace }];
    const [volume, name] = [known(after?.volume_id), known(after?.name)];
    if (VOLUME_TYPES.includes(type) && volume) {
      return [{ address, kind: "volume", id: volume, namespace: known(after?.namespace) ?? DEFAULT_NAMESPACE }];
    }
    // Every Nomad has the namespace `default`.
    const isNew = type === "nomad_namespace" && name !== undefined && name !== DEFAULT_NAMESPACE;
    return isNew ? [{ address, kind: "namespace", id: name }] : [];
  });
}

function nameOf({ type }: Change, values: Values | undefined): string | undefined {
  if (type === "nomad_namespace") return known(values?.name) && `namespace ${known(values?.name)}`;
  const volume = VOLUME_TYPES.includes(type) && known(values?.volume_id);
  return volume ? `volume ${known(values?.namespace)}/${volume}` : undefined;
}

/** Something that Nomad has and the plan would create. */
export interface Living {
  readonly created: Created;
  /** As the provider would have read it into the state. */
  readonly values: Values;
  /** A job that was stopped: it may be started anew, but by no older version. */
  readonly stopped: boolean;
}

/** The plan with what lives as its "before", so that every danger is judged by it. */
export function comparedWithLiving(plan: Plan, living: readonly Living[]): Plan {
  const found = new Map(living.map((one) => [one.created.address, one]));
  return {
    ...plan,
    changes: plan.changes.map((change): Change => {
      const one = found.get(change.address);
      // What Nomad does not tell of it, such as mount options, is taken for what is written.
      return one ? { ...change, action: "update", before: { ...change.after, ...one.values } } : change;
    }),
  };
}

/** What a plan would create though Nomad has it: its state is lost, or belongs to another homelab. */
export function stateLost(living: readonly Living[]): Finding[] {
  return living
    .filter(({ stopped }) => !stopped)
    .map(({ created: { address, kind, id } }) => ({
      finding: "state-lost",
      resource: address,
      subject: `${kind} ${id}`,
      problem: "would be created, and Nomad has it already: the state that this plan starts from does not know it",
      remedy: RESTORE,
    }));
}

/** What to do about a lost state. */
export const RESTORE = "restore the state from its backup, or take over what lives with homelab adopt";

/** Whether the plan starts from nothing and creates what might be there already. */
export function startsFromNothing(plan: Plan): boolean {
  const isKnown = plan.state?.resources.some(({ isData, type }) => !isData && type.startsWith("nomad_"));
  return !isKnown && createdBy(plan).length > 0;
}

/** What speaks for a lost state where no cluster can be asked. */
export function stateDoubtful(evidence: readonly string[]): Finding[] {
  if (evidence.length === 0) return [];
  const problem = `would be created from nothing, as if nothing had ever been deployed; but ${evidence.join("; ")}`;
  const remedy = `ask the cluster with homelab review --nomad; if it has these already, ${RESTORE}`;
  return [{ finding: "state-doubtful", resource: "stack", subject: "the stack", problem, remedy }];
}
