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
    ).toEqual([`${place}.CPU = 0 MHz`]);
    expect(
      places(resources, ({ electrs }) => {
        electrs.task.Resources = { CPU: 20, MemoryMB: 0, MemoryMaxMB: 64 };
      }),
    ).toEqual([`${place}.MemoryMB = 0 MiB`]);
    expect(
      places(resources, ({ electrs }) => {
        electrs.task.Resources = { CPU: 20, MemoryMaxMB: 64 };
      }),
    ).toEqual([`${place}.MemoryMB = not set`]);
  });

  test.each([
    [{ CPU: -5 }, "CPU = -5 MHz"],
    [{ CPU: 500.5 }, "CPU = 500.5 MHz"],
    [{ MemoryMB: -64 }, "MemoryMB = -64 MiB"],
    [{ MemoryMB: 64.5 }, "MemoryMB = 64.5 MiB"],
    [{ MemoryMaxMB: -2 }, "MemoryMaxMB = -2 MiB"],
    [{ MemoryMaxMB: 128.25 }, "MemoryMaxMB = 128.25 MiB"],
    [{ Cores: 1.5 }, "Cores = 1.5 cores"],
    [{ Cores: -1 }, "Cores = -1 cores"],
  ])("%j is no amount", (amount, told) => {
    const found = places(resources, ({ electrs }) => void Object.assign(electrs.task.Resources ?? {}, amount));
    expect(found).toEqual([`${place}.${told}`]);
  });

  test.each([{ CPU: 1 }, { MemoryMB: 1 }, { MemoryMaxMB: 0 }, { MemoryMaxMB: -1 }])("%j is one", (amount) => {
    const found = places(resources, ({ electrs }) => void Object.assign(electrs.task.Resources ?? {}, amount));
    expect(found).toEqual([]);
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
