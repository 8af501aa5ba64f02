import type { Service } from "../../.gen/nomad/job";
import { groupsOf, type Homelab } from "../../model/homelab";
import type { Place } from "../../model/places";

/** A service that a group or a task registers. */
export interface Provider {
  readonly at: Place;
  readonly field: string;
  /** The name, as the catalogue will have it. */
  readonly name: string;
  /** Catalogue, namespace and name: what is asked for. */
  readonly key: string;
}

/** Every service of every job, in order. */
export function providersOf(homelab: Pick<Homelab, "jobs">): Provider[] {
  return groupsOf(homelab).flatMap((place) => [
    ...(place.group.Services ?? []).flatMap((one, at) => providerOf(one, place, at)),
    ...place.group.Tasks.flatMap((task) =>
      (task.Services ?? []).flatMap((one, at) => providerOf(one, { ...place, task }, at)),
    ),
  ]);
}

function providerOf({ Name, Provider: catalogue = "consul" }: Service, at: Place, index: number): Provider[] {
  // Nomad makes a name of its own from job, group and task where there is none.
  if (!Name) return [];
  const { job, group, task } = at;
  const values: Readonly<Record<string, string>> = {
    JOB: job.ID,
    NOMAD_JOB_ID: job.ID,
    NOMAD_JOB_NAME: job.Name ?? job.ID,
    TASKGROUP: group.Name,
    NOMAD_GROUP_NAME: group.Name,
    TASK: task?.Name ?? "group",
    NOMAD_TASK_NAME: task?.Name ?? "",
    BASE: `${job.ID}-${group.Name}-${task?.Name ?? "group"}`,
    NOMAD_NAMESPACE: job.Namespace,
  };
  const name = Name.replace(/\$\{(?:env\[")?(\w+)(?:"\])?\}/g, (whole, variable) => values[variable] ?? whole);
  return [{ at, field: `Services[${index}].Name`, name, key: `${catalogue} ${job.Namespace} ${name}` }];
}
