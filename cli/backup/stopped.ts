import type { NomadClient } from "../../nomad/client";
import { readPause } from "../../nomad/pause";
import { wantedCount } from "../../nomad/scale";
import { liveAllocations, type Service } from "../shared/services";
import { refuseHiddenWriters } from "../shared/writers";

/** Before the work directory of a service is copied or written. @throws while the service runs, may run, or will. */
export async function refuseWhileItRuns(client: NomadClient, service: Service): Promise<void> {
  const pause = await readPause(client);
  await refuseHiddenWriters(client, [service], pause?.writers);
  const [count, live] = await Promise.all([wantedCount(client, service), liveAllocations(client, service)]);
  const [first] = live;
  const remedy = `stop it first: nomad job scale -namespace ${service.job.Namespace} ${service.job.ID} ${service.group.Name} 0`;
  if (count > 0)
    throw new Error(`${service.name} is meant to run, and nothing is written beneath a running hub; ${remedy}`);
  if (first) {
    throw new Error(
      `${service.name} is ${first.ClientStatus} on ${first.NodeName}, and nothing is written beneath it; wait for its end`,
    );
  }
}
