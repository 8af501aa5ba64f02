import type { Job } from "../../.gen/nomad/job";
import { NomadClient } from "../../nomad/client";
import { guard } from "../../nomad/guard";
import { PAUSE } from "../../nomad/pause";
import { describeWith } from "../tools";
import { Agents } from "./agents";
import { until } from "./command";
import { freePort } from "./loopback-agent";
import { program } from "./programs";

describeWith(["nomad"], "the deploy guard on a real Nomad", () => {
  let agents: Agents;
  const fenced = program("fenced", { disconnect: true });
  const loose = program("loose");
  const ask = (jobs: readonly Job[], secrets: Parameters<typeof guard>[1]["secrets"] = []) =>
    guard(agents.client("deployer"), { jobs, secrets });

  beforeAll(async () => {
    agents = await Agents.start(["one"]);
    await agents.send("PUT", "namespace/lab", { Name: "lab" });
    await agents.register(fenced);
    await agents.register(loose);
  });

  afterAll(async () => {
    await agents?.stop();
  });

  test("lets a deploy pass when all is well, also of a job that is new and in a namespace that is not there", async () => {
    expect(await ask([fenced, loose, program("new")])).toEqual([]);
    // A new namespace takes a management token, and so does its first job.
    const jobs = [{ ...program("new"), Namespace: "nowhere" }];
    expect(await guard(agents.client("management"), { jobs, secrets: [] })).toEqual([]);
  });

  test("refuses while a secret has no value, by a token that reads variables and one that only lists them", async () => {
    const path = "nomad/jobs/fenced/main/main";
    const secrets = [
      { namespace: "lab", path, key: "password" },
      { namespace: "lab", path, key: "other" },
    ];
    expect((await ask([fenced], secrets)).map(({ reason, problem }) => [reason, problem])).toEqual([
      ["secret", `password in ${path}, namespace lab, has no value, and its task waits for it`],
      ["secret", `other in ${path}, namespace lab, has no value, and its task waits for it`],
    ]);
    await agents.send("PUT", `var/${path}`, { Path: path, Namespace: "lab", Items: { password: "x" } }, "lab");
    expect(await ask([fenced], secrets)).toEqual([]);
    const seen = await guard(agents.client("management"), { jobs: [fenced], secrets });
    expect(seen.map(({ problem }) => problem.split(" ")[0])).toEqual(["other"]);
  });

  test("refuses while a pause is on", async () => {
    const Items = { reason: "the NAS gets a disk", since: "2026-01-02T03:04:05Z", groups: "[]" };
    await agents.send("PUT", `var/${PAUSE.path}`, { Path: PAUSE.path, Items }, PAUSE.namespace);
    expect(await ask([])).toEqual([
      {
        reason: "paused",
        problem:
          "a pause is on since 2026-01-02T03:04:05Z: the NAS gets a disk; a deploy would start what is stopped for it",
        remedy: "run homelab resume when the maintenance is over",
      },
    ]);
    await agents.send("DELETE", `var/${PAUSE.path}`, undefined, PAUSE.namespace);
    expect(await ask([])).toEqual([]);
  });

  test("refuses while an allocation of a job that changes is unknown, and not for one of another job", async () => {
    await agents.kill("one");
    const refusals = await until("an unknown allocation", 60, async () => {
      const found = await ask([fenced]);
      return found.some(({ reason }) => reason === "unknown") ? found : undefined;
    });
    expect(refusals).toEqual([
      {
        reason: "unknown",
        job: "fenced",
        problem: expect.stringMatching(
          /^allocation [0-9a-f]{8} of fenced is unknown, because one is disconnected; a new version of fenced would start beside it$/,
        ),
        remedy: "wait until one is back; if it never will be, make sure that it is off and run homelab node-lost one",
      },
    ]);
    expect(await ask([program("new")])).toEqual([]);
    await agents.startClient("one");
    await agents.ready(["one"]);
    await until("nothing to refuse", 60, async () => (await ask([fenced])).length === 0 || undefined);
  });

  test("does not pass by a failure: a token without rights, a server that is away", async () => {
    const patcher = guard(agents.client("patcher"), { jobs: [fenced], secrets: [] });
    await expect(patcher).rejects.toThrow('this takes the capability "read" for variables at homelab/pause');
    const nobody = new NomadClient(`http://127.0.0.1:${await freePort()}`, {});
    await expect(guard(nobody, { jobs: [fenced], secrets: [] })).rejects.toThrow("nothing listens there");
  });
});
