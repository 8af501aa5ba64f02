import type { NomadClient } from "./client";
import { capability, ifThere, type JobRef } from "./live";

/** A group of a job. */
export interface GroupRef {
  readonly job: JobRef;
  readonly group: { readonly Name: string };
}

/** How many instances the live job wants; 0 for one that is stopped or not there. */
export async function wantedCount(client: NomadClient, { job, group }: GroupRef): Promise<number> {
  const live = await ifThere(
    client.get<{ Stop: boolean; TaskGroups: readonly { Name: string; Count: number }[] }>(["job", job.ID], {
      namespace: job.Namespace,
      needs: capability("read-job", job.Namespace),
    }),
  );
  return live?.Stop ? 0 : (live?.TaskGroups.find(({ Name }) => Name === group.Name)?.Count ?? 0);
}

/** Sets how many instances a group has. A periodic job with 0 starts nothing any more. */
export function scaleGroup(
  client: NomadClient,
  { job, group }: GroupRef,
  Count: number,
  Message: string,
): Promise<unknown> {
  return client.put(
    ["job", job.ID, "scale"],
    { Count, Target: { Group: group.Name }, Message },
    { namespace: job.Namespace, needs: capability("scale-job", job.Namespace) },
  );
}
