import { groupsOf } from "../model/homelab";
import { fieldOf, isDistinct, runsEverywhere } from "../model/places";
import { instances } from "../nomad/defaults";
import type { Rule } from "./rule";
import { breach } from "./shared/breach";

/** Once even over different machines: whoever knows a service by its port must not meet another one there. */
export const staticPort = {
  name: "static-port",
  statement: "a static port is used once, over all jobs and groups",
  check: (homelab) => {
    const ports = groupsOf(homelab).flatMap((place) =>
      (place.group.Networks ?? []).flatMap(({ ReservedPorts = [], DynamicPorts = [] }, network) =>
        Object.entries({ ReservedPorts, DynamicPorts }).flatMap(([list, members]) =>
          members.map(({ Label, Value = 0 }) => ({
            place,
            Value,
            field: `Networks[${network}].${list}[${Label}].Value`,
          })),
        ),
      ),
    );
    const numbered = ports.filter(({ Value }) => Value > 0);
    return numbered.flatMap(({ place, Value, field }, at) => {
      const { job, group } = place;
      const count = instances(group);
      const isApart = isDistinct(job.Constraints) || isDistinct(group.Constraints) || runsEverywhere(place);
      const first = numbered.slice(0, at).find((port) => port.Value === Value);
      return [
        ...breach(first !== undefined, place, field, {
          value: `${Value}`,
          problem: `is the port of ${first?.place.record.path} already${first ? ` (${fieldOf(first.place, first.field)})` : ""}`,
          remedy: "give one of them another port, by its port prop or by Value",
        }),
        ...breach(count > 1 && !isApart, place, field, {
          value: `${Value}`,
          problem: `can be held once on a machine, and ${count} instances may come to stand on one`,
          remedy: "add the constraint distinct_hosts, lower Count, or make the port dynamic",
        }),
      ];
    });
  },
} as const satisfies Rule;
