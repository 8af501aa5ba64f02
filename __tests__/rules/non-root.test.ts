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
});
