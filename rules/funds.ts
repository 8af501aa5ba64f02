import { durationText, updateOf, type Writer, writersOf } from "../model/places";
import { Duration } from "../nomad/duration";
import type { Finding, Rule } from "./rule";
import { breach } from "./shared/breach";
import { fenceGaps, secondInstances } from "./shared/fence";
import { CLEAN_STOP } from "./stop-chain";

/** LDK may take 5 minutes to stop, after up to 50 s of other steps. */
const SHORTEST_KILL = Duration.minutes(6);

function hardStops(writer: Writer): Finding[] {
  return writer.tasks.flatMap((task) => {
    const { KillTimeout, KillSignal } = task;
    const place = { ...writer, task };
    return [
      ...breach((KillTimeout ?? 0) < SHORTEST_KILL.toNanoseconds(), place, "KillTimeout", {
        value: durationText(KillTimeout),
        problem: `is below ${SHORTEST_KILL}: a Lightning node that is killed while it stops can corrupt its channels`,
        remedy: `set KillTimeout to at least ${SHORTEST_KILL}`,
      }),
      ...breach(Boolean(KillSignal) && !CLEAN_STOP.includes(`${KillSignal}`), place, "KillSignal", {
        value: `${KillSignal}`,
        problem: "does not stop a Lightning node cleanly",
        remedy: `take KillSignal out, or set it to ${CLEAN_STOP.join(" or ")}`,
      }),
    ];
  });
}

function notRetained({ record, volumes }: Writer): Finding[] {
  return [record, ...volumes]
    .filter(({ retained }) => !retained)
    .map(({ path }) => ({
      path,
      place: "removalPolicy",
      value: "destroy",
      problem: "Terraform could take it away, and with it the channels",
      remedy: 'set the prop `removalPolicy` to "retain", here or on the stack',
    }));
}

/**
 * Repeats on purpose what `single-writer` and `one-way-data` ask: whoever acknowledges those for an index has not
 * thereby given up the money.
 *
 * @see https://github.com/getAlby/hub/issues/2288 an unclean kill
 */
export const funds = {
  name: "funds",
  statement: "what writes Lightning state is fenced, alone, stopped cleanly, retained, and never rolled back",
  check: (homelab) =>
    writersOf(homelab)
      .filter(({ volumes }) => volumes.some(({ holds }) => holds === "funds"))
      .flatMap((writer) => {
        const what = `volume "${writer.request.Source}", which holds funds: two Lightning nodes with one state can lose them`;
        return [
          ...fenceGaps(writer, what),
          ...secondInstances(writer, what),
          ...hardStops(writer),
          ...notRetained(writer),
          ...breach(updateOf(writer).AutoRevert, writer, "Update.AutoRevert", {
            value: "true",
            problem: "Nomad would start an older version on channel state that a newer one has written",
            remedy: "set AutoRevert to false",
          }),
        ];
      }),
} as const satisfies Rule;
