import { type Style, WIDTH, wrap } from "../shared/text";
import type { SecretsReport, Status } from "./state";

/** How the secrets of a stack stand, as their owner reads it: the bad ones alone, by variable. */
export function statusText({ stack, nomadAddress, secrets, notes }: SecretsReport, style: Style): string {
  const bad = secrets.filter(({ problem }) => problem !== undefined);
  const unseen = new Set(secrets.filter(({ state }) => state === "unseen").map(({ path }) => path));
  const variables = [...new Set(bad.map(variableOf))];
  const lines = [
    `${style.bold(stack)} at ${nomadAddress}: ${verdict(secrets.length, bad.length, style)}`,
    ...variables.flatMap((variable) => [
      `  ${variable}`,
      ...bad.filter((one) => variableOf(one) === variable).flatMap((one) => indented(problemText(one, style), "    ")),
    ]),
    ...[...unseen].map((path) => `  ${path} is there, but this token may not read it: its keys are not checked`),
    ...notes.flatMap((note) => indented(note, "  ")),
  ];
  return `${lines.join("\n")}\n`;
}

function verdict(all: number, bad: number, { green, red }: Style): string {
  if (all === 0) return "its jobs read no secrets";
  if (bad === 0) return green(all === 1 ? "the one secret is there" : `all ${all} secrets are there`);
  return red(`${bad} of ${all} secrets ${bad === 1 ? "is" : "are"} missing or wrong`);
}

function variableOf({ path, namespace, readBy }: Status): string {
  return `${path} in namespace ${namespace}, read by ${readBy.join(", ")}`;
}

function problemText({ key, state, description, problem }: Status, { red }: Style): string {
  return `${key} ${red(state)} (${description}): ${problem}`;
}

function indented(text: string, indent: string): string[] {
  return wrap(text, WIDTH - indent.length, "  ").map((line) => indent + line);
}
