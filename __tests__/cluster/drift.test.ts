import type { Job } from "../../.gen/nomad/job";
import type { DriftReport } from "../../cli/drift/model";
import { PAUSE } from "../../nomad/pause";
import { describeWith } from "../tools";
import { Agents } from "./agents";
import { homelab, median, synthesize, times } from "./command-line";
import { program } from "./programs";

describeWith(["nomad"], "homelab drift on a real Nomad", () => {
  let agents: Agents;
  let folder: string;
  const one = program("one");
  /** Sets nothing that it need not. */
  const bare = {
    ID: "bare",
    Name: "bare",
    Namespace: "lab",
    Type: "service",
    TaskGroups: [
      { Name: "g", Tasks: [{ Name: "t", Driver: "raw_exec", Config: { command: "/bin/sleep", args: ["1d"] } }] },
    ],
  } as unknown as Job;
  const scheduler = {
    nomad_scheduler_config: { it: { scheduler_algorithm: "spread", memory_oversubscription_enabled: true } },
  };

  const run = (args: readonly string[] = [], role: Parameters<Agents["token"]>[0] = "reader") =>
    homelab(folder, ["drift", ...args], { token: agents.token(role) });
  const look = async () => {
    const { code, out, err } = await run(["--json"]);
    expect(err).toBe("");
    const report: DriftReport = JSON.parse(out).stacks[0];
    expect([code, report.differs]).toEqual(report.differences.length > 0 ? [2, true] : [0, false]);
    const told = report.differences.map(({ kind, name, problem, fields }) =>
      [kind, name, problem, ...fields.map(({ field, live, code }) => `${field} ${live} → ${code}`)]
        .filter(Boolean)
        .join(" "),
    );
    table.push(`  ${expect.getState().currentTestName?.split(" Nomad ")[1]}: ${told.join("; ") || "nothing"}`);
    return report.differences;
  };
  /** What each test has looked at, and what was found. */
  const table: string[] = [];
  const settings = (SchedulerAlgorithm: string) =>
    agents.send("PUT", "operator/scheduler/configuration", { SchedulerAlgorithm, MemoryOversubscriptionEnabled: true });

  beforeAll(async () => {
    agents = await Agents.start(["node"]);
    await agents.send("PUT", "namespace/lab", { Name: "lab" });
    await settings("spread");
    folder = synthesize(agents.address, [one, bare], {}, scheduler);
  });

  afterAll(async () => {
    process.stderr.write(`what drift found\n${table.join("\n")}\n`);
    await agents?.stop();
  });

  /** Brings everything to what the code says. */
  const deploy = async () => {
    await settings("spread");
    await agents.send("DELETE", "job/stranger", undefined, "lab").catch(() => {});
    await agents.register(one);
    await agents.send("PUT", "jobs", { Job: bare }, "lab");
    folder = synthesize(agents.address, [one, bare], {}, scheduler);
  };

  test("names what was never deployed", async () => {
    expect(await look()).toMatchObject([
      { kind: "job", name: "one", problem: "is not in Nomad" },
      { kind: "job", name: "bare", problem: "is not in Nomad" },
    ]);
  });

  describe("after a deploy", () => {
    beforeEach(deploy);

    test("finds nothing, nor on a job that sets no optional field", async () => {
      expect(await look()).toEqual([]);
      const { code, out } = await run();
      expect([code, out]).toEqual([0, `homelab at ${agents.address}: as the code says\n`]);
    });

    test("finds nothing after a restart by hand", async () => {
      const [allocation] = await agents.send<{ ID: string }[]>("GET", "job/one/allocations", undefined, "lab");
      await agents.send("PUT", `client/allocation/${allocation?.ID}/restart`, { AllTasks: true }, "lab");
      expect(await look()).toEqual([]);
    });

    test("finds nothing after a raised metaVersion was deployed, and says before that it restarts", async () => {
      const raised = program("one", { version: 2 });
      folder = synthesize(agents.address, [raised, bare], {}, scheduler);
      expect(await look()).toEqual([
        {
          ...{ kind: "job", namespace: "lab", name: "one" },
          fields: [{ field: "Meta[version]", live: "1", code: "2" }],
          updates: [{ group: "main", restarts: 1 }],
        },
      ]);
      await agents.register(raised);
      expect(await look()).toEqual([]);
    });

    test("finds a job that was stopped", async () => {
      await agents.send("DELETE", "job/one", undefined, "lab");
      expect(await look()).toEqual([
        {
          ...{ kind: "job", namespace: "lab", name: "one", problem: "was stopped" },
          fields: [{ field: "Stop", live: "true", code: "false" }],
          updates: [{ group: "main", starts: 1 }],
        },
      ]);
    });

    test("finds a job that was scaled", async () => {
      const scale = { Count: 3, Target: { Group: "main" } };
      await agents.send("PUT", "job/one/scale", scale, "lab");
      expect(await look()).toMatchObject([
        { name: "one", fields: [{ field: "TaskGroups[main].Count", live: "3", code: "1" }] },
      ]);
    });

    test("finds a job that was reverted", async () => {
      await agents.register(program("one", { memory: 48 }));
      await deploy();
      const versions = await agents.send<{
        Versions: { Version: number; TaskGroups: { Tasks: { Resources: { MemoryMB: number } }[] }[] }[];
      }>("GET", "job/one/versions", undefined, "lab");
      const old = versions.Versions.find(({ TaskGroups }) => TaskGroups[0]?.Tasks[0]?.Resources.MemoryMB === 48);
      await agents.send("PUT", "job/one/revert", { JobID: "one", JobVersion: old?.Version }, "lab");
      expect(await look()).toEqual([
        {
          ...{ kind: "job", namespace: "lab", name: "one" },
          fields: [{ field: "TaskGroups[main].Tasks[main].Resources.MemoryMB", live: "48", code: "32" }],
          updates: [{ group: "main", restarts: 1 }],
        },
      ]);
    });

    test("finds what was edited in a task, and tells it in words", async () => {
      await agents.register(program("one", { script: "sleep 2d & wait" }));
      const { out, code } = await run();
      expect(code).toBe(2);
      expect(out).toBe(`homelab at ${agents.address}: 1 difference
  job one in namespace lab: registering it as written would restart main
    main/main Config.args[1]  live trap 'exit 0' TERM INT; sleep 2d & wait  code trap 'exit 0' TERM INT; sleep 1d & wait
  Terraform does not see what was changed by hand: take it into the code, or raise the job's metaVersion and deploy.
`);
    });

    test("finds a job that the code does not know", async () => {
      await agents.register(program("stranger"));
      expect(await look()).toMatchObject([
        { kind: "job", namespace: "lab", name: "stranger", problem: "runs, and the code does not know it" },
      ]);
    });

    test("finds changed scheduler settings and a changed namespace", async () => {
      await settings("binpack");
      expect(await look()).toEqual([
        {
          ...{ kind: "scheduler", name: "scheduler", updates: [] },
          fields: [{ field: "scheduler_algorithm", live: "binpack", code: "spread" }],
        },
      ]);
      await settings("spread");
      const nomad_namespace = { lab: { name: "lab", description: "services" } };
      folder = synthesize(agents.address, [one, bare], {}, { ...scheduler, nomad_namespace });
      expect(await look()).toMatchObject([
        { kind: "namespace", name: "lab", fields: [{ field: "description", live: "", code: "services" }] },
      ]);
    });

    test("does not count what is stopped for a pause", async () => {
      await agents.send("PUT", "job/one/scale", { Count: 0, Target: { Group: "main" } }, "lab");
      expect(await look()).toHaveLength(1);
      const groups = JSON.stringify([{ namespace: "lab", job: "one", group: "main", count: 1 }]);
      const Items = { reason: "a new disk", since: "2026-01-02T03:04:05Z", groups };
      await agents.send("PUT", `var/${PAUSE.path}`, { Path: PAUSE.path, Items }, PAUSE.namespace);
      const { code, out } = await run();
      expect([code, out]).toEqual([
        0,
        `homelab at ${agents.address}: as the code says
  a pause is on since 2026-01-02T03:04:05Z: a new disk; what is stopped for it is no difference
`,
      ]);
      await agents.send("DELETE", `var/${PAUSE.path}`, undefined, PAUSE.namespace);
    });

    test("names the capability that a token lacks", async () => {
      const { code, err } = await run([], "patcher");
      expect(code).toBe(1);
      expect(err).toMatch(/Permission denied: .* this takes the capability "read" for variables at homelab\/pause/);
    });

    test("takes less than 2 s for 100 jobs", async () => {
      const jobs = Array.from(
        { length: 100 },
        (_, at) => ({ ...program(`job-${at}`), TaskGroups: [{ ...program("x").TaskGroups[0], Count: 0 }] }) as Job,
      );
      for (const job of jobs) await agents.send("PUT", "jobs", { Job: job }, "lab");
      folder = synthesize(agents.address, jobs, {}, scheduler);
      const { out } = await run(["--json"]);
      expect(
        JSON.parse(out)
          .stacks[0].differences.map(({ name }: { name: string }) => name)
          .sort(),
      ).toEqual(["bare", "one"]);
      const seconds = await times(folder, ["drift"], agents.token("reader"));
      process.stderr.write(`drift of 100 jobs: ${median(seconds)} s, at best ${seconds[0]} s\n`);
      // The machine of the tests does other things as well: what it can do shows at best.
      expect(seconds[0]).toBeLessThan(2);
    });
  });
});
