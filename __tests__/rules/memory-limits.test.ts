import { memoryLimits } from "../../rules/memory-limits";
import { findings, places } from "./homelab";

const withResources = (MemoryMB: number, MemoryMaxMB?: number) =>
  places(memoryLimits, ({ bitcoin }) => {
    bitcoin.task.Resources = { CPU: 2500, MemoryMB, MemoryMaxMB };
  });

describe(memoryLimits.statement, () => {
  const place = "homelab/bitcoin TaskGroups[bitcoin].Tasks[bitcoin].Resources.MemoryMaxMB";

  test("a ceiling below the reservation is refused, one at it passes", () => {
    expect(withResources(4096, 4095)).toEqual([`${place} = 4095 MiB`]);
    expect(withResources(2048, 1024)).toEqual([`${place} = 1 GiB`]);
    expect(withResources(4096, 4096)).toEqual([]);
  });

  test("a ceiling above the smallest client is refused, one at it passes", () => {
    expect(withResources(4096, 7425)).toEqual([`${place} = 7425 MiB`]);
    expect(withResources(4096, 7424)).toEqual([]);
  });

  test("the smallest client counts, not the largest", () => {
    const found = findings(memoryLimits, ({ cluster }) => {
      cluster.clients = [...cluster.clients, { name: "pinode5", memory: 3328, cpu: 7200 }];
    });
    expect(found).toEqual([expect.objectContaining({ value: "6 GiB", problem: expect.stringContaining("3328 MiB") })]);
  });

  test("no ceiling at all is written -1, and refused", () => {
    expect(withResources(4096, -1)).toEqual([`${place} = no ceiling`]);
  });

  test("no memory_max passes", () => {
    expect(withResources(4096)).toEqual([]);
    expect(withResources(4096, 0)).toEqual([]);
  });

  test("a ceiling that the scheduler ignores is refused", () => {
    const found = findings(memoryLimits, ({ cluster }) => {
      cluster.memoryOversubscription = false;
    });
    expect(found.map(({ path }) => path)).toEqual([
      "homelab/bitcoin",
      "homelab/electrs",
      "homelab/albyhub",
      "homelab/csi-nfs/controller",
      "homelab/csi-nfs/node",
    ]);
  });

  test("Docker's own hard limit is held to the same bounds", () => {
    const withLimit = (limit: number) =>
      places(memoryLimits, ({ electrs }) => {
        electrs.task.Config.memory_hard_limit = limit;
      });
    const hardLimit = "homelab/electrs TaskGroups[electrs].Tasks[electrs].Config.memory_hard_limit";
    expect(withLimit(8192)).toEqual([`${hardLimit} = 8 GiB`]);
    expect(withLimit(512)).toEqual([`${hardLimit} = 512 MiB`]);
    expect(withLimit(1280)).toEqual([]);
  });
});
