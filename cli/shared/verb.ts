import type { Command } from "commander";

/** One verb of the program `homelab`; each stands in a file of its own. */
export interface Verb {
  /** Adds the verb's command and returns it. */
  readonly register: (program: Command) => Command;
  /** Shown by `--help`, of the verb and of the program: a command line, and what it does. */
  readonly examples: readonly Example[];
}

export type Example = readonly [commandLine: string, meaning: string];
