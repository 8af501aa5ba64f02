import { job, stackFile, synthesized, task } from "../project";
import { told } from "../told";
import { World } from "../world";

test("status tells for how long nobody watches a hub's channels, and is red from half of the time on", async () => {
  const albyhub = job("albyhub", [task("main", "ghcr.io/getalby/hub:v1.24.0", [500, 1280])]);
  const world = await World.start();
  world.reset();
  const own = synthesized({ homelab: { ...stackFile([albyhub]), provider: { nomad: [{ address: world.address }] } } });
  const ended = (hours: number) => {
    const FinishedAt = new Date(Date.now() - hours * 3_600_000).toISOString();
    const state = {
      State: "dead",
      Failed: false,
      Restarts: 0,
      LastRestart: null,
      StartedAt: null,
      FinishedAt,
      Events: [],
    } as const;
    world.alter("albyhub", { ClientStatus: "complete", DesiredStatus: "stop", TaskStates: { main: state } });
  };
  world.place("albyhub", "a");
  world.counts.set("albyhub", 0);
  const groups = JSON.stringify([{ namespace: "bitcoin", job: "albyhub", group: "albyhub", count: 1 }]);
  world.variables.set("homelab/pause", { Items: { groups }, ModifyIndex: 1, ModifyTime: 0 });
  ended(3);
  const early = await told(["status"], own);
  expect([early.code, early.out]).toEqual([
    0,
    expect.stringMatching(
      /: not well yet: albyhub\n.*\nnobody watches the channels of albyhub for at least 3 h; [\s\S]*2[01] h are\s+left at most/,
    ),
  ]);
  ended(13);
  const late = await told(["status"], own);
  expect([late.code, late.out]).toEqual([2, expect.stringMatching(/: something is wrong\n/)]);
  const { absences } = JSON.parse((await told(["status", "--json"], own)).out).stacks[0];
  expect(absences).toEqual([expect.objectContaining({ service: "albyhub", mood: "bad", left: expect.any(Number) })]);
  await world.stop();
});

describe("a hub that is scaled to 0", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.start();
  });
  beforeEach(() => {
    world.reset();
    world.place("albyhub", "a", { ClientStatus: "complete", DesiredStatus: "stop" });
    world.counts.set("albyhub", 0);
  });
  afterAll(() => world.stop());
  const report = async (group: object = {}) => {
    const albyhub = job("albyhub", [task("main", "ghcr.io/getalby/hub:v1.24.0", [500, 1280])], group);
    const provider = { nomad: [{ address: world.address }] };
    const { code, out } = await told(
      ["status", "--json"],
      synthesized({ homelab: { ...stackFile([albyhub]), provider } }),
    );
    const { services, absences } = JSON.parse(out).stacks[0];
    return { code, problem: services[0].problem, mood: services[0].mood, absences };
  };

  test("is bad when the code wants one, since nothing starts it, and its channels are not watched", async () => {
    expect(await report()).toEqual({
      code: 2,
      mood: "bad",
      problem:
        "is scaled to 0, and nothing starts it by itself: a deploy does, or nomad job scale -namespace bitcoin albyhub albyhub 1",
      absences: [expect.objectContaining({ service: "albyhub" })],
    });
  });

  test("is as it should be when the code wants none", async () => {
    expect(await report({ Count: 0 })).toEqual({ code: 0, mood: "good", problem: undefined, absences: [] });
  });
});
