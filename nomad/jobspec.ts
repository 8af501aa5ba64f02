import { Token } from "cdktf";
import type { Job } from "../.gen/nomad/job";

/**
 * Doubles the `$` of `${` and the `%` of `%{`, so that Terraform hands the text on as it stands. A function replaces,
 * because a replacement string would itself collapse `$$`.
 */
export function escapeTerraform(text: string): string {
  return text.replace(/[$%]\{/g, (opening) => opening.charAt(0) + opening);
}

/** The inverse of {@link escapeTerraform}: the text as Terraform evaluates it. */
export function unescapeTerraform(text: string): string {
  return text.replace(/([$%])\1\{/g, (_, sign: string) => `${sign}{`);
}

/**
 * The one place where a typed job becomes text. Two-space indent, because a long string without a newline breaks
 * `cdktf synth --hcl`.
 *
 * @throws when the job holds a CDKTF token: Terraform would then show the whole job as «known after apply».
 */
export function toJobspec(job: Job): string {
  const token = findToken(job, "job");
  if (token) {
    throw new Error(
      `${token} of job "${job.ID}" is a Terraform reference (a CDKTF token): a job takes plain values only, ` +
        "so that the plan stays readable; write the plain name and order the resources with dependsOn",
    );
  }
  return escapeTerraform(JSON.stringify(job, null, 2));
}

/** Reads a synthesized jobspec back. */
export function fromJobspec(jobspec: string): Job {
  return JSON.parse(unescapeTerraform(jobspec)) as Job;
}

function findToken(value: unknown, place: string): string | undefined {
  if (value === null || typeof value !== "object") return Token.isUnresolved(value) ? place : undefined;
  if (Token.isUnresolved(value)) return place;
  for (const [key, member] of Object.entries(value)) {
    const inside = Token.isUnresolved(key) ? `a key of ${place}` : findToken(member, `${place}.${key}`);
    if (inside) return inside;
  }
  return undefined;
}
