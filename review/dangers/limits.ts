import type { Task } from "../../.gen/nomad/job";
import { durationText, memoryText } from "../../model/places";
import { withDefaults } from "../../nomad/defaults";
import type { Context } from "../context";
import { counterpart } from "../counterpart";
import type { Finding, FindingName } from "../findings";

interface Limit {
  readonly finding: FindingName;
  readonly what: string;
  /** Undefined when there is none: then it cannot be lowered, or it is taken away. */
  readonly of: (task: Task) => number | undefined;
  readonly text: (value: number) => string;
  readonly remedy: string;
}

const MEASURE = "keep it, unless it was measured that this is enough";

const LIMITS: readonly Limit[] = [
  {
    finding: "memory-lowered",
    what: "memory",
    of: ({ Resources }) => Resources?.MemoryMB,
    text: memoryText,
    remedy: MEASURE,
  },
  {
    finding: "ceiling-lowered",
    what: "memory ceiling",
    // Without one the reservation is the ceiling; -1 is none at all.
    of: ({ Resources, Config }) => {
      const ceiling = Resources?.MemoryMaxMB || Config?.memory_hard_limit || Resources?.MemoryMB;
      return ceiling === -1 ? Number.POSITIVE_INFINITY : ceiling;
    },
    text: (value) => (Number.isFinite(value) ? memoryText(value) : "no ceiling"),
    remedy: MEASURE,
  },
  {
    finding: "cpu-lowered",
    what: "CPU",
    of: ({ Resources }) => (Resources?.Cores ? undefined : Resources?.CPU),
    text: (value) => `${value} MHz`,
    remedy: MEASURE,
  },
  {
    finding: "cpu-lowered",
    what: "cores",
    of: ({ Resources }) => Resources?.Cores,
    text: String,
    remedy: MEASURE,
  },
  {
    finding: "kill-timeout-lowered",
    what: "kill timeout",
    of: ({ KillTimeout }) => KillTimeout,
    text: durationText,
    remedy: "keep it at what a clean stop takes: what is killed before may be damaged",
  },
];

/** What a task gets less of than before. */
export function limits({ jobs }: Context): Finding[] {
  return jobs.flatMap(({ change, before, after, paths }) => {
    if (!before?.read.job || !after?.read.job || paths.length === 0) return [];
    const [from, to] = [withDefaults(before.read.job), withDefaults(after.read.job)];
    return to.TaskGroups.flatMap((group) =>
      group.Tasks.flatMap((task) => {
        const old = counterpart({ group, task }, to, from)?.task;
        if (!old) return [];
        return LIMITS.flatMap(({ finding, what, of, text, remedy }): Finding[] => {
          const [was, is] = [of(old), of(task)];
          if (was === undefined || is === undefined || is >= was) return [];
          const problem = `gets less: ${what} of ${task.Name} ${text(was)} → ${text(is)}`;
          return [{ finding, resource: change.address, subject: `job ${to.ID}`, problem, remedy }];
        });
      }),
    );
  });
}
