import { spawnSync } from "node:child_process";

export type Environment = Readonly<Record<string, string>>;

/** Runs a program to its end and gives what it printed. @throws with what it said when it fails. */
export function command(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: Environment } = {},
): string {
  const env = { ...process.env, ...options.env };
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: options.cwd, env, maxBuffer: 1 << 28 });
  if (status !== 0) {
    throw new Error(`${program} ${args.join(" ")}: ${error?.message ?? stderr.toString().trim()}`);
  }
  return stdout.toString();
}

/** The same for what need not succeed, such as removing what may be gone already. */
export function attempt(program: string, args: readonly string[]): string {
  try {
    return command(program, args);
  } catch {
    return "";
  }
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Asks again until the answer is not undefined. @throws naming what was waited for, with the last error. */
export async function until<T>(
  what: string,
  seconds: number,
  ask: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const end = Date.now() + seconds * 1000;
  let last: unknown;
  while (Date.now() < end) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await sleep(250);
  }
  throw new Error(`not within ${seconds} s: ${what}${last ? ` (${last})` : ""}`);
}
