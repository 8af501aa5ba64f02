import { servicesOf } from "../../../cli/shared/services";
import { readSynthesized } from "../../../cli/shared/synthesized";
import { restartsIn24h } from "../../../cli/status/services";
import type { AllocationStub } from "../../../nomad/live";
import { job, stackFile, synthesized, task } from "../project";

const [stack] = readSynthesized(
  synthesized({ homelab: stackFile([job("one", [task("main", "name:1", [1, 1])])]) }),
  {},
);
const [service] = stack ? servicesOf(stack) : [];
const HOUR = 3_600_000;
const NOW = Date.parse("2026-01-02T00:00:00Z");

/** An allocation that was made so many hours ago, and whose main task was started then. */
const allocation = (made: number, ...started: readonly number[]) => {
  const events = started.map((hours) => ({ Type: "Started", Time: (NOW - hours * HOUR) * 1e6, DisplayMessage: "" }));
  const TaskStates = { main: { Events: [...events, { Type: "Terminated", Time: NOW * 1e6, DisplayMessage: "" }] } };
  return { CreateTime: (NOW - made * HOUR) * 1e6, TaskStates } as unknown as AllocationStub;
};
const restarts = (...allocations: readonly AllocationStub[]) => {
  if (!service) throw new Error("there is no service");
  return restartsIn24h(service, allocations, NOW);
};

test("the first start of a new service is no restart", () => {
  expect(restarts(allocation(2, 2))).toBe(0);
});

test("every start after it is, in place or by another allocation", () => {
  expect(restarts(allocation(5, 5, 4, 3))).toBe(2);
  expect(restarts(allocation(5, 5), allocation(3, 3))).toBe(1);
});

test("what is older than a day does not count, and what is younger does, of an old service", () => {
  expect(restarts(allocation(100, 100, 30))).toBe(0);
  expect(restarts(allocation(100, 100, 23))).toBe(1);
});
