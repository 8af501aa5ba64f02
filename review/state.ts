import type { Holds } from "../model/homelab";
import { readJob } from "../model/read-job";
import { SENSITIVE, type Values } from "../model/values";
import { unescapeTerraform } from "../nomad/terraform-text";
import { textsOf } from "../rules/no-secret-in-job";
import { literalSecrets } from "../rules/shared/literal-secrets";
import { changedPaths } from "./diff";
import type { Change, State } from "./plan";

export type { Holds };

/** One thing to know of Terraform's state. */
export interface StateNote {
  readonly resource: string;
  /** A sentence that goes on after the resource. */
  readonly problem: string;
  readonly remedy?: string;
}

/** The resources of the code, as a plan or synthesis has them. */
export type Code = readonly Pick<Change, "address" | "type" | "after" | "action">[];

/** The code as synthesis wrote it: the content of a `cdk.tf.json`. */
export function codeOf(config: {
  readonly resource?: Readonly<Record<string, Readonly<Record<string, Values>>>>;
}): Code {
  return Object.entries(config.resource ?? {}).flatMap(([type, resources]) =>
    Object.entries(resources).map(([name, values]) => ({
      address: `${type}.${name}`,
      type,
      action: "none" as const,
      after: JSON.parse(unescapeTerraform(JSON.stringify(values))) as Values,
    })),
  );
}

/** What is odd in a state, and where it is not the code; nothing when all is well. */
export function reviewState(state: State, code?: Code): StateNote[] {
  return [
    ...state.resources.flatMap((resource) => oddities(resource)),
    ...state.outputs.flatMap(({ name, value }) =>
      exposed(`output ${name}`, value === SENSITIVE ? [name] : [], textsOf({ [name]: value })),
    ),
    ...(code ? compared(state, code) : []),
  ];
}

function oddities({ address, type, tainted, deposed, values, sensitive }: State["resources"][number]): StateNote[] {
  const notes: StateNote[] = [];
  if (tainted) {
    const remedy = `terraform untaint '${address}' when it is sound`;
    notes.push({ resource: address, problem: "is tainted: the next apply stops and recreates it", remedy });
  }
  if (deposed) {
    const problem = `has an old object (deposed ${deposed}) that the next apply destroys`;
    notes.push({ resource: address, problem, remedy: "look in Nomad whether it is still needed" });
  }
  const job = type === "nomad_job" ? readJob(values).job : undefined;
  return [...notes, ...exposed(address, sensitive, textsOf(job ?? values))];
}

/** What everybody reads who reads the state: it keeps all in clear, marked as sensitive or not. */
function exposed(resource: string, sensitive: readonly string[], texts: ReturnType<typeof textsOf>): StateNote[] {
  const secrets = texts.filter(
    ({ name, text, kind }) => text !== SENSITIVE && literalSecrets(name, text, kind).length > 0,
  );
  const [marked, looking] = [sensitive, secrets.map(({ place }) => place)].map((places) => places.join(", "));
  return [
    ...(marked
      ? [
          {
            resource,
            problem: `keeps sensitive values in clear in the state: ${marked}`,
            remedy: "keep secrets in Nomad variables, which Terraform never sees",
          },
        ]
      : []),
    ...(looking
      ? [
          {
            resource,
            problem: `keeps what looks like a secret in clear in the state: ${looking}`,
            remedy: "put it into a Nomad variable, and replace it",
          },
        ]
      : []),
  ];
}

/** Differences between state and code that the plan itself shows are told there. */
function compared({ resources }: State, code: Code): StateNote[] {
  const known = new Map(code.map((one) => [one.address, one]));
  const orphans = resources
    .filter(({ address, deposed, isData }) => {
      const one = known.get(address);
      return !deposed && !isData && (!one || one.after === undefined) && one?.action !== "replace";
    })
    .map(({ address }) => ({ resource: address, problem: "is in the state and not in the code" }));
  const missing = code
    .filter(({ address, after }) => after && !resources.some((one) => one.address === address))
    .map(({ address }) => ({ resource: address, problem: "is in the code and not in the state" }));
  const differing = resources.flatMap(({ address, type, values }) => {
    const after = known.get(address)?.after;
    if (type !== "nomad_job" || !after) return [];
    const [stored, written] = [readJob(values).job, readJob(after).job];
    const paths = stored && written ? changedPaths(stored, written) : [];
    const some = `${paths.slice(0, 5).join(", ")}${paths.length > 5 ? `, and ${paths.length - 5} more` : ""}`;
    return paths.length > 0 ? [{ resource: address, problem: `differs from the code: ${some}` }] : [];
  });
  return [...orphans, ...missing, ...differing];
}
