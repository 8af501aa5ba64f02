import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { NomadClient } from "../../nomad/client";
import { readSynthesized, type Synthesized } from "./synthesized";
import { type Style, styleFor } from "./text";
import { Watch } from "./watch";

/** Options of every verb that asks Nomad. */
export interface Options {
  readonly stack?: string;
  readonly json?: true;
}

/** A synthesized stack, and the way to its Nomad. */
export interface Target extends Synthesized {
  readonly client: NomadClient;
}

export function withOptions(command: Command): Command {
  return command.option("--stack <name>", "this stack alone").option("--json", "print it for programs");
}

/** Said at the end of each verb's help. */
export const ENVIRONMENT = `
Nomad is asked at the address that was synthesized, with NOMAD_TOKEN, NOMAD_CACERT, NOMAD_CLIENT_CERT, NOMAD_CLIENT_KEY,
NOMAD_TLS_SERVER_NAME and NOMAD_SKIP_VERIFY of the environment.`;

/** The stacks that are meant. @throws when nothing is synthesized, or there is no stack of that name. */
export function targetsOf({ stack }: Options, command: Command): Target[] {
  const synthesized = readSynthesized();
  const chosen = synthesized.filter(({ stack: name }) => stack === undefined || name === stack);
  if (chosen.length === 0) {
    throw new Error(
      `there is no stack ${stack}; stacks with jobs: ${synthesized.map(({ stack }) => stack).join(", ")}`,
    );
  }
  return chosen.map((one) => {
    const client = NomadClient.ofStack(one.stack, one.nomadAddress);
    for (const warning of [...client.warnings, ...ageOf(one)]) {
      command.configureOutput().writeErr?.(`warning: ${warning}\n`);
    }
    return { ...one, client };
  });
}

/** What was edited since the synthesis: programs beside cdktf.json and in `own`, and the inventory. */
function ageOf({ file }: Synthesized, project = process.cwd()): string[] {
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

/** The one stack that a verb works on. @throws when there are several and none is named. */
export function targetOf(options: Options, command: Command): Target {
  const [target, ...more] = targetsOf(options, command);
  if (!target || more.length > 0) {
    const names = [target, ...more].map((one) => one?.stack).join(", ");
    throw new Error(`there are several stacks with jobs: ${names}; choose one with --stack`);
  }
  return target;
}

/** Looks at what Nomad has; it is told whom it asks when an answer takes its time. @throws what `look` throws. */
export function asking<T>(targets: readonly Target[], command: Command, look: () => Promise<T>): Promise<T> {
  return Watch.looking(command, `asking ${targets.map(({ client }) => client.address).join(", ")}`, look);
}

/** Prints the result: text in the terminal's colours, or JSON. */
export function print(command: Command, { json }: Options, result: unknown, text: (style: Style) => string): void {
  const { writeOut, getOutHasColors } = command.configureOutput();
  writeOut?.(json ? `${JSON.stringify(result, null, 2)}\n` : text(styleFor(getOutHasColors?.() ?? false)));
}
