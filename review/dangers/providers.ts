import { providersOf } from "../../rules/shared/service-names";
import { addressOf, type Context, leftRecords } from "../context";
import type { Finding } from "../findings";

/** A job that runs on though it leaves the code keeps its services' names; a rule sees those of the code alone. */
export function providers(context: Context): Finding[] {
  const staying = providersOf({ jobs: leftRecords(context) });
  return providersOf(context.after.homelab).flatMap(({ at: { job }, name, key }): Finding[] => {
    const other = staying.find((one) => one.key === key);
    if (!other) return [];
    return [
      {
        finding: "second-provider",
        resource: addressOf(context, job),
        subject: `job ${job.ID}`,
        problem: `would register service ${name} beside job ${other.at.job.ID}, which Nomad goes on running`,
        remedy: `stop job ${other.at.job.ID} first, or give the service another name`,
      },
    ];
  });
}
