import { type TaskPlace, tasksOf } from "../model/homelab";
import { readsIdentity } from "../model/identity";
import { secretPath } from "../nomad/template";
import { callsOf } from "../nomad/template-calls";
import type { Rule } from "./rule";
import { breach } from "./shared/breach";

/** Template functions that read Nomad variables. */
export const VARIABLE_FUNCTIONS = ["nomadVar", "nomadVarList", "nomadVarListSafe", "nomadVarExists"];

/** What a task reads, and where it says so; undefined for a path that is computed. */
function readsOf({ job, task }: TaskPlace): { field: string; call: string; path: string | undefined }[] {
  // The homelab's identity is no secret.
  const own = (task.Templates ?? []).filter((template) => !readsIdentity(job, template));
  const templates = own.flatMap((template) => {
    const field = `Templates[${template.DestPath}]`;
    return [
      ...callsOf(template, VARIABLE_FUNCTIONS).map(({ name, argument }) => ({ field, call: name, path: argument })),
      // Its text comes to the machine later, so nobody can read here what it asks for.
      ...(template.SourcePath ? [{ field: `${field}.SourcePath`, call: "the file", path: undefined }] : []),
    ];
  });
  const blocks = (task.Secrets ?? [])
    .filter(({ Provider }) => Provider === "nomad")
    .map(({ Name, Path }) => ({ field: `Secrets[${Name}].Path`, call: "secret", path: Path }));
  return [...templates, ...blocks];
}

/** @see https://developer.hashicorp.com/nomad/docs/concepts/workload-identity */
export const ownSecretPath = {
  name: "own-secret-path",
  statement: "a task reads secrets from its own path nomad/jobs/<job>/<group>/<task> and no other",
  check: (homelab) =>
    tasksOf(homelab).flatMap((place) => {
      const own = secretPath(place.job.ID, place.group.Name, place.task.Name);
      return readsOf(place).flatMap(({ field, call, path }) =>
        breach(path !== own, place, field, {
          value: `${call} ${path === undefined ? "(computed)" : `"${path}"`}`,
          problem:
            path !== undefined && own.startsWith(`${path}/`)
              ? `every task below ${path} can read what is there`
              : "is not the path that belongs to this task alone, or cannot be checked",
          remedy: `write the path out: "${own}", in EmbeddedTmpl`,
        }),
      );
    }),
} as const satisfies Rule;
