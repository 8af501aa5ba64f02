import { updateOf } from "../../model/places";
import type { NomadClient } from "../../nomad/client";
import { Duration } from "../../nomad/duration";
import { type AllocationStub, capability } from "../../nomad/live";
import { healthOf, startedAt } from "./health";
import { askName, confirm } from "./prompt";
import { liveAllocations, type Service } from "./services";
import type { Watch } from "./watch";

/** What Nomad gives a task that names no kill timeout. */
const DEFAULT_KILL = Duration.seconds(5);

/** For Nomad's own work around a stop: deregistering, unmounting, telling the server. */
const SLACK = Duration.minutes(1);

/** The longest that a clean stop of a service may take. */
export function killTimeout({ group }: Service): Duration {
  const timeouts = group.Tasks.map(({ KillTimeout }) => KillTimeout ?? DEFAULT_KILL.toNanoseconds());
  return Duration.fromNanoseconds(Math.max(...timeouts));
}

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
 * @returns the allocation.
 */
export function untilHealthy(
  watch: Watch,
  client: NomadClient,
  service: Service,
  { started = 0, checked = started }: { readonly started?: number; readonly checked?: number } = {},
): Promise<AllocationStub> {
  const seconds = killTimeout(service).plus(healthyDeadline(service)).plus(SLACK).toSeconds();
  return watch.until(`${service.name} to be healthy`, seconds, async () => {
    const [allocation] = await liveAllocations(client, service);
    if (!allocation) {
      watch.tell(`waiting for ${service.name} to be placed`);
      return undefined;
    }
    if (startedAt(service, allocation) < started) return undefined;
    const { healthy, text } = await healthOf(client, service, allocation, checked);
    if (healthy) return allocation;
    watch.tell(`waiting for ${service.name} to be healthy: ${text}`);
    return undefined;
  });
}

/** Waits until nothing of a service runs any more. */
export function untilStopped(watch: Watch, client: NomadClient, service: Service): Promise<true> {
  const seconds = killTimeout(service).plus(SLACK).toSeconds();
  const what = `${service.name} to stop, which may take ${killTimeout(service)}`;
  return watch.until(what, seconds, async () => {
    const live = await liveAllocations(client, service);
    const away = live.find(({ ClientStatus }) => ClientStatus === "unknown");
    if (away) throw new Error(`${service.name} cannot be stopped: its machine ${away.NodeName} is away`);
    return live.length === 0 ? true : undefined;
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
      timeout: killTimeout(service).plus(SLACK).toSeconds() * 1000,
    },
  );
}

/** Asks before something is done. @throws when it is not wanted, or nobody can be asked. */
export async function consent(question: string, { yes, json }: { yes?: true; json?: true }): Promise<void> {
  if (yes) return;
  if (json || !process.stdin.isTTY || !process.stderr.isTTY) {
    throw new Error("nobody can be asked here, so nothing was done; --yes goes on without asking");
  }
  if (!(await confirm(`${question} [y/N] `))) throw new Error("nothing was done");
}

/**
 * Asks for the name of what is at stake, since a yes is typed too easily.
 *
 * @throws when another one is given or typed, or nobody can be asked.
 */
export async function confirmName(
  name: string,
  { confirm: given, json }: { confirm?: string; json?: true },
): Promise<void> {
  if (given === undefined && (json || !process.stdin.isTTY || !process.stderr.isTTY)) {
    throw new Error(`nobody can be asked here, so nothing was done; --confirm ${name} says that you mean it`);
  }
  const typed = given ?? (await askName(`type ${name} to go on: `));
  if (typed !== name) throw new Error(`"${typed}" is not ${name}: nothing was done`);
}
