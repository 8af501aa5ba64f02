import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Duration } from "../../nomad/duration";
import type { AllocationStub } from "../../nomad/live";
import { PAUSE } from "../../nomad/pause";
import { describeWith } from "../tools";
import { Agents } from "./agents";
import { sleep, until } from "./command";
import { homelab, type Ran, synthesize } from "./command-line";
import type { Role } from "./policies";
import { program } from "./programs";

describeWith(["nomad"], "the verbs of homelab on a real Nomad", () => {
  let agents: Agents;
  let folder: string;
  /** Says that it starts and stops, with the time, on a loop that tells what it is. */
  const script = (name: string, stop = 0) =>
    `trap 'echo "$(date -u +%FT%TZ) ${name} stops"; sleep ${stop}; exit 0' TERM INT; echo "$(date -u +%FT%TZ) ${name} starts"; while :; do sleep 1; done`;
  const base = program("base", { script: script("base", 1) });
  const middle = program("middle", { script: script("middle", 1) });
  const top = program("top", { script: script("top", 1) });
  const jobs = [top, base, middle];
  const dependencies = [
    { from: "top", on: "middle" },
    { from: "middle", on: "base" },
  ];

  const run = (
    args: readonly string[],
    role: Role = "deployer",
    onOutput?: (printed: string, child: { kill(signal: NodeJS.Signals): void }) => void,
  ): Promise<Ran> => homelab(folder, args, { token: agents.token(role), ...(onOutput && { onOutput }) });
  const allocations = (job: string) => agents.send<AllocationStub[]>("GET", `job/${job}/allocations`, undefined, "lab");
  const newest = async (job: string) => (await allocations(job)).toSorted((a, b) => b.CreateIndex - a.CreateIndex)[0];
  /** When the main task of each job last did something, in milliseconds since 1970. */
  const times = async (type: "Started" | "Killed") =>
    Object.fromEntries(
      await Promise.all(
        jobs.map(async ({ ID }) => {
          const events = (await allocations(ID)).flatMap(({ TaskStates }) => TaskStates?.main?.Events ?? []);
          return [
            ID,
            Math.max(0, ...events.filter(({ Type }) => Type === type).map(({ Time }) => Time / 1e6)),
          ] as const;
        }),
      ),
    );

  /** Presses Ctrl-C, once, when this was said: twice would end it at once. */
  const interruptAfter = (words: string) => {
    let pressed = false;
    return (printed: string, child: { kill(signal: NodeJS.Signals): void }) => {
      if (pressed || !printed.includes(words)) return;
      pressed = true;
      child.kill("SIGINT");
    };
  };

  beforeAll(async () => {
    agents = await Agents.start(["one", "two"]);
    await agents.send("PUT", "namespace/lab", { Name: "lab" });
    for (const job of jobs) await agents.register(job);
    folder = synthesize(agents.address, jobs, { dependencies });
  });

  afterAll(async () => {
    await agents?.stop();
  });

  describe("status", () => {
    test("shows machines and services on one screen, in order of dependency, and ends with 0", async () => {
      const { code, out, err } = await run(["status"], "reader");
      expect({ code, err }).toEqual({ code: 0, err: "" });
      expect(out).toMatch(/^homelab at http:\/\/127\.0\.0\.1:\d+: well\n/);
      expect(out).toMatch(/ {2}one +ready +eligible +\d+ +\d+\n {2}two +ready/);
      expect(out).toMatch(/ {2}base +v1, job 0 .*running\n {2}middle .*running\n {2}top .*running\n/);
      for (const line of out.split("\n")) expect(line.length).toBeLessThan(150);
    });

    test.each(["main.ts", "own/signet.ts"])("warns when %s was edited after the synthesis", async (name) => {
      const file = join(folder, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, "");
      const later = Date.now() / 1000 + 60;
      utimesSync(file, later, later);
      const { code, err } = await run(["status"], "reader");
      expect([code, err]).toEqual([
        0,
        `warning: ${name} is newer than what was synthesized from it: run npm run synth\n`,
      ]);
      rmSync(file);
    });

    test("is red, and ends with 2, when a service was stopped or is not there", async () => {
      await agents.send("DELETE", "job/top", undefined, "lab");
      folder = synthesize(agents.address, [...jobs, program("absent")], { dependencies });
      const { code, out } = await run(["status"], "reader");
      expect(code).toBe(2);
      expect(out).toMatch(/: something is wrong\n/);
      const { services } = JSON.parse((await run(["status", "--json"], "reader")).out).stacks[0];
      expect(services.map(({ name, mood, problem }: Record<string, string>) => [name, mood, problem])).toEqual([
        ["base", "good", undefined],
        ["absent", "bad", "is not in Nomad: deploy it"],
        ["middle", "good", undefined],
        ["top", "bad", "was stopped: raise metaVersion and deploy, or nomad job start"],
      ]);
      folder = synthesize(agents.address, jobs, { dependencies });
      await agents.register(top);
    });
  });

  describe("restart", () => {
    test("restarts in order of dependency, whatever the order of the words, each healthy before the next", async () => {
      const before = await times("Started");
      const { code, out, err } = await run(["restart", "top", "base", "--yes"]);
      expect([code, err.replace(/waiting for .*\n/g, "")]).toEqual([0, ""]);
      const after = await times("Started");
      expect(after.base).toBeGreaterThan(before.base as number);
      expect(after.top).toBeGreaterThan(after.base as number);
      expect(after.middle).toBe(before.middle);
      expect(out).toMatch(
        /^restarts base on (one|two); its stop may take 5s\nrestarts top on (one|two); its stop may take 5s\ninterrupts what needs it: middle\nbase is healthy again after \d+ s\ntop is healthy again after \d+ s\nmiddle is healthy\n$/,
      );
    });

    test("does nothing where nobody can be asked, and says what it would interrupt", async () => {
      const before = await times("Started");
      const { code, out, err } = await run(["restart", "base"]);
      expect([code, err]).toEqual([
        1,
        "error: nobody can be asked here, so nothing was done; --yes goes on without asking\n",
      ]);
      expect(out).toContain("interrupts what needs it: middle, top");
      expect(await times("Started")).toEqual(before);
    });

    test("names the services that there are", async () => {
      expect((await run(["restart", "bitcoin", "--yes"])).err).toBe(
        "error: there is no service bitcoin; there are base, middle, top\n",
      );
    });

    test("ends between two steps on Ctrl-C, and says where", async () => {
      const before = await times("Started");
      const { code, err } = await run(
        ["restart", "base", "middle", "top", "--yes"],
        "deployer",
        interruptAfter("base is healthy again"),
      );
      expect(code).toBe(1);
      expect(err).toMatch(/error: interrupted; healthy again: base(, middle)?; not, or not yet: (middle, )?top\n$/);
      expect((await times("Started")).top).toBe(before.top);
    });
  });

  describe("logs", () => {
    test("shows what a service says, by its name, and only the lines of the last hour", async () => {
      const { code, out, err } = await run(["logs", "base"], "reader");
      expect({ code, err }).toEqual({ code: 0, err: "" });
      expect(out).toMatch(/^\S+Z base starts\n(.*\n)*$/);
      expect((await run(["logs", "base", "--since", "1h"], "reader")).out).toBe(out);
      const [line] = (await run(["logs", "base", "--json"], "reader")).out.split("\n");
      expect(JSON.parse(line ?? "")).toMatchObject({
        task: "main",
        time: expect.any(String),
        line: expect.any(String),
      });
    });

    test("leaves out what is older than asked for", async () => {
      await until(
        "an older line",
        10,
        async () => Date.now() - ((await times("Started")).top as number) > 3000 || undefined,
      );
      expect((await run(["logs", "top", "--since", "1s"], "reader")).out).toBe("");
    });

    test("names the tasks that there are", async () => {
      expect((await run(["logs", "base", "--task", "probe"], "reader")).err).toBe(
        "error: base has no task probe; it has main\n",
      );
    });

    test("follows a service across a restart in place and to its next allocation", async () => {
      const { ID = "" } = (await newest("middle")) ?? {};
      let starts = 0;
      const stages: number[] = [];
      const { out, err } = await run(["logs", "middle", "-f", "--json"], "reader", (printed, child) => {
        const told = printed.split("middle starts").length - 1;
        if (told === starts) return;
        // The first piece may hold the starts of before.
        const stage = starts === 0 ? 1 : (stages.at(-1) ?? 0) + 1;
        stages.push(stage);
        starts = told;
        if (stage === 1) agents.send("PUT", `client/allocation/${ID}/restart`, {}, "lab");
        if (stage === 2) agents.send("PUT", `allocation/${ID}/stop`, {}, "lab");
        if (stage === 3) child.kill("SIGTERM");
      });
      const lines = out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      const last = lines.filter(({ allocation }) => allocation === ID).at(-1);
      expect(last.line).toContain("middle stops");
      expect(lines.at(-1)).toMatchObject({ line: expect.stringContaining("middle starts") });
      expect(lines.at(-1).allocation).not.toBe(ID);
      expect(err).toMatch(/^--- middle goes on as allocation [0-9a-f]{8} on (one|two)\n$/m);
    }, 120_000);
  });

  describe("pause and resume", () => {
    test("stop what needs others first, keep deploys out, and start again what others need first", async () => {
      await agents.send("PUT", "job/middle/scale", { Count: 2, Target: { Group: "main" } }, "lab");
      await agents.settled({ ID: "middle", Namespace: "lab" });
      const paused = await run(["pause", "--reason", "a new disk", "--yes"]);
      expect([paused.code, paused.out]).toEqual([
        0,
        `stops top, which may take 5s
stops middle, which may take 5s
stops base, which may take 5s
top is stopped
middle is stopped
base is stopped
the pause is on; homelab resume ends it
`,
      ]);
      const killed = await times("Killed");
      expect(killed.middle).toBeGreaterThan(killed.top as number);
      expect(killed.base).toBeGreaterThan(killed.middle as number);

      const { code, out } = await run(["guard"]);
      expect([code, out]).toEqual([
        2,
        expect.stringContaining(": a new disk; a deploy would start what is stopped for it"),
      ]);
      const drift = await run(["drift"], "reader");
      expect([drift.code, drift.out]).toEqual([0, expect.stringContaining("a pause is on since")]);
      const status = await run(["status"], "reader");
      expect([status.code, status.out]).toEqual([
        0,
        expect.stringMatching(/a pause is on since .*: a new disk\n[\s\S]*base .*stopped for the pause/),
      ]);

      const resumed = await run(["resume"]);
      expect([resumed.code, resumed.out]).toEqual([
        0,
        "base is healthy\nmiddle is healthy\ntop is healthy\nthe pause is over\n",
      ]);
      const started = await times("Started");
      expect(started.middle).toBeGreaterThan(started.base as number);
      expect(started.top).toBeGreaterThan(started.middle as number);
      const live = (await allocations("middle")).filter(({ ClientStatus }) => ClientStatus === "running");
      expect(live).toHaveLength(2);
      await expect(agents.send("GET", `var/${PAUSE.path}`)).rejects.toThrow("404");
      expect((await run(["resume"])).out).toBe("no pause is on\n");
      await agents.register(middle);
    });

    test("goes on where Ctrl-C ended it", async () => {
      const cut = await run(["pause", "--reason", "cut", "--yes"], "deployer", interruptAfter("top is stopped"));
      expect(cut.code).toBe(1);
      expect(cut.err).toMatch(
        /error: interrupted; stopped: top(, middle)?; not, or not yet: (middle, )?base; homelab pause goes on, homelab resume goes back\n$/,
      );
      const again = await run(["pause", "--reason", "another", "--yes"]);
      expect([again.code, again.out]).toEqual([
        0,
        expect.stringMatching(/^a pause is on since \S+: cut; goes on with it\n/),
      ]);
      expect((await run(["resume"])).code).toBe(0);
    });
  });

  describe("a pause whose machine goes away before the end of the writer is seen", () => {
    /** Notes every 0.2 s that it writes, and does not mind being told to stop. */
    const writer = program("writer", {
      script: `trap "" TERM INT; while :; do echo "$(date +%s) $NOMAD_ALLOC_ID" >> "$NOMAD_META_journal"; sleep 0.2; done`,
      disconnect: true,
      killTimeout: Duration.seconds(10),
    });
    let journal = "";
    const since = Date.now();
    const timeline: string[] = [];
    const note = (what: string) => timeline.push(`${Math.round((Date.now() - since) / 1000)} s: ${what}`);
    /** Who wrote, second by second. */
    const writers = () => {
      const seconds = new Map<string, Set<string>>();
      for (const line of readFileSync(journal, "utf8").trim().split("\n")) {
        const [second = "", id = ""] = line.split(" ");
        seconds.set(second, (seconds.get(second) ?? new Set()).add(id));
      }
      return [...seconds.values()].map((ids) => ids.size);
    };
    const isWriting = () => Date.now() - statSync(journal).mtimeMs < 1_500;

    test("is refused while it is unknown, and resume waits until its own machine has ended it", async () => {
      journal = join(folder, "journal");
      const job = { ...writer, Meta: { ...writer.Meta, journal } };
      await agents.register(job);
      // Nomad has no such volume, and the verb need not know: a program of this machine mounts nothing.
      const volume = { Name: "data", Type: "csi" as const, Source: "data", AccessMode: "single-node-writer" as const };
      const claiming = { ...job, TaskGroups: job.TaskGroups.map((group) => ({ ...group, Volumes: { data: volume } })) };
      const own = synthesize(agents.address, [claiming]);
      const verb = (...args: string[]) => homelab(own, args, { token: agents.token("deployer") });
      const { ID = "", NodeName = "" } = (await newest("writer")) ?? {};
      const statusOf = async () => (await allocations("writer")).find((one) => one.ID === ID)?.ClientStatus;
      note(`writes on ${NodeName}`);

      // Unknown from the start: nothing may be told to stop.
      await agents.kill(NodeName);
      await until("it is unknown", 60, async () => (await statusOf()) === "unknown" || undefined);
      note("its machine is away, and it writes on");
      const refused = await verb("pause", "--reason", "a switch", "--yes");
      note(`homelab pause: exit code ${refused.code}`);
      expect([refused.code, refused.err]).toEqual([
        1,
        expect.stringMatching(/of writer is unknown.*nothing was stopped/),
      ]);
      await expect(agents.send("GET", `var/${PAUSE.path}`)).rejects.toThrow("404");
      await agents.startClient(NodeName);
      await until("it runs again", 60, async () => (await statusOf()) === "running" || undefined);
      note("its machine is back");

      // Away in the middle of the stop.
      const pausing = verb("pause", "--reason", "a switch", "--yes");
      await until(
        "it is told to stop",
        30,
        async () => (await newest("writer"))?.DesiredStatus === "stop" || undefined,
      );
      await sleep(2_000);
      await agents.kill(NodeName);
      note("homelab pause has told it to stop, and its machine is away again");
      const cut = await pausing;
      note(`homelab pause: exit code ${cut.code}`);
      expect([cut.code, cut.err]).toEqual([1, expect.stringMatching(/may run on there.*not, or not yet: writer/)]);
      expect(isWriting()).toBe(true);
      const early = await verb("resume");
      note(`homelab resume: exit code ${early.code}`);
      expect([early.code, early.err]).toEqual([1, expect.stringContaining("nothing was started")]);

      // Nomad forgets both.
      await until("Nomad has forgotten allocation and machine", 60, async () => {
        await agents.send("PUT", "system/gc");
        const nodes = await agents.send<{ Name: string }[]>("GET", "nodes");
        return ((await statusOf()) === undefined && !nodes.some(({ Name }) => Name === NodeName)) || undefined;
      });
      expect(isWriting()).toBe(true);
      note("Nomad has forgotten the allocation and the machine; it writes on");
      for (const args of [["resume"], ["pause", "--reason", "x", "--yes"]]) {
        const late = await verb(...args);
        note(`homelab ${args[0]}: exit code ${late.code}`);
        expect([late.code, late.err]).toEqual([
          1,
          expect.stringMatching(/nobody saw the end .*gone from Nomad's list/),
        ]);
      }
      // Without the volume, which Nomad would look for when it plans.
      const guard = await homelab(synthesize(agents.address, [job]), ["guard"], { token: agents.token("deployer") });
      note(`homelab guard: exit code ${guard.code}`);
      expect([guard.code, guard.out]).toEqual([2, expect.stringContaining("a pause is on since")]);

      await agents.startClient(NodeName);
      await agents.ready([NodeName]);
      note("its machine is back");
      const back = await verb("resume");
      note(`homelab resume: exit code ${back.code}`);
      expect([back.code, back.err]).toEqual([1, expect.stringMatching(/is back only now and may take 1m10s/)]);
      await until("its machine has ended it", 60, () => !isWriting() || undefined);
      note("its machine has ended it");
      await until("resume", 120, async () => (await verb("resume")).code === 0 || undefined);
      note("homelab resume: exit code 0");
      await sleep(3_000);
      expect(isWriting()).toBe(true);
      const counts = writers();
      process.stderr.write(
        `${timeline.join("\n")}\n${counts.length} seconds with a writer, most at once ${Math.max(...counts)}\n`,
      );
      expect(counts.length).toBeGreaterThan(15);
      expect(Math.max(...counts)).toBe(1);
      await agents.send("DELETE", "job/writer?purge=true", undefined, "lab");
    }, 400_000);
  });

  describe("a token of the server role", () => {
    test.each([
      ["guard", ["guard"]],
      ["drift", ["drift"]],
      ["status", ["status"]],
      ["logs", ["logs", "base"]],
      ["resume, when there is no pause", ["resume"]],
      ["rebalance --dry-run", ["rebalance", "--dry-run"]],
    ])("reader is enough for %s", async (_, args) => {
      const { code, err } = await run(args, "reader");
      expect([code, err]).toEqual([0, ""]);
    });

    test.each([
      ["restart", ["restart", "base", "--yes"], 'this takes the capability "alloc-lifecycle" in namespace "lab"'],
      [
        "pause",
        ["pause", "--reason", "x", "--yes"],
        'this takes the capabilities "write" and "destroy" for variables at homelab/pause',
      ],
    ])("reader is not enough for %s, which names what it lacks", async (_, args, words) => {
      const { code, err } = await run(args, "reader");
      expect([code, err]).toEqual([1, expect.stringContaining(words)]);
    });
  });

  test("the token of a reader is not enough to end a pause", async () => {
    await agents.send("PUT", `var/${PAUSE.path}`, { Path: PAUSE.path, Items: { reason: "disk" } }, PAUSE.namespace);
    const { code, err } = await run(["resume"], "reader");
    expect([code, err]).toEqual([
      1,
      expect.stringContaining('this takes the capabilities "write" and "destroy" for variables at homelab/pause'),
    ]);
    expect((await run(["resume"])).out).toBe("the pause is over\n");
  });

  describe("node-lost", () => {
    test("gives up no machine that is well, and none that is not there", async () => {
      expect((await run(["node-lost", "two", "--confirm-powered-off"], "patcher")).err).toBe(
        "error: two is ready, not lost; to take it out of service, drain it\n",
      );
      expect((await run(["node-lost", "twoo"], "patcher")).err).toBe(
        "error: there is no node twoo; there are one, two\n",
      );
    });

    test("shows what hangs on it, wants the confirmation, and gives up none that answers, as loopback does", async () => {
      await agents.kill("two");
      const shown = await until("two is away", 60, async () => {
        const ran = await run(["node-lost", "two"], "patcher");
        return ran.code === 2 ? ran : undefined;
      });
      expect(shown.out).toMatch(
        /^two is (down|disconnected)\n {2}it is on: it answers at 127[\s\S]*\n {2}may still run there: /,
      );
      expect(shown.out).toContain("--confirm-powered-off");
      const { code, err } = await run(["node-lost", "two", "--confirm-powered-off"], "patcher");
      expect([code, err]).toEqual([
        1,
        expect.stringMatching(/error: two is on: it answers at 127\.0\.0\.1:22 .*nothing was purged|its Nomad agent/),
      ]);
      const nodes = await agents.send<{ Name: string }[]>("GET", "nodes");
      expect(nodes.map(({ Name }) => Name).toSorted()).toEqual(["one", "two"]);
    });
  });
});
