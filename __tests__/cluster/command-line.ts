import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import type { Job } from "../../.gen/nomad/job";
import type { HomelabOutput } from "../../rules/homelab";
import { stackFile, synthesized } from "../cli/project";

const PATIENCE_SECONDS = 120;

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  readonly seconds: number;
}

/** How a command line is run. */
export interface Circumstances {
  readonly token: string;
  readonly stdin?: string;
  /** More of the environment than it always has. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Seconds after which it is killed. @default 120 */
  readonly patience?: number;
  /** Called as soon as the program has printed something. */
  readonly onOutput?: (printed: string, child: ChildProcess) => void;
}

/** Writes what synthesis of a stack with these jobs would, for a Nomad at this address. Gives its folder. */
export function synthesize(
  address: string,
  jobs: readonly Job[],
  output: Partial<HomelabOutput> = {},
  resources: object = {},
): string {
  const provider = { nomad: [{ address }] };
  const nomad_namespace = { lab: { name: "lab" } };
  return synthesized({ homelab: { ...stackFile(jobs, output, { nomad_namespace, ...resources }), provider } });
}

/** Runs the program as a process of its own, as its owner does. */
export async function homelab(folder: string, args: readonly string[], circumstances: Circumstances): Promise<Ran> {
  const { token, stdin = "", environment, patience = PATIENCE_SECONDS, onOutput } = circumstances;
  const start = Date.now();
  const child = spawn(process.execPath, [join(__dirname, "cli.js"), ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: folder, NOMAD_TOKEN: token, ...environment },
  });
  const printed = { out: "", err: "" };
  for (const [name, stream] of [
    ["out", child.stdout],
    ["err", child.stderr],
  ] as const) {
    stream.on("data", (chunk) => {
      printed[name] += chunk;
      onOutput?.(printed.out + printed.err, child);
    });
  }
  child.stdin.end(stdin);
  // A program that hangs must not hold up the tests; what it printed tells where it was.
  const timer = setTimeout(() => child.kill("SIGKILL"), patience * 1000);
  const code = await new Promise<number | null>((done) => child.once("close", done));
  clearTimeout(timer);
  return { code, ...printed, seconds: (Date.now() - start) / 1000 };
}
