import { Duration } from "../nomad/duration";
import { durationText, fieldOf, type GroupPlace, runsEverywhere, updateOf } from "./anatomy";
import type { Finding } from "./rule";

/** Thirty days: long enough to notice a dead machine and to come home. */
const SHORTEST_LOST_AFTER = Duration.hours(720);
const USUAL_LOST_AFTER = Duration.hours(2160);

/**
 * What a group lacks of the fence that keeps a lost machine's allocation the only one. Nomad's defaults replace it at
 * once and keep whichever it likes better.
 *
 * @param what the volume, and what a second writer does to it, in one phrase.
 * @see https://developer.hashicorp.com/nomad/docs/job-specification/disconnect
 */
export function fenceGaps(place: GroupPlace, what: string): Finding[] {
  const { Disconnect } = place.group;
  const at = (field: string) => ({ path: place.record.path, place: fieldOf(place, field) });
  if (!Disconnect) {
    return [
      {
        ...at("Disconnect"),
        value: "not set",
        problem: `when a machine is lost, Nomad starts a second writer of ${what}`,
        remedy: `set Disconnect to { LostAfter: ${USUAL_LOST_AFTER}, Replace: false, Reconcile: "keep_original" }`,
      },
    ];
  }
  const { Replace, Reconcile, LostAfter } = Disconnect;
  return [
    ...(Replace === false
      ? []
      : [
          {
            ...at("Disconnect.Replace"),
            value: `${Replace ?? "not set (Nomad's default is true)"}`,
            problem: `while a machine is away, Nomad starts a second writer of ${what}`,
            remedy: "set Replace to false",
          },
        ]),
    ...(Reconcile === "keep_original"
      ? []
      : [
          {
            ...at("Disconnect.Reconcile"),
            value: Reconcile ?? "not set (Nomad's default is best_score)",
            problem: `when the machine is back, Nomad may stop the writer that has the state of ${what}`,
            remedy: 'set Reconcile to "keep_original"',
          },
        ]),
    ...((LostAfter ?? 0) >= SHORTEST_LOST_AFTER.toNanoseconds()
      ? []
      : [
          {
            ...at("Disconnect.LostAfter"),
            value: durationText(LostAfter),
            problem: `is below ${SHORTEST_LOST_AFTER}; when it runs out Nomad starts a second writer of ${what}, in spite of Replace = false`,
            remedy: `set LostAfter to at least ${SHORTEST_LOST_AFTER}, better ${USUAL_LOST_AFTER}`,
          },
        ]),
  ];
}

/** What lets a group run twice at once. */
export function secondInstances(place: GroupPlace, what: string): Finding[] {
  const { group, record } = place;
  const count = Math.max(group.Count ?? group.Scaling?.Min ?? 1, group.Scaling?.Max ?? 0);
  const { Canary } = updateOf(place);
  const at = (field: string) => ({ path: record.path, place: fieldOf(place, field) });
  return [
    ...(runsEverywhere(place)
      ? [
          {
            ...at("Count"),
            value: "one on every client",
            problem: `each would write ${what}`,
            remedy: 'make it a job of Type "service"',
          },
        ]
      : []),
    ...(count > 1
      ? [
          {
            ...at("Count"),
            value: `${count}`,
            problem: `${count} instances would write ${what}`,
            remedy: "set Count to 1, without Scaling above it",
          },
        ]
      : []),
    ...(Canary > 0
      ? [
          {
            ...at("Update.Canary"),
            value: `${Canary}`,
            problem: `a canary runs beside the old instance, and both write ${what}`,
            remedy: "set Canary to 0",
          },
        ]
      : []),
  ];
}
