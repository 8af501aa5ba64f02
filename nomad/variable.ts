import type { NomadClient } from "./client";
import { NomadError } from "./nomad-error";

export interface VariableRef {
  readonly namespace: string;
  readonly path: string;
}

export type Items = Readonly<Record<string, string>>;

/** A Nomad variable as it was read. */
export interface Variable extends VariableRef {
  /** 0 for a variable that does not exist: the number with which Nomad creates one, and never overwrites. */
  readonly modifyIndex: number;
  /** When it was written, in milliseconds since 1970 by the clock of the server; 0 for one that does not exist. */
  readonly modifyTime: number;
  readonly items: Items;
}

interface Answer {
  readonly ModifyIndex: number;
  /** Nanoseconds since 1970. */
  readonly ModifyTime: number;
  readonly Items: Items | null;
}

function variableOf({ ModifyIndex, ModifyTime }: Answer): Pick<Variable, "modifyIndex" | "modifyTime"> {
  return { modifyIndex: ModifyIndex, modifyTime: ModifyTime / 1e6 };
}

/** How often another writer may come first. */
const ATTEMPTS = 5;

/**
 * Reads a variable. The namespace need not exist.
 *
 * @returns a variable without items when there is none.
 * @throws NomadError with status 403 when the token may not read it.
 */
export async function readVariable(client: NomadClient, { namespace, path }: VariableRef): Promise<Variable> {
  try {
    const answer = await client.get<Answer>(["var", path], {
      namespace,
      needs: variableCapability("read", { namespace, path }),
    });
    return { namespace, path, ...variableOf(answer), items: answer.Items ?? {} };
  } catch (error) {
    if (error instanceof NomadError && error.status === 404 && error.message.includes("variable not found")) {
      return { namespace, path, modifyIndex: 0, modifyTime: 0, items: {} };
    }
    throw error;
  }
}

/** Whether there is such a variable, for a token that may list variables but not read them. */
export async function variableExists(client: NomadClient, { namespace, path }: VariableRef): Promise<boolean> {
  const found = await client.get<readonly { readonly Path: string }[]>(["vars"], {
    namespace,
    query: { prefix: path },
    needs: variableCapability("list", { namespace, path }),
  });
  return found.some(({ Path }) => Path === path);
}

/** A variable as it now is, and whether the value was written. */
export interface Written {
  readonly variable: Variable;
  readonly written: boolean;
}

/** Gives a value to a key that has none; otherwise as {@link replaceItem}. */
export function addItem(client: NomadClient, ref: VariableRef, key: string, value: string): Promise<Written> {
  return replaceItem(client, ref, key, "", value);
}

/**
 * Replaces the value of a key. If it has another one than `from` it keeps it, and so does every other key of the
 * variable: it is written only if nobody wrote it since it was read, and read again if somebody did.
 *
 * @param from empty for a key that has no value.
 */
export async function replaceItem(
  client: NomadClient,
  ref: VariableRef,
  key: string,
  from: string,
  to: string,
): Promise<Written> {
  const { namespace, path } = ref;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const variable = await readVariable(client, ref);
    if ((variable.items[key] ?? "") !== from) return { variable, written: false };
    const items = { ...variable.items, [key]: to };
    try {
      const answer = await client.put<Answer>(
        ["var", path],
        { Namespace: namespace, Path: path, Items: items },
        { namespace, query: { cas: variable.modifyIndex }, needs: variableCapability("write", ref) },
      );
      return { variable: { namespace, path, ...variableOf(answer), items }, written: true };
    } catch (error) {
      if (!(error instanceof NomadError && error.status === 409)) throw error;
    }
  }
  throw new Error(`somebody else keeps writing ${path} in namespace ${namespace}; try again when that has ended`);
}

/** What it takes, for the message of a 403. */
export function variableCapability(name: string, { namespace, path }: VariableRef): string {
  return `the capability "${name}" for variables at ${path} in namespace "${namespace}"`;
}
