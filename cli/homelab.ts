#!/usr/bin/env node
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Command, CommanderError } from "commander";
import { oneLine } from "../nomad/one-line";
import { scrub } from "../rules/shared/scrub";
import { printable } from "./shared/text";
import type { Example, Verb } from "./shared/verb";

/** By name, in the order of the help. Each is loaded when it is meant: to load all takes longer than to ask Nomad. */
const VERBS: Readonly<Record<string, () => Verb>> = {
  overview: () => require("./overview/overview").overview,
  review: () => require("./review/review").review,
  status: () => require("./status/status").status,
  logs: () => require("./logs/logs").logs,
  drift: () => require("./drift/drift").drift,
  guard: () => require("./guard/guard").guard,
  restart: () => require("./restart/restart").restart,
  rebalance: () => require("./rebalance/rebalance").rebalance,
  pause: () => require("./pause/pause").pause,
  resume: () => require("./pause/pause").resume,
  "node-lost": () => require("./node-lost/node-lost").nodeLost,
  backup: () => require("./backup/backup").backup,
  adopt: () => require("./adopt/adopt").adopt,
  secrets: () => require("./secrets/secrets").secrets,
};

/**
 * The program for a command line: with the verb that it begins with, and otherwise with all. What is wrong on the command
 * line is thrown as commander's own error.
 */
export function homelab(args: readonly string[] = []): Command {
  const program = new Command("homelab")
    .description("Shows and looks after a Bitcoin homelab on Nomad, from what synthesis wrote.")
    .version(version())
    .configureOutput({ outputError: (text, write) => write(`${oneLine(text.trim())}; see homelab --help\n`) })
    .exitOverride();
  const meant = Object.entries(VERBS).filter(([name]) => name === args[0]);
  const verbs = (meant.length > 0 ? meant : Object.entries(VERBS)).map(([, load]) => load());
  for (const { register, examples } of verbs) {
    const command = register(program).addHelpText("after", examplesText(examples));
    for (const part of command.commands) {
      const own = examples.filter(([line]) => line.includes(`homelab ${command.name()} ${part.name()}`));
      part.addHelpText("after", examplesText(own));
    }
  }
  return program.addHelpText("after", examplesText(verbs.flatMap(({ examples }) => examples)));
}

/**
 * Runs a command line, the words after `homelab`.
 *
 * @returns the exit code: 0 well, 1 for an error, told in one line on stderr, 2 for a command line that is not
 *   understood, or what a verb says otherwise.
 */
export async function run(args: readonly string[], program = homelab(args)): Promise<number> {
  try {
    await program.parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) {
      const isVerbs = error.exitCode === 0 || !error.code.startsWith("commander.");
      return isVerbs ? error.exitCode : 2;
    }
    const text = error instanceof Error ? error.message : String(error);
    program.configureOutput().writeErr?.(`error: ${printable(scrub(oneLine(text.trim())))}\n`);
    return 1;
  }
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
