import type { Service, Task } from "../.gen/nomad/job";
import { groupsOf } from "../model/homelab";
import { type GroupPlace, type Place, writersOf } from "../model/places";
import type { Finding, Rule } from "./rule";
import { breach } from "./shared/breach";

/** A service, and the tasks that Nomad restarts when one of its checks asks for it. */
interface Registered {
  readonly place: Place;
  readonly service: Service;
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
  const ofTask = (task: Task) =>
    (task.Services ?? []).map((service) => ({ place: { ...place, task }, service, restarts: [task] }));
  return [...Services.map((service) => ({ place, service, restarts: Tasks })), ...Tasks.flatMap(ofTask)];
}

function restartsOf({ place, service, restarts }: Registered, nodes: readonly Task[]): Finding[] {
  const node = restarts.find((task) => nodes.includes(task));
  return (service.Checks ?? []).flatMap((check, index) => {
    // The limit of a check replaces that of its service only when it is above zero.
    const limit = check.CheckRestart?.Limit || service.CheckRestart?.Limit || 0;
    const field = `Services[${service.Name}].Checks[${check.Name ?? index}].CheckRestart`;
    return breach(node !== undefined && limit > 0, place, field, {
      value: `limit ${limit}`,
      problem: `restarts ${node?.Name}, which writes the chain: a restart while it syncs replays for 20–40 min, fails the check, and is restarted again`,
      remedy: "take CheckRestart out of the check and of its service",
    });
  });
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
      .flatMap((registered) => [
        ...breach(!registered.service.Checks?.length, registered.place, `Services[${registered.service.Name}].Checks`, {
          value: "none",
          problem: "nobody asks whether the service works, and a deployment counts it as healthy at once",
          remedy: "add a check to Checks",
        }),
        ...restartsOf(registered, nodes),
      ]);
  },
} as const satisfies Rule;
