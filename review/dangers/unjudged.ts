import { VOLUME_TYPES } from "../../model/read-stack";
import { known, SENSITIVE, UNKNOWN, type Values } from "../../model/values";
import { DEFAULT_NAMESPACE } from "../../nomad/defaults";
import { grantsOf, scopeOf } from "../acl-grants";
import type { Context } from "../context";
import { differing, text } from "../diff";
import type { Finding } from "../findings";
import type { Change } from "../plan";

/** Types of resources that other findings judge. */
const JUDGED: readonly string[] = ["nomad_job", "nomad_namespace", "nomad_scheduler_config", ...VOLUME_TYPES];

/** So many grants of a policy are told. */
const TOLD = 6;

/** Resources that no other finding judges, and what acts besides resources: unknown is never safe. */
export function unjudged({ plan }: Context): Finding[] {
  const usedBefore = new Set(plan.state?.resources.filter(({ isData }) => !isData).map(({ provider }) => provider));
  return [
    ...plan.changes.filter(({ action }) => action !== "none").flatMap(judged),
    ...plan.sideEffects
      .filter(({ kind, address }) => kind !== "provider" || !usedBefore.has(address.replace("provider:", "")))
      .map(({ address, kind, problem }): Finding => {
        const finding = kind === "program" ? "runs-program" : "resource-unjudged";
        return { finding, resource: address, subject: address, problem, remedy: REMEDIES[kind] };
      }),
  ];
}

const REMEDIES = {
  program: "read what it runs, or take it out",
  data: "read what it does",
  provider: "make sure that you know who publishes it",
  deferred: "apply what can be applied, then review the rest",
} as const;

function judged(change: Change): Finding[] {
  const { address, type, before, after } = change;
  const at = { resource: address, subject: address } as const;
  if (type === "nomad_namespace") return namespaces(change);
  if (type === "nomad_scheduler_config") return scheduler(change);
  if (JUDGED.includes(type)) return [];
  if (type === "nomad_acl_policy") return policies(change);
  if (type === "nomad_variable") {
    const { path, namespace } = (after ?? before ?? {}) as Values;
    const place = `${text("", path) ?? "an unknown path"} in namespace ${text("", namespace) ?? DEFAULT_NAMESPACE}`;
    const problem =
      after === undefined
        ? `removes the variable ${place}: whatever reads its secrets waits for them`
        : `writes the variable ${place}: what is there is overwritten, and its values stand in the state in clear`;
    return [{ finding: "variable-written", ...at, problem, remedy: "write it with homelab secrets, which asks first" }];
  }
  if (type === "nomad_acl_token" && after) {
    const rights = after.type === "management" ? "may do everything" : `has the policies ${listed(after.policies)}`;
    const problem = `makes a token that ${rights}, and keeps its secret in the state`;
    return [{ finding: "access-widened", ...at, problem, remedy: "make tokens with nomad acl token create" }];
  }
  if (/^nomad_acl_(?:role|binding_rule|auth_method)$/.test(type) && after) {
    const problem = `gives access to Nomad: ${fieldsOf(change) || "in a way that cannot be read"}`;
    return [{ finding: "access-widened", ...at, problem, remedy: "make sure that you know who gets it" }];
  }
  if (/^nomad_dynamic_host_volume(?:_registration)?$/.test(type)) {
    const problem =
      after === undefined && type === "nomad_dynamic_host_volume"
        ? "is deleted with all that is in it"
        : `${DONE[change.action]}: a folder of one machine, whose contents and writers are not judged here`;
    return [{ finding: "host-volume", ...at, problem, remedy: "make sure that you know what is in it" }];
  }
  if (type === "terraform_data" || type === "null_resource") {
    const problem = `${DONE[change.action]}: it is there to run programs, which a plan does not show`;
    return [{ finding: "runs-program", ...at, problem, remedy: REMEDIES.program }];
  }
  const problem = `${DONE[change.action]}, and what that does is not judged here`;
  return [{ finding: "resource-unjudged", ...at, problem, remedy: "read what terraform plan says of it" }];
}

const DONE: Readonly<Record<Change["action"], string>> = {
  create: "is created",
  update: "is changed",
  delete: "is destroyed",
  replace: "is destroyed and made anew",
  forget: "leaves Terraform",
  none: "stays",
};

