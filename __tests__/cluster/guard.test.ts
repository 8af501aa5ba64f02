import type { Job } from "../../.gen/nomad/job";
import { strangersTo } from "../../cli/shared/strangers";
import type { Homelab } from "../../model/homelab";
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

  test("compares with jobs of every namespace by a deployer's token, and says what a narrower one does not see", async () => {
    await agents.send("PUT", "namespace/elsewhere", { Name: "elsewhere" });
    const stranger = program("second-hub", { namespace: "elsewhere" });
    const [group] = stranger.TaskGroups;
    const task = { ...group?.Tasks[0], Env: { DATABASE_URI: "postgres://nwc:secret@192.168.68.50:5432/nwc" } };
    await agents.register({ ...stranger, TaskGroups: [{ ...group, Tasks: [task] }] } as Job);
    const database = { server: "192.168.68.50", port: 5432, name: "nwc" };
    const homelab = {
      jobs: [{ path: "lab/fenced", job: fenced, retained: true, database }],
      volumes: [],
    } as unknown as Homelab;
    const ask = (client: NomadClient) => strangersTo({ client, homelab }, [fenced]);
    expect(await ask(agents.client("deployer"))).toEqual({
      refusals: [
        expect.objectContaining({
          job: "fenced",
          problem:
            "fenced: its database 192.168.68.50:5432/nwc is that of job second-hub in namespace elsewhere: two hubs with one seed can lose their channels",
        }),
      ],
      notes: [],
    });
    // As the policy deployer was before.
    await agents.send("PUT", "acl/policy/narrow", {
      Name: "narrow",
      Rules: 'namespace "lab" { policy = "read" }\nnamespace "default" { policy = "read" }\nnode { policy = "read" }',
    });
    const token = { Name: "narrow", Type: "client", Policies: ["narrow"] };
    const { SecretID } = await agents.send<{ SecretID: string }>("PUT", "acl/token", token);
    expect(await ask(new NomadClient(agents.address, { NOMAD_TOKEN: SecretID }))).toEqual({
      refusals: [],
      notes: [expect.stringContaining("the token may not see every namespace")],
    });
    expect((await ask(agents.client("management"))).notes).toEqual([]);
    await agents.send("DELETE", "job/second-hub?purge=true", undefined, "elsewhere");
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
    const anonymous = guard(new NomadClient(agents.address, {}), { jobs: [fenced], secrets: [] });
    await expect(anonymous).rejects.toThrow('this takes the capability "read" for variables at homelab/pause');
    const nobody = new NomadClient(`http://127.0.0.1:${await freePort()}`, {});
    await expect(guard(nobody, { jobs: [fenced], secrets: [] })).rejects.toThrow("nothing listens there");
  });
});
