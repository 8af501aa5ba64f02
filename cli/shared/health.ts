import type { ServiceCheck } from "../../.gen/nomad/job";
import { servicesIn } from "../../model/places";
import type { NomadClient } from "../../nomad/client";
import { type AllocationStub, type CheckResult, checksOf } from "../../nomad/live";
import { failureOf } from "./failures";
import type { Mood } from "./mood";
import { albyHub, endpointOf } from "./programs";
import { lastingTasks, type Service } from "./services";

/** Whether a service does its work, by more than an open port. */
export interface Health {
  readonly healthy: boolean;
  /** `bad` when waiting does not help. */
  readonly mood: Mood;
  /** What is the matter, or that nothing is. */
  readonly text: string;
  /** What its checks said last; empty when its machine was not asked. */
  readonly checks: readonly CheckResult[];
}

/** The status with which a probe of this project says that its service waits: Nomad takes it for success. */
const WAITS = 202;

/** What only its owner can end: the service is as well as it can be until then. */
const NEEDS_OWNER = /^(set-up is open|locked)/;

/**
 * Honest health of an allocation: its tasks run and keep running, its checks succeed, and what a check cannot tell is
 * asked of the program itself. What cannot be known is not healthy.
 *
 * @param since milliseconds since 1970; what a check said before that does not count.
 */
export async function healthOf(
  client: NomadClient,
  service: Service,
  allocation: AllocationStub,
  since = 0,
): Promise<Health> {
  const ill = (text: string, mood: Mood = "waiting", checks: readonly CheckResult[] = []): Health => {
    return { healthy: false, mood, text, checks };
  };
  const failure = failureOf(service, allocation, Date.now());
  if (allocation.ClientStatus !== "running")
    return ill(failure ?? allocation.ClientStatus, failure ? "bad" : "waiting");
  const resting = lastingTasks(service).filter(({ Name }) => allocation.TaskStates?.[Name]?.State !== "running");
  const told = await checksOf(client, allocation);
  // What runs now is not what a check saw that is older. Of what starts again and again there may be no younger one.
  const begun = resting.length > 0 ? 0 : startedAt(service, allocation);
  const checks = told.filter(({ Timestamp }) => (Timestamp + 1) * 1000 >= begun);
  const expected = checksIn(service);
  const failing = checks.filter(({ Status }) => Status !== "success");
  const restarting = failing.filter(({ Status, Check, Service }) => {
    return Status === "failure" && expected.some((one) => one.check.CheckRestart && isOf(one, { Check, Service }));
  });
  if (restarting.length > 0) return ill(restarting.map(checkText).join("; "), "bad", checks);
  if (failure) return ill(failure, "bad", checks);
  if (resting.length > 0) {
    return ill(`${resting.map(({ Name }) => Name).join(", ")} not running`, "waiting", checks);
  }
  if (failing.length > 0) return ill(failing.map(checkText).join("; "), "waiting", checks);
  const fresh = checks.filter(({ Timestamp }) => Timestamp * 1000 >= since - 1000);
  if (fresh.length < expected.length)
    return ill(`${fresh.length} of ${expected.length} checks so far`, "waiting", checks);
  const waiting = checks.filter(({ StatusCode }) => StatusCode === WAITS);
  const owner = waiting.map(({ Output }) => Output.trim()).find((text) => NEEDS_OWNER.test(text));
  if (owner) return { healthy: true, mood: "bad", text: owner, checks };
  if (waiting.length > 0) return ill(waiting.map(outputOf).join("; "), "waiting", checks);
  if (service.program === "Alby Hub") {
    const info = await albyHub(endpointOf(service, allocation, "http"));
    if (!info.known) return ill(`Lightning unknown: ${info.problem}`, "bad", checks);
    if (info.setUp && !info.running) return ill("the Lightning node does not run", "bad", checks);
  }
  return { healthy: true, mood: "good", text: expected.length > 0 ? "healthy" : "running", checks };
}

/** What a check says is waited for. */
export function waitText(checks: readonly CheckResult[]): string | undefined {
  const waiting = checks.find(({ StatusCode }) => StatusCode === WAITS);
  return waiting && outputOf(waiting);
}

interface Expected {
  readonly service: string;
  readonly check: ServiceCheck;
}

/** Only Nomad's own are seen here; another provider's checks are elsewhere. */
function checksIn({ group }: Service): Expected[] {
  return servicesIn(group)
    .filter(({ Provider }) => Provider === "nomad")
    .flatMap(({ Name = "", Checks }) => (Checks ?? []).map((check) => ({ service: Name, check })));
}

function isOf({ service, check }: Expected, result: Pick<CheckResult, "Check" | "Service">): boolean {
  return service === result.Service && check.Name === result.Check;
}

function checkText(check: CheckResult): string {
  const output = outputOf(check);
  return `${check.Service} ${check.Status}${output ? `: ${output}` : ""}`;
}

function outputOf({ Output }: CheckResult): string {
  const [line = ""] = Output.replace(/^nomad: /, "")
    .trim()
    .split("\n");
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}

/** When its tasks were last started, in milliseconds since 1970; 0 for one that never was. */
export function startedAt(service: Service, { TaskStates }: AllocationStub): number {
  const times = lastingTasks(service).map(({ Name }) => Date.parse(TaskStates?.[Name]?.StartedAt ?? ""));
  return Math.max(0, ...times.filter((time) => time > 0));
}
