import { shapeMismatch } from "../model/shape";
import { SENSITIVE, UNKNOWN, type Values } from "../model/values";
import { MODULE, PLAN } from "./shape";
import { type SideEffect, sideEffectsOf } from "./side-effects";

/** What becomes of one resource. Nothing in it is sensitive any more. */
export interface Change {
  /** `nomad_job.bitcoin`, with module and index where there are some. */
  readonly address: string;
  readonly type: string;
  readonly provider: string;
  readonly action: "create" | "update" | "delete" | "replace" | "forget" | "none";
  /** Why, in Terraform's words, such as `replace_because_tainted`. */
  readonly reason?: string;
  /** Attributes that force the replacement. */
  readonly because: readonly string[];
  /** Absent for what is created. */
  readonly before?: Values;
  /** Absent for what is destroyed. Unknown values are {@link UNKNOWN}. */
  readonly after?: Values;
  /** Whether a value that is sensitive differs; masked, both look alike. */
  readonly hiddenChange: boolean;
}

/** A plan as this program reads it: masked, managed resources only. */
export interface Plan {
  readonly terraformVersion: string;
  /** Terraform could not finish it. */
  readonly failed: boolean;
  readonly changes: readonly Change[];
  /** What differs, before the plan, from what the state had: somebody changed it past Terraform. */
  readonly drift: readonly Change[];
  /** The output `homelab` before and after. */
  readonly homelab: { readonly before?: unknown; readonly after?: unknown };
  /** The state that the plan starts from. */
  readonly state?: State;
  /** What acts although no change of a managed resource shows it. */
  readonly sideEffects: readonly SideEffect[];
}

/** One instance of a resource in a state. Nothing in it is sensitive any more, but where is told. */
export interface StateResource {
  readonly address: string;
  readonly type: string;
  readonly provider: string;
  readonly tainted: boolean;
  /** The key of an object that waits for its destruction. */
  readonly deposed?: string;
  /** What Terraform only reads, and keeps all the same. */
  readonly isData: boolean;
  readonly values: Values;
  /** Attributes that Terraform marks as sensitive and that have a value. */
  readonly sensitive: readonly string[];
}

export interface State {
  readonly terraformVersion: string;
  readonly resources: readonly StateResource[];
  /** Masked where Terraform marks them. */
  readonly outputs: readonly { readonly name: string; readonly value: unknown }[];
}

/** The major version of Terraform's formats that is read here. */
const FORMAT = /^1\.\d+$/;

/**
 * Reads what `terraform show -json` prints of a plan.
 *
 * @throws when it is no plan, is cut off, or of a format that is not known.
 * @see https://developer.hashicorp.com/terraform/internals/json-format
 */
export function readPlan(text: string): Plan {
  const plan = parse(text, "plan") as RawPlan;
  if (!Array.isArray(plan.resource_changes) && !plan.planned_values) {
    throw new Error(
      "this is no plan but a state; write one with terraform plan -out=FILE, or review the state with --state",
    );
  }
  const odd = shapeMismatch(plan, PLAN, "odd");
  if (odd) throw new Error(`this is no plan as Terraform writes it: ${odd}; write it with terraform show -json`);
  const output = plan.output_changes?.homelab;
  return {
    terraformVersion: plan.terraform_version ?? "unknown",
    failed: plan.errored === true,
    changes: changesOf(plan.resource_changes),
    drift: changesOf(plan.resource_drift),
    homelab: {
      before: mask(output?.before, output?.before_sensitive),
      after: mask(output?.after, output?.after_sensitive),
    },
    ...(plan.prior_state?.values && { state: stateOf(plan.prior_state) }),
    sideEffects: sideEffectsOf(plan),
  };
}

/**
 * Reads what `terraform show -json` prints of a state, or the one a plan starts from.
 *
 * @throws when it is neither, is cut off, or of a format that is not known.
 */
export function readState(text: string): State {
  const read = parse(text, "state") as RawState & RawPlan;
  if (read.resource_changes || read.planned_values) {
    return stateOf(read.prior_state ?? {});
  }
  return stateOf(read);
}

interface RawPlan {
  readonly format_version?: string;
  readonly terraform_version?: string;
  readonly errored?: boolean;
  readonly planned_values?: unknown;
  readonly resource_changes?: readonly RawChange[];
  readonly resource_drift?: readonly RawChange[];
  readonly output_changes?: Readonly<Record<string, RawChange["change"]>>;
  readonly prior_state?: RawState;
}

interface RawChange {
  readonly address: string;
  readonly mode: string;
  readonly type: string;
  readonly provider_name: string;
  readonly deposed?: string;
  readonly action_reason?: string;
  readonly change: {
    readonly actions: readonly string[];
    readonly before?: unknown;
    readonly after?: unknown;
    readonly after_unknown?: unknown;
    readonly before_sensitive?: unknown;
    readonly after_sensitive?: unknown;
    readonly replace_paths?: readonly (readonly unknown[])[];
  };
}

interface RawState {
  readonly terraform_version?: string;
  readonly values?: {
    readonly outputs?: Readonly<Record<string, { readonly value?: unknown; readonly sensitive?: boolean }>>;
    readonly root_module?: RawModule;
  };
}

interface RawModule {
  readonly resources?: readonly RawResource[];
  readonly child_modules?: readonly RawModule[];
}

interface RawResource {
  readonly address: string;
  readonly mode: string;
  readonly type: string;
  readonly provider_name: string;
  readonly values?: Values;
  readonly sensitive_values?: unknown;
  readonly tainted?: boolean;
  readonly deposed_key?: string;
}

