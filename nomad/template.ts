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
 * A template fragment that is rendered with `{{ .Address }}`, `{{ .Port }}` and `{{ .AllocID }}` of each instance of a
 * service that this job provides, and not at all while there is none. Anyone who may submit a job can register the name
 * as well, and Nomad lists instances that do not answer too: what reads the file tries one after another.
 *
 * @see https://github.com/hashicorp/nomad/issues/23317
 */
export function instancesOf({ service, job }: ProvidedService, fragment: string): string {
  return `{{ range nomadService "${service}" }}{{ if eq .JobID "${job}" }}${fragment}\n{{ end }}{{ end }}`;
}

/** A service in Nomad's catalogue, and the ID of the one job that provides it. */
export interface ProvidedService {
  readonly service: string;
  readonly job: string;
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

/**
 * One key of a task's own Nomad variable, as the templates of that task read it.
 *
 * Until the variable exists Nomad holds the task. (Template functions that fail would kill the task for good.)
 */
export class Secret {
  constructor(
    readonly path: SecretPath,
    readonly key: string,
  ) {}

  /** How a template reads the item. */
  get call(): string {
    return `(index (nomadVar "${this.path}") "${this.key}")`;
  }

  /** The key beside this one that holds the next value while the two are exchanged. */
  get next(): Secret {
    return new Secret(this.path, `${this.key}_next`);
  }

  /**
   * A line of a template with the secret in it. An empty or missing key renders a sentence that names path and key, which
   * no configuration parser accepts, in place of an empty value that some would.
   *
   * @param write receives the template expression of the value and returns the whole line.
   */
  line(write: (value: string) => string): string {
    const missing = `${MISSING_SECRET} ${this.path} has no value under the key ${this.key}`;
    return `{{ with ${this.call}.Value }}${write("{{ . }}")}{{ else }}${missing}{{ end }}`;
  }

  /** The same line, or nothing while the key is empty or missing. */
  lineIfSet(write: (value: string) => string): string {
    return `{{ with ${this.call}.Value }}${write("{{ . }}")}{{ end }}`;
  }

  /** The file `secrets/<key>` with the value alone. */
  file(): Template {
    return file(
      `secrets/${this.key}`,
      this.line((value) => value),
    );
  }
}
