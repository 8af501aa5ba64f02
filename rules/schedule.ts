import { Cron } from "../nomad/cron";
import type { Rule } from "./rule";

/** Nomad reads a schedule at registration, and does not look whether its time ever comes. */
export const schedule = {
  name: "schedule",
  statement: "the schedule of a periodic job is one that Nomad reads, and its time comes",
  check: ({ jobs }) =>
    jobs.flatMap(({ path, job: { Periodic } }) => {
      if (!Periodic || Periodic.Enabled === false || (Periodic.SpecType ?? "cron") !== "cron") return [];
      const single = Periodic.Spec ? [{ place: "Periodic.Spec", value: Periodic.Spec }] : [];
      const several = (Periodic.Specs ?? []).map((value, at) => ({ place: `Periodic.Specs[${at}]`, value }));
      return [...single, ...several].flatMap(({ place, value }) => {
        const problem = scheduleProblem(value);
        const remedy = 'write minute, hour, day of month, month and day of week, such as "7 * * * *"';
        return problem ? [{ path, place, value, problem, remedy }] : [];
      });
    }),
} as const satisfies Rule;

/** Why a job with this schedule would never run; undefined when it does. */
export function scheduleProblem(text: string, now = new Date()): string | undefined {
  try {
    return Cron.parse(text).next(now) ? undefined : "never comes: there is no such day or time";
  } catch (error) {
    return (error as Error).message;
  }
}
