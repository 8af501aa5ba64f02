/** Something that a plan does besides changing managed resources. */
export interface SideEffect {
  /** What an acknowledgement names: the address of the resource, or `provider` and its source. */
  readonly address: string;
  readonly kind: "program" | "data" | "provider" | "deferred";
  /** A sentence that goes on after the address. */
  readonly problem: string;
}

/** The providers of which this program knows every resource that it judges. */
export const KNOWN_PROVIDERS: readonly string[] = [
  "registry.terraform.io/hashicorp/nomad",
  "registry.opentofu.org/hashicorp/nomad",
  "terraform.io/builtin/terraform",
];

interface RawSideEffects {
  readonly resource_changes?: unknown;
  readonly configuration?: unknown;
  readonly action_invocations?: unknown;
  readonly deferred_changes?: unknown;
}

type Raw = Readonly<Record<string, unknown>>;

/**
 * Programs that Terraform runs (provisioners, `data "external"`, actions), data of a kind that is not known here,
 * providers, and what Terraform puts off. They stand in the configuration, whatever changes.
 *
 * @see https://developer.hashicorp.com/terraform/internals/json-format#configuration-representation
 */
export function sideEffectsOf(plan: RawSideEffects): SideEffect[] {
  const configuration = record(plan.configuration);
  const resources = resourcesOf(record(configuration.root_module), "");
  const replaced = new Set(
    list(plan.resource_changes)
      .filter(({ change }) => startsOrEnds(record(change).actions))
      .map(({ address }) => `${address}`.replace(/\[(?:\d+|"(?:[^"\\]|\\.)*")\]/g, "")),
  );
  const changes = list(plan.resource_changes).filter(({ change }) => `${record(change).actions}` !== "no-op");
  const sources = new Set([
    ...Object.values(record(configuration.provider_config)).map((one) => text(record(one).full_name)),
    // Of any other type it is a finding of its own, whoever provides it.
    ...changes.filter(({ type }) => text(type).startsWith("nomad_")).map((change) => text(change.provider_name)),
  ]);
  const read = changes
    .filter(({ mode, address }) => mode === "data" && !resources.some((one) => one.address === address))
    .map((resource) => ({ address: text(resource.address), resource }));
  return [
    ...[...resources, ...read].flatMap(({ address, resource }) => ofResource(address, resource, replaced)),
    ...[...sources]
      .filter((source) => source && !KNOWN_PROVIDERS.includes(source))
      .map((source) => ({
        address: `provider:${source}`,
        kind: "provider" as const,
        problem: "is a provider that is not judged here: a program that runs with Terraform's rights",
      })),
    ...list(plan.action_invocations).map((action) => ({
      address: text(action.address) || "an action",
      kind: "program" as const,
      problem: `is an action that Terraform runs${text(action.type) ? ` (${text(action.type)})` : ""}`,
    })),
    ...list(plan.deferred_changes).map((deferred) => ({
      address: text(record(deferred.resource_change).address) || "a resource",
      kind: "deferred" as const,
      problem: "is put off by Terraform, so nobody can see what will change",
    })),
  ];
}

/** Provisioners run when their resource is created or destroyed, never when it is updated. */
function startsOrEnds(actions: unknown): boolean {
  return Array.isArray(actions) && actions.some((action) => action === "create" || action === "delete");
}

function ofResource(address: string, resource: Raw, replaced: ReadonlySet<string>): SideEffect[] {
  const type = text(resource.type);
  const provisioners = replaced.has(address) ? list(resource.provisioners) : [];
  const programs = provisioners.map((one) => ({
    address,
    kind: "program" as const,
    problem: `runs a program by its provisioner ${text(one.type) || "of a kind that is not told"}`,
  }));
  if (resource.mode === "managed") return programs;
  if (type === "external") {
    return [...programs, { address, kind: "program", problem: "runs a program at every plan, by a data source" }];
  }
  if (resource.mode === "data" && HARMLESS_DATA.test(type)) return programs;
  const problem = SECRET_DATA.test(type)
    ? "reads secrets into Terraform's state, where they stand in clear"
    : `is read by Terraform, and what ${type || "it"} does is not judged here`;
  return [...programs, { address, kind: "data", problem }];
}

const SECRET_DATA = /^nomad_(?:variable|acl_tokens?|node_intro_token)/;
/** What only asks Nomad for what everybody may see. */
const HARMLESS_DATA =
  /^nomad_(?:acl_polic\w+|acl_roles?|allocations|datacenters|deployments|dynamic_host_volume|job|job_parser|jwks|namespaces?|node_pools?|plugins?|quota_specifications?|regions|scaling_polic\w+|scheduler_policy|services?|volumes?)$/;

function resourcesOf(module: Raw, path: string): { readonly address: string; readonly resource: Raw }[] {
  const own = list(module.resources).map((resource) => ({ address: `${path}${text(resource.address)}`, resource }));
  const called = Object.entries(record(module.module_calls)).flatMap(([name, call]) =>
    resourcesOf(record(record(call).module), `${path}module.${name}.`),
  );
  return [...own, ...called];
}

function record(value: unknown): Raw {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Raw) : {};
}

function list(value: unknown): Raw[] {
  return Array.isArray(value) ? value.map(record) : [];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
