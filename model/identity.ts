import type { Job, Template } from "../.gen/nomad/job";
import { file } from "../nomad/template";
import type { VariableRef } from "../nomad/variable";
import { type Homelab, tasksOf } from "./homelab";

/**
 * Key of a homelab's identity in the variable that {@link identityOf} names. Its value is a UUID, made once; or, to take
 * over a work directory on purpose, `<own> adopts <other>`.
 */
export const IDENTITY_KEY = "homelab_identity";

const UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";

/** Whether a text is an identity, as {@link IDENTITY_KEY} holds it and work directories are marked with it. */
export function isIdentity(text: string): boolean {
  return new RegExp(`^${UUID}$`).test(text);
}

/**
 * The Nomad variable of the identity that a job marks its work directory with: that of the job, which all of its tasks may
 * read, since an identity is no secret; and not the one with its secrets, which a deployer's token may not write.
 */
export function identityOf({ ID, Namespace }: Pick<Job, "ID" | "Namespace">): VariableRef {
  return { namespace: Namespace, path: `nomad/jobs/${ID}` };
}

/** The file with the identity; see {@link identityTemplate}. */
export const IDENTITY_FILE = "local/identity";

/** The identity as a file of a task; empty while there is no identity, which holds up no task. */
export function identityTemplate(job: string): Template {
  const path = `nomad/jobs/${job}`;
  const value = `{{ with (index (nomadVar "${path}") "${IDENTITY_KEY}").Value }}{{ . }}{{ end }}`;
  return file(IDENTITY_FILE, `{{ if nomadVarExists "${path}" }}${value}{{ end }}`);
}

/** Whether a template of a job renders its identity and reads nothing else. */
export function readsIdentity(job: Pick<Job, "ID">, { EmbeddedTmpl }: Template): boolean {
  return EmbeddedTmpl === identityTemplate(job.ID).EmbeddedTmpl;
}

/** The jobs that mark a work directory with the homelab's identity. */
export function jobsWithIdentity(homelab: Pick<Homelab, "jobs">): Job[] {
  const places = tasksOf(homelab).filter(({ job, task }) => task.Templates?.some((one) => readsIdentity(job, one)));
  return [...new Set(places.map(({ job }) => job))];
}
