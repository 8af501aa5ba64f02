import type { Template } from "../.gen/nomad/job";

/**
 * Where Nomad lets one task, and only that task, read its secrets. Shorter paths (`nomad/jobs/<job>`) are readable by
 * every task of the job.
 *
 * @see https://developer.hashicorp.com/nomad/docs/concepts/workload-identity
 */
export type SecretPath = `nomad/jobs/${string}/${string}/${string}`;

/** The task's own secret path. */
export function secretPath(job: string, group: string, task: string): SecretPath {
  return `nomad/jobs/${job}/${group}/${task}`;
}

/** How every line begins that stands in a rendered file in place of one whose secret is empty. */
export const MISSING_SECRET = "the Nomad variable";

/**
 * A line of a template with one secret in it. Until the variable exists Nomad holds the task; an empty or missing key
 * renders a sentence that names path and key, which no configuration parser accepts, in place of an empty value that
 * some would. (Template functions that fail would kill the task for good.)
 *
 * @param line receives the template expression of the secret and returns the whole line.
 */
export function secretLine(path: SecretPath, key: string, line: (secret: string) => string): string {
  return (
    `{{ with (index (nomadVar "${path}") "${key}").Value }}${line("{{ . }}")}` +
    `{{ else }}${MISSING_SECRET} ${path} has no value under the key ${key}{{ end }}`
  );
}

/**
 * A template fragment that is rendered with the `{{ .Address }}` and `{{ .Port }}` of exactly one instance of a
 * service, and not at all while there is none. Nomad lists unhealthy instances too; the allocation's own id as the key
 * of the choice keeps it stable.
 *
 * @see https://github.com/hashicorp/nomad/issues/23317
 */
export function oneInstance(service: string, fragment: string): string {
  return `{{ range nomadService 1 (env "NOMAD_ALLOC_ID") "${service}" }}${fragment}{{ end }}`;
}

/** The user and group that every service of the homelab runs as, and that must own its data on the NAS. */
export const SERVICE_USER = 3001;

/**
 * A rendered file that never restarts its task: Nomad keeps it up to date, and the program reads it at its next start.
 * A restart on every change would turn each blip of a dependency into a cascade.
 *
 * @param destination below `local/` or, readable by the service user alone, below `secrets/`.
 */
export function file(destination: `local/${string}` | `secrets/${string}`, content: string): Template {
  return {
    DestPath: destination,
    EmbeddedTmpl: content,
    ChangeMode: "noop",
    Perms: destination.startsWith("secrets/") ? "0400" : "0444",
    Uid: SERVICE_USER,
    Gid: SERVICE_USER,
  };
}