function parse(text: string, what: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const kind = text.trim() === "" ? "empty" : text.startsWith("PK") ? "Terraform's own file" : "not JSON, or cut off";
    throw new Error(`the ${what} is ${kind}; write it with terraform show -json, which prints one line of JSON`);
  }
  if (!isShallow(value)) {
    throw new Error(`this is no ${what} as Terraform writes it: it is nested more than ${DEEPEST} deep`);
  }
  const version = (value as RawPlan | null)?.format_version;
  if (typeof value !== "object" || value === null || version === undefined) {
    throw new Error(`this is no ${what}: it lacks format_version; write it with terraform show -json`);
  }
  if (!FORMAT.test(String(version))) {
    throw new Error(`the ${what} has format_version ${version}, and this program reads 1.x; update it`);
  }
  return value;
}

/** Deeper than any plan: what reads it goes down level by level, and would not come back. */
const DEEPEST = 200;

function isShallow(value: unknown): boolean {
  let level = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEEPEST) return false;
    level = level.flatMap((one) => (typeof one === "object" && one !== null ? Object.values(one) : []));
  }
  return true;
}

function changesOf(changes: readonly RawChange[] = []): Change[] {
  return changes
    .filter(({ mode }) => mode !== "data")
    .map(changeOf)
    .sort(byAddress);
}

function changeOf({ address, type, provider_name, deposed, action_reason, change }: RawChange): Change {
  const action = actionOf(change.actions);
  const before = mask(change.before, change.before_sensitive) as Values | null | undefined;
  const known = fillUnknown(change.after, change.after_unknown);
  const after = mask(known, change.after_sensitive) as Values | null | undefined;
  return {
    address: deposed ? `${address}:deposed-${deposed}` : address,
    type,
    provider: provider_name,
    action,
    ...(action_reason && { reason: action_reason }),
    because: [...new Set((change.replace_paths ?? []).map(([first]) => String(first)))],
    ...(before && { before }),
    ...(after && action !== "delete" && action !== "forget" && { after }),
    hiddenChange: hidesChange(change.before, change.after, change.before_sensitive, change.after_sensitive),
  };
}

function actionOf(actions: readonly string[]): Change["action"] {
  const [first, second] = actions;
  if (second) return "replace";
  if (first === "create" || first === "update" || first === "delete" || first === "forget") return first;
  return "none";
}

/** Replaces what is marked: `true` marks all that is below, an object or a list its parts. */
export function mask(value: unknown, marks: unknown): unknown {
  return overlay(value, marks, SENSITIVE);
}

function fillUnknown(value: unknown, marks: unknown): unknown {
  if (marks === true) return UNKNOWN;
  if (typeof marks !== "object" || marks === null) return value;
  if (Array.isArray(marks)) {
    const list = Array.isArray(value) ? value : [];
    return marks.length === 0 ? value : marks.map((mark, at) => fillUnknown(list[at], mark));
  }
  const object = (value ?? {}) as Values;
  const filled = Object.entries(marks).map(([key, mark]) => [key, fillUnknown(object[key], mark)]);
  return value === undefined && filled.length === 0 ? value : { ...object, ...Object.fromEntries(filled) };
}

function overlay(value: unknown, marks: unknown, stand: string): unknown {
  if (marks === true) return value === null || value === undefined ? value : stand;
  if (typeof marks !== "object" || marks === null || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    return value.map((member, at) => overlay(member, (marks as readonly unknown[])[at], stand));
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, overlay(member, (marks as Values)[key], stand)]),
  );
}

/** Whether something differs that cannot be seen, whatever else differs beside it. */
function hidesChange(before: unknown, after: unknown, marksBefore: unknown, marksAfter: unknown): boolean {
  if (JSON.stringify(before) === JSON.stringify(after)) return false;
  if (JSON.stringify(mask(before, marksBefore)) === JSON.stringify(mask(after, marksAfter))) return true;
  if ([before, after].some((value) => typeof value !== "object" || value === null)) return false;
  if (marksBefore === true || marksAfter === true) return false;
  const [old, now, oldMarks, nowMarks] = [before, after, marksBefore ?? {}, marksAfter ?? {}] as Values[];
  return Object.keys({ ...old, ...now }).some((key) =>
    hidesChange(old?.[key], now?.[key], oldMarks?.[key], nowMarks?.[key]),
  );
}

function stateOf({ terraform_version, values }: RawState): State {
  return {
    terraformVersion: terraform_version ?? "unknown",
    resources: resourcesOf(values?.root_module).sort(byAddress),
    outputs: Object.entries(values?.outputs ?? {})
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, output]) => ({ name, value: mask(output?.value, output?.sensitive) })),
  };
}

function resourcesOf(module: RawModule = {}): StateResource[] {
  const odd = shapeMismatch(module, MODULE, "odd");
  if (odd) throw new Error(`this is no state as Terraform writes it: ${odd}; write it with terraform show -json`);
  const own = (module.resources ?? []).map(
    ({ address, mode, type, provider_name, values, sensitive_values, tainted, deposed_key }) => ({
      address,
      type,
      isData: mode === "data",
      provider: provider_name,
      tainted: tainted === true,
      ...(deposed_key && { deposed: deposed_key }),
      values: (mask(values, sensitive_values) ?? {}) as Values,
      sensitive: Object.entries((sensitive_values ?? {}) as Values)
        .filter(([key, marks]) => JSON.stringify(mask(values?.[key], marks) ?? null).includes(SENSITIVE))
        .map(([key]) => key),
    }),
  );
  return [...own, ...(module.child_modules ?? []).flatMap((one) => resourcesOf(one))];
}

function byAddress(a: { readonly address: string }, b: { readonly address: string }): number {
  return a.address < b.address ? -1 : a.address > b.address ? 1 : 0;
}
