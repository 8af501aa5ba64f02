import type { Job, Task } from "../../.gen/nomad/job";
import { Duration } from "../../nomad/duration";
import { describeWith } from "../tools";
import { Agents } from "./agents";
import { sleep, until } from "./command";
import { homelab, hoursLater, type Ran, synthesize } from "./command-line";
import { jobPolicies, type Role } from "./policies";
import { program } from "./programs";

/** Writes a variable as a task of the backup does: with the identity of its own job. */
const tell = (address: string, path: string, items: string) =>
  `${JSON.stringify(process.execPath)} -e 'fetch("${address}/v1/var/homelab/backup/${path}", { method: "PUT", headers: { "X-Nomad-Token": process.env.NOMAD_TOKEN }, body: JSON.stringify({ Namespace: "default", Path: "homelab/backup/${path}", Items: ${items} }) }).then(async (answer) => { console.log(answer.status, await answer.text()); process.exit(answer.ok ? 0 : 1); })'`;

const NOW = "new Date().toISOString()";

describeWith(["nomad"], "homelab backup on a real Nomad", () => {
  let agents: Agents;
  let folder: string;
  let jobs: Job[];
  const service = program("hub", { script: "sleep 1d & wait" });

  /** A batch job as the construct makes it, except that it is a program of this machine. */
  function batch(id: string, main: string, more: Partial<Job>): Job {
    const job = program(id, { script: main, memory: 160 });
    const [group] = job.TaskGroups;
    if (!group) throw new Error("program has no group");
    const { Update: _, ...rest } = group;
    const [task] = group.Tasks;
    return {
      ...job,
      Type: "batch",
      ...more,
      TaskGroups: [
        {
          ...rest,
          Name: id,
          RestartPolicy: { Attempts: 0, Mode: "fail" },
          ReschedulePolicy: { Attempts: 0, Unlimited: false },
          Tasks: [{ ...(task as Task), Identity: { Name: "default", Env: true } } as Task],
        },
      ],
    };
  }

  const hourly = {
    Enabled: true,
    SpecType: "cron" as const,
    Specs: ["17 3 1 1 *"],
    ProhibitOverlap: true,
    TimeZone: "UTC",
  };
  const run = (
    args: readonly string[],
    role: Role = "deployer",
    onOutput?: Parameters<typeof homelab>[2]["onOutput"],
  ): Promise<Ran> => homelab(folder, args, { token: agents.token(role), ...(onOutput && { onOutput }) });
  const live = () => agents.send<{ ID: string; Status: string; ParentID: string }[]>("GET", "jobs", undefined, "lab");

  /** The job as its program should behave from now on. */
  async function become(job: Job): Promise<void> {
    jobs = jobs.map((one) => (one.ID === job.ID ? job : one));
    await agents.send("PUT", "jobs", { Job: job }, "lab");
    folder = synthesize(agents.address, jobs);
  }

  const good = () =>
    batch(
      "backup",
      `echo "took everything"; ${tell(agents.address, "backup/done", `{ at: ${NOW}, seconds: "1", sets: "hub snapshot=ab12cd34 files=2 bytes=2048 rows=7" }`)} && ${tell(agents.address, "backup/sets/hub", `{ at: ${NOW}, set: "hub snapshot=ab12cd34 files=2 bytes=2048 rows=7" }`)} && ${tell(agents.address, "snapshots", `{ list: "ab12cd34 2026-11-26T23:00:00Z hub 2048" }`)}`,
      { Meta: { version: "1", sets: "hub" }, Periodic: hourly },
    );

  beforeAll(async () => {
    agents = await Agents.start(["one"]);
    await agents.send("PUT", "namespace/lab", { Name: "lab" });
    await jobPolicies((path, body) => agents.send("PUT", path, body), "lab");
    const drill = batch(
      "backup-drill",
      `${tell(agents.address, "backup-drill/failed", `{ at: ${NOW}, task: "main", message: "table apps has 6 rows, the manifest 7" }`)}; echo "rows differ" >&2; exit 1`,
      { Periodic: hourly },
    );
    const restore = batch(
      "backup-restore",
      'echo "restored $NOMAD_META_set $NOMAD_META_snapshot $NOMAD_META_database"',
      {
        ParameterizedJob: { MetaRequired: ["set", "snapshot"], MetaOptional: ["database"] },
      },
    );
    const copy = batch(
      "backup-copy",
      `sleep 1; ${tell(agents.address, "backup-copy/done", `{ at: ${NOW}, sets: "hub time=20261126T230000Z files=2 bytes=9" }`)}`,
      { ParameterizedJob: { MetaRequired: ["job"], MetaOptional: ["snapshot"] } },
    );
    const [group] = copy.TaskGroups;
    // Only its name is looked at: a raw_exec task mounts nothing, and the agent has no such volume.
    const claim = { Type: "csi", AccessMode: "single-node-writer", AttachmentMode: "file-system" };
    const named = {
      ...copy,
      TaskGroups: [
        {
          ...group,
          Volumes: {
            hub: { Name: "hub", Source: "hub-data", ...claim },
            backup: { Name: "backup", Source: "backup", ...claim },
          },
          Tasks: group?.Tasks.map((task) => ({
            ...task,
            Templates: [{ DestPath: `local/${task.Name}`, EmbeddedTmpl: "x" }],
          })),
        },
      ],
    } as Job;
    jobs = [service, good(), drill, restore, named];
    await agents.register(service);
    for (const job of [good(), drill, restore, copy]) await agents.send("PUT", "jobs", { Job: job }, "lab");
    folder = synthesize(agents.address, jobs);
  });

  afterAll(async () => {
    await agents?.stop();
  });

  test("says that nothing was backed up yet, and what to do", async () => {
    const { code, out } = await run(["backup", "status"], "reader");
    expect([code, out]).toEqual([0, expect.stringContaining("not backed up yet: homelab backup now")]);
  });

  test("runs now, follows the run to its end and shows what it took; the job's own policy lets it tell", async () => {
    const { code, out, err } = await run(["backup", "now"]);
    expect([code, err.replaceAll(/waiting for .*\n/g, "")]).toEqual([0, ""]);
    expect(out).toMatch(
      / {2}\| took everything\n[\s\S]*the backup ended well on one after \d+ s\n {2}hub: snapshot ab12cd34, 2\.0 KiB, 2 files, 7 rows\n$/,
    );
    const status = await run(["backup", "status"], "reader");
    expect([status.code, status.out]).toEqual([0, expect.stringMatching(/hub +\d+ s +ab12cd34 +2\.0 KiB +2 +7 +well/)]);
    expect((await run(["status"], "reader")).out).toMatch(/\nBackup\n {2}BACKUP OF .*\n {2}hub .* well\n/);
    expect((await run(["backup", "list"], "reader")).out).toContain("ab12cd34");
  });

  test("is red 27 h after the last good run, in homelab status too", async () => {
    const later = (args: readonly string[]) =>
      homelab(folder, args, { token: agents.token("reader"), environment: hoursLater(27) });
    const old = await later(["backup", "status"]);
    expect([old.code, old.out]).toEqual([2, expect.stringMatching(/hub +27 h .*older than 26 h/)]);
    const whole = await later(["status"]);
    expect([whole.code, whole.out]).toEqual([2, expect.stringMatching(/something is wrong\n[\s\S]*hub +27 h/)]);
    expect((await run(["status"], "reader")).code).toBe(0);
  });

  test("a policy of a job is that job's alone", async () => {
    await become(
      batch("backup", tell(agents.address, "backup-check/done", `{ at: ${NOW} }`), {
        Meta: { version: "2", sets: "hub" },
        Periodic: hourly,
      }),
    );
    const { code, out } = await run(["backup", "now"]);
    expect([code, out]).toEqual([1, expect.stringMatching(/\| 403 Permission denied[\s\S]*the backup failed on one/)]);
    await become(good());
  });

  test("ends with 1 when the run failed, with the reason that it told and the log of its task", async () => {
    const { code, out } = await run(["backup", "drill"]);
    expect([code, out]).toEqual([
      1,
      expect.stringMatching(
        / {2}\| rows differ\nthe drill failed on one after \d+ s, in its task main: table apps has 6 rows, the manifest 7\n$/,
      ),
    ]);
    const status = await run(["backup", "status"], "reader");
    expect([status.code, status.out]).toEqual([
      2,
      expect.stringMatching(/drill: never; the last drill failed at .* in its task main: table apps has 6 rows/),
    ]);
    await agents.send("DELETE", "var/homelab/backup/backup-drill/failed");
  });

  test("ends with 1 when the run ended well and told nothing", async () => {
    await become(batch("backup", "true", { Meta: { version: "3", sets: "hub" }, Periodic: hourly }));
    await agents.send("DELETE", "var/homelab/backup/backup/done");
    const { code, err } = await run(["backup", "now"]);
    expect([code, err]).toEqual([1, expect.stringContaining("wrote no result: with ACLs its policy must be there")]);
    await become(good());
    expect((await run(["backup", "now"])).code).toBe(0);
  });

  test("restores with the values that the job takes, after the name was typed", async () => {
    const { code, out } = await run(["backup", "restore", "hub", "--database", "nwc", "--confirm", "hub"]);
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(/\| restored hub ab12cd34 nwc\nthe restore ended well on one/),
    ]);
    const [, snapshot] =
      (await run(["backup", "restore", "hub", "--json", "--confirm", "hub"])).out.match(/"snapshot": "(.*)"/) ?? [];
    expect(snapshot).toBe("ab12cd34");
  });

  test("asks the repository for its newest where the cluster knows of no snapshot", async () => {
    await agents.send("DELETE", "var/homelab/backup/snapshots");
    expect((await run(["backup", "restore", "hub", "--confirm", "hub"])).out).toContain("| restored hub latest");
    await run(["backup", "now"]);
  });

  test("refuses beside a run that has not ended, and Ctrl-C ends the waiting, not the run", async () => {
    await become(batch("backup", "sleep 20", { Meta: { version: "4", sets: "hub" }, Periodic: hourly }));
    let pressed = false;
    const cut = await run(["backup", "now"], "deployer", (printed, child) => {
      if (pressed || !printed.includes("main on one")) return;
      pressed = true;
      child.kill("SIGINT");
    });
    expect([cut.code, cut.err]).toEqual([
      1,
      expect.stringMatching(
        /error: interrupted; backup\/periodic-\d+ goes on in Nomad, and homelab backup status tells of it/,
      ),
    ]);
    const [child] = (await live()).filter(({ ParentID, Status }) => ParentID === "backup" && Status === "running");
    expect((await run(["backup", "now"])).err).toBe(
      `error: ${child?.ID} has not ended; wait for it, or stop it with nomad job stop ${child?.ID}\n`,
    );
    await agents.send("DELETE", `job/${encodeURIComponent(child?.ID ?? "")}`, undefined, "lab");
    await until(
      "its end",
      30,
      async () => (await live()).every(({ ID, Status }) => ID !== child?.ID || Status === "dead") || undefined,
    );
  });

  test("before an upgrade stops the service, backs it up and copies it, and leaves it stopped", async () => {
    await become(good());
    const { code, out } = await run(["backup", "before-upgrade", "hub", "--yes"]);
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(
        /^stops hub, which may take 5s[\s\S]*hub is stopped\n[\s\S]*the backup ended well[\s\S]*the copy ended well[\s\S]*is in before-upgrade\/hub\/20261126T230000Z /,
      ),
    ]);
    const { TaskGroups } = await agents.send<Job>("GET", "job/hub", undefined, "lab");
    expect(TaskGroups[0]?.Count).toBe(0);
    expect((await run(["backup", "before-upgrade", "nothing", "--yes"])).err).toBe(
      "error: there is no service nothing; there are hub\n",
    );
  });

  test("shows the age of the copy and why it may be stale before it is put back, and wants the name", async () => {
    const { code, out, err } = await run(["backup", "restore", "hub", "--work-directory"]);
    expect([code, err]).toEqual([
      1,
      "error: nobody can be asked here, so nothing was done; --confirm hub says that you mean it\n",
    ]);
    expect(out).toMatch(
      /copy of hub's work directory is \d+ s old[\s\S]*was not started since[\s\S]*static channel\s+backup/,
    );
    let pressed = false;
    // Its volume is nowhere, so it waits as it does for one that is still claimed.
    const cut = await run(
      ["backup", "restore", "hub", "--work-directory", "--confirm", "hub"],
      "deployer",
      (printed, child) => {
        if (pressed || !printed.includes("waiting for the end of backup-copy-back-")) return;
        pressed = true;
        child.kill("SIGINT");
      },
    );
    expect([cut.code, cut.err]).toEqual([
      1,
      expect.stringMatching(
        /error: interrupted; backup-copy-back-\d+ had not begun and is withdrawn, so nothing was written\n$/,
      ),
    ]);
    expect((await live()).filter(({ ID }) => ID.startsWith("backup-copy-back"))).toEqual([]);
    await agents.register(service);
    expect((await run(["backup", "restore", "hub", "--work-directory", "--confirm", "hub"])).err).toMatch(
      /^error: hub is meant to run, and nothing is written beneath a running hub; stop it first: nomad job scale -namespace lab hub main 0\n$/,
    );
  });

  test("waits for a run that the clock begins while the service stops, and never runs two at once", async () => {
    const slow = program("hub", { script: "sleep 1d & wait", killTimeout: Duration.seconds(20) });
    const [group] = slow.TaskGroups;
    const task = {
      ...group?.Tasks[0],
      Config: { command: "/bin/sh", args: ["-c", "trap 'sleep 4; exit 0' TERM INT; sleep 1d & wait"] },
    };
    await agents.register({ ...slow, TaskGroups: [{ ...group, Tasks: [task] }] } as unknown as Job);
    await become(batch("backup", "sleep 6", { Meta: { version: "7", sets: "hub" }, Periodic: hourly }));
    const children = async () =>
      (await live()).filter(({ ParentID, Status }) => ParentID === "backup" && Status !== "dead").length;
    let most = 0;
    let begun = false;
    let done = false;
    const counting = (async () => {
      for (; !done; await sleep(200)) most = Math.max(most, await children());
    })();
    const { code, out, err } = await run(["backup", "before-upgrade", "hub", "--yes"], "deployer", (printed) => {
      if (begun || !printed.includes("stops hub")) return;
      begun = true;
      // The hub takes four seconds to stop: the hourly run begins in that time.
      setTimeout(() => agents.send("PUT", "job/backup/periodic/force", {}, "lab"), 2_000);
    });
    done = true;
    await counting;
    expect([code, err.replaceAll(/waiting for .*\n/g, "")]).toEqual([0, ""]);
    expect(out).toMatch(/hub is stopped\n[\s\S]*the backup ended well[\s\S]*the copy ended well/);
    expect(most).toBe(1);
    // The pause of its own is over.
    await expect(agents.send("GET", "var/homelab/pause")).rejects.toThrow("404");
    await become(good());
    await agents.register(service);
  });

  test("keeps deploys out while it works, and resume goes back when it was interrupted", async () => {
    await become(batch("backup", "sleep 20", { Meta: { version: "8", sets: "hub" }, Periodic: hourly }));
    let pressed = false;
    const cut = await run(["backup", "before-upgrade", "hub", "--yes"], "deployer", (printed, child) => {
      if (pressed || !printed.includes("main on one")) return;
      pressed = true;
      child.kill("SIGINT");
    });
    expect([cut.code, cut.err]).toEqual([
      1,
      expect.stringMatching(
        /goes on in Nomad, .*; a pause is on, which keeps deploys out; homelab resume starts hub as it was\n$/,
      ),
    ]);
    const guard = await run(["guard"]);
    expect([guard.code, guard.out]).toEqual([
      2,
      expect.stringContaining("before an upgrade of hub; a deploy would start"),
    ]);
    const again = await run(["backup", "before-upgrade", "hub", "--yes"]);
    expect(again.err).toMatch(/^error: a pause is on since .*: before an upgrade of hub; homelab resume ends it/);
    const resumed = await run(["resume"]);
    expect([resumed.code, resumed.out]).toEqual([0, "hub is healthy\nthe pause is over\n"]);
    await until(
      "the run that goes on",
      60,
      async () =>
        (await live()).every(({ ParentID, Status }) => ParentID !== "backup" || Status === "dead") || undefined,
    );
  });

  test("starts the service again when the backup before an upgrade fails", async () => {
    await become(batch("backup", "exit 3", { Meta: { version: "5", sets: "hub" }, Periodic: hourly }));
    const { code, out } = await run(["backup", "before-upgrade", "hub", "--yes"]);
    expect([code, out]).toEqual([
      1,
      expect.stringMatching(/the backup failed[\s\S]*hub is started again as it was; do not upgrade it now\n$/),
    ]);
    await agents.settled({ ID: "hub", Namespace: "lab" });
    await become(good());
  });

  test.each([
    ["now", ["now"], 'the capability "dispatch-job" in namespace "lab" or "submit-job"'],
    ["restore", ["restore", "hub", "--confirm", "hub"], 'the capability "dispatch-job" in namespace "lab"'],
    [
      "before-upgrade",
      ["before-upgrade", "hub", "--yes"],
      'the capabilities "write" and "destroy" for variables at homelab/pause',
    ],
  ])("reader is not enough for %s, which names what it lacks", async (_, args, words) => {
    const { code, err } = await run(["backup", ...args], "reader");
    expect([code, err]).toEqual([1, expect.stringContaining(words)]);
  });

  describe("other verbs beside batch jobs", () => {
    test("status and drift find nothing wrong with periodic and parameterized jobs and their runs", async () => {
      const { out } = await run(["status", "--json"], "reader");
      const [{ services }] = JSON.parse(out).stacks;
      expect(services.map(({ name, mood }: Record<string, string>) => [name, mood])).toEqual([["hub", "good"]]);
      // The volumes that the last job names are for the eyes of the program alone.
      folder = synthesize(agents.address, jobs.slice(0, -1));
      const drift = await run(["drift", "--json"], "reader");
      expect(
        JSON.parse(drift.out).stacks[0].differences.map(({ name, problem }: Record<string, string>) => [name, problem]),
      ).toEqual([["backup-copy", "runs, and the code does not know it"]]);
    });

    test("guard lets a change of a periodic job go on while it runs", async () => {
      const changed = { ...good(), Meta: { version: "9", sets: "hub" } };
      folder = synthesize(agents.address, [service, changed]);
      const { code, out } = await run(["guard"]);
      expect([code, out]).toEqual([0, expect.stringContaining("a deploy would change backup; it may go on")]);
      folder = synthesize(agents.address, jobs);
    });

    test("rebalance, restart and logs know no such service", async () => {
      const moves = await run(["rebalance", "--dry-run", "--json"], "reader");
      expect([moves.code, JSON.parse(moves.out).moves]).toEqual([0, []]);
      for (const verb of [
        ["restart", "backup", "--yes"],
        ["logs", "backup"],
      ]) {
        expect((await run(verb)).err).toBe("error: there is no service backup; there are hub\n");
      }
    });

    test("pause keeps them from starting, waits for a run, and resume lets them start again", async () => {
      await become(batch("backup", "sleep 4", { Meta: { version: "6", sets: "hub" }, Periodic: hourly }));
      folder = synthesize(agents.address, jobs.slice(0, -1));
      await agents.send("PUT", "job/backup/periodic/force", {}, "lab");
      const paused = await run(["pause", "--reason", "a disk", "--yes"]);
      expect([paused.code, paused.out]).toEqual([
        0,
        `stops backup-drill, from now on it does not start
stops backup, from now on it does not start
stops hub, which may take 5s
backup-drill is stopped
backup is stopped
hub is stopped
the pause is on; homelab resume ends it
`,
      ]);
      const runs = async () => (await live()).filter(({ ParentID }) => ParentID === "backup").length;
      expect((await live()).filter(({ ParentID, Status }) => ParentID && Status !== "dead")).toEqual([]);
      // A run that the clock would begin now has nothing to run.
      const before = await runs();
      await agents.send("PUT", "job/backup/periodic/force", {}, "lab");
      await until("the run that is none", 10, async () => (await runs()) > before || undefined);
      await sleep(2_000);
      expect((await live()).filter(({ ParentID, Status }) => ParentID && Status !== "dead")).toEqual([]);
      expect((await run(["backup", "now"])).err).toMatch(
        /^error: a pause is on since .*: a disk; homelab resume ends it/,
      );
      const drift = await run(["drift"], "reader");
      expect(drift.out).not.toMatch(/backup(-drill)? .*Count/);
      const resumed = await run(["resume"]);
      expect([resumed.code, resumed.out]).toEqual([
        0,
        "hub is healthy\nbackup starts by the clock again\nbackup-drill starts by the clock again\nthe pause is over\n",
      ]);
      await become(good());
      expect((await run(["backup", "now"])).code).toBe(0);
    });
  });
});
