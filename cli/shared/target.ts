import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { NomadClient } from "../../nomad/client";
import { readSynthesized, type Synthesized } from "./synthesized";

/** A synthesized stack, and the way to its Nomad. */
export interface Target extends Synthesized {
  readonly client: NomadClient;
}

/** The options of every verb that asks Nomad. */
export function withOptions(command: Command): Command {
  return command.option("--stack <name>", "this stack alone").option("--json", "print it for programs");
}

/** Said at the end of each verb's help. */
export const ENVIRONMENT = `
Nomad is asked at the address that was synthesized, with NOMAD_TOKEN, NOMAD_CACERT, NOMAD_CLIENT_CERT, NOMAD_CLIENT_KEY,
NOMAD_TLS_SERVER_NAME and NOMAD_SKIP_VERIFY of the environment.`;

/**
 * The synthesized stacks, and what their owner should know of them.
 *
 * @param stack the one that is meant. @default - all
 * @throws when nothing is synthesized, or there is no stack of that name.
 */
export function targetsIn(stack: string | undefined): { readonly targets: Target[]; readonly warnings: string[] } {
  const synthesized = readSynthesized();
  const chosen = synthesized.filter(({ stack: name }) => stack === undefined || name === stack);
  if (chosen.length === 0) {
    throw new Error(
      `there is no stack ${stack}; stacks with jobs: ${synthesized.map(({ stack }) => stack).join(", ")}`,
    );
  }
  const targets = chosen.map((one) => ({ ...one, client: NomadClient.ofStack(one.stack, one.nomadAddress) }));
  return { targets, warnings: targets.flatMap((one) => [...one.client.warnings, ...staleness(one)]) };
}

/** What was edited since the synthesis: programs beside cdktf.json and in `own`, and the inventory. */
function staleness({ file }: Synthesized, project = process.cwd()): string[] {
  const synthesized = statSync(file).mtimeMs;
  const programs = [".", "own"]
    .filter((folder) => existsSync(join(project, folder)))
    .flatMap((folder) => readdirSync(join(project, folder)).map((name) => join(folder, name)))
    .filter((name) => name.endsWith(".ts"));
  const read = [...programs, join("ansible", "inventory.yml")];
  const newer = read.find(
    (name) => (statSync(join(project, name), { throwIfNoEntry: false })?.mtimeMs ?? 0) > synthesized,
  );
  return newer ? [`${newer} is newer than what was synthesized from it: run npm run synth`] : [];
}
