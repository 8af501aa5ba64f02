import type { NetworkResource } from "../.gen/nomad/job";
import { groupsOf, type TaskPlace, tasksOf } from "../model/homelab";
import { type GroupPlace, isCsiPlugin } from "../model/places";
import type { Finding, Rule } from "./rule";
import { breach } from "./shared/breach";

function judgeGroup(place: GroupPlace): Finding[] {
  const { Networks = [] } = place.group;
  const [network] = Networks;
  if (!network || Networks.length > 1) {
    return breach(true, place, "Networks", {
      value: `${Networks.length} networks`,
      problem: "a group has exactly one network; without one it shares the host's",
      remedy: 'set Networks to one with Mode "bridge"',
    });
  }
  return [
    ...breach(network.Mode !== "bridge", place, "Networks[0].Mode", {
      value: network.Mode ?? "host",
      problem: "only a CSI plugin may leave bridge networking",
      remedy: 'set Mode to "bridge"',
    }),
    ...judgePorts(place, network),
  ];
}

/** A number that a port can have. */
function isPort(number = 0): boolean {
  return Number.isInteger(number) && number >= 1 && number <= 65535;
}

function judgePorts(place: GroupPlace, { ReservedPorts = [], DynamicPorts = [] }: NetworkResource): Finding[] {
  return [
    ...ReservedPorts.flatMap(({ Label, Value }) =>
      breach(!isPort(Value), place, `Networks[0].ReservedPorts[${Label}].Value`, {
        value: `${Value ?? "not set"}`,
        problem: "a static port needs its number, a whole one from 1 to 65535",
        remedy: "set Value to it, by the construct's port prop where there is one, or move the port to DynamicPorts",
      }),
    ),
    ...DynamicPorts.flatMap(({ Label, Value = 0 }) =>
      breach(Value !== 0, place, `Networks[0].DynamicPorts[${Label}].Value`, {
        value: `${Value}`,
        problem: "a dynamic port has no number of its own",
        remedy: "move the port to ReservedPorts, or take Value out",
      }),
    ),
    ...Object.entries({ ReservedPorts, DynamicPorts }).flatMap(([list, ports]) =>
      ports.flatMap(({ Label, To }) =>
        breach(!isPort(To), place, `Networks[0].${list}[${Label}].To`, {
          value: `${To ?? "not set"}`,
          problem: "the port inside of the container is left open, or is none",
          remedy: "set To to the port that the program listens on, a whole number from 1 to 65535",
        }),
      ),
    ),
  ];
}

/** Options that leave the group's network behind Nomad's back. */
function judgeTask(place: TaskPlace): Finding[] {
  const { Config, Resources } = place.task;
  return [
    ...breach(Boolean(Config.network_mode), place, "Config.network_mode", {
      value: `${Config.network_mode}`,
      problem: "takes the container out of the group's network; the namespace's limit does not see it",
      remedy: "take network_mode out",
    }),
    ...breach(Boolean(Resources?.Networks?.length), place, "Resources.Networks", {
      value: `${Resources?.Networks?.length} networks`,
      problem: "a task has no network of its own",
      remedy: "move it to the group's Networks",
    }),
  ];
}

/** The group of a CSI plugin may have the host's network. */
export const bridgeNetworking = {
  name: "bridge-networking",
  statement: "every group has one bridge network with mapped ports; only a CSI plugin may use the host's",
  check: (homelab) => [
    ...groupsOf(homelab)
      .filter((place) => !place.group.Tasks.some((task) => isCsiPlugin({ ...place, task })))
      .flatMap(judgeGroup),
    ...tasksOf(homelab)
      .filter((place) => !isCsiPlugin(place))
      .flatMap(judgeTask),
  ],
} as const satisfies Rule;
