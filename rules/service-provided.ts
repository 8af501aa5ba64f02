import type { Job, Service } from "../.gen/nomad/job";
import { fieldOf } from "./anatomy";
import { tasksOf } from "./homelab";
import type { Finding, Rule } from "./rule";
import { callsOf } from "./template-calls";

/** Nomad's own catalogue, the only one that `nomadService` reads. */
function provides({ TaskGroups }: Job, name: string): boolean {
  const isIt = ({ Name, Provider }: Service) => Name === name && Provider === "nomad";
  return TaskGroups.some(
    ({ Services, Tasks }) => Services?.some(isIt) || Tasks.some((task) => task.Services?.some(isIt)),
  );
}

/** `tag.name@region`, of which only the name is a service's; a name has neither dot nor @. */
function serviceName(query: string): string {
  return query.replace(/@.*$/, "").replace(/^.*\./, "");
}

/** @see https://developer.hashicorp.com/nomad/docs/job-specification/template#nomad-services */
export const serviceProvided = {
  name: "service-provided",
  statement: "every service that a template asks for is provided by a job of this homelab, in the same namespace",
  check: ({ jobs, ...homelab }) =>
    tasksOf({ ...homelab, jobs }).flatMap((place) =>
      (place.task.Templates ?? []).flatMap((template) =>
        callsOf(template, ["nomadService"]).flatMap(({ argument }): Finding[] => {
          const at = { path: place.record.path, place: fieldOf(place, `Templates[${template.DestPath}]`) };
          if (argument === undefined) {
            const problem = "computes the name of the service, so nobody can check that there is one";
            return [{ ...at, value: "nomadService (computed)", problem, remedy: "write the name out" }];
          }
          const providers = jobs.filter(({ job }) => provides(job, serviceName(argument)));
          const { Namespace } = place.job;
          if (providers.some(({ job }) => job.Namespace === Namespace)) return [];
          const elsewhere = providers.map(({ path, job }) => `${path} provides it in namespace ${job.Namespace}`);
          return [
            {
              ...at,
              value: argument,
              problem: `no job provides it with Provider "nomad" in namespace ${Namespace}${elsewhere.length > 0 ? `; ${elsewhere.join(", ")}` : ""}: the template waits for it, or renders nothing`,
              remedy: "name a service of a job of this homelab, or add the job",
            },
          ];
        }),
      ),
    ),
} as const satisfies Rule;
