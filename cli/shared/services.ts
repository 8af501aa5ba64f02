import type { Job, Task, TaskGroup } from "../../.gen/nomad/job";
import { groupsOf, type Program } from "../../model/homelab";
import { servicesIn } from "../../model/places";
import { identify } from "../../model/versions";
import { isBatch } from "../../nomad/batch";
import type { NomadClient } from "../../nomad/client";
import { type AllocationStub, deploymentOf, isLive, isRunning, placedAllocations } from "../../nomad/live";
import type { Synthesized } from "./synthesized";

/** One group of one job, as the commands that operate it see it. */
export interface Service {
  /** The job's ID, and the group's where the job has several. */
  readonly name: string;
  readonly job: Job;
  readonly group: TaskGroup;
  /** What the group is for: its first task without a life cycle. */
  readonly main: Task;
  /** What its main task runs, when that is known. */
  readonly program?: Program;
  /** Names of the services it cannot do without. */
  readonly needs: readonly string[];
  readonly isPlugin: boolean;
}

/**
 * The services of a stack, each after what it needs; CSI plugins first, since volumes need them. A job that runs to an end,
 * such as a backup, is none: there is nothing of it to restart, to move or to find unhealthy.
 */
export function servicesOf({ homelab }: Pick<Synthesized, "homelab">): Service[] {
  return inOrder(allGroups(homelab).filter(({ job }) => !isBatch(job)));
}

/** What starts by the clock: groups of periodic jobs. */
export function periodicOf({ homelab }: Pick<Synthesized, "homelab">): Service[] {
  return allGroups(homelab).filter(({ job }) => isBatch(job) && job.Periodic);
}

function allGroups(homelab: Synthesized["homelab"]): Service[] {
  return groupsOf(homelab).flatMap((place): Service[] => {
    const { job, group } = place;
    const main = group.Tasks.find(({ Lifecycle }) => !Lifecycle) ?? group.Tasks[0];
    if (!main) return [];
    const program = identify({ ...place, task: main }, main.Config?.image ?? "")?.program;
    return [
      {
        name: nameOf(job, group),
        job,
        group,
        main,
        ...(program && { program }),
        needs: homelab.dependencies
          .filter(({ from }) => from === job.ID)
          .flatMap(({ on }) => homelab.jobs.filter((one) => one.job.ID === on).map((one) => one.job))
          .flatMap((needed) => needed.TaskGroups.map((one) => nameOf(needed, one))),
        isPlugin: group.Tasks.some(({ CSIPluginConfig }) => CSIPluginConfig),
      },
    ];
  });
}

function nameOf(job: Job, group: TaskGroup): string {
  return job.TaskGroups.length > 1 ? `${job.ID}/${group.Name}` : job.ID;
}

/** What is needed before what needs it; otherwise as they come. A circle is cut where it closes. */
export function inOrder<T extends Pick<Service, "name" | "needs" | "isPlugin">>(services: readonly T[]): T[] {
  const depth = depthIn(services);
  return services.toSorted((a, b) => (a.isPlugin ? -1 : depth(a)) - (b.isPlugin ? -1 : depth(b)));
}

/** How many services stand below one in the longest chain of needs. A circle is cut where it closes. */
export function depthIn<T extends Pick<Service, "name" | "needs">>(services: readonly T[]): (service: T) => number {
  const depth = ({ name, needs }: T, above: readonly string[]): number => {
    const needed = services.filter((other) => needs.includes(other.name) && ![...above, name].includes(other.name));
    return Math.max(0, ...needed.map((other) => 1 + depth(other, [...above, name])));
  };
  return (service) => depth(service, []);
}

/** Whatever cannot do without one of these, directly or through others. */
export function dependantsOf(services: readonly Service[], of: readonly Service[]): Service[] {
  const names = new Set(of.map(({ name }) => name));
  for (let size = -1; size !== names.size; ) {
    size = names.size;
    for (const { name, needs } of services) if (needs.some((one) => names.has(one))) names.add(name);
  }
  return services.filter((one) => names.has(one.name) && !of.includes(one));
}

/**
 * The service of this name: its job, its group as `job/group`, or a service that it registers.
 *
 * @throws when there is none, or several.
 */
export function serviceNamed(services: readonly Service[], name: string): Service {
  const found = services.filter(
    ({ name: own, job, group }) =>
      own === name || job.ID === name || servicesIn(group).some(({ Name }) => Name === name),
  );
  const [one, ...more] = found;
  if (one && more.length === 0) return one;
  const names = (more.length > 0 ? found : services).map((service) => service.name).join(", ");
  throw new Error(
    one ? `${name} is several services: name one of ${names}` : `there is no service ${name}; there are ${names}`,
  );
}

/** Whether an allocation is one of the service. */
export function isOf({ job, group }: Pick<Service, "job" | "group">, allocation: AllocationStub): boolean {
  const { JobID, Namespace, TaskGroup } = allocation;
  return JobID === job.ID && Namespace === job.Namespace && TaskGroup === group.Name;
}

/** Its allocations that may still run, the newest first. */
export async function liveAllocations(client: NomadClient, { job, group }: Service): Promise<AllocationStub[]> {
  const all = await placedAllocations(client, job);
  return all
    .filter((one) => one.TaskGroup === group.Name && isLive(one))
    .toSorted((a, b) => b.CreateIndex - a.CreateIndex);
}

/** @throws while a deployment of it runs: Nomad would not scale it then. */
export async function refuseDeployment(client: NomadClient, { name, job }: Service): Promise<void> {
  const deployment = await deploymentOf(client, job);
  if (deployment && isRunning(deployment)) {
    throw new Error(`a deployment of ${name} is ${deployment.Status}; wait for its end, see homelab status`);
  }
}

/** The tasks that must run for as long as the service does. */
export function lastingTasks({ group }: Service): Task[] {
  return group.Tasks.filter(({ Lifecycle }) => !Lifecycle || (Lifecycle.Sidecar && Lifecycle.Hook !== "poststop"));
}
