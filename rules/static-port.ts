import { fieldOf, isDistinct, runsEverywhere } from "./anatomy";
import { groupsOf } from "./homelab";
import type { Finding, Rule } from "./rule";

/** Even on different machines: whoever knows the homelab by its ports must meet one service at each. */
export const staticPort = {
  name: "static-port",
  statement: "a static port is used once, over all jobs and groups",
  check: (homelab) => {
    const ports = groupsOf(homelab).flatMap((place) =>
      (place.group.Networks ?? []).flatMap(({ ReservedPorts = [], DynamicPorts = [] }) =>
        [...ReservedPorts, ...DynamicPorts].flatMap(({ Label, Value = 0 }) =>
          Value > 0 ? [{ place, Label, Value }] : [],
        ),
      ),
    );
    return ports.flatMap(({ place, Label, Value }, at): Finding[] => {
      const { job, group, record } = place;
      const finding = {
        path: record.path,
        place: fieldOf(place, `Networks[0].ReservedPorts[${Label}].Value`),
        value: `${Value}`,
      };
      const count = group.Count ?? group.Scaling?.Min ?? 1;
      const isApart = isDistinct(job.Constraints) || isDistinct(group.Constraints);
      const first = ports.slice(0, at).find((port) => port.Value === Value);
      return [
        ...(first
          ? [
              {
                ...finding,
                problem: `is the port of ${first.place.record.path} already (${fieldOf(first.place, first.Label)})`,
                remedy: "give one of them another port, by its port prop or by Value",
              },
            ]
          : []),
        ...(count > 1 && !isApart && !runsEverywhere(place)
          ? [
              {
                ...finding,
                problem: `can be held once on a machine, and ${count} instances may come to stand on one`,
                remedy: "add the constraint distinct_hosts, lower Count, or make the port dynamic",
              },
            ]
          : []),
      ];
    });
  },
} as const satisfies Rule;
