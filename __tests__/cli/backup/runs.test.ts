import type { Job } from "../../../.gen/nomad/job";
import { FakeNomad } from "../fake-nomad";
import { job, stackFile, synthesized, task } from "../project";
import { told } from "../told";

const PATH = "nomad/jobs/backup/backup/restic";
const restic = {
  ...task("restic", "restic/restic:0.18.1", [100, 128]),
  Templates: [
    { EmbeddedTmpl: `{{ (index (nomadVar "${PATH}") "restic_password").Value }}`, DestPath: "secrets/restic_password" },
  ],
};
const jobs: Job[] = ["backup", "backup-check", "backup-drill"].map((id) => ({
  ...job(id, [restic]),
  Type: "batch",
  Meta: { version: "1", sets: "albyhub" },
  Periodic: { Enabled: true },
}));

let nomad: FakeNomad;
beforeAll(async () => {
  nomad = await FakeNomad.start();
});
afterAll(() => nomad.stop());

const minutesAgo = (minutes: number) => Date.now() - minutes * 60_000;
/** Comes each hour, so many minutes ago for the last time. */
const hourly = (minutes: number) => `${new Date(minutesAgo(minutes)).getUTCMinutes()} * * * *`;
const schedule = (Spec: string, submitted = 3 * 24 * 60) => ({
  Stop: false,
  allocations: [],
  more: {
    SubmitTime: minutesAgo(submitted) * 1e6,
    Periodic: { Enabled: true, Spec, SpecType: "cron", TimeZone: "UTC" },
  },
});
const run = (minutes: number) => `backup/periodic-${Math.floor(minutesAgo(minutes) / 1000)}`;
const allocation = (
  minutes: number,
  ClientStatus: string,
  events: readonly [type: string, message: string][] = [],
) => ({
  ID: "a",
  NodeName: "pinode1",
  ClientStatus,
  CreateIndex: 1,
  CreateTime: minutesAgo(minutes) * 1e6,
  TaskStates: {
    restic: {
      State: "pending",
      Events: events.map(([Type, DisplayMessage], at) => ({
        Type,
        DisplayMessage,
        Time: minutesAgo(minutes - at / 100) * 1e6,
      })),
    },
  },
});

const SET = "albyhub snapshot=ab12cd34 files=12 bytes=3456 rows=789";
beforeEach(() => {
  nomad.reset();
  nomad.jobs.set("backup", schedule(hourly(30)));
  nomad.jobs.set("backup-check", schedule("37 3 * * 0"));
  nomad.put("homelab/backup/backup/sets/albyhub", { set: SET }, "default", minutesAgo(29));
  nomad.put("homelab/backup/backup/done", { sets: SET }, "default", minutesAgo(29));
  nomad.put("homelab/backup/backup-check/done", { seconds: "9" }, "default", Date.now());
});

const status = async () => {
  const provider = { nomad: [{ address: nomad.address }] };
  const folder = synthesized({ homelab: { ...stackFile(jobs, {}), provider } });
  const { code, out, err } = await told(["backup", "status", "--json"], folder);
  expect(err).toBe("");
  const { backup } = JSON.parse(out).stacks[0];
  return { code, problem: backup.problem, check: backup.check.problem };
};
/** A run that has not ended, begun so many minutes ago. */
const running = (minutes: number, allocations: readonly object[], evaluations: readonly object[] = []) =>
  nomad.jobs.set(run(minutes), { Stop: false, allocations, evaluations });

test("a backup that came when it was due is not red", async () => {
  expect(await status()).toEqual({ code: 0, problem: undefined, check: undefined });
});

