import type { Constraint, Job, Service, Task, TaskGroup, UpdateStrategy, VolumeRequest } from "../.gen/nomad/job";
import { DEFAULTS, killTimeout } from "../nomad/defaults";
import { Duration } from "../nomad/duration";
import { Memory } from "../nomad/memory";
import { groupsOf, type Homelab, type TaskPlace, tasksOf, type VolumeRecord } from "./homelab";

/** A task group with the job it stands in. */
export type GroupPlace = Omit<TaskPlace, "task">;

/** A task group, or one of its tasks, with the job it stands in. */
export type Place = GroupPlace & { readonly task?: Task };

/** Where a field stands in its job: `TaskGroups[bitcoin].Tasks[bitcoind].KillTimeout`. */
export function fieldOf({ group, task }: Pick<Place, "group" | "task">, field: string): string {
  return `TaskGroups[${group.Name}].${task ? `Tasks[${task.Name}].` : ""}${field}`;
}

/** A duration of a job as its owner would write it. */
export function durationText(nanoseconds: number | undefined): string {
  if (nanoseconds === undefined) return "not set";
  const isLength = nanoseconds >= 0 && Number.isFinite(nanoseconds);
  return isLength ? Duration.fromNanoseconds(nanoseconds).toString() : `${nanoseconds} ns`;
}

/** An amount of memory of a job as its owner would write it. */
export function memoryText(mebibytes: number | undefined): string {
  if (mebibytes === undefined) return "not set";
  return Number.isInteger(mebibytes) && mebibytes >= 0 ? Memory.mebibytes(mebibytes).toString() : `${mebibytes} MiB`;
}

const UPDATE_DEFAULTS = {
  HealthyDeadline: DEFAULTS.healthyDeadline.toNanoseconds(),
  ProgressDeadline: DEFAULTS.progressDeadline.toNanoseconds(),
  AutoRevert: false,
  Canary: 0,
};

/** The update strategy a group gets: its own fields, those of its job, then Nomad's defaults. */
export function updateOf({ job, group }: Pick<GroupPlace, "job" | "group">): UpdateStrategy & typeof UPDATE_DEFAULTS {
  const given = (update: UpdateStrategy | undefined) =>
    Object.fromEntries(Object.entries(update ?? {}).filter(([, value]) => value !== undefined));
  return { ...UPDATE_DEFAULTS, ...given(job.Update), ...given(group.Update) };
}

/** The longest a group takes to stop. */
export function stopTime({ Tasks, ShutdownDelay }: TaskGroup): Duration {
  const delay = (nanoseconds: number | undefined) => Duration.fromNanoseconds(Math.max(0, nanoseconds ?? 0));
  const stops = Tasks.map((task) => killTimeout(task).plus(delay(task.ShutdownDelay)));
  return Duration.longest(stops).plus(delay(ShutdownDelay));
}

/**
 * Whether instances keep to different machines. A missing or odd value means yes.
 *
 * @see https://github.com/hashicorp/nomad/blob/v2.0.5/scheduler/feasible/feasible.go `hasDistinctHostsConstraint`
 */
export function isDistinct(constraints: readonly Constraint[] = []): boolean {
  const constraint = constraints.find(({ Operand }) => Operand === "distinct_hosts");
  return constraint !== undefined && !/^(?:0|f|false)$/i.test(constraint.RTarget ?? "");
}

/** Whether the job runs on every machine, whatever its count. */
export function runsEverywhere({ job }: Pick<GroupPlace, "job">): boolean {
  return job.Type === "system" || job.Type === "sysbatch";
}

/**
 * Whether the task is a CSI plugin, which may do what no service may. It must say so with `CSIPluginConfig`; but a
 * service that says so as well is none: a plugin uses no volume, and nobody finds it as a service.
 */
export function isCsiPlugin({ job, group, task }: Omit<TaskPlace, "record">): boolean {
  const hasServices = job.TaskGroups.some((one) =>
    [one, ...one.Tasks].some(({ Services }) => Boolean(Services?.length)),
  );
  return Boolean(task.CSIPluginConfig) && Object.keys(group.Volumes ?? {}).length === 0 && !hasServices;
}

/** Whether a task says that it runs as root; one that says nothing leaves it to its image. */
export function runsAsRoot({ User = "" }: Pick<Task, "User">): boolean {
  return /^(?:root|0+)(?::|$)/.test(User);
}

/** Every task that runs an image, in order; a task of another driver than Docker has none. */
export function imagesOf(homelab: Pick<Homelab, "jobs">): (TaskPlace & { readonly image: string })[] {
  return tasksOf(homelab)
    .map((place) => ({ ...place, image: place.task.Config.image }))
    .filter(({ image }) => Boolean(image));
}

/** A group's claim to write a CSI volume. Nomad claims for the group, even when no task mounts it writable. */
export interface Writer extends GroupPlace {
  readonly request: VolumeRequest;
  /** What the homelab knows of the volume: nothing of a stranger, several records when it is declared twice. */
  readonly volumes: readonly VolumeRecord[];
  /** The tasks that mount it writable. */
  readonly tasks: readonly Task[];
}

/** A task that ends before the main task starts, or starts after it ended, writes at another time. */
export function runsAlongsideMainTask({ Lifecycle }: Task): boolean {
  return !Lifecycle || Lifecycle.Sidecar === true || Lifecycle.Hook === "poststart";
}

/** Every claim to write, in order. */
export function writersOf(homelab: Homelab): Writer[] {
  return groupsOf(homelab).flatMap((place) =>
    Object.entries(place.group.Volumes ?? {})
      .filter(([, { Type, ReadOnly }]) => Type === "csi" && ReadOnly !== true)
      .map(([name, request]) => ({
        ...place,
        request,
        volumes: homelab.volumes.filter(
          ({ id, namespace }) => id === request.Source && namespace === place.job.Namespace,
        ),
        tasks: place.group.Tasks.filter(({ VolumeMounts }) =>
          VolumeMounts?.some(({ Volume, ReadOnly }) => Volume === name && ReadOnly !== true),
        ),
      })),
  );
}

/** Nomad's own catalogue, the only one that `nomadService` reads. */
export function provides({ TaskGroups }: Job, name: string): boolean {
  return TaskGroups.flatMap(servicesIn).some(({ Name, Provider }) => Name === name && Provider === "nomad");
}

interface ServiceGroup extends Pick<TaskGroup, "Services"> {
  readonly Tasks?: readonly Pick<Task, "Services">[];
}

/** What a group registers, its tasks included. */
export function servicesIn({ Services, Tasks }: ServiceGroup): readonly Service[] {
  return [...(Services ?? []), ...(Tasks ?? []).flatMap((task) => task.Services ?? [])];
}

/** `tag.name@region`, of which only the name is a service's; a name has neither dot nor @. */
export function serviceName(query: string): string {
  return query.replace(/@.*$/, "").replace(/^.*\./, "");
}
