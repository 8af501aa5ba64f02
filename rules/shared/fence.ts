import { durationText, type GroupPlace, runsEverywhere, updateOf } from "../../model/places";
import { instances } from "../../nomad/defaults";
import { Duration } from "../../nomad/duration";
import type { Finding } from "../rule";
import { breach } from "./breach";

/** Thirty days: long enough to notice a dead machine and to come home. */
const SHORTEST = Duration.hours(720);
/** What the constructs set: 90 days, as long as a duration of Nomad can be without losing precision in JSON. */
export const LOST_AFTER = Duration.hours(2160);

/**
 * What a group lacks of the fence that keeps a lost machine's allocation the only one. Nomad's defaults replace it at
 * once, and keep whichever scores better.
 *
 * @param what the volume, and what a second writer does to it, in one phrase.
 * @see https://developer.hashicorp.com/nomad/docs/job-specification/disconnect
 */
export function fenceGaps(place: GroupPlace, what: string): Finding[] {
  const { Disconnect } = place.group;
  if (!Disconnect) {
    return breach(true, place, "Disconnect", {
      value: "not set",
      problem: `when a machine is lost, Nomad starts a second writer of ${what}`,
      remedy: `set Disconnect to LostAfter ${LOST_AFTER}, Replace false, Reconcile "keep_original"`,
    });
  }
  const { Replace, Reconcile, LostAfter } = Disconnect;
  return [
    ...breach(Replace !== false, place, "Disconnect.Replace", {
      value: `${Replace ?? "not set (Nomad's default is true)"}`,
      problem: `while a machine is away, Nomad starts a second writer of ${what}`,
      remedy: "set Replace to false",
    }),
    ...breach(Reconcile !== "keep_original", place, "Disconnect.Reconcile", {
      value: Reconcile ?? "not set (Nomad's default is best_score)",
      problem: `when the machine is back, Nomad may stop the writer that has the state of ${what}`,
      remedy: 'set Reconcile to "keep_original"',
    }),
    ...breach((LostAfter ?? 0) < SHORTEST.toNanoseconds(), place, "Disconnect.LostAfter", {
      value: durationText(LostAfter),
      problem: `is below ${SHORTEST}; when it runs out Nomad starts a second writer of ${what}, in spite of Replace = false`,
      remedy: `set LostAfter to at least ${SHORTEST}, better ${LOST_AFTER}`,
    }),
  ];
}

/** What lets a group run twice at once. */
export function secondInstances(place: GroupPlace, what: string): Finding[] {
  const { Count, Scaling } = place.group;
  const count = Math.max(instances({ Count, Scaling }), Scaling?.Max ?? 0);
  const { Canary } = updateOf(place);
  return [
    ...breach(runsEverywhere(place), place, "Count", {
      value: "one on every client",
      problem: `each would write ${what}`,
      remedy: 'make it a job of Type "service"',
    }),
    ...breach(count > 1, place, "Count", {
      value: `${count}`,
      problem: `${count} instances would write ${what}`,
      remedy: "set Count to 1, without Scaling above it",
    }),
    ...breach(Canary > 0, place, "Update.Canary", {
      value: `${Canary}`,
      problem: `a canary runs beside the old instance, and both write ${what}`,
      remedy: "set Canary to 0",
    }),
  ];
}
