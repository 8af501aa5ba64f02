import type { ReadJob, Unreadable } from "../model/read-job";

const TEXTS: Readonly<Record<Unreadable["reason"], (detail: string) => string>> = {
  sensitive: () => "is marked as sensitive, so nobody can see what changes",
  unknown: () => "is known only after the apply, so nobody can see what changes",
  hcl: () => "cannot be read: HCL; shown by name only",
  "no-json": () => "says json = true and is no JSON, so the apply will fail",
  "no-job": () => "has no ID, so the apply will fail",
  "no-groups": () => "has no list of task groups, so the apply will fail",
  ambiguous: (detail) =>
    `cannot be read for certain: ${detail}; Nomad reads keys in any case and joins double ones, so it may run another job than is shown`,
  misshapen: (detail) => `cannot be read: ${detail}, so the apply will fail`,
};

/** Why a job cannot be read, in words that go on after its name; undefined for one that can. */
export function whyUnreadable({ unreadable }: Pick<ReadJob, "unreadable">): string | undefined {
  return unreadable && TEXTS[unreadable.reason](unreadable.detail);
}
