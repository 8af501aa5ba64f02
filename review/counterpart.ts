import type { Job, Task, TaskGroup } from "../.gen/nomad/job";
import { type TaskPlace, tasksOf } from "../model/homelab";
import type { Side } from "./stack";

/** A task with its group. */
interface Part {
  readonly group: TaskGroup;
  readonly task: Task;
}

/** The task that another one takes the place of: by name, or because there is one main task on both sides. */
export function counterpart({ group, task }: Part, now: Job, old: Job | undefined): Part | undefined {
  const before = old?.TaskGroups.find(({ Name }) => Name === group.Name) ?? only(old?.TaskGroups, now.TaskGroups);
  if (!before) return undefined;
  const same = before.Tasks.find(({ Name }) => Name === task.Name);
  if (same) return { group: before, task: same };
  const [were, are] = [before, group].map(({ Tasks }) => Tasks.filter(({ Lifecycle }) => !Lifecycle));
  const main = are?.[0] === task ? only(were, are) : undefined;
  return main && { group: before, task: main };
}

/** The one there was, when there is one now. */
function only<T>(were: readonly T[] = [], are: readonly T[] = []): T | undefined {
  return were.length === 1 && are.length === 1 ? were[0] : undefined;
}

/** Tasks of before that wrote what this one will write, whatever their jobs were called. */
export function writersBefore({ job, group, task }: TaskPlace, before: Side): TaskPlace[] {
  const wanted = new Set(written(job, group, task));
  return tasksOf(before.homelab).filter((one) =>
    written(one.job, one.group, one.task).some((volume) => wanted.has(volume)),
  );
}

function written(job: Job, { Volumes = {} }: TaskGroup, { VolumeMounts = [] }: Task): string[] {
  return VolumeMounts.filter(({ ReadOnly }) => ReadOnly !== true).flatMap(({ Volume }) => {
    const request = Volumes[Volume];
    return request?.Type === "csi" && request.ReadOnly !== true ? [`${job.Namespace}/${request.Source}`] : [];
  });
}
