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

function isFlag(argument: unknown): boolean {
  return typeof argument === "string" && /^--?[a-z][\w-]*$/i.test(argument);
}

/** Every text of a job, wherever it stands, with the name it has there. */
export function textsOf(value: unknown, place = "", name = "", parent?: unknown): Text[] {
  if (typeof value === "string") {
    const template = name === "EmbeddedTmpl" ? (parent as Template) : undefined;
    return [{ place, name, text: value, kind: { shell: SHELL_FIELDS.test(place), template } }];
  }
  if (Array.isArray(value)) {
    return value.flatMap((member, index) => {
      // In a command line, `--password` names what comes after it.
      const isNamed = isFlag(value[index - 1]) && !isFlag(member);
      const memberName = isNamed ? value[index - 1] : name;
      return textsOf(member, `${place}[${member?.Name ?? member?.DestPath ?? index}]`, memberName, value);
    });
  }
  return Object.entries(value ?? {}).flatMap(([key, member]) =>
    textsOf(member, place ? `${place}.${key}` : key, key, value),
  );
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
