import type { Service, Task } from "../.gen/nomad/job";
import { fieldOf, type GroupPlace, writersOf } from "./anatomy";
import { groupsOf } from "./homelab";
import type { Finding, Rule } from "./rule";

/** A service, and the tasks that Nomad restarts when one of its checks says so. */
interface Registered extends GroupPlace {
  readonly service: Service;
  readonly task?: Task;
  readonly restarts: readonly Task[];
}

/**
 * A check of a group's service restarts every task of the group, whichever task it names; one of a task's service only
 * that task.
 *
 * @see https://github.com/hashicorp/nomad/blob/v2.0.5/client/allocrunner/group_service_hook.go
 */
function servicesOf(place: GroupPlace): Registered[] {
  const { Services = [], Tasks } = place.group;
  return [
    ...Services.map((service) => ({ ...place, service, restarts: Tasks })),
    ...Tasks.flatMap((task) => (task.Services ?? []).map((service) => ({ ...place, service, task, restarts: [task] }))),
  ];
}

export const healthCheck = {
  name: "health-check",
  statement: "every service has a health check, and none restarts a node that may be syncing",
  check: (homelab) => {
    const nodes = writersOf(homelab)
      .filter(({ volumes }) => volumes.some(({ holds }) => holds === "chain"))
      .flatMap(({ tasks }) => tasks);
    return groupsOf(homelab)
      .flatMap(servicesOf)
      .flatMap((registered): Finding[] => {
        const { service, restarts, record } = registered;
        const at = (field: string) => ({
          path: record.path,
          place: fieldOf(registered, `Services[${service.Name}].${field}`),
        });
        if (!service.Checks?.length) {
          const problem = "nobody asks whether the service works, and a deployment counts it as healthy at once";
          return [{ ...at("Checks"), value: "none", problem, remedy: "add a check to Checks" }];
        }
        const node = restarts.find((task) => nodes.includes(task));
        if (!node) return [];
        return service.Checks.flatMap((check, index) => {
          // The limit of a check replaces that of its service only when it is above zero.
          const limit = check.CheckRestart?.Limit || service.CheckRestart?.Limit || 0;
          if (limit <= 0) return [];
          return [
            {
              ...at(`Checks[${check.Name ?? index}].CheckRestart`),
              value: `limit ${limit}`,
              problem: `restarts ${node.Name}, which writes the chain: a restart while it syncs replays for 20–40 min, fails the check, and is restarted again`,
              remedy: "take CheckRestart out of the check and of its service",
            },
          ];
        });
      });
  },
} as const satisfies Rule;
