import type { NomadClient } from "../../nomad/client";
import { NomadError } from "../../nomad/nomad-error";
import { readVariable, type Variable, type VariableRef, variableExists } from "../../nomad/variable";
import type { Need } from "../shared/secret-needs";

/** The Nomad variables that a stack reads, as they were read last. */
export class Variables {
  private readonly known = new Map<string, Variable | "unseen">();

  /** @param read how each is read; without it, a token that may not read one is an error. */
  static async read(
    client: NomadClient,
    needs: readonly Need[],
    read: typeof readOrList = readVariable,
  ): Promise<Variables> {
    const variables = new Variables();
    for (const need of needs) {
      if (!variables.known.has(id(need))) variables.known.set(id(need), await read(client, need));
    }
    return variables;
  }

  set(variable: Variable): void {
    this.known.set(id(variable), variable);
  }

  isUnseen(ref: VariableRef): boolean {
    return this.known.get(id(ref)) === "unseen";
  }

  /** The value of a key, of the secret's own unless another is named; empty when there is none. */
  value(need: Need, key = need.key): string {
    const variable = this.known.get(id(need));
    return (variable !== "unseen" && variable?.items[key]) || "";
  }

  has(need: Need): boolean {
    const variable = this.known.get(id(need));
    return variable !== undefined && variable !== "unseen" && need.key in variable.items;
  }
}

function id({ namespace, path }: VariableRef): string {
  return `${namespace}\n${path}`;
}

/** Reads a variable, or sees that it is there: a deployer's token need not read secrets. */
export async function readOrList(client: NomadClient, ref: VariableRef): Promise<Variable | "unseen"> {
  try {
    return await readVariable(client, ref);
  } catch (error) {
    if (!(error instanceof NomadError && error.status === 403)) throw error;
    const exists = await variableExists(client, ref).catch(() => undefined);
    if (exists) return "unseen";
    if (exists === undefined) throw error;
    throw new Error(
      `${ref.path} in namespace ${ref.namespace} is missing, or hidden from this token: ${error.message}`,
    );
  }
}
