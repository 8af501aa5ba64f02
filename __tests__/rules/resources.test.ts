import { resources } from "../../rules/resources";
import { places } from "./homelab";

describe(resources.statement, () => {
  const place = "homelab/electrs TaskGroups[electrs].Tasks[electrs].Resources";

  test("a task without resources is told both", () => {
    expect(places(resources, ({ electrs }) => void delete electrs.task.Resources)).toEqual([
      `${place}.CPU = not set`,
      `${place}.MemoryMB = not set`,
    ]);
  });

  test("a zero is as good as nothing", () => {
    expect(
      places(resources, ({ electrs }) => {
        electrs.task.Resources = { CPU: 0, MemoryMB: 64 };
      }),
    ).toEqual([`${place}.CPU = not set`]);
    expect(
      places(resources, ({ electrs }) => {
        electrs.task.Resources = { CPU: 20, MemoryMaxMB: 64 };
      }),
    ).toEqual([`${place}.MemoryMB = not set`]);
  });

  test("a sidecar needs them too", () => {
    const found = places(
      resources,
      ({ electrs: { group, task } }) => void group.Tasks.push({ ...task, Name: "sidecar", Resources: {} }),
    );
    expect(found).toHaveLength(2);
  });

  test("whole cores stand for MHz", () => {
    expect(
      places(resources, ({ electrs }) => {
        electrs.task.Resources = { Cores: 1, MemoryMB: 64 };
      }),
    ).toEqual([]);
  });
});
