import { readJob } from "../model/read-job";
import { VOLUME_TYPES } from "../model/read-stack";
import { known, SENSITIVE } from "../model/values";
import { changedPaths, type FieldChange, fieldsOf } from "./diff";
import type { Change, Plan } from "./plan";
import { fieldsOfResource, nameOf } from "./resources";
import { withoutSecrets } from "./secrets";

/** A resource that is not what Terraform left it as. */
export interface DriftReview {
  readonly address: string;
  /** Such as `job bitcoin`; absent for what this program does not know. */
  readonly name?: string;
  readonly gone: boolean;
  /** From what Terraform left to what is there now; empty when it cannot be told. */
  readonly fields: readonly FieldChange[];
}

/** What was changed or taken away past Terraform, as the plan found it. What only Nomad itself counts is left out. */
export function driftOf({ drift }: Pick<Plan, "drift">): DriftReview[] {
  return drift.flatMap((change): DriftReview[] => {
    const { address, action, type, before, after } = change;
    const job = type === "nomad_job" ? `job ${known(before?.name) ?? known(after?.name) ?? address}` : undefined;
    const name = job ?? nameOf(change);
    const at = { address, ...(name && { name }) };
    if (action === "delete") return [{ ...at, gone: true, fields: [] }];
    const fields = type === "nomad_job" ? fieldsOfJob(change) : written(change);
    return fields.length > 0 ? [{ ...at, gone: false, fields }] : [];
  });
}

function fieldsOfJob({ before = {}, after = {} }: Change): FieldChange[] {
  const [old, now] = [before, after].map((values) => readJob(values).job);
  if (old && now) return fieldsOf(changedPaths(old, now), withoutSecrets(old), withoutSecrets(now));
  return before.jobspec === after.jobspec
    ? []
    : [{ field: "jobspec", old: "as it was", new: "another, that cannot be read" }];
}

/** Attributes of volumes that only report: they change while nobody does anything. */
const REPORTED =
  /^(?:id|capacity|capacity_m\w+_bytes|controllers?_\w+|nodes_\w+|plugin_provider(?:_version)?|schedulable|topologies)\b/;

function written(change: Change): FieldChange[] {
  const isVolume = VOLUME_TYPES.includes(change.type);
  const fields = fieldsOfResource(change).filter(({ field }) => !(isVolume && REPORTED.test(field)));
  return change.hiddenChange ? [...fields, { field: "a sensitive value", old: SENSITIVE, new: SENSITIVE }] : fields;
}
