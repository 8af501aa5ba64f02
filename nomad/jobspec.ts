import { Token } from "cdktf";
import type { Job } from "../.gen/nomad/job";
import { escapeTerraform } from "./terraform-text";

// Kept apart, so that a command that only reads does not load CDKTF.
export { escapeTerraform, fromJobspec, unescapeTerraform } from "./terraform-text";

/**
 * The one place where a typed job becomes text. Two-space indent, because a long string without a newline breaks
 * `cdktf synth --hcl`.
 *
 * @throws when the job holds a CDKTF token: Terraform would then show the whole job as "known after apply".
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

function findToken(value: unknown, place: string): string | undefined {
  if (value === null || typeof value !== "object") return Token.isUnresolved(value) ? place : undefined;
  if (Token.isUnresolved(value)) return place;
  for (const [key, member] of Object.entries(value)) {
    const inside = Token.isUnresolved(key) ? `a key of ${place}` : findToken(member, `${place}.${key}`);
    if (inside) return inside;
  }
  return undefined;
}
