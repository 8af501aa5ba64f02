import type { NetworkResource } from "../../.gen/nomad/job";
import { bridgeNetworking } from "../../rules/bridge-networking";
import { findings, places } from "./homelab";

const withNetworks = (...networks: NetworkResource[]) =>
  places(bridgeNetworking, ({ electrs }) => {
    electrs.group.Networks = networks;
  });

describe(bridgeNetworking.statement, () => {
  const at = "homelab/electrs TaskGroups[electrs].Networks";

  test("the host's network is refused, by name and by leaving the mode out", () => {
    expect(withNetworks({ Mode: "host" })).toEqual([`${at}[0].Mode = host`]);
    expect(withNetworks({})).toEqual([`${at}[0].Mode = host`]);
    expect(withNetworks({ Mode: "cni/macvlan" })).toEqual([`${at}[0].Mode = cni/macvlan`]);
  });

  test("no network, or two, are refused", () => {
    expect(withNetworks()).toEqual([`${at} = 0 networks`]);
    expect(withNetworks({ Mode: "bridge" }, { Mode: "bridge" })).toEqual([`${at} = 2 networks`]);
    expect(places(bridgeNetworking, ({ electrs }) => void delete electrs.group.Networks)).toHaveLength(1);
  });

  test("static and dynamic ports with To pass", () => {
    const network: NetworkResource = {
      Mode: "bridge",
      ReservedPorts: [{ Label: "electrum", Value: 50001, To: 50001 }],
      DynamicPorts: [
        { Label: "probe", To: 8081 },
        { Label: "zero", Value: 0, To: 8082 },
      ],
    };
    expect(withNetworks(network)).toEqual([]);
    expect(withNetworks({ Mode: "bridge" })).toEqual([]);
  });

  test.each([undefined, 0, -1])("a port with To %s is refused", (To) => {
    expect(withNetworks({ Mode: "bridge", ReservedPorts: [{ Label: "a", Value: 1, To }] })).toEqual([
      `${at}[0].ReservedPorts[a].To = ${To ?? "not set"}`,
    ]);
    expect(withNetworks({ Mode: "bridge", DynamicPorts: [{ Label: "a", To }] })).toEqual([
      `${at}[0].DynamicPorts[a].To = ${To ?? "not set"}`,
    ]);
  });

  test.each([-1, 80.5, 65536, 808000])("no port has the number %d", (number) => {
    const ports = (Value: number, To: number) => [{ Label: "a", Value, To }];
    expect(withNetworks({ Mode: "bridge", ReservedPorts: ports(number, 80) })).toEqual([
      `${at}[0].ReservedPorts[a].Value = ${number}`,
    ]);
    expect(withNetworks({ Mode: "bridge", ReservedPorts: ports(80, number) })).toEqual([
      `${at}[0].ReservedPorts[a].To = ${number}`,
    ]);
    expect(withNetworks({ Mode: "bridge", DynamicPorts: ports(0, number) })).toEqual([
      `${at}[0].DynamicPorts[a].To = ${number}`,
    ]);
    expect(withNetworks({ Mode: "bridge", DynamicPorts: ports(number, 80) })).toEqual([
      `${at}[0].DynamicPorts[a].Value = ${number}`,
    ]);
  });

  test.each([1, 65535])("the port %d passes", (number) => {
    expect(withNetworks({ Mode: "bridge", ReservedPorts: [{ Label: "a", Value: number, To: number }] })).toEqual([]);
  });

  test("a number that is none is told with what to write instead", () => {
    const [found] = findings(bridgeNetworking, ({ electrs }) => {
      electrs.group.Networks = [{ Mode: "bridge", ReservedPorts: [{ Label: "a", Value: -1, To: 80 }] }];
    });
    expect(found).toMatchObject({ value: "-1", problem: expect.stringContaining("from 1 to 65535") });
  });

  test("a port in the other one's list is refused", () => {
    expect(withNetworks({ Mode: "bridge", DynamicPorts: [{ Label: "a", Value: 50001, To: 50001 }] })).toEqual([
      `${at}[0].DynamicPorts[a].Value = 50001`,
    ]);
    expect(withNetworks({ Mode: "bridge", ReservedPorts: [{ Label: "a", To: 50001 }] })).toEqual([
      `${at}[0].ReservedPorts[a].Value = not set`,
    ]);
  });

  test.each(["host", "bridge", "container:other"])("Docker's network_mode %s is refused in a service", (mode) => {
    const found = places(bridgeNetworking, ({ electrs }) => {
      electrs.task.Config.network_mode = mode;
    });
    expect(found).toEqual([`homelab/electrs TaskGroups[electrs].Tasks[electrs].Config.network_mode = ${mode}`]);
  });

  test("a network of a task is refused", () => {
    const found = places(bridgeNetworking, ({ electrs }) => {
      electrs.task.Resources = { Networks: [{ Mode: "host" }] };
    });
    expect(found).toEqual(["homelab/electrs TaskGroups[electrs].Tasks[electrs].Resources.Networks = 1 networks"]);
  });

  test("a service that calls itself a plugin is none, with its volume or with its name", () => {
    const pretending = (has: "Volumes" | "Services") =>
      places(bridgeNetworking, ({ electrs: { group, task } }) => {
        task.CSIPluginConfig = { ID: "nfs", Type: "node" };
        task.Config.network_mode = "host";
        group.Networks = [{ Mode: "host" }];
        delete group[has === "Volumes" ? "Services" : "Volumes"];
      });
    const told = [
      `${at}[0].Mode = host`,
      "homelab/electrs TaskGroups[electrs].Tasks[electrs].Config.network_mode = host",
    ];
    expect(pretending("Volumes")).toEqual(told);
    expect(pretending("Services")).toEqual(told);
  });

  test("what makes a CSI plugin is its task, not its name, nor another task of its job", () => {
    expect(places(bridgeNetworking, ({ node }) => void delete node.task.CSIPluginConfig)).toEqual([
      "homelab/csi-nfs/node TaskGroups[node].Networks[0].Mode = host",
      "homelab/csi-nfs/node TaskGroups[node].Tasks[plugin].Config.network_mode = host",
    ]);
    const found = places(
      bridgeNetworking,
      ({ node: { group, task } }) => void group.Tasks.push({ ...task, Name: "other", CSIPluginConfig: undefined }),
    );
    expect(found).toEqual(["homelab/csi-nfs/node TaskGroups[node].Tasks[other].Config.network_mode = host"]);
  });
});
