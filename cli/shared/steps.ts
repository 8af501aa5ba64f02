import { stopTime, updateOf } from "../../model/places";
import { runsOf } from "../../nomad/batch";
import type { NomadClient } from "../../nomad/client";
import { Duration } from "../../nomad/duration";
import { type AllocationStub, capability, type JobRef } from "../../nomad/live";
import { healthOf, startedAt } from "./health";
import { liveAllocations, type Service } from "./services";
import type { Watch } from "./watch";
import { refuseHiddenWriters } from "./writers";

/** For Nomad's own work around a stop: deregistering, unmounting, telling the server. */
const SLACK = Duration.minutes(1);

/** How long a service may take to become healthy after its start. */
export function healthyDeadline({ job, group }: Service): Duration {
  const { HealthyDeadline } = updateOf({ job, group });
  return Duration.fromNanoseconds(HealthyDeadline);
}

/**
 * Waits for honest health of the newest allocation of a service.
 *
 * @param started milliseconds since 1970: it must have been started after that.
 * @param checked the same: what a check said before that is not counted.
 * @returns the allocation, and what its owner has to do before it is of use, when there is something.
 */
export function untilHealthy(
  watch: Watch,
  client: NomadClient,
  service: Service,
  { started = 0, checked = started }: { readonly started?: number; readonly checked?: number } = {},
): Promise<AllocationStub & { readonly owner?: string }> {
  const within = stopTime(service.group).plus(healthyDeadline(service)).plus(SLACK);
  return watch.until(`${service.name} to be healthy`, within, async () => {
    const [allocation] = await liveAllocations(client, service);
    if (!allocation) {
      watch.tell(`waiting for ${service.name} to be placed`);
      return undefined;
    }
    if (startedAt(service, allocation) < started) return undefined;
    const { healthy, mood, text } = await healthOf(client, service, allocation, checked);
    if (healthy) return { ...allocation, ...(mood !== "good" && { owner: text }) };
    watch.tell(`waiting for ${service.name} to be healthy: ${text}`);
    return undefined;
  });
}

/**
 * How a service is after {@link untilHealthy}: one that waits for its owner is up, and does not do its work.
 *
 * @param when goes on, such as " again after 3 s".
 */
export function upText({ owner }: { readonly owner?: string }, when = ""): string {
  return owner ? `up${when}; ${owner}` : `healthy${when}`;
}

/**
 * Waits until nothing of a service runs any more, as its machine tells.
 *
 * @throws as soon as its machine is away, since nobody can see the end then.
 */
export function untilStopped(watch: Watch, client: NomadClient, service: Service): Promise<true> {
  const longest = stopTime(service.group);
  const what = `${service.name} to stop, which may take ${longest}`;
  return watch.until(what, longest.plus(SLACK), async () => {
    await refuseHiddenWriters(client, [service]);
    return (await liveAllocations(client, service)).length === 0 || undefined;
  });
}

/** A backup of hours is not cut off for a pause; a run that hangs must not hold it up for ever. */
const LONGEST_RUN = Duration.minutes(30);

/** Waits for the end of what a periodic job has begun. */
export function untilNoRun(watch: Watch, client: NomadClient, job: JobRef): Promise<true> {
  return watch.until(`the run of ${job.ID} to end, or stop it with nomad job stop`, LONGEST_RUN, async () => {
    const [run] = await runsOf(client, job);
    if (run) watch.tell(`waiting for ${run.ID} to end`);
    return run ? undefined : true;
  });
}

/** Restarts an allocation's tasks where they are. It answers when they have ended, so it may take the kill timeout. */
export function restartTasks(client: NomadClient, service: Service, { ID, Namespace }: AllocationStub): Promise<void> {
  return client.put(
    ["client", "allocation", ID, "restart"],
    {},
    {
      namespace: Namespace,
      needs: capability("alloc-lifecycle", Namespace),
      timeout: stopTime(service.group).plus(SLACK),
    },
  );
}
