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
