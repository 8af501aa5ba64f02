import type { Template } from "../.gen/nomad/job";
import type { Finding, Rule } from "./rule";
import { literalSecrets, type TextKind } from "./shared/literal-secrets";

interface Text {
  readonly place: string;
  readonly name: string;
  readonly text: string;
  readonly kind: TextKind;
}

const SHELL_FIELDS = /\.Config\b|\.EmbeddedTmpl$/;

/** Where an owner writes values of his own. */
const FREE_FIELDS =
  /(?:^|\.)(?:Env|Meta|Header|Args|GetterOptions|GetterHeaders|Labels)\b|\.Config\.(?!image\b|volumes\b|ports\b|mounts?\b|devices\b|cap_)/;

function isFlag(argument: unknown): boolean {
  return typeof argument === "string" && /^--?[a-z][\w-]*$/i.test(argument);
}

/** Every text of a job, wherever it stands, with the name it has there. */
export function textsOf(value: unknown): Text[] {
  const texts: Text[] = [];
  collect(value, { place: "", name: "", parent: undefined }, texts);
  return texts;
}

interface Position {
  readonly place: string;
  readonly name: string;
  readonly parent: unknown;
}

function collect(value: unknown, { place, name, parent }: Position, texts: Text[]): void {
  if (typeof value === "string") {
    const template = name === "EmbeddedTmpl" ? (parent as Template) : undefined;
    texts.push({
      place,
      name,
      text: value,
      kind: { shell: SHELL_FIELDS.test(place), free: FREE_FIELDS.test(place), template },
    });
  } else if (Array.isArray(value)) {
    for (const [index, member] of value.entries()) {
      // In a command line, `--password` names what comes after it.
      const isNamed = isFlag(value[index - 1]) && !isFlag(member);
      const memberPlace = `${place}[${member?.Name ?? member?.DestPath ?? index}]`;
      collect(member, { place: memberPlace, name: isNamed ? value[index - 1] : name, parent: value }, texts);
    }
  } else {
    for (const [key, member] of Object.entries(value ?? {})) {
      collect(member, { place: place ? `${place}.${key}` : key, name: key, parent: value }, texts);
    }
  }
}

/** A job is readable by whoever reads Terraform's plan or state, the pull request, or Nomad's list of jobs. */
export const noSecretInJob = {
  name: "no-secret-in-job",
  statement: "no password, token or key stands in a job: secrets are in Nomad variables",
  check: ({ jobs }) =>
    jobs.flatMap(({ path, job }) =>
      textsOf(job).flatMap(({ place, name, text, kind }) =>
        literalSecrets(name, text, kind).map(
          (value): Finding => ({
            path,
            place,
            value,
            problem: "stands in the job in clear, and so in the plan, the state and the pull request",
            remedy:
              "put it into the task's Nomad variable and read it in a template with nomadVar; then replace it, since it is known",
          }),
        ),
      ),
    ),
} as const satisfies Rule;
