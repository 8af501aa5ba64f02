import { homelab, run } from "../../cli/homelab";

/** What a command line printed, and its exit code. */
export interface Told {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line in this process, on what was synthesized into a folder. */
export async function told(args: readonly string[], folder: string, colors = false): Promise<Told> {
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
