import type { Job } from "../../../.gen/nomad/job";
import { copyBackJob } from "../../../cli/backup/copy-back";
import { copyBackScript } from "../../../cli/backup/copy-back-script";
import { FakeNomad } from "../fake-nomad";
import { job, stackFile, synthesized, task } from "../project";
import { told as toldIn } from "../told";

const batch = (id: string, more: Partial<Job> = {}): Job => ({
  ...job(id, [task(id, "restic/restic:0.18.1", [100, 128])]),
  Type: "batch",
  ...more,
});
const hub = job("albyhub", [task("albyhub", "ghcr.io/getalby/hub:v1.24.0", [500, 1280])]);
const jobs = [
  hub,
  batch("backup", { Meta: { version: "1", sets: "albyhub,cluster" }, Periodic: { Enabled: true } }),
  batch("backup-restore", { ParameterizedJob: {} }),
];

let nomad: FakeNomad;
beforeAll(async () => {
  nomad = await FakeNomad.start();
});
afterAll(() => nomad.stop());
beforeEach(() => nomad.reset());

const told = (args: readonly string[], stack = jobs) => {
  const provider = { nomad: [{ address: nomad.address }] };
  return toldIn(["backup", ...args], synthesized({ homelab: { ...stackFile(stack, {}), provider } }));
};

const SETS = "albyhub snapshot=ab12cd34 files=12 bytes=3456 rows=789\ncluster snapshot=0011aabb files=2 bytes=99000";

/** A clock that was wrong, of the client that ran it: Nomad's own counts. */
const at = "2020-01-01T00:00:00Z";
const hoursAgo = (hours: number) => Date.now() - hours * 3600 * 1000;

/** What the job would have written so many hours ago. */
function tell(hours: number, sets = SETS): void {
  nomad.jobs.set("backup", { Stop: false, allocations: [] });
  for (const set of sets.split("\n")) {
    const [name] = set.split(" ");
    nomad.put(`homelab/backup/backup/sets/${name}`, { at, set }, "default", hoursAgo(hours));
  }
  nomad.put("homelab/backup/backup/done", { at, seconds: "12", sets }, "default", hoursAgo(hours));
}

const lines =
  "ab12cd34 2026-11-26T11:00:00Z albyhub 3456\n0011aabb 2026-11-26T11:00:00Z cluster 99000\n99aa00bb 2026-11-26T10:00:00Z albyhub 3400\n";

describe("homelab backup status", () => {
  test("is green when fresh, and ends with 0", async () => {
    tell(1);
    const { code, out } = await told(["status"]);
    expect(code).toBe(0);
    expect(out).toMatch(
      / {2}albyhub +60 min +ab12cd34 +3\.4 KiB +12 +789 +well\n {2}cluster +60 min +0011aabb +96\.7 KiB/,
    );
  });

  test("is red after 27 h, and ends with 2", async () => {
    tell(27);
    const { code, out } = await told(["status"]);
    expect([code, out]).toEqual([
      2,
      expect.stringMatching(/not to be relied on\n[\s\S]*albyhub +27 h.*older than 26 h/),
    ]);
  });

  test("tells of the last failure until a run has ended well, whichever clock said what", async () => {
    const failed = { at: "2030-01-01T00:00:00Z", task: "restic", message: "no space left\n" };
    nomad.put("homelab/backup/backup/failed", failed, "default", hoursAgo(2));
    tell(1);
    expect((await told(["status"])).out).not.toContain("no space left");
    nomad.put("homelab/backup/backup/failed", { ...failed, at }, "default", hoursAgo(0.5));
    expect((await told(["status"])).out).toMatch(/the last run failed at .* in its task restic: no space left\n/);
  });

  test("is red for the set that fails alone, and says why", async () => {
    tell(27);
    const [hub = ""] = SETS.split("\n");
    nomad.put("homelab/backup/backup/sets/albyhub", { at, set: hub }, "default", hoursAgo(0.1));
    const failed = { at, task: "restic", message: "cluster: there is no raft snapshot" };
    nomad.put("homelab/backup/backup/failed", failed, "default");
    const { code, out } = await told(["status"]);
    expect([code, out]).toEqual([
      2,
      expect.stringMatching(
        /albyhub +6 min .*well\n {2}cluster +27 h .*older than 26 h\n[\s\S]*there is no raft snapshot/,
      ),
    ]);
  });

  test("is red for a database without a row, and yellow for files that were left out", async () => {
    tell(1, "albyhub snapshot=ab12cd34 files=2 bytes=900 rows=0\ncluster snapshot=0011aabb files=2 bytes=99000");
    expect(await told(["status"])).toMatchObject({
      code: 2,
      out: expect.stringContaining("its database holds no row"),
    });
    tell(
      1,
      "albyhub snapshot=ab12cd34 files=2 bytes=900 rows=7 channels=3 incomplete=1\ncluster snapshot=0011aabb files=2",
    );
    const { code, out } = await told(["status"]);
    expect([code, out]).toEqual([0, expect.stringContaining("1 of its files are not whole, and were left out")]);
    expect(out).toContain("not quite well");
  });

  test("prints all of it for programs", async () => {
    tell(1);
    const { out } = await told(["status", "--json"]);
    expect(JSON.parse(out).stacks[0]).toMatchObject({
      stack: "homelab",
      backup: { mood: "waiting", sets: [{ name: "albyhub", bytes: 3456, mood: "good" }, { name: "cluster" }] },
    });
  });

  test("says what to add where no backup was synthesized", async () => {
    expect(await told(["status"], [hub])).toEqual({
      code: 1,
      out: "",
      err: "error: stack homelab has no job backup: add new Backup(…) to main.ts, as docs/backups.md says, then npm run synth and deploy\n",
    });
  });

  test("names the capability that the token lacks", async () => {
    tell(1);
    nomad.capabilities.delete("read");
    const { code, err } = await told(["status"]);
    expect([code, err]).toEqual([
      1,
      expect.stringContaining('this takes the capability "read" for variables at homelab/'),
    ]);
  });

  test("knows a job that is not there from one that never ran", async () => {
    expect((await told(["status"])).out).toContain("the job backup is not in Nomad: deploy it");
    nomad.jobs.set("backup", { Stop: false, allocations: [] });
    const { code, out } = await told(["status"]);
    expect([code, out]).toEqual([0, expect.stringContaining("not backed up yet: homelab backup now")]);
  });
});

