import { tasksOf } from "../model/homelab";
import { provides, serviceName } from "../model/places";
import { callsOf } from "../nomad/template-calls";
import type { Rule } from "./rule";
import { breach } from "./shared/breach";

/**
 * Functions that ask Consul or Vault. A task whose template calls one waits for ever where there is neither, whether the
 * function has a default or not.
 *
 * @see https://github.com/hashicorp/consul-template/blob/v0.42.1/template/template.go `funcMap`
 */
const ELSEWHERE = {
  Consul:
    /^(?:service|services|connect|node|nodes|datacenters|partitions|peerings|exportedServices|importedServices|key|keyExists|keyOrDefault|ls|safeLs|tree|safeTree|caRoots|caLeaf)$/,
  Vault: /^(?:secret|secrets|pkiCert)$/,
};

/** @see https://developer.hashicorp.com/nomad/docs/job-specification/template#nomad-services */
export const serviceProvided = {
  name: "service-provided",
  statement:
    "every service that a template asks for is provided by a job of this homelab, in the same namespace, and none is Consul or Vault",
  check: ({ jobs, ...homelab }) =>
    tasksOf({ ...homelab, jobs }).flatMap((place) =>
      (place.task.Templates ?? []).flatMap((template) => [
        ...callsOf(template, ["nomadService"]).flatMap(({ argument }) => {
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
        ...Object.entries(ELSEWHERE).flatMap(([store, functions]) =>
          callsOf(template, functions).flatMap(({ name, argument }) =>
            breach(true, place, `Templates[${template.DestPath}]`, {
              value: argument === undefined ? name : `${name} "${argument}"`,
              problem: `asks ${store}, which this homelab does not have: the template never renders, and the task never starts`,
              remedy: "ask Nomad: nomadService for a service, nomadVar for a value or a secret",
            }),
          ),
        ),
      ]),
    ),
} as const satisfies Rule;
