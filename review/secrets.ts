import type { Job } from "../.gen/nomad/job";
import { textsOf } from "../rules/no-secret-in-job";
import { literalSecrets } from "../rules/shared/literal-secrets";

/** Stands for a text of a job in which something looks like a secret. */
export const HIDDEN = "(hidden: looks like a secret)";

/** What looks like a secret in a job: its place, and its kind, never itself. Long to find, so it is kept. */
export function secretsOf(job: Job): readonly (readonly [place: string, what: string])[] {
  const known = SECRETS.get(job);
  if (known) return known;
  const found = textsOf(job).flatMap(({ place, name, text, kind }) =>
    literalSecrets(name, text, kind).map((what) => [place, what] as const),
  );
  SECRETS.set(job, found);
  return found;
}

const SECRETS = new WeakMap<Job, ReturnType<typeof secretsOf>>();

/** The same job, with every text in which something looks like a secret replaced by {@link HIDDEN}. */
export function withoutSecrets(job: Job): Job {
  const places = new Set(secretsOf(job).map(([place]) => place));
  return places.size === 0 ? job : (hide(job, "", places) as Job);
}

function hide(value: unknown, place: string, places: ReadonlySet<string>): unknown {
  if (typeof value === "string") return places.has(place) ? HIDDEN : value;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    return value.map((member, at) => hide(member, `${place}[${member?.Name ?? member?.DestPath ?? at}]`, places));
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, hide(member, place ? `${place}.${key}` : key, places)]),
  );
}