function policies(change: Change): Finding[] {
  const { address, before, after } = change;
  const subject = `policy ${text("", (after ?? before)?.name) ?? "without a name"}`;
  const at = { resource: address, subject } as const;
  const unknown = (problem: string): Finding[] => [
    { finding: "resource-unjudged", ...at, problem, remedy: "make sure that you know who needs it" },
  ];
  if (!after) return unknown("is removed: whoever has it loses its rights");
  const [old, now] = [before, after].map((values) => {
    const rules = known(values?.rules_hcl);
    return rules === undefined ? undefined : grantsOf(rules);
  });
  if (!now) return unknown("has rules that cannot be read, so nobody can tell what it grants");
  const had = old ?? new Set<string>();
  const isDenial = (grant: string) => grant.endsWith(": deny");
  // A denial wins, and so does a narrower block over `*`: without it the wider one holds.
  const scopes = new Set([...now].map(scopeOf));
  const isWide = [...scopes].some((scope) => scope.includes("*"));
  const freed = [...had].filter(
    (grant) => !now.has(grant) && (isDenial(grant) || (isWide && !scopes.has(scopeOf(grant)))),
  );
  const more = [
    ...[...now].filter((grant) => !had.has(grant) && !isDenial(grant)),
    ...freed.map((grant) => `what ${grant} kept back`),
  ];
  if (more.length > 0) {
    const rest = more.length > TOLD ? `; and ${more.length - TOLD} more` : "";
    const problem = `grants${before ? " more" : ""}: ${more.slice(0, TOLD).join("; ")}${rest}`;
    const remedy = "whoever may submit jobs or write variables can reach the funds: grant what is needed";
    return [{ finding: "access-widened", ...at, problem, remedy }];
  }
  const others = differing(before, after, "").filter((path) => !/^(?:rules_hcl|description)\b/.test(path));
  return others.length > 0 ? unknown(`changes in ${others.join(", ")}`) : [];
}

/** Capabilities that a namespace takes on: a driver or a network that reaches onto the machine. */
function namespaces({ address, before, after }: Change): Finding[] {
  if (!before || !after) return [];
  const subject = `namespace ${text("", after.name) ?? "without a name"}`;
  const widened = ["enabled_task_drivers", "enabled_network_modes"].flatMap((key) => {
    const [old, now] = [before, after].map((values) => limitOf(values, key));
    if (!old || old.length === 0) return [];
    if (!now || now.length === 0) return [`${key} is no longer limited to ${old.join(", ")}`];
    const more = now.filter((one) => !old.includes(one));
    return more.length > 0 ? [`${key} takes in ${more.join(", ")}`] : [];
  });
  const lifted = ["disabled_task_drivers", "disabled_network_modes"].flatMap((key) => {
    const [old = [], now = []] = [before, after].map((values) => limitOf(values, key));
    const less = old.filter((one) => !now.includes(one));
    return less.length > 0 ? [`${key} leaves out ${less.join(", ")}`] : [];
  });
  const problems = [...widened, ...lifted];
  if (problems.length === 0) return [];
  const problem = `lets its jobs do more: ${problems.join("; ")}`;
  return [{ finding: "access-widened", resource: address, subject, problem, remedy: "keep what limits its jobs" }];
}

function limitOf(values: Values, key: string): string[] | undefined {
  const [capabilities] = [values.capabilities ?? []].flat() as Values[];
  const list = capabilities?.[key];
  return Array.isArray(list) ? list.map(String) : undefined;
}

function scheduler(change: Change): Finding[] {
  if (change.action === "create") return [];
  const problem =
    change.action === "update"
      ? `changes for every job of the cluster: ${fieldsOf(change)}`
      : "is given up, and Nomad keeps or resets it for every job of the cluster";
  if (change.action === "update" && !fieldsOf(change)) return [];
  const remedy = "keep spread, memory oversubscription, and no preemption of services and batch jobs";
  return [{ finding: "scheduler-changed", resource: change.address, subject: "the scheduler", problem, remedy }];
}

/** Attributes that change, with values that are plain. */
function fieldsOf({ before, after }: Change): string {
  return differing(before, after, "")
    .flatMap((path) => {
      const value = path.split(".").reduce<unknown>((tree, key) => (tree as Values | undefined)?.[key], after);
      if (value === UNKNOWN) return [];
      const isPlain = typeof value === "boolean" || typeof value === "number" || /^[\w -]{1,40}$/.test(String(value));
      return [isPlain && value !== undefined && value !== SENSITIVE ? `${path} = ${value}` : path];
    })
    .slice(0, TOLD)
    .join(", ");
}

function listed(value: unknown): string {
  const names = Array.isArray(value) ? value.map(String) : [];
  return names.length > 0 ? names.join(", ") : "none that are known yet";
}
