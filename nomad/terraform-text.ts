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

/** Reads a synthesized jobspec back. */
export function fromJobspec(jobspec: string): Job {
  return JSON.parse(unescapeTerraform(jobspec)) as Job;
}
