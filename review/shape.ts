const CHANGES = [
  { address: "text", mode: "text", type: "text", provider_name: "text", change: { actions: ["text"] } },
] as const;

/** What Terraform itself writes of every plan, whatever its providers put into it. */
export const PLAN = {
  resource_changes: { "?": CHANGES },
  resource_drift: { "?": CHANGES },
  output_changes: { "?": { "*": { actions: ["text"] } } },
  prior_state: { "?": {} },
} as const;

/** The same of a module of a state. */
export const MODULE = {
  resources: { "?": [{ address: "text", mode: "text", type: "text", provider_name: "text" }] },
  child_modules: { "?": [{}] },
} as const;
