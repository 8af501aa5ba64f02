import { createInterface } from "node:readline";
import { Writable } from "node:stream";

/**
 * Asks on a terminal, without showing what is typed.
 *
 * @returns the line; empty when nothing was typed, or at the end of the input.
 * @throws when it is interrupted with Ctrl-C.
 */
export function askHidden(
  question: string,
  input: NodeJS.ReadableStream = process.stdin,
  output: NodeJS.WritableStream = process.stderr,
): Promise<string> {
  output.write(question);
  // readline echoes what is typed to its output, so it gets one that swallows everything.
  const swallow = new Writable({ write: (_chunk, _encoding, done) => done() });
  return answer("", input, swallow).finally(() => output.write("\n"));
}

/** Asks on a terminal; only `y` and `yes` are a yes. @throws when it is interrupted with Ctrl-C. */
export async function confirm(
  question: string,
  input: NodeJS.ReadableStream = process.stdin,
  output: NodeJS.WritableStream = process.stderr,
): Promise<boolean> {
  return /^y(es)?$/i.test((await answer(question, input, output)).trim());
}

/** Asks for a name on a terminal. @throws when it is interrupted with Ctrl-C. */
export async function askName(
  question: string,
  input: NodeJS.ReadableStream = process.stdin,
  output: NodeJS.WritableStream = process.stderr,
): Promise<string> {
  return (await answer(question, input, output)).trim();
}

function answer(prompt: string, input: NodeJS.ReadableStream, output: NodeJS.WritableStream): Promise<string> {
  const lines = createInterface({ input, output, prompt, terminal: true, historySize: 0 });
  return new Promise<string>((resolve, reject) => {
    lines.once("line", resolve);
    lines.once("close", () => resolve(""));
    lines.once("SIGINT", () =>
      reject(new Error("interrupted; what was stored before stays, and another run goes on from there")),
    );
    lines.prompt();
  }).finally(() => lines.close());
}
