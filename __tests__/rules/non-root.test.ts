import { nonRoot } from "../../rules/non-root";
import { places } from "./homelab";

const withUser = (user: string | undefined) =>
  places(nonRoot, ({ electrs }) => {
    electrs.task.User = user;
  });

describe(nonRoot.statement, () => {
  test.each(["root", "0", "0:0", "root:root", "0:3001", "000"])("%s is refused", (user) => {
    expect(withUser(user)).toEqual([`homelab/electrs TaskGroups[electrs].Tasks[electrs].User = ${user}`]);
  });

  test.each([undefined, ""])("nothing (%j) is refused, since the image decides", (user) => {
    expect(withUser(user)).toEqual(["homelab/electrs TaskGroups[electrs].Tasks[electrs].User = not set"]);
  });

  test.each(["3001:3001", "3001", "101:0", "rooter", "bitcoin", "07"])("%s passes", (user) => {
    expect(withUser(user)).toEqual([]);
  });

  test("a CSI plugin may, a task that is none may not", () => {
    expect(
      places(nonRoot, ({ node }) => {
        node.task.User = "root";
      }),
    ).toEqual([]);
    expect(places(nonRoot, ({ node }) => void delete node.task.CSIPluginConfig)).toHaveLength(1);
  });

  test("a service that calls itself a plugin is none, with its volume or with its name", () => {
    const pretending = (has: "Volumes" | "Services") =>
      places(nonRoot, ({ electrs: { group, task } }) => {
        Object.assign(task, { User: "root", CSIPluginConfig: { ID: "nfs", Type: "node" } });
        delete group[has === "Volumes" ? "Services" : "Volumes"];
      });
    const told = ["homelab/electrs TaskGroups[electrs].Tasks[electrs].User = root"];
    expect(pretending("Volumes")).toEqual(told);
    expect(pretending("Services")).toEqual(told);
  });
});
