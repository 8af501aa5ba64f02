import { Duration } from "../nomad/duration";
import { durationText, fieldOf, type GroupPlace, runsEverywhere, stackPath, updateOf, writersOf } from "./anatomy";
import { groupsOf, type Homelab, tasksOf } from "./homelab";
import type { Finding, Rule } from "./rule";

/** Nomad's own, for a task that sets none. */
const DEFAULT_KILL = Duration.seconds(5);

/** The longest a group takes to stop. */
function stopTime({ group }: GroupPlace): Duration {
  const kills = group.Tasks.map(
    ({ KillTimeout, ShutdownDelay }) => (KillTimeout || DEFAULT_KILL.toNanoseconds()) + (ShutdownDelay ?? 0),
  );
  return Duration.fromNanoseconds(Math.max(0, ...kills) + (group.ShutdownDelay ?? 0));
}

function drain(homelab: Homelab): Finding[] {
  const { maxKillTimeout, drainDeadline } = homelab.cluster;
  if (Duration.parse(maxKillTimeout).toSeconds() <= Duration.parse(drainDeadline).toSeconds()) return [];
  return [
    {
      path: stackPath(homelab),
      place: "nomad_max_kill_timeout",
      value: maxKillTimeout,
      problem: `is longer than a drain waits (${drainDeadline}), so a reboot would come before the stop is done`,
      remedy: `raise nomad_drain_deadline in the inventory to ${maxKillTimeout}, or lower nomad_max_kill_timeout`,
    },
  ];
}

function kills(homelab: Homelab): Finding[] {
  const { maxKillTimeout } = homelab.cluster;
  const longest = Duration.parse(maxKillTimeout).toNanoseconds();
  const writers = writersOf(homelab).flatMap(({ tasks }) => tasks);
  return tasksOf(homelab).flatMap((place): Finding[] => {
    const { KillTimeout } = place.task;
    const at = { path: place.record.path, place: fieldOf(place, "KillTimeout"), value: durationText(KillTimeout) };
    if (!KillTimeout && writers.includes(place.task)) {
      const problem = `writes a volume, and Nomad's default kills it after ${DEFAULT_KILL}`;
      return [{ ...at, problem, remedy: `set KillTimeout to what a clean stop takes, at most ${maxKillTimeout}` }];
    }
    if ((KillTimeout ?? 0) <= longest) return [];
    const problem = `is longer than the clients honour (${maxKillTimeout}): they kill the task after that`;
    return [{ ...at, problem, remedy: "lower KillTimeout, or raise nomad_max_kill_timeout in the inventory" }];
  });
}

function deployments(homelab: Homelab): Finding[] {
  return groupsOf(homelab).flatMap((place): Finding[] => {
    const hasDeployments =
      place.job.Type === "service" || (runsEverywhere(place) && (place.job.Update || place.group.Update));
    const { HealthyDeadline, ProgressDeadline } = updateOf(place);
    const stop = stopTime(place);
    const needed = stop.plus(Duration.fromNanoseconds(HealthyDeadline));
    if (!hasDeployments || needed.toNanoseconds() <= ProgressDeadline) return [];
    return [
      {
        path: place.record.path,
        place: fieldOf(place, "Update.ProgressDeadline"),
        value: durationText(ProgressDeadline),
        problem: `ends before the old task has stopped (${stop}) and the new one had its time to get healthy (${durationText(HealthyDeadline)}), together ${needed}`,
        remedy: `raise ProgressDeadline to at least ${needed}, or lower KillTimeout or HealthyDeadline`,
      },
    ];
  });
}

/**
 * A deployment's clock includes the stop of the old task; a client cuts a kill timeout at its own maximum.
 *
 * @see https://developer.hashicorp.com/nomad/docs/configuration/client#max_kill_timeout
 */
export const stopChain = {
  name: "stop-chain",
  statement:
    "kill timeout ≤ the clients' maximum ≤ drain deadline, and kill timeout plus healthy deadline ≤ progress deadline",
  check: (homelab) => [...drain(homelab), ...kills(homelab), ...deployments(homelab)],
} as const satisfies Rule;
