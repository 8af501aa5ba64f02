import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Import } from "../shared/living";
import { makePlan } from "../shared/terraform";

/** What Terraform would do with a resource. */
export interface ResourceChange {
  readonly address: string;
  readonly actions: readonly string[];
  /** Attributes for whose sake it would be replaced. */
  readonly because: readonly string[];
}

interface StackFile {
  readonly terraform?: Record<string, unknown>;
  readonly resource?: Readonly<Record<string, Readonly<Record<string, Record<string, unknown>>>>>;
}

export function importBlocks(imports: readonly Import[]): string {
  return `${JSON.stringify({ import: imports }, null, 2)}\n`;
}

/**
 * Plans the stack with these imports in a folder of its own, with a state that is empty: nothing of the real state is read
 * or written. What must not be destroyed may be planned so, since the plan would otherwise end with an error.
 *
 * @throws with what Terraform says when it is not there or the plan fails.
 */
export async function planWith(file: string, imports: readonly Import[]): Promise<ResourceChange[]> {
  const folder = mkdtempSync(join(tmpdir(), "homelab-adopt-"));
  try {
    const stack = read(file);
    const { backend: _backend, ...terraform } = stack.terraform ?? {};
    const resource = Object.fromEntries(
      Object.entries(stack.resource ?? {}).map(([type, named]) => [
        type,
        Object.fromEntries(Object.entries(named).map(([name, { lifecycle: _lifecycle, ...rest }]) => [name, rest])),
      ]),
    );
    writeFileSync(join(folder, "cdk.tf.json"), JSON.stringify({ ...stack, terraform, resource }));
    writeFileSync(join(folder, "imports.tf.json"), importBlocks(imports));
    const { json, failure } = await makePlan(folder);
    if (failure !== undefined) throw new Error(`terraform plan failed: ${failure}`);
    return changesIn(json);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The parts of a plan's JSON that are read here. */
interface Plan {
  readonly resource_changes?: readonly {
    readonly address: string;
    readonly change: { readonly actions: readonly string[]; readonly replace_paths?: readonly (readonly unknown[])[] };
  }[];
}

export function changesIn(json: string): ResourceChange[] {
  return ((JSON.parse(json) as Plan).resource_changes ?? []).map(({ address, change }) => ({
    address,
    actions: change.actions,
    because: (change.replace_paths ?? []).map((path) => path.join(".")),
  }));
}

function read(file: string): StackFile {
  return JSON.parse(readFileSync(file, "utf8"));
}
