import { type Command, Option } from "commander";
import { Session } from "../shared/session";
import { readSynthesized } from "../shared/synthesized";
import type { Verb } from "../shared/verb";
import { mermaid } from "./mermaid";
import { overviewOf } from "./model";
import { overviewText } from "./text";

const HELP = `
Exit codes: 0 shown, whatever the rules say, 1 an error. With --json, standard output is { stacks: [{ stack, nomadAddress,
services, secrets, volumes, placement, findings, … }] }.`;

export const overview: Verb = {
  examples: [
    ["homelab overview", "what runs, what it needs, and whether it survives a drain"],
    ["homelab overview --mermaid", "the same as a chart, for README"],
    ["homelab overview --json | jq '.stacks[].findings'", "the same for programs, here what the rules found"],
  ],
  register: (program: Command) =>
    program
      .command("overview")
      .summary("services, secrets, placement and warnings")
      .description(
        "Shows what synthesis wrote: services with their images, ports, resources and volumes, the secrets they read, " +
          "whether everything fits with any one client drained, and what the rules say. Asks no cluster.",
      )
      .option("--mermaid", "print a mermaid flowchart")
      .addOption(new Option("--json", "print it for programs, in MiB and MHz").conflicts("mermaid"))
      .addHelpText("after", HELP)
      .action((options: { readonly mermaid?: true }, command: Command) => {
        const stacks = readSynthesized().map(overviewOf);
        new Session(command).print({ stacks }, (style) =>
          options.mermaid ? mermaid(stacks) : stacks.map((stack) => overviewText(stack, style)).join("\n"),
        );
      }),
};
