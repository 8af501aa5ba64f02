import { absenceOf } from "../../../cli/shared/absence";
import { servicesOf } from "../../../cli/shared/services";
import { readSynthesized } from "../../../cli/shared/synthesized";
import { PENALTY_WINDOW, PENALTY_WINDOW_BLOCKS } from "../../../model/penalty-window";
import type { AllocationStub } from "../../../nomad/live";
import { job, stackFile, synthesized, task } from "../project";

const hub = job("albyhub", [task("albyhub", "ghcr.io/getalby/hub:v1.24.0", [500, 1280])]);
const [stack] = readSynthesized(synthesized({ homelab: stackFile([hub]) }), {});
const [service] = stack ? servicesOf(stack) : [];

const NOW = Date.parse("2026-11-28T12:00:00Z");
const hours = (ago: number) => new Date(NOW - ago * 3_600_000).toISOString();
const MADE = NOW - 15 * 3_600_000;
const made = (CreateIndex: number, ClientStatus: string, state: object, ModifyTime = 0) =>
  ({
    CreateIndex,
    CreateTime: MADE * 1e6,
    ClientStatus,
    ModifyTime,
    TaskStates: { albyhub: state },
  }) as unknown as AllocationStub;
const absence = (allocations: readonly AllocationStub[], pause?: string, told?: string) => {
  if (!service) throw new Error("there is no service");
  const group = { namespace: "bitcoin", job: "albyhub", group: "albyhub", count: 1 };
  const begun = pause ? { reason: "x", since: pause, groups: [group], writers: [] } : undefined;
  return absenceOf(service, allocations, begun, told, NOW);
};

test("the window is LDK's: a day of blocks, at ten minutes each", () => {
  expect([PENALTY_WINDOW_BLOCKS, PENALTY_WINDOW.toString()]).toEqual([144, "24h"]);
});

test.each([
  ["since its program ended", [made(1, "complete", { State: "dead", FinishedAt: hours(5) })], undefined, 5],
  [
    "since the last of its programs ended",
    [
      made(2, "failed", { State: "dead", FinishedAt: hours(3) }),
      made(1, "complete", { State: "dead", FinishedAt: hours(9) }),
    ],
    undefined,
    3,
  ],
  ["since it began to wait", [made(1, "running", { State: "running", StartedAt: hours(7) })], undefined, 7],
  [
    "since its machine was last heard of",
    [made(1, "unknown", { State: "running", StartedAt: hours(99) }, (NOW - 2 * 3_600_000) * 1e6)],
    undefined,
    2,
  ],
  ["since the pause, when Nomad has forgotten what ran", [], hours(20), 20],
])("is away %s", (_, allocations, pause, ago) => {
  const { since, left } = absence(allocations, pause);
  expect([since, left]).toEqual([hours(ago), (24 - ago) * 3600]);
});

test.each([
  [
    "when its node last ran",
    "the Lightning node is starting since 2026-11-28 11:00 UTC; last ran 2026-11-27 23:00 UTC; it",
    13,
  ],
  ["when it last ran, of one that failed", "albyhub failure: …; last ran 2026-11-27 23:00 UTC; the next start", 13],
  ["since when it has not been running", "the Lightning node has not been running since 2026-11-28 09:00 UTC", 3],
  ["that it did not run in this allocation", "is starting since …; last ran before this allocation; it", 15],
])("a hub that is started again and again is away as long as its probe tells: %s", (_, told, ago) => {
  for (const state of [
    { State: "running", StartedAt: hours(1) },
    { State: "pending", FinishedAt: hours(1) },
  ]) {
    expect(absence([made(1, "running", state)], undefined, told).since).toBe(hours(ago));
  }
});

test.each([
  [
    1,
    "waiting",
    "for at least 60 min; a peer that cheats must be answered within 144 blocks, about 24 h (LDK's default): 23 h are left at most",
  ],
  [11.9, "waiting", "12 h are left at most"],
  [12, "bad", "12 h are left at most"],
  [23.5, "bad", "30 min are left at most"],
  [25, "bad", "that time may be over, so start it now"],
])("%d h away is %s", (ago, mood, text) => {
  const found = absence([made(1, "complete", { State: "dead", FinishedAt: hours(ago) })]);
  expect([found.mood, found.text]).toEqual([mood, expect.stringContaining(text)]);
});

test("what nobody knows is red, not safe", () => {
  for (const allocations of [[], [made(1, "pending", { State: "pending", StartedAt: null, FinishedAt: null })]]) {
    expect(absence(allocations)).toEqual({
      service: "albyhub",
      mood: "bad",
      text: expect.stringContaining("nobody knows since when"),
    });
  }
});
