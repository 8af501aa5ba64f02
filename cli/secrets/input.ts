import type { NomadClient } from "../../nomad/client";
import { askHidden } from "../shared/prompt";
import type { Need } from "../shared/secret-needs";
import type { Session } from "../shared/session";
import { type Given, refusal } from "./state";

/** Why nobody can be asked; absent when somebody can. */
export function nonInteractiveReason(): string | undefined {
  if (!process.stdin.isTTY) return "standard input is no terminal";
  return process.stderr.isTTY ? undefined : "standard error is no terminal";
}

/** Asks until the answer is fit, or empty. */
export async function ask(need: Need, note: string, empty: string): Promise<string> {
  for (;;) {
    const value = await askHidden(
      `${need.key} in ${need.path}: ${need.description}\n${note && `  ${note}\n`}  not shown while you type; Enter alone ${empty}: `,
    );
    const refused = value && refusal(need, value);
    if (!refused) return value;
    process.stderr.write(`  it ${refused}; choose another\n`);
  }
}

/** One value from standard input; a line end after a single line is none of it. @throws when it is not fit. */
export async function readValue(need: Need): Promise<string> {
  const text = await readInput();
  const [, line] = /^([^\r\n]*)\r?\n$/.exec(text) ?? [];
  const value = line ?? text;
  const refused = value === "" ? "is empty" : refusal(need, value);
  if (refused) throw new Error(`the value given for ${need.key} in ${need.path} ${refused}; give another`);
  return value;
}

/** Values from standard input. No message tells anything of them. */
export async function readGiven(known: readonly Need[]): Promise<Given> {
  if (process.stdin.isTTY) throw new Error("--stdin takes a pipe or a file; leave it out, and you are asked");
  let given: unknown;
  try {
    given = JSON.parse(await readInput());
  } catch {
    // The parser's own message would quote the text.
  }
  const objects = [given, ...Object.values(given ?? {})];
  const values = Object.values(given ?? {}).flatMap((items) => Object.values(items ?? {}));
  if (!objects.every(isObject) || !values.every((value) => typeof value === "string")) {
    throw new Error('standard input is not {"<path>":{"<key>":"<value>"}} in JSON');
  }
  for (const [path, items] of Object.entries(given as Given)) {
    for (const key of Object.keys(items)) {
      if (!known.some((need) => need.path === path && need.key === key)) {
        throw new Error(unread(path, key, ", given on standard input"));
      }
    }
  }
  return given as Given;
}

/** What is wrong with a key that no template reads. */
export function unread(path: string, key: string, where = ""): string {
  return `nobody reads ${key} in ${path}${where}; homelab secrets check --json lists what is read`;
}

async function readInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("utf8");
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A password that is sent should not be readable on its way. */
export function warnOfPlainHttp({ address }: NomadClient, session: Session): void {
  const { host, hostname, protocol } = new URL(address);
  if (protocol !== "http:" || /^(localhost$|127\.|\[::1\])/.test(hostname)) return;
  session.warn(`${host} is asked over http://, so the secrets cross the network unencrypted`);
}
