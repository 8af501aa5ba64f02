import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { Cron } from "../../nomad/cron";
import { describeWith } from "../tools";

const FROM = "2026-11-28T10:00:00Z";

/** What our parser makes of a schedule, in the words of tools/nomad-api. Whether it cannot be read or never comes, it is refused. */
function ours(schedule: string): string {
  try {
    const cron = Cron.parse(schedule);
    const times: string[] = [];
    for (let at = cron.next(new Date(FROM)); at && times.length < 3; at = cron.next(at)) {
      times.push(at.toISOString().replace(".000", ""));
    }
    return times.join(" ") || "refused";
  } catch {
    return "refused";
  }
}

const SCHEDULES = [
  "7 * * * *", "37 3 * * 0", "17 4 1 * *", "99 99 * * *", "0 0 31 2 *", "0 0 30 2 *", "0 0 29 2 *", "0 0 31 4,6,9,11 *",
  "60 * * * *", "* 24 * * *", "0 0 0 * *", "0 0 32 * *", "0 0 * 13 *", "0 0 * 0 *", "0 0 * * 7", "0 0 * * 8", "0 0 * * 5-7",
  "0 0 * * sun", "0 0 * * Monday", "0 0 * jan,JUL *", "0 0 L * *", "0 0 LW * *", "0 0 15W * *", "0 0 31W * *", "0 0 * * 5L",
  "0 0 * * 5#3", "0 0 * * fri#5", "0 0 * * 5#6", "0 0 31 2 1", "*/15 * * * *", "*/0 * * * *", "*/60 * * * *", "5/20 * * * *",
  "0 5/7 * * *", "30-10 * * * *", "0 22-3 * * *", "10-50/20 * * * *", "? ? ? ? ?", "?/2 * * * *", "0 0 1 1 * 2020", "0 0 1 1 * 2027",
  "0 0 31 2 * 2028", "30 0 0 1 1 * *", "@daily", "@hourly", "@weekly", "@reboot", "", "* * * *", "a b c d e", "1,2,,3 * * * *",
  ", * * * *", "-5 * * * *", "5- * * * *", "1-2-3 * * * *", "1/2/3 * * * *", "+5 * * * *", "1.5 * * * *", "007 * * * *", "0 0 * * 01",
  "0 0 * * 0-0", "0 0 1-31/30 * *", "59 23 31 12 *", "0 0 * feb-apr/2 *", "0 0 * * l", "0 0 w * *", "0 0 0w * *", "1 2 3 4 5 2027 7 8",
]; // biome-ignore format: a list

describeWith(["go"], "a schedule is read as Nomad's own parser reads it", () => {
  const nomads = (schedules: readonly string[]) => {
    const { status, stdout, stderr } = spawnSync("go", ["run", ".", "cron", FROM], {
      cwd: "tools/nomad-api",
      encoding: "utf8",
      input: schedules.map((one) => `${one}\n`).join(""),
    });
    expect([status, stderr]).toEqual([0, ""]);
    return stdout
      .trimEnd()
      .replace(/^(error|never)$/gm, "refused")
      .split("\n");
  };
  const same = (schedules: readonly string[]) => {
    const found = nomads(schedules);
    expect(schedules.map((one) => `${one}: ${ours(one)}`)).toEqual(schedules.map((one, at) => `${one}: ${found[at]}`));
  };

  test("whether good, bad, or one that never comes", () => same(SCHEDULES), 60_000);

  test("in any combination", () => {
    const entry = (first: number, last: number, ...others: string[]) => {
      const value = fc.integer({ min: first, max: last + 2 }).map(String);
      const range = fc.tuple(value, value).map(([from, to]) => `${from}-${to}`);
      const step = fc.tuple(fc.oneof(value, range, fc.constant("*")), fc.integer({ min: 0, max: last + 1 }));
      const stepped = step.map(([from, by]) => `${from}/${by}`);
      return fc.oneof(value, range, stepped, fc.constantFrom(...others, "x"));
    };
    const field = (first: number, last: number, ...others: string[]) => {
      const some = fc.array(entry(first, last, ...others), { minLength: 1, maxLength: 3 }).map((all) => all.join(","));
      return fc.oneof({ weight: 3, arbitrary: fc.constant("*") }, { weight: 2, arbitrary: some });
    };
    const schedule = fc
      .tuple(
        field(0, 59),
        field(0, 23),
        field(1, 31, "L", "LW", "15W", "1w", "31W"),
        field(1, 12, "feb", "December", "mai"),
        field(0, 7, "sun", "Tuesday", "5L", "satl", "2#1", "mon#5", "0#2"),
      )
      .map((fields) => fields.join(" "));
    same(fc.sample(schedule, { numRuns: 500, seed: 20261128 }));
  }, 120_000);
});

describe("the last time that a schedule came", () => {
  const last = (schedule: string, before: string, timeZone = "UTC") =>
    Cron.parse(schedule)
      .last(new Date(before), timeZone, new Date(Date.parse(before) - 40 * 24 * 3600 * 1000))
      ?.toISOString();

  test.each([
    ["7 * * * *", "2026-11-28T10:06:59Z", "UTC", "2026-11-28T09:07:00.000Z"],
    ["7 * * * *", "2026-11-28T10:07:30Z", "UTC", "2026-11-28T10:07:00.000Z"],
    ["37 3 * * 0", "2026-11-28T10:00:00Z", "UTC", "2026-11-22T03:37:00.000Z"],
    ["17 4 1 * *", "2026-11-28T10:00:00Z", "UTC", "2026-11-01T04:17:00.000Z"],
    ["0 6 * * *", "2026-11-28T10:00:00Z", "Asia/Kolkata", "2026-11-28T00:30:00.000Z"],
    ["0 6 * * *", "2026-11-28T10:00:00Z", "America/Los_Angeles", "2026-11-27T14:00:00.000Z"],
    // The days on which clocks change in Berlin: there is no 02:30 on one, and two on the other.
    ["30 23 * * *", "2026-03-29T20:00:00Z", "Europe/Berlin", "2026-03-28T22:30:00.000Z"],
    ["30 2 * * *", "2026-03-29T20:00:00Z", "Europe/Berlin", "2026-03-28T01:30:00.000Z"],
    ["30 2 * * *", "2026-10-25T20:00:00Z", "Europe/Berlin", "2026-10-25T01:30:00.000Z"],
    ["15 0 * * *", "2026-10-26T20:00:00Z", "Europe/Berlin", "2026-10-25T23:15:00.000Z"],
  ])("%s before %s in %s", (schedule, before, timeZone, expected) => {
    expect(last(schedule, before, timeZone)).toBe(expected);
  });

  test("is none when it did not come since", () => {
    expect(last("0 0 1 1 *", "2026-11-28T10:00:00Z")).toBeUndefined();
  });
});
