import { judge, type Seen } from "../../../cli/backup/model";
import type { Done, Failed, SetDone } from "../../../cli/backup/results";
import { backupText } from "../../../cli/backup/text";
import { ageText, styleFor } from "../../../cli/shared/text";

const NOW = Date.parse("2026-11-26T12:00:00Z");
const HOUR = 3600 * 1000;
const DAY = 24 * HOUR;

const done = (ago: number, more: Partial<Done> = {}): Done => ({ at: NOW - ago, sets: [], checks: [], ...more });
const sets = (ago: number, more: Partial<SetDone> = {}): SetDone[] => [
  { name: "albyhub", snapshot: "ab12cd34", files: 12, bytes: 3456, rows: 789, at: NOW - ago, ...more },
];
const failed = (ago: number): Failed => ({ at: NOW - ago, task: "restic", message: "wrong password" });

const seen = (more: Partial<Seen> = {}): Seen => ({
  now: NOW,
  wanted: ["albyhub"],
  live: { stopped: false, submitted: NOW - 30 * DAY },
  sets: sets(HOUR),
  backup: { done: done(HOUR) },
  check: { done: done(3 * DAY) },
  drill: { done: done(10 * DAY, { checks: ["database 9 tables 789 rows equal"] }) },
  ...more,
});

describe("the mood of a backup", () => {
  test("is good an hour after a good run", () => {
    expect(judge(seen())).toMatchObject({ mood: "good", sets: [{ name: "albyhub", age: 3600, mood: "good" }] });
  });

  test.each([
    ["26 h old", 26 * HOUR, "good", undefined],
    ["26 h and a second old", 26 * HOUR + 1000, "bad", "older than 26 h"],
    ["27 h old", 27 * HOUR, "bad", "older than 26 h"],
    ["of a minute to come, as clocks differ", -60_000, "good", undefined],
    ["of a time to come", -HOUR, "bad", "it is of a time to come: a clock is wrong, here or on the server"],
  ])("of a set that is %s is as it should be", (_, ago, mood, problem) => {
    const { sets: views, mood: whole } = judge(seen({ sets: sets(ago) }));
    expect([views[0]?.mood, views[0]?.problem, whole]).toEqual([mood, problem, mood]);
  });

  test("is bad when a set is in no backup, though another is", () => {
    const { mood, sets: views } = judge(seen({ wanted: ["albyhub", "cluster"] }));
    expect([mood, views[1]]).toEqual(["bad", { name: "cluster", mood: "bad", problem: "was never backed up" }]);
  });

  test("is bad for a database without a row, however young, and yellow for files that were left out", () => {
    expect(judge(seen({ sets: sets(HOUR, { rows: 0 }) })).sets[0]).toMatchObject({
      mood: "bad",
      problem: "its database holds no row",
    });
    expect(judge(seen({ sets: sets(HOUR, { incomplete: 2 }) })).sets[0]).toMatchObject({
      mood: "waiting",
      problem: "2 of its files are not whole, and were left out",
    });
    expect(judge(seen({ sets: sets(27 * HOUR, { incomplete: 2 }) })).sets[0]?.mood).toBe("bad");
  });

  test("is yellow when the last run failed, and the one before is young", () => {
    const view = judge(seen({ backup: { done: done(2 * HOUR), failed: failed(HOUR) } }));
    expect([view.mood, view.problem]).toEqual([
      "waiting",
      "the last run failed at 2026-11-26T11:00:00.000Z in its task restic: wrong password",
    ]);
  });

  test("is yellow before the first run after a deploy, and bad a day later or after a failure", () => {
    const never = { sets: [], backup: {}, check: {}, drill: {} };
    const young = { live: { stopped: false, submitted: NOW - HOUR } };
    expect(judge(seen({ ...never, ...young })).mood).toBe("waiting");
    expect(judge(seen(never)).mood).toBe("bad");
    expect(judge(seen({ ...never, ...young, backup: { failed: failed(HOUR) } })).mood).toBe("bad");
  });

  test.each([
    ["is not in Nomad", undefined, "the job backup is not in Nomad: deploy it"],
    ["was stopped", { stopped: true, submitted: 0 }, "the job backup was stopped: raise its metaVersion and deploy"],
  ])("is bad when the job %s, however young the last backup is", (_, live, problem) => {
    const { live: __, ...rest } = seen();
    expect(judge({ ...rest, ...(live && { live }) })).toMatchObject({ mood: "bad", problem });
  });

  test("is yellow when it grows old during a pause", () => {
    const pause = { reason: "a disk", since: "", groups: [], writers: [] };
    expect(judge(seen({ pause, sets: sets(3 * DAY) })).sets[0]).toMatchObject({
      mood: "waiting",
      problem: "no backup runs while the pause is on",
    });
  });

  test.each(["check", "drill"] as const)(
    "is bad after a %s that failed, and yellow when it is late or never was",
    (what) => {
      const [days, old] = what === "check" ? [8, 9] : [32, 33];
      expect(judge(seen({ [what]: { done: done(DAY), failed: failed(HOUR) } })).mood).toBe("bad");
      expect(judge(seen({ [what]: { done: done(old * DAY) } }))[what]).toMatchObject({
        mood: "waiting",
        problem: `the last ${what} is older than ${days} days`,
      });
      expect(judge(seen({ [what]: {} }))[what]).toMatchObject({ mood: "waiting", problem: `there was no ${what} yet` });
    },
  );
});

describe("the text of a backup", () => {
  const text = (more: Partial<Seen> = {}) =>
    backupText("homelab", "http://127.0.0.1:1", judge(seen(more)), styleFor(false));

  test("shows every set, the check and the drill", () => {
    expect(text()).toBe(
      `homelab at http://127.0.0.1:1: the backup is well
  BACKUP OF  AGE  SNAPSHOT     SIZE  FILES  ROWS
  albyhub    60 min  ab12cd34  3.4 KiB     12   789  well
  last good check of the repository: 3 d ago
  last good drill: 10 d ago (database 9 tables 789 rows equal)
`.replace("BACKUP OF  AGE", "BACKUP OF     AGE"),
    );
  });

  test("is red in words 27 h after the last good run", () => {
    expect(text({ sets: sets(27 * HOUR), backup: { failed: failed(HOUR) } })).toMatch(
      /the backup is not to be relied on\n[\s\S]*albyhub +27 h .*older than 26 h\n {2}the last run failed at .*wrong password\n/,
    );
  });

  test.each([
    [59, "59 s"],
    [3600, "60 min"],
    [26 * 3600 + 3599, "26 h"],
    [27 * 3600, "27 h"],
    [80 * 3600, "3 d"],
  ])("says %d s as %s", (seconds, words) => {
    expect(ageText(seconds)).toBe(words);
  });
});