describe("homelab backup list", () => {
  test("lists all, or those of a set, the newest first", async () => {
    nomad.put("homelab/backup/snapshots", { list: lines }, "default");
    expect((await told(["list"])).out).toMatch(
      /SNAPSHOT .*\n {2}ab12cd34 .*albyhub +3\.4 KiB\n {2}0011aabb .*\n {2}99aa00bb/,
    );
    const { snapshots } = JSON.parse((await told(["list", "--set", "albyhub", "--json"])).out);
    expect(snapshots.map(({ id }: { id: string }) => id)).toEqual(["ab12cd34", "99aa00bb"]);
  });

  test("says which sets there are, or that there is nothing yet", async () => {
    expect((await told(["list"])).err).toBe(
      "error: no backup has told of a snapshot yet; homelab backup now makes one\n",
    );
    nomad.put("homelab/backup/snapshots", { list: lines }, "default");
    expect((await told(["list", "--set", "hub"])).err).toBe(
      "error: there is no snapshot of a set hub; there are albyhub, cluster\n",
    );
  });
});

describe("homelab backup restore", () => {
  beforeEach(() => {
    nomad.put("homelab/backup/snapshots", { list: lines }, "default");
  });

  test.each([
    [
      ["albyhub", "--snapshot", "deadbeef"],
      "there is no snapshot deadbeef of albyhub; the newest are ab12cd34, 99aa00bb, and homelab backup list shows all",
    ],
    [["hub"], "there is no snapshot of a set hub; there are albyhub, cluster"],
    [
      ["albyhub", "--database", "nwc; drop"],
      "--database nwc; drop: letters, digits and underscores alone, as createdb takes them unquoted",
    ],
    [
      ["albyhub", "--work-directory", "--database", "nwc"],
      "--work-directory restores the copy of before-upgrade alone: leave --snapshot and --database out",
    ],
  ])("refuses %j before anything is asked of a job", async (args, err) => {
    expect(await told(["restore", ...args])).toMatchObject({ code: 1, err: `error: ${err}\n` });
  });

  test("wants the name of the set to be typed", async () => {
    nomad.jobs.set("backup-restore", { Stop: false, allocations: [] });
    expect((await told(["restore", "albyhub"])).err).toBe(
      "error: nobody can be asked here, so nothing was done; --confirm albyhub says that you mean it\n",
    );
    expect((await told(["restore", "albyhub", "--confirm", "yes"])).err).toBe(
      'error: "yes" is not albyhub: nothing was done\n',
    );
  });
});

describe("the job that puts a copy back", () => {
  const template: Job = {
    ...batch("backup-copy", { ParameterizedJob: { MetaRequired: ["job"] } }),
    TaskGroups: [
      {
        Name: "backup-copy",
        Count: 1,
        Volumes: {
          albyhub: { Name: "albyhub", Type: "csi", Source: "albyhub-data", ReadOnly: true },
          other: { Name: "other", Type: "csi", Source: "other-data", ReadOnly: true },
          backup: { Name: "backup", Type: "csi", Source: "backup" },
        },
        Tasks: [
          {
            ...task("copy", "restic/restic:0.18.1", [100, 128]),
            Templates: [
              { DestPath: "local/copy", EmbeddedTmpl: "cp" },
              { DestPath: "secrets/x", EmbeddedTmpl: "x" },
            ],
            VolumeMounts: [
              { Volume: "albyhub", Destination: "/data/albyhub", ReadOnly: true },
              { Volume: "other", Destination: "/data/other", ReadOnly: true },
              { Volume: "backup", Destination: "/backup" },
            ],
          },
          { ...task("report", "busybox:1.37.0", [20, 32]), Lifecycle: { Hook: "poststop" } },
        ],
      },
    ],
  };

  test("writes the service's volume alone, reads the copy, and is nothing else of it", () => {
    const { ID, ParameterizedJob, TaskGroups } = copyBackJob(template, "albyhub", "20261126T230000Z");
    expect([ID, ParameterizedJob]).toEqual([expect.stringMatching(/^backup-copy-back-\d+$/), undefined]);
    const [group] = TaskGroups;
    expect(Object.entries(group?.Volumes ?? {}).map(([name, { ReadOnly }]) => [name, ReadOnly])).toEqual([
      ["albyhub", false],
      ["backup", undefined],
    ]);
    expect(group?.Tasks).toHaveLength(1);
    expect(group?.Tasks[0]?.VolumeMounts).toEqual([
      { Volume: "albyhub", Destination: "/data/albyhub", ReadOnly: false },
      { Volume: "backup", Destination: "/backup", ReadOnly: true },
    ]);
    expect(group?.Tasks[0]?.Templates).toEqual([
      { DestPath: "local/copy", EmbeddedTmpl: copyBackScript("albyhub", "20261126T230000Z") },
    ]);
    expect(template.TaskGroups[0]?.Tasks).toHaveLength(2);
  });

  test("is not made of a job that has no volume of that name", () => {
    expect(() => copyBackJob(template, "bitcoin", "20261126T230000Z")).toThrow(
      "it has no volume bitcoin, or no script",
    );
  });
});
