import type { NetworkResource } from "../.gen/nomad/job";
import { fieldOf, type GroupPlace } from "./anatomy";
import { groupsOf, type TaskPlace, tasksOf } from "./homelab";
import type { Finding, Rule } from "./rule";

function judgeNetwork(place: GroupPlace): Finding[] {
  const networks = place.group.Networks ?? [];
  const finding = (field: string, value: string, problem: string, remedy: string) => ({
    path: place.record.path,
    place: fieldOf(place, field),
    value,
    problem,
    remedy,
  });
  const [network] = networks;
  if (!network || networks.length > 1) {
    const problem = "a group has exactly one network; without one it shares the host's";
    return [finding("Networks", `${networks.length} networks`, problem, 'set Networks to one with Mode "bridge"')];
  }
  const mode =
    network.Mode === "bridge"
      ? []
      : [
          finding(
            "Networks[0].Mode",
            network.Mode ?? "host",
            "only a CSI plugin may leave bridge networking",
            'set Mode to "bridge"',
          ),
        ];
  return [
    ...mode,
    ...portProblems(network).map(({ label, ...rest }) =>
      finding(`Networks[0].${label}`, rest.value, rest.problem, rest.remedy),
    ),
  ];
}

function portProblems({ ReservedPorts = [], DynamicPorts = [] }: NetworkResource) {
  const listed = [
    ...ReservedPorts.map((port) => ({ list: "ReservedPorts", port })),
    ...DynamicPorts.map((port) => ({ list: "DynamicPorts", port })),
  ];
  return listed.flatMap(({ list, port: { Label, Value = 0, To = 0 } }) => {
    const at = { label: `${list}[${Label}]` };
    const found = [];
    if (list === "ReservedPorts" && Value <= 0) {
      found.push({
        ...at,
        value: "no Value",
        problem: "a static port needs its number",
        remedy: "set Value, or move the port to DynamicPorts",
      });
    }
    if (list === "DynamicPorts" && Value > 0) {
      found.push({
        ...at,
        value: `${Value}`,
        problem: "a dynamic port has no number of its own",
        remedy: "move the port to ReservedPorts, or take Value out",
      });
    }
    if (To <= 0) {
      found.push({
        ...at,
        value: "no To",
        problem: "the port inside of the container is left open",
        remedy: "set To to the port that the program listens on",
      });
    }
    return found;
  });
}

/** Options that leave the group's network behind Nomad's back. */
function judgeTask(place: TaskPlace): Finding[] {
  const { Config, Resources } = place.task;
  const at = (field: string) => ({ path: place.record.path, place: fieldOf(place, field) });
  const problem = "takes the container out of the group's network; the namespace's limit does not see it";
  return [
    ...(Config.network_mode
      ? [{ ...at("Config.network_mode"), value: Config.network_mode, problem, remedy: "take network_mode out" }]
      : []),
    ...(Resources?.Networks?.length
      ? [
          {
            ...at("Resources.Networks"),
            value: `${Resources.Networks.length} networks`,
            problem: "a task has no network of its own",
            remedy: "move it to the group's Networks",
          },
        ]
      : []),
  ];
}

/** A CSI plugin is a task that says so with `CSIPluginConfig`; its group may have the host's network. */
export const bridgeNetworking = {
  name: "bridge-networking",
  statement: "every group has one bridge network with mapped ports; only a CSI plugin may use the host's",
  check: (homelab) => [
    ...groupsOf(homelab)
      .filter(({ group }) => !group.Tasks.some(({ CSIPluginConfig }) => CSIPluginConfig))
      .flatMap(judgeNetwork),
    ...tasksOf(homelab)
      .filter(({ task }) => !task.CSIPluginConfig)
      .flatMap(judgeTask),
  ],
} as const satisfies Rule;
