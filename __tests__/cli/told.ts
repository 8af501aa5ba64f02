import { Readable } from "node:stream";
import { homelab, run } from "../../cli/homelab";

/** What a command line printed, and its exit code. */
export interface Told {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The program with all its verbs, and what it prints. */
export function listening(colors = false) {
  const printed = { out: "", err: "" };
  const program = homelab();
  for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)]) {
    command.configureOutput({
      getOutHasColors: () => colors,
      writeOut: (text) => {
        printed.out += text;
      },
      writeErr: (text) => {
        printed.err += text;
      },
    });
  }
  return { program, printed };
}

/** Runs a command line in this process, on what was synthesized into a folder. */
export async function told(args: readonly string[], folder: string, colors = false): Promise<Told> {
  const { program, printed } = listening(colors);
  const { CDKTF_OUTDIR, NOMAD_ADDR } = process.env;
  process.env.CDKTF_OUTDIR = `${folder}/cdktf.out`;
  delete process.env.NOMAD_ADDR;
  try {
    return { code: await run(args, program), ...printed };
  } finally {
    for (const [name, value] of Object.entries({ CDKTF_OUTDIR, NOMAD_ADDR })) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

/** Runs `homelab secrets …` in an environment of its own, with a text on standard input. */
export async function toldOfSecrets(
  outdir: string,
  args: string,
  { env = {}, stdin = "" }: { readonly env?: Record<string, string>; readonly stdin?: string } = {},
): Promise<Told> {
  const { program, printed } = listening();
  const [environment, input] = [process.env, Object.getOwnPropertyDescriptor(process, "stdin")];
  process.env = { CDKTF_OUTDIR: outdir, ...env };
  Object.defineProperty(process, "stdin", { configurable: true, value: Readable.from([Buffer.from(stdin)]) });
  try {
    return { code: await run(["secrets", ...args.split(" ")], program), ...printed };
  } finally {
    process.env = environment;
    if (input) Object.defineProperty(process, "stdin", input);
  }
}
