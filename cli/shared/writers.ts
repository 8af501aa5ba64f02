import { stopTime } from "../../model/places";
import type { NomadClient } from "../../nomad/client";
import { Duration } from "../../nomad/duration";
import { nodeOf } from "../../nomad/live";
import type { LastWriter } from "../../nomad/pause";
import { type HiddenWriter, hiddenWriters } from "../../nomad/writers";
import { liveAllocations, type Service } from "./services";

/**
 * Asked before anything is stopped, started, moved, copied or restored, and again after every wait: may somebody still be
 * writing the volumes of these services out of sight?
 *
 * @param remembered of the pause that is on.
 * @throws with every such allocation, its machine, and what to do.
 */
export async function refuseHiddenWriters(
  client: NomadClient,
  services: readonly Service[],
  remembered: readonly LastWriter[] = [],
): Promise<void> {
  const hidden = await hiddenWritersOf(client, services, remembered);
  if (hidden.length === 0) return;
  const told = (part: (one: HiddenWriter) => string) => [...new Set(hidden.map(part))].join("; ");
  throw new Error(`${told(({ problem }) => problem)}: ${told(({ remedy }) => remedy)}`);
}

/** As {@link hiddenWriters}, of the groups that these services are. */
export async function hiddenWritersOf(
  client: NomadClient,
  services: readonly Service[],
  remembered: readonly LastWriter[] = [],
): Promise<readonly HiddenWriter[]> {
  const jobs = [...new Map(services.map(({ job }) => [`${job.Namespace}/${job.ID}`, job])).values()];
  const hidden = await hiddenWriters(client, jobs, remembered);
  return hidden.filter(
    ({ job, namespace, group }) =>
      group === undefined ||
      !jobs.some(
        ({ ID, Namespace, TaskGroups }) =>
          ID === job && Namespace === namespace && TaskGroups.some(({ Name }) => Name === group),
      ) ||
      services.some((one) => one.job.ID === job && one.job.Namespace === namespace && one.group.Name === group),
  );
}

/** What of these services runs now, to be remembered before it is told to stop. */
export async function lastWritersOf(client: NomadClient, services: readonly Service[]): Promise<LastWriter[]> {
  const found = await Promise.all(
    services.map(async (service) =>
      (await liveAllocations(client, service)).map((allocation) => ({ service, allocation })),
    ),
  );
  const ids = [...new Set(found.flat().map(({ allocation }) => allocation.NodeID))];
  const nodes = new Map(await Promise.all(ids.map(async (id) => [id, await nodeOf(client, id)] as const)));
  return found.flat().map(({ service: { group }, allocation }) => ({
    namespace: allocation.Namespace,
    job: allocation.JobID,
    group: group.Name,
    allocation: allocation.ID,
    node: allocation.NodeName,
    nodeId: allocation.NodeID,
    stopTime: Duration.seconds(Math.ceil(stopTime(group).toSeconds())).toString(),
    addresses: [
      ...[nodes.get(allocation.NodeID)?.HTTPAddr ?? []].flat(),
      ...(allocation.AllocatedResources?.Shared.Ports ?? []).map(({ HostIP, Value }) => `${HostIP}:${Value}`),
    ],
  }));
}
