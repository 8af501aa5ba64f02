import type { NomadClient } from "../../nomad/client";
import { type AllocationStub, type CheckResult, checksOf } from "../../nomad/live";
import { albyHub, endpointOf } from "./programs";
import { lastingTasks, type Service } from "./services";

/** Whether a service does its work, by more than an open port. */
export interface Health {
  readonly healthy: boolean;
  /** What is the matter, or that nothing is. */
  readonly text: string;
}

/**
 * Honest health of an allocation: its tasks run, its checks succeed, and what a check cannot tell is asked of the
 * program itself.
 *
 * @param since milliseconds since 1970; what a check said before that does not count.
 */
export async function healthOf(
  client: NomadClient,
  service: Service,
  allocation: AllocationStub,
  since = 0,
): Promise<Health> {
  if (allocation.ClientStatus !== "running") return { healthy: false, text: allocation.ClientStatus };
  const resting = lastingTasks(service).filter(({ Name }) => allocation.TaskStates?.[Name]?.State !== "running");
  if (resting.length > 0) return { healthy: false, text: `${resting.map(({ Name }) => Name).join(", ")} not running` };
  const checks = await checksOf(client, allocation);
  const expected = checksIn(service);
  const fresh = checks.filter(({ Timestamp }) => Timestamp * 1000 >= since - 1000);
  const bad = checks.filter(({ Status }) => Status !== "success");
  if (bad.length > 0) return { healthy: false, text: bad.map(checkText).join("; ") };
  if (fresh.length < expected) return { healthy: false, text: `${fresh.length} of ${expected} checks so far` };
  if (service.program === "Alby Hub") {
    const info = await albyHub(endpointOf(service, allocation, "http"));
    if (info.known && info.setUp && !info.running) return { healthy: false, text: "the Lightning node does not run" };
  }
  return { healthy: true, text: expected > 0 ? "healthy" : "running" };
}

/** Only Nomad's own are seen here; another provider's checks are elsewhere. */
function checksIn({ group }: Service): number {
  const services = [...(group.Services ?? []), ...group.Tasks.flatMap(({ Services }) => Services ?? [])];
  return services.filter(({ Provider }) => Provider === "nomad").flatMap(({ Checks }) => Checks ?? []).length;
}

function checkText({ Service, Status, Output }: CheckResult): string {
  const output =
    Output.replace(/^nomad: /, "")
      .trim()
      .split("\n")[0] ?? "";
  return `${Service} ${Status}${output ? `: ${output.slice(0, 80)}` : ""}`;
}

/** When its tasks were last started, in milliseconds since 1970; 0 for one that never was. */
export function startedAt(service: Service, { TaskStates }: AllocationStub): number {
  const times = lastingTasks(service).map(({ Name }) => Date.parse(TaskStates?.[Name]?.StartedAt ?? ""));
  return Math.max(0, ...times.filter((time) => time > 0));
}
