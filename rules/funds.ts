import { Duration } from "../nomad/duration";
import { durationText, fieldOf, updateOf, type Writer, writersOf } from "./anatomy";
import { fenceGaps, secondInstances } from "./fence";
import type { Finding, Rule } from "./rule";

/** LDK may take 5 minutes to stop, after up to 50 s of other steps. */
const SHORTEST_KILL = Duration.minutes(6);

/** Signals that stop Alby Hub cleanly; it ignores the others, or dies of them. */
const CLEAN_STOP = ["SIGTERM", "SIGINT"];

function stop(writer: Writer): Finding[] {
  return writer.tasks.flatMap((task): Finding[] => {
    const at = (field: string) => ({ path: writer.record.path, place: fieldOf({ ...writer, task }, field) });
    const { KillTimeout, KillSignal } = task;
    return [
      ...((KillTimeout ?? 0) >= SHORTEST_KILL.toNanoseconds()
        ? []
        : [
            {
              ...at("KillTimeout"),
              value: durationText(KillTimeout),
              problem: `is below ${SHORTEST_KILL}: a Lightning node that is killed before it has stopped can corrupt its channels`,
              remedy: `set KillTimeout to at least ${SHORTEST_KILL}`,
            },
          ]),
      ...(KillSignal && !CLEAN_STOP.includes(KillSignal)
        ? [
            {
              ...at("KillSignal"),
              value: KillSignal,
              problem: "does not stop a Lightning node cleanly",
              remedy: `take KillSignal out, or set it to ${CLEAN_STOP.join(" or ")}`,
            },
          ]
        : []),
    ];
  });
}

function retention({ record, volumes }: Writer): Finding[] {
  const problem = "Terraform could take it away, and with it the channels";
  return [record, ...volumes]
    .filter(({ retained }) => !retained)
    .map(({ path }) => ({
      path,
      place: "removalPolicy",
      value: "destroy",
      problem,
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
        const revert = {
          path: writer.record.path,
          place: fieldOf(writer, "Update.AutoRevert"),
          value: "true",
          problem: "Nomad would start an older version on channel state that a newer one has written",
          remedy: "set AutoRevert to false",
        };
        return [
          ...fenceGaps(writer, what),
          ...secondInstances(writer, what),
          ...stop(writer),
          ...retention(writer),
          ...(updateOf(writer).AutoRevert ? [revert] : []),
        ];
      }),
} as const satisfies Rule;
