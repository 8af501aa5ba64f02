import { readSynthesized } from "../../../cli/shared/synthesized";
import { follow } from "../../../cli/status/follow";
import { NomadClient } from "../../../nomad/client";
import { Duration } from "../../../nomad/duration";
import { stackFile, synthesized } from "../project";
import { JOBS, Programs, ScriptedNomad, SERVICES } from "./scripted-nomad";

const nomad = new ScriptedNomad();
const programs = new Programs();
beforeAll(() => nomad.start());
afterAll(() => {
  nomad.stop();
  programs.stop();
});

test("beside a deploy, what becomes bad is told once, with its reason; what was bad before is not", async () => {
  const folder = synthesized({
    homelab: stackFile(
      SERVICES.flatMap((name) => JOBS[name] ?? []),
      {},
    ),
  });
  const targets = readSynthesized(folder, {}).map((one) => ({
    ...one,
    client: new NomadClient(nomad.address, {}),
  }));
  nomad.services = {
    electrs: { port: await programs.electrs(1) },
    albyhub: { port: await programs.hub({ running: true, setupCompleted: true }) },
  };
  const told: string[] = [];
  const end = new AbortController();
  const following = follow(targets, (text) => told.push(text), {
    every: Duration.milliseconds(50),
    signal: end.signal,
  });
  const looks = async (times: number) => {
    for (const end = nomad.asked + times; nomad.asked < end; ) await new Promise((done) => setTimeout(done, 50));
  };
  await looks(3);
  expect(told).toEqual([]);
  nomad.services.albyhub = {
    state: "pending",
    checks: { probe: [503, "refuses to start: no postgres://hub:secret@10.0.0.1/hub"] },
  };
  await looks(3);
  end.abort();
  await following;
  expect(told).toEqual(["albyhub: albyhub failure: refuses to start: no (hidden)10.0.0.1/hub"]);
}, 60_000);
