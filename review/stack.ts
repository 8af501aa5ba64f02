import { readStack, type StackRecords } from "../model/read-stack";
import type { Change, Plan } from "./plan";
import { withoutSecrets } from "./secrets";

/** All that a plan says of one moment. */
export type Side = StackRecords;

/** The stack as it is in Terraform's state, and as it will be. */
export function sidesOf(plan: Plan): { before: Side; after: Side } {
  return { before: sideOf(plan.changes, "before", plan.homelab), after: sideOf(plan.changes, "after", plan.homelab) };
}

export function sideOf(
  changes: readonly Pick<Change, "address" | "type" | "before" | "after">[],
  side: "before" | "after",
  outputs: Plan["homelab"],
): Side {
  const resources = changes.flatMap(({ address, type, [side]: values }) => (values ? [{ address, type, values }] : []));
  // A stack that is destroyed describes itself before, one that is made after; each holds for the other.
  return readStack(resources, {
    own: outputs[side],
    otherMoments: [outputs.before, outputs.after],
    show: withoutSecrets,
  });
}
