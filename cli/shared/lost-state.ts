import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { NomadClient } from "../../nomad/client";
import type { Refusal } from "../../nomad/guard";
import { RESTORE } from "../../review/lost-state";
import { readState } from "../../review/plan";
import { importsOf } from "./living";
import type { Synthesized } from "./synthesized";
import { showState } from "./terraform";

/**
 * What Nomad has of a stack while Terraform's state does not know it: a deploy would register it anew, over what lives, and
 * no review has compared the two. Nothing that is imported by the next deploy.
 *
 * @throws NomadError when it cannot be asked. A state that cannot be read is a refusal: nobody knows what it holds.
 */
export async function lostState(
  target: Pick<Synthesized, "file" | "jobs" | "volumes" | "namespaces">,
  client: NomadClient,
): Promise<Refusal[]> {
  const folder = dirname(target.file);
  const imported = importedIn(folder);
  const living = (await importsOf(target, client)).filter(({ to }) => !imported.has(to));
  if (living.length === 0) return [];
  let known: ReadonlySet<string>;
  try {
    known = await addressesIn(target.file);
  } catch (error) {
    const problem = `Terraform's state cannot be read (${(error as Error).message}), so nobody knows what a deploy would do`;
    return [{ reason: "state", problem, remedy: "make sure that Terraform can read it" }];
  }
  const unknown = living.map(({ to }) => to).filter((address) => !known.has(address));
  if (unknown.length === 0) return [];
  const problem = `Nomad has ${unknown.join(", ")}, and Terraform's state does not know it: the state is lost, or another`;
  return [{ reason: "state", problem, remedy: RESTORE }];
}

/** Addresses that the next deploy imports. */
function importedIn(folder: string): Set<string> {
  const files = readdirSync(folder).filter((name) => name.endsWith(".tf.json"));
  const blocks = files.flatMap((name) => [json<{ import?: unknown }>(join(folder, name)).import ?? []].flat());
  return new Set(blocks.map(({ to }: { to?: unknown }) => String(to).replace(/^\$\{(.*)\}$/, "$1")));
}

/** Addresses of the resources in the state of a stack. The local one is read as it is; any other by Terraform. */
async function addressesIn(file: string): Promise<Set<string>> {
  const { terraform } = json<{ terraform?: { backend?: Record<string, { path?: string }> } }>(file);
  const [[backend, settings] = ["local", {}]] = Object.entries(terraform?.backend ?? {});
  const folder = dirname(file);
  if (backend !== "local") {
    const { resources } = readState(await showState(folder));
    return new Set(resources.filter(({ isData }) => !isData).map(({ address }) => address));
  }
  const state = resolve(folder, settings?.path ?? "terraform.tfstate");
  if (!existsSync(state) || readFileSync(state, "utf8").trim() === "") return new Set();
  const { resources = [] } = json<{ resources?: readonly { mode: string; type: string; name: string }[] }>(state);
  return new Set(resources.filter(({ mode }) => mode !== "data").map(({ type, name }) => `${type}.${name}`));
}

function json<T>(file: string): T {
  return JSON.parse(readFileSync(file, "utf8")) as T;
}
