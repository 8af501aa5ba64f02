import { staticPort } from "../../rules/static-port";
import { findings, places } from "./homelab";

describe(staticPort.statement, () => {
  test("two jobs with one port are refused, and the first is named", () => {
    const found = findings(staticPort, ({ electrs }) => {
      electrs.group.Networks = [{ Mode: "bridge", ReservedPorts: [{ Label: "electrum", Value: 8332, To: 50001 }] }];
    });
    expect(found).toEqual([
      expect.objectContaining({
        path: "homelab/electrs",
        value: "8332",
        problem: expect.stringContaining("homelab/bitcoin"),
      }),
    ]);
  });

  test("so are two groups of one job, in either list of ports", () => {
    const found = places(
      staticPort,
      ({ bitcoin: { job, group } }) =>
        void job.TaskGroups.push({
          ...group,
          Name: "second",
          Networks: [{ DynamicPorts: [{ Label: "rpc", Value: 8332 }] }],
        }),
    );
    expect(found).toEqual(["homelab/bitcoin TaskGroups[second].Networks[0].DynamicPorts[rpc].Value = 8332"]);
  });

  test("the same port inside of two containers passes", () => {
    const found = places(staticPort, ({ electrs }) => {
      electrs.group.Networks = [
        { ReservedPorts: [{ Label: "a", Value: 50001, To: 8332 }], DynamicPorts: [{ Label: "b", To: 8332 }] },
      ];
    });
    expect(found).toEqual([]);
  });

  describe("a group of several instances with a static port", () => {
    const place = "homelab/electrs TaskGroups[electrs].Networks[0].ReservedPorts[main].Value = 50001";

    test("is refused when two may come to stand on one machine", () => {
      expect(
        places(staticPort, ({ electrs }) => {
          electrs.group.Count = 2;
        }),
      ).toEqual([place]);
      expect(
        places(staticPort, ({ electrs }) => {
          electrs.group.Count = 2;
          electrs.group.Constraints = [{ Operand: "distinct_hosts", RTarget: "false" }];
        }),
      ).toEqual([place]);
    });

    test.each(["job", "group"] as const)("passes with distinct_hosts on the %s", (level) => {
      const found = places(staticPort, ({ electrs }) => {
        electrs.group.Count = 2;
        electrs[level].Constraints = [{ Operand: "distinct_hosts", RTarget: "true" }];
      });
      expect(found).toEqual([]);
    });

    test("passes as a system job, which has one on each machine", () => {
      const found = places(staticPort, ({ node }) => {
        node.group.Networks = [{ Mode: "host", ReservedPorts: [{ Label: "metrics", Value: 9100 }] }];
        node.group.Count = 3;
        delete node.job.Constraints;
      });
      expect(found).toEqual([]);
    });
  });
});
