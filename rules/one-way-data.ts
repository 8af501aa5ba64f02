import { updateOf, writersOf } from "../model/places";
import type { Rule } from "./rule";
import { breach } from "./shared/breach";

/** Which versions write what older ones cannot read stands in the table of versions. */
export const oneWayData = {
  name: "one-way-data",
  statement: "a group that writes a retained volume is never rolled back by Nomad, since data formats go one way",
  check: (homelab) =>
    writersOf(homelab)
      .filter(({ volumes }) => volumes.some(({ retained }) => retained))
      .flatMap((writer) =>
        breach(updateOf(writer).AutoRevert, writer, "Update.AutoRevert", {
          value: "true",
          problem: `after a failed deployment Nomad would start the older version on what the newer has written to volume "${writer.request.Source}"`,
          remedy: "set AutoRevert to false, and go forward instead",
        }),
      ),
} as const satisfies Rule;
