import { VOLUME_TYPES } from "../model/read-stack";
import { SENSITIVE, UNKNOWN } from "../model/values";
import { isRemoved } from "./context";
import { at, differing, type FieldChange, text } from "./diff";
import type { Change } from "./plan";
import { shownField } from "./secrets";

/** One resource that is no job. */
export interface ResourceReview {
  readonly address: string;
  /** Such as `volume bitcoin-data`; absent for what this program does not know. */
  readonly name?: string;
  /** Whether Nomad keeps what Terraform destroys. */
  readonly kept?: true;
  readonly action: Change["action"];
  /** Of a type that this program does not know it is only told what is done. */
  readonly fields: readonly FieldChange[];
}

/** What Nomad calls it; undefined for what this program does not know. */
export function nameOf({ type, before, after }: Change): string | undefined {
  const values = before ?? after;
  if (type === "nomad_namespace") return `namespace ${text("", values?.name) ?? "without a name"}`;
  if (type === "nomad_scheduler_config") return "the scheduler's configuration";
  return VOLUME_TYPES.includes(type) ? `volume ${text("", values?.volume_id) ?? "without an ID"}` : undefined;
}

export function resourceOf(change: Change): ResourceReview {
  const name = nameOf(change);
  const isKept = change.action === "forget" || change.before?.deregister_on_destroy === false;
  const fields = change.action === "update" || change.action === "replace" ? fieldsOfResource(change) : [];
  const hidden: FieldChange[] = change.hiddenChange
    ? [{ field: "a sensitive value", old: SENSITIVE, new: SENSITIVE }]
    : [];
  return {
    address: change.address,
    ...(name && { name }),
    ...(isKept && isRemoved(change) && { kept: true }),
    action: change.action,
    fields: [...fields, ...hidden],
  };
}

/** Attributes that differ and are known now. */
export function fieldsOfResource({ before, after }: Change): FieldChange[] {
  return [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])].flatMap((name) => {
    const [old, now] = [before?.[name], after?.[name]];
    if (JSON.stringify(now ?? null).includes(UNKNOWN)) return [];
    return differing(old, now, name).map((field): FieldChange => {
      const [was, is] = [before, after].map((values) => text(field, at(values, field)));
      return shownField({ field, ...(was !== undefined && { old: was }), ...(is !== undefined && { new: is }) });
    });
  });
}
