import type { Job, Service } from "../.gen/nomad/job";
import { breach } from "./anatomy";
import { tasksOf } from "./homelab";
import type { Rule } from "./rule";
import { callsOf } from "./template-calls";

/** Nomad's own catalogue, the only one that `nomadService` reads. */
export function provides({ TaskGroups }: Job, name: string): boolean {
  const isIt = ({ Name, Provider }: Service) => Name === name && Provider === "nomad";
  return TaskGroups.some(
    ({ Services, Tasks }) => Services?.some(isIt) || Tasks.some((task) => task.Services?.some(isIt)),
  );
}

/** `tag.name@region`, of which only the name is a service's; a name has neither dot nor @. */
export function serviceName(query: string): string {
  return query.replace(/@.*$/, "").replace(/^.*\./, "");
}

/** @see https://developer.hashicorp.com/nomad/docs/job-specification/template#nomad-services */
export const serviceProvided = {
  name: "service-provided",
  statement: "every service that a template asks for is provided by a job of this homelab, in the same namespace",
  check: ({ jobs, ...homelab }) =>
    tasksOf({ ...homelab, jobs }).flatMap((place) =>
      (place.task.Templates ?? []).flatMap((template) =>
        callsOf(template, ["nomadService"]).flatMap(({ argument }) => {
          const { Namespace } = place.job;
          const providers = jobs.filter(({ job }) => argument !== undefined && provides(job, serviceName(argument)));
          const elsewhere = providers.map(({ path, job }) => `; ${path} provides it in namespace ${job.Namespace}`);
          const isProvided = providers.some(({ job }) => job.Namespace === Namespace);
          return breach(!isProvided, place, `Templates[${template.DestPath}]`, {
            value: argument ?? "nomadService (computed)",
            problem:
              argument === undefined
                ? "computes the name of the service, so nobody can check that there is one"
                : `no job provides it with Provider "nomad" in namespace ${Namespace}${elsewhere.join("")}: the template renders nothing for it`,
            remedy: "write out the name of a service of a job of this homelab, or add the job",
          });
        }),
      ),
    ),
} as const satisfies Rule;
