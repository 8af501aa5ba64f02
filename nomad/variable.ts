import { type NomadClient, NomadError } from "./client";

export interface VariableRef {
  readonly namespace: string;
  readonly path: string;
}

export type Items = Readonly<Record<string, string>>;

/** A Nomad variable as it was read. */
export interface Variable extends VariableRef {
  /** 0 for a variable that does not exist: the number with which Nomad creates one, and never overwrites. */
  readonly modifyIndex: number;
  readonly items: Items;
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
    const { ModifyIndex, Items } = await client.get<{ ModifyIndex: number; Items: Items }>(["var", path], {
      namespace,
      needs: capability("read", { namespace, path }),
    });
    return { namespace, path, modifyIndex: ModifyIndex, items: Items ?? {} };
  } catch (error) {
    if (error instanceof NomadError && error.status === 404 && error.message.includes("variable not found")) {
      return { namespace, path, modifyIndex: 0, items: {} };
    }
    throw error;
  }
}

/** Whether there is such a variable, for a token that may list variables but not read them. */
export async function variableExists(client: NomadClient, { namespace, path }: VariableRef): Promise<boolean> {
  const found = await client.get<readonly { readonly Path: string }[]>(["vars"], {
    namespace,
    query: { prefix: path },
    needs: capability("list", { namespace, path }),
  });
  return found.some(({ Path }) => Path === path);
}

/**
 * Gives values to keys that have none. A key that has a value keeps it, and so do all other keys of the variable: it is
 * written only if nobody wrote it since it was read, and read again if somebody did.
 *
 * @returns the variable as it now is, and the keys that were written.
 */
export async function addItems(
  client: NomadClient,
  ref: VariableRef,
  values: Items,
): Promise<{ readonly variable: Variable; readonly added: readonly string[] }> {
  const { namespace, path } = ref;
  for (let attempt = 1; ; attempt++) {
    const variable = await readVariable(client, ref);
    const added = Object.keys(values).filter((key) => !variable.items[key]);
    if (added.length === 0) return { variable, added };
    const items = { ...variable.items, ...Object.fromEntries(added.map((key) => [key, values[key] ?? ""])) };
    try {
      const { ModifyIndex } = await client.put<{ ModifyIndex: number }>(
        ["var", path],
        { Namespace: namespace, Path: path, Items: items },
        { namespace, query: { cas: variable.modifyIndex }, needs: capability("write", ref) },
      );
      return { variable: { namespace, path, modifyIndex: ModifyIndex, items }, added };
    } catch (error) {
      if (!(error instanceof NomadError && error.status === 409)) throw error;
      if (attempt === ATTEMPTS) {
        throw new Error(`${path} in namespace ${namespace} is written by somebody else all the time; try again later`);
      }
    }
  }
}

function capability(name: string, { namespace, path }: VariableRef): string {
  return `the capability "${name}" for variables at ${path} in namespace "${namespace}"`;
}
