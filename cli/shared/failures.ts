import { stopTime } from "../../model/places";
import { Duration } from "../../nomad/duration";
import type { AllocationStub, TaskEvent, TaskState } from "../../nomad/live";
import { lastingTasks, type Service } from "./services";
import { ageText } from "./text";

/** A pull of an image over a slow line may take this long, once the instance before has stopped. */
const LONGEST_PENDING = Duration.minutes(5);

/** What Nomad itself calls a failure, or misses, is not waited for that long. */
const LONGEST_MISSING = Duration.minutes(1);

/** A task that ended this often within this time does not come up by itself. */
const MANY_ENDS = 3;
const ENDS_WITHIN = Duration.minutes(15);

/** A task that has run for so long has come up. */
const IS_UP = Duration.minutes(2);

/**
 * What Nomad's own record of an allocation shows to be failing, whatever its checks said last: it does not get to run, a
 * task has ended for good, or ends again and again.
 *
 * @param now milliseconds since 1970.
 */
export function failureOf(service: Service, allocation: AllocationStub, now: number): string | undefined {
  if (allocation.ClientStatus === "pending") return pendingFor(allocation, stopTime(service.group), now);
  if (allocation.ClientStatus !== "running") return undefined;
  return lastingTasks(service)
    .map(({ Name }) => taskFailure(Name, allocation.TaskStates?.[Name], now))
    .find((text) => text !== undefined);
}

/**
 * Why an allocation does not run, when it should by now.
 *
 * @param before how long what it replaces may take to stop.
 */
export function pendingFor(
  { CreateTime, TaskStates }: AllocationStub,
  before: Duration,
  now: number,
): string | undefined {
  const reasons = Object.entries(TaskStates ?? {}).flatMap(([task, { State, Events }]) => {
    const last = (Events ?? []).toSorted((a, b) => a.Time - b.Time).findLast(isReason);
    return State !== "dead" && last ? [{ text: `${task}: ${last.DisplayMessage}`, isMissing: isMissing(last) }] : [];
  });
  const longest = reasons.some(({ isMissing }) => isMissing) ? LONGEST_MISSING : before.plus(LONGEST_PENDING);
  const waits = Duration.between(CreateTime / 1e6, now);
  if (!waits.isLongerThan(longest)) return undefined;
  const why = reasons.map(({ text }) => text).join("; ");
  // Nomad says nothing of a volume whose claim another allocation holds: it tries again in silence.
  return `pending for ${ageText(waits.toSeconds())}: ${why || "Nomad gives no reason; a volume it needs may still be claimed by another allocation"}`;
}

/** What a task was told that explains why it does not run. */
function isReason({ Type }: TaskEvent): boolean {
  return !["Received", "Task Setup", "Started"].includes(Type);
}

function isMissing({ Type, DisplayMessage }: TaskEvent): boolean {
  return Type.includes("Failure") || DisplayMessage.startsWith("Missing:");
}

function taskFailure(name: string, state: TaskState | undefined, now: number): string | undefined {
  if (!state) return undefined;
  if (state.State === "dead") return `${name} has ended${state.Failed ? ", and failed" : ""}`;
  const events = (state.Events ?? []).toSorted((a, b) => a.Time - b.Time);
  const ends = events.filter((event, at) => isEnd(event) && !wasAsked(events.slice(0, at)));
  const recent = ends.filter(({ Time }) => now - Time / 1e6 < ENDS_WITHIN.toMilliseconds());
  const started = Date.parse(state.StartedAt ?? "");
  const isUp = state.State === "running" && now - started > IS_UP.toMilliseconds();
  if (recent.length < MANY_ENDS || isUp) return undefined;
  const last = recent.at(-1)?.DisplayMessage ?? "";
  return `${name} ends again and again, ${recent.length} times in the last ${ageText(ENDS_WITHIN.toSeconds())}: ${last}`;
}

function isEnd({ Type }: TaskEvent): boolean {
  return Type === "Terminated" || Type.includes("Failure");
}

/** Whether the last thing before an end was its owner's wish. */
function wasAsked(before: readonly TaskEvent[]): boolean {
  const last = before.findLast(({ Type }) => Type === "Restart Signaled" || Type === "Started");
  return last?.Type === "Restart Signaled" && /^User requested/.test(last.DisplayMessage);
}
