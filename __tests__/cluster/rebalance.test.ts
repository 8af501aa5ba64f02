import type { AllocationStub } from "../../nomad/live";
import { describeWith } from "../tools";
import { Agents } from "./agents";
import { until } from "./command";
import { homelab, synthesize } from "./command-line";
import type { Role } from "./policies";
import { program } from "./programs";

describeWith(["nomad"], "homelab rebalance on a server and three clients", () => {
  let agents: Agents;
  let folder: string;
  const jobs = ["top", "middle", "base"].map((id) => program(id, { memory: 500, disconnect: true }));
  const dependencies = [
    { from: "top", on: "middle" },
    { from: "middle", on: "base" },
  ];
  const run = (args: readonly string[] = [], role: Role = "deployer") =>
    homelab(folder, ["rebalance", ...args], { token: agents.token(role) });
  const allocations = () => agents.send<AllocationStub[]>("GET", "allocations", undefined, "lab");
  const places = async () =>
    Object.fromEntries(
      (await allocations())
        .filter(({ ClientStatus }) => ClientStatus === "running")
        .map(({ JobID, NodeName }) => [JobID, NodeName]),
    );

  beforeAll(async () => {
    agents = await Agents.start(["one"]);
    await agents.send("PUT", "namespace/lab", { Name: "lab" });
    await agents.send("PUT", "operator/scheduler/configuration", { SchedulerAlgorithm: "spread" });
    for (const job of jobs) await agents.register(job);
    for (const name of ["two", "three"]) await agents.startClient(name);
    await agents.ready(["one", "two", "three"]);
    folder = synthesize(agents.address, jobs, { dependencies });
  });

  afterAll(async () => {
    await agents?.stop();
  });

  test("shows before and after, in order of dependency, and moves nothing in a dry run or where nobody can be asked", async () => {
    const { code, out } = await run(["--dry-run"], "reader");
    expect(code).toBe(0);
    expect(out).toMatch(/^Placement\n {2}MACHINE +NOW +THEN\n/);
    expect(out).toMatch(/ {2}one +base, middle, top +top\n/);
    expect(out).toMatch(/base from one to (two|three): .* at most 35 s\nmiddle from one to (two|three): /);
    expect((await run()).err).toBe(
      "error: nobody can be asked here, so nothing was done; --yes goes on without asking\n",
    );
    expect(await places()).toEqual({ base: "one", middle: "one", top: "one" });
  });

  test("is refused with the token of a reader, which is told what it lacks", async () => {
    const { code, err } = await run(["--yes"], "reader");
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/this takes the capability "alloc-lifecycle" in namespace "lab"; moved: nothing; /),
    ]);
    expect(await places()).toEqual({ base: "one", middle: "one", top: "one" });
  });

  test("ends spread, one at a time, what others need first, each healthy before the next", async () => {
    const begin = Date.now();
    const { code, out, err } = await run(["--yes"]);
    process.stderr.write(out);
    const made = (await allocations())
      .filter(({ CreateTime }) => CreateTime / 1e6 > begin)
      .toSorted((a, b) => a.CreateTime - b.CreateTime);
    expect(made.map(({ JobID }) => JobID)).toEqual(["base", "middle"].slice(0, made.length));
    expect(made.length).toBeGreaterThan(0);
    for (const [at, { CreateTime }] of made.slice(1).entries()) {
      expect(CreateTime / 1e6).toBeGreaterThan(Date.parse(made[at]?.TaskStates?.main?.StartedAt ?? ""));
    }
    // Nomad looks at two machines at random: it may place a service where it was, and that ends the run.
    const back = made.find(({ NodeName }) => NodeName === "one");
    expect([code, err]).toEqual(
      back ? [1, expect.stringContaining(`Nomad placed ${back.JobID} on one again; moved: `)] : [0, expect.anything()],
    );
    await until("all three spread", 240, async () => {
      if (new Set(Object.values(await places())).size === 3) return true;
      await run(["--yes"]);
      return undefined;
    });
    expect((await run(["--dry-run"], "reader")).out).toContain("nothing to move: no move would make it more even");
  }, 300_000);

  test("is refused while a deployment runs", async () => {
    const slow = program("middle", { memory: 500, disconnect: true, version: 2 });
    const [group] = slow.TaskGroups;
    if (group?.Update) group.Update.MinHealthyTime = 20e9 as NonNullable<typeof group.Update.MinHealthyTime>;
    await agents.send("PUT", "jobs", { Job: slow }, "lab");
    const { code, out } = await run(["--yes"]);
    expect([code, out]).toEqual([2, expect.stringContaining("refused: a deployment of middle is running")]);
    await agents.settled(slow);
  });

  test("is refused while a machine is away", async () => {
    await agents.kill("two");
    // Until Nomad has noticed, a service would be moved: so only a dry run asks.
    await until("Nomad notices", 60, async () => (await run(["--dry-run"], "reader")).code === 2 || undefined);
    const { code, out } = await run(["--yes"]);
    expect(code).toBe(2);
    expect(out).toMatch(/refused: two is (disconnected|down)/);
  });
});
