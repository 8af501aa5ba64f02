#!/usr/bin/env node
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Command, CommanderError } from "commander";
import { adopt } from "./adopt";
import { drift } from "./drift";
import { guard } from "./guard";
import { logs } from "./logs";
import { nodeLost } from "./node-lost";
import { overview } from "./overview";
import { pause, resume } from "./pause";
import { rebalance } from "./rebalance";
import { restart } from "./restart";
import { review } from "./review";
import { secrets } from "./secrets";
import { status } from "./status";
import type { Example, Verb } from "./verb";

const VERBS: readonly Verb[] = [
  overview,
  review,
  status,
  logs,
  drift,
  guard,
  restart,
  rebalance,
  pause,
  resume,
  nodeLost,
  adopt,
  secrets,
];

/** The program with all its verbs. What is wrong on the command line is thrown as commander's own error. */
export function homelab(): Command {
  const program = new Command("homelab")
    .description("Shows and looks after a Bitcoin homelab on Nomad, from what synthesis wrote.")
    .version(version())
    .configureOutput({ outputError: (text, write) => write(`${oneLine(text)}; see homelab --help\n`) })
    .exitOverride();
  for (const { register, examples } of VERBS) {
    register(program).addHelpText("after", examplesText(examples));
  }
  return program.addHelpText("after", examplesText(VERBS.flatMap(({ examples }) => examples)));
}

/**
 * Runs a command line, the words after `homelab`.
 *
 * @returns the exit code: 0 well, 1 for an error, told in one line on stderr, 2 for a command line that is not
 *   understood, or what a verb says otherwise.
 */
export async function run(args: readonly string[], program = homelab()): Promise<number> {
  try {
    await program.parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) {
      const isVerbs = error.exitCode === 0 || !error.code.startsWith("commander.");
      return isVerbs ? error.exitCode : 2;
    }
    const text = error instanceof Error ? error.message : String(error);
    program.configureOutput().writeErr?.(`error: ${oneLine(text)}\n`);
    return 1;
  }
}

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s*\n\s*/g, " ");
}

function examplesText(examples: readonly Example[]): string {
  const width = Math.max(...examples.map(([line]) => line.length));
  return `\nExamples:\n${examples.map(([line, meaning]) => `  ${line.padEnd(width)}  ${meaning}`).join("\n")}`;
}

/** From package.json, one folder up from the source and two from what tsc made of it. */
function version(): string {
  const file = ["..", "../.."].map((up) => join(__dirname, up, "package.json")).find(existsSync);
  return file ? JSON.parse(readFileSync(file, "utf8")).version : "unknown";
}

/** Runs the command line of this process. */
export function main(): void {
  // A reader that has seen enough, such as `head`, is no error.
  process.stdout.on("error", ({ code }) => process.exit(code === "EPIPE" ? 0 : 1));
  run(process.argv.slice(2)).then((code) => {
    process.exitCode = code;
  });
}

if (require.main === module) main();
