import { groupsOf, type Holds, type Homelab, tasksOf } from "../model/homelab";
import {
  durationText,
  type GroupPlace,
  runsAlongsideMainTask,
  runsEverywhere,
  stopTime,
  updateOf,
  type Writer,
  writersOf,
} from "../model/places";
import { DEFAULTS } from "../nomad/defaults";
import { Duration } from "../nomad/duration";
import type { Finding, Rule } from "./rule";
import { breach, stackPath } from "./shared/breach";

/** bitcoind flushes its database cache when it stops, which takes minutes on a Raspberry Pi with its data on NFS. */
const SHORTEST_FLUSH = Duration.minutes(10);

/** The signals that bitcoind, electrs and Alby Hub stop cleanly for; they ignore the others, or die of them. */
export const CLEAN_STOP = ["SIGTERM", "SIGINT"];

function cutByDrain(homelab: Homelab): Finding[] {
  const { maxKillTimeout, drainDeadline } = homelab.cluster;
  if (!maxKillTimeout || !drainDeadline) return [];
  if (!Duration.parse(maxKillTimeout).isLongerThan(Duration.parse(drainDeadline))) return [];
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

function cutByClient(homelab: Homelab): Finding[] {
  const { maxKillTimeout } = homelab.cluster;
  const longest = maxKillTimeout ? Duration.parse(maxKillTimeout).toNanoseconds() : Number.POSITIVE_INFINITY;
  const writing = writersOf(homelab).flatMap(({ tasks }) => tasks);
  return tasksOf(homelab).flatMap((place) => {
    const { KillTimeout = 0 } = place.task;
    const value = durationText(place.task.KillTimeout);
    return [
      ...breach(KillTimeout === 0 && writing.includes(place.task), place, "KillTimeout", {
        value,
        problem: `writes a volume, and Nomad's default kills it after ${DEFAULTS.killTimeout}`,
        remedy: `set KillTimeout to what a clean stop takes${maxKillTimeout ? `, at most ${maxKillTimeout}` : ""}`,
      }),
      ...breach(KillTimeout > longest, place, "KillTimeout", {
        value,
        problem: `is longer than the clients honour (${maxKillTimeout}): they kill the task after that`,
        remedy: "lower KillTimeout, or raise nomad_max_kill_timeout in the inventory",
      }),
    ];
  });
}

/** A stop that the writer of a chain or an index cannot finish; the rule `funds` has its own bounds. */
function cutByJob(writer: Writer): Finding[] {
  const holds = (contents: Holds) => writer.volumes.some((volume) => volume.holds === contents);
  if (!holds("chain") && !holds("index")) return [];
  const what = `volume "${writer.request.Source}"`;
  return writer.tasks.filter(runsAlongsideMainTask).flatMap((task) => {
    const { KillTimeout = 0, KillSignal } = task;
    const isShort = holds("chain") && KillTimeout > 0 && KillTimeout < SHORTEST_FLUSH.toNanoseconds();
    return [
      ...breach(isShort, { ...writer, task }, "KillTimeout", {
        value: durationText(KillTimeout),
        problem: `is below ${SHORTEST_FLUSH}: bitcoind is killed in the middle of its flush, and reads hours of blocks of ${what} again`,
        remedy: `set KillTimeout to at least ${SHORTEST_FLUSH}, better 15m`,
      }),
      ...breach(Boolean(KillSignal) && !CLEAN_STOP.includes(`${KillSignal}`), { ...writer, task }, "KillSignal", {
        value: `${KillSignal}`,
        problem: `does not stop the writer of ${what} cleanly`,
        remedy: `take KillSignal out, or set it to ${CLEAN_STOP.join(" or ")}`,
      }),
    ];
  });
}

function cutByDeployment(place: GroupPlace): Finding[] {
  const { job, group } = place;
  const hasDeployments = job.Type === "service" || (runsEverywhere(place) && Boolean(job.Update ?? group.Update));
  const { HealthyDeadline, ProgressDeadline } = updateOf(place);
  const stop = stopTime(group);
  const needed = stop.plus(Duration.fromNanoseconds(Math.max(0, HealthyDeadline)));
  return breach(hasDeployments && needed.toNanoseconds() > ProgressDeadline, place, "Update.ProgressDeadline", {
    value: durationText(ProgressDeadline),
    problem: `ends before the old task has stopped (${stop}) and the new one had its time to get healthy (${durationText(HealthyDeadline)}), together ${needed}`,
    remedy: `raise ProgressDeadline to at least ${needed}, or lower KillTimeout or HealthyDeadline`,
  });
}

/**
 * A client cuts a kill timeout at its own maximum. A deployment's clock includes the stop of the old task.
 *
 * @see https://developer.hashicorp.com/nomad/docs/configuration/client#max_kill_timeout
 */
export const stopChain = {
  name: "stop-chain",
  statement:
    "10 min to flush a chain ≤ kill timeout ≤ the clients' maximum ≤ drain deadline, and kill timeout plus healthy deadline ≤ progress deadline",
  check: (homelab) => [
    ...cutByDrain(homelab),
    ...cutByClient(homelab),
    ...writersOf(homelab).flatMap(cutByJob),
    ...groupsOf(homelab).flatMap(cutByDeployment),
  ],
} as const satisfies Rule;
