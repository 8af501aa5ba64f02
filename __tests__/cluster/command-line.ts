import { type ChildProcess, spawn } from "node:child_process";
import { join, resolve } from "node:path";
import type { Job } from "../../.gen/nomad/job";
import type { HomelabOutput } from "../../model/homelab";
import { stackFile, synthesized } from "../cli/project";
import { command } from "./command";

const PATIENCE_SECONDS = 120;

const REPOSITORY = resolve(__dirname, "../..");
const SOURCES = join(__dirname, "cli.js");

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
  /** What runs it. @default the sources as they stand */
  readonly program?: string;
}

/** Environment of a program whose clock is so many hours ahead: what Nomad has written is as old for it. */
export function hoursLater(hours: number): Record<string, string> {
  const module = `const now = Date.now; Date.now = () => now() + ${hours * 3600 * 1000};`;
  return { NODE_OPTIONS: `--import=data:text/javascript;base64,${Buffer.from(module).toString("base64")}` };
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
  const { token, stdin = "", environment, patience = PATIENCE_SECONDS, onOutput, program = SOURCES } = circumstances;
  const start = Date.now();
  const child = spawn(process.execPath, [program, ...args], {
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

/** How long it takes as its owner has it, compiled: the seconds of each of so many runs, the shortest first. */
export async function times(folder: string, args: readonly string[], token: string, runs = 9): Promise<number[]> {
  command("npm", ["run", "build"], { cwd: REPOSITORY });
  const program = join(REPOSITORY, "bin", "homelab.js");
  const seconds: number[] = [];
  for (let run = 0; run < runs; run++) seconds.push((await homelab(folder, args, { token, program })).seconds);
  return seconds.toSorted((a, b) => a - b);
}

/** The middle of sorted numbers. */
export function median(sorted: readonly number[]): number {
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
