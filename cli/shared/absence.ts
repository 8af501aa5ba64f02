import { PENALTY_WINDOW, PENALTY_WINDOW_NEAR, PENALTY_WINDOW_TEXT } from "../../model/penalty-window";
import { Duration } from "../../nomad/duration";
import type { AllocationStub } from "../../nomad/live";
import { groupIn, type Pause } from "../../nomad/pause";
import type { Mood } from "./mood";
import type { Service } from "./services";
import { ageText } from "./text";

/** A Lightning node that does not watch its channels, as `--json` prints it. */
export interface Absence {
  readonly service: string;
  /** Since when at least, ISO 8601 in UTC; absent when nobody knows. */
  readonly since?: string;
  /** Seconds until a peer could keep what it took, at most; 0 when that may be over, absent when nobody knows. */
  readonly left?: number;
  readonly mood: Mood;
  readonly text: string;
}

/**
 * How long a hub has been away at least, and how long it may be.
 *
 * @param allocations of the hub, all that Nomad remembers.
 * @param told what its probe says, as far as status was told.
 */
export function absenceOf(
  service: Service,
  allocations: readonly AllocationStub[],
  pause: Pause | undefined,
  told = "",
  now = Date.now(),
): Absence {
  const since = awaySince(service, allocations, pause, told);
  const head = `nobody watches the channels of ${service.name}`;
  if (since === undefined || since > now) {
    return {
      service: service.name,
      mood: "bad",
      text: `${head}, and nobody knows since when; ${PENALTY_WINDOW_TEXT}: start it as soon as you can`,
    };
  }
  const away = Duration.between(since, now);
  const left = Math.max(0, Math.floor(PENALTY_WINDOW.toSeconds() - away.toSeconds()));
  const rest = left > 0 ? `${ageText(left)} are left at most` : "that time may be over, so start it now";
  return {
    service: service.name,
    since: new Date(since).toISOString(),
    left,
    mood: away.isShorterThan(PENALTY_WINDOW_NEAR) ? "waiting" : "bad",
    text: `${head} for at least ${ageText(Math.floor(away.toSeconds()))}; ${PENALTY_WINDOW_TEXT}: ${rest}`,
  };
}

/** A lower bound, in milliseconds since 1970: what ran in between may have been too short to see anything. */
function awaySince(
  { main, job, group }: Service,
  allocations: readonly AllocationStub[],
  pause: Pause | undefined,
  told: string,
): number | undefined {
  const [newest] = allocations.toSorted((a, b) => b.CreateIndex - a.CreateIndex);
  const time = (text: string | null | undefined) => {
    const at = Date.parse(text ?? "");
    return at > 0 ? at : undefined;
  };
  const state = newest?.TaskStates?.[main.Name];
  // When its machine was last heard of.
  if (newest?.ClientStatus === "unknown") return newest.ModifyTime / 1e6;
  // A program that is restarted again and again has started a moment ago; its probe knows when the node ran.
  const ran =
    /\b(?:last ran|has not been running since) (?:(\d{4}-\d\d-\d\d) (\d\d:\d\d) UTC|before this allocation)/.exec(told);
  if (ran) return ran[1] ? time(`${ran[1]}T${ran[2]}Z`) : newest && newest.CreateTime / 1e6;
  if (state?.State === "running" && time(state.StartedAt)) return time(state.StartedAt);
  const ends = allocations.flatMap(({ TaskStates }) => time(TaskStates?.[main.Name]?.FinishedAt) ?? []);
  if (ends.length > 0) return Math.max(...ends);
  return pause && groupIn(pause.groups, { job, group }) ? time(pause.since) : undefined;
}
