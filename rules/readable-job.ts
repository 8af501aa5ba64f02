import type { Rule } from "./rule";

/** What nobody can read, no rule can judge: it may be privileged, write the funds, or hold a password. */
export const readableJob = {
  name: "readable-job",
  statement: "every job of the stack is JSON that is known at synthesis, so that the rules can judge it",
  check: ({ unreadable = [] }) =>
    unreadable.map(({ path, problem }) => ({
      path,
      place: "jobspec",
      value: "not read",
      problem: `${problem}, so no rule can judge this job`,
      remedy: "write it as JSON, with json = true; nomad job run -output job.hcl makes it of HCL",
    })),
} as const satisfies Rule;
