import { providersOf } from "../../rules/shared/service-names";
import { type Context, keyOf } from "../context";
import type { Finding } from "../findings";

/** A job that runs on though it leaves the code keeps its services' names; a rule sees those of the code alone. */
export function providers({ left, after, jobs }: Context): Finding[] {
  const staying = providersOf({
    jobs: left.flatMap(({ before, change }) =>
      before?.shown ? [{ path: change.address, job: before.shown, retained: true }] : [],
    ),
  });
  return providersOf(after.homelab).flatMap(({ at: { job }, name, key }): Finding[] => {
    const other = staying.find((one) => one.key === key);
    if (!other) return [];
    const entry = jobs.find(({ after }) => after?.read.job && keyOf(after.read.job) === keyOf(job));
    return [
      {
        finding: "second-provider",
        resource: entry?.change.address ?? "stack",
        subject: `job ${job.ID}`,
        problem: `would register service ${name} beside job ${other.at.job.ID}, which Nomad goes on running`,
        remedy: `stop job ${other.at.job.ID} first, or give the service another name`,
      },
    ];
  });
}
