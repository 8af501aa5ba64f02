import { servicesIn } from "../../model/places";
import type { NomadClient } from "../../nomad/client";
import { type AllocationStub, capability, ifThere, isLive } from "../../nomad/live";
import type { Service } from "../shared/services";

/** One instance of a service in Nomad's catalogue. */
interface Registration {
  readonly JobID: string;
  readonly AllocID: string;
  readonly Address: string;
  readonly Port: number;
}

/**
 * Who registers a service's names besides itself: another job, or an allocation of its own that has ended. Whoever asks
 * Nomad for the name by itself may get that address. A sentence; undefined when nobody does.
 *
 * @see https://developer.hashicorp.com/nomad/api-docs/services#read-service
 */
export async function strangerAt(
  client: NomadClient,
  { job, group }: Service,
  allocations: readonly AllocationStub[],
): Promise<string | undefined> {
  // A name that is made of variables is known to Nomad alone.
  const names = servicesIn(group).flatMap(({ Provider, Name = "" }) =>
    Provider === "nomad" && !Name.includes("$") ? [Name] : [],
  );
  const found = await Promise.all(
    [...new Set(names)].map(async (name) => {
      const registrations = await ifThere(
        client.get<readonly Registration[]>(["service", name], {
          namespace: job.Namespace,
          needs: capability("read-job", job.Namespace),
        }),
      );
      return (registrations ?? []).flatMap(({ JobID, AllocID, Address, Port }) => {
        const at = `${name} is also registered by`;
        if (JobID !== job.ID)
          return [`${at} job ${JobID}, at ${Address}:${Port}: rename its service, or stop that job`];
        const allocation = allocations.find(({ ID }) => ID === AllocID);
        if (allocation && isLive(allocation)) return [];
        return [`${at} an allocation of ${JobID} that has ended, ${AllocID.slice(0, 8)}, at ${Address}:${Port}`];
      });
    }),
  );
  return found.flat().join("; ") || undefined;
}