describe("a run that does not begin is red", () => {
  test("with path and key when its secret is missing", async () => {
    const missing = `Missing: nomad.var.block(${PATH}@bitcoin.global)`;
    running(3, [
      allocation(3, "pending", [
        ["Received", ""],
        ["Template", missing],
      ]),
    ]);
    const { code, problem } = await status();
    expect([code, problem]).toEqual([
      2,
      expect.stringMatching(
        /^the run backup\/periodic-\d+ on pinode1 is pending for 3 min: restic: it waits for the Nomad variable nomad\/jobs\/backup\/backup\/restic with restic_password, which is not there: run homelab secrets init$/,
      ),
    ]);
  });

  test.each<[string, [string, string][], RegExp]>([
    [
      "its image is not there",
      [
        ["Driver", "Downloading image"],
        ["Driver Failure", 'Failed to pull "x": not found'],
      ],
      /pending for 6 min: restic: Failed to pull "x": not found$/,
    ],
    [
      "its claim is held",
      [["Received", "Task received by client"]],
      /pending for 6 min: Nomad gives no reason; a volume/,
    ],
  ])("when %s", async (_, events, text) => {
    running(6, [allocation(6, "pending", events)]);
    const { code, problem } = await status();
    expect([code, problem]).toEqual([2, expect.stringMatching(text)]);
  });

  test("when no machine has room for it, with Nomad's reason", async () => {
    const reason = "CSI volume albyhub-data has exhausted its available writer claims";
    running(11, [], [{ FailedTGAllocs: { backup: { ConstraintFiltered: { [reason]: 3 } } } }]);
    const { code, problem } = await status();
    expect([code, problem]).toEqual([
      2,
      expect.stringMatching(new RegExp(`has found no place for 11 min: ${reason}$`)),
    ]);
  });

  test("and one that does not end too", async () => {
    running(13 * 60, [allocation(13 * 60, "running")]);
    const { code, problem } = await status();
    expect([code, problem]).toEqual([2, expect.stringMatching(/has not ended for 13 h$/)]);
  });

  test.each([
    ["young", 2, "pending"],
    ["running", 11 * 60, "running"],
  ])("and not while it is %s", async (_, minutes, state) => {
    running(minutes, [allocation(minutes, state)]);
    expect(await status()).toMatchObject({ code: 0, problem: undefined });
  });
});

describe("a due time that passes without a run is red", () => {
  test("by the schedule that Nomad has", async () => {
    nomad.jobs.set("backup", schedule(hourly(15)));
    const { code, problem } = await status();
    expect([code, problem]).toEqual([
      2,
      expect.stringMatching(
        /^the job backup was due at \d{4}-.*:00\.000Z, and Nomad started no run: nomad job status backup$/,
      ),
    ]);
  });

  test("of the check, which its age would show days later", async () => {
    nomad.put("homelab/backup/backup-check/done", { seconds: "9" }, "default", minutesAgo(8 * 24 * 60 - 60));
    nomad.jobs.set("backup-check", schedule("37 3 * * 0", 30 * 24 * 60));
    const { code, check } = await status();
    expect([code, check]).toEqual([
      2,
      expect.stringMatching(/^the job backup-check was due at .*T03:37:00\.000Z, and/),
    ]);
  });

  test.each([
    [
      "a run has begun since, which Nomad remembers",
      () => nomad.jobs.set(run(14), { Stop: false, allocations: [], more: { Status: "dead" } }),
    ],
    [
      "a run has failed since",
      () => nomad.put("homelab/backup/backup/failed", { task: "restic", message: "x" }, "default", minutesAgo(13)),
    ],
    ["the job was registered since", () => nomad.jobs.set("backup", schedule(hourly(15), 14))],
    ["it was due a moment ago", () => nomad.jobs.set("backup", schedule(hourly(5)))],
  ])("unless %s", async (_, change) => {
    nomad.jobs.set("backup", schedule(hourly(15)));
    change();
    expect((await status()).problem ?? "").not.toMatch(/was due/);
  });

  test("when the schedule is off", async () => {
    nomad.jobs.set("backup", { Stop: false, allocations: [], more: { Periodic: { Enabled: false } } });
    expect(await status()).toMatchObject({
      code: 2,
      problem: "the schedule of the job backup is off, so it never runs",
    });
  });
});
