import { oneWayData } from "../../rules/one-way-data";
import { addReader, places } from "./homelab";

describe(oneWayData.statement, () => {
  const told = ["homelab/electrs TaskGroups[electrs].Update.AutoRevert = true"];

  test("auto-revert is refused, on the group or on the job", () => {
    expect(
      places(oneWayData, ({ electrs }) => {
        electrs.group.Update = { AutoRevert: true };
      }),
    ).toEqual(told);
    expect(
      places(oneWayData, ({ electrs }) => {
        electrs.job.Update = { AutoRevert: true };
        delete electrs.group.Update;
      }),
    ).toEqual(told);
  });

  test("a group that says no to its job's auto-revert passes, and so does saying nothing", () => {
    expect(
      places(oneWayData, ({ electrs }) => {
        electrs.job.Update = { AutoRevert: true };
      }),
    ).toEqual([]);
    expect(places(oneWayData, ({ electrs }) => void delete electrs.group.Update)).toEqual([]);
  });

  test("a reader, a plugin and a throw-away volume may be rolled back", () => {
    const found = places(oneWayData, (draft) => {
      addReader(draft, "bitcoin-data", (group) => {
        group.Update = { AutoRevert: true };
      });
      draft.node.group.Update = { AutoRevert: true };
      draft.electrs.group.Update = { AutoRevert: true };
      draft.electrs.volume.retained = false;
    });
    expect(found).toEqual([]);
  });
});
