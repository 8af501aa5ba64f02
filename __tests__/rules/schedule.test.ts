import type { PeriodicConfig } from "../../.gen/nomad/job";
import { schedule } from "../../rules/schedule";
import { findings, places } from "./homelab";

const judged = (periodic: PeriodicConfig) =>
  places(schedule, ({ electrs }) => Object.assign(electrs.job, { Periodic: periodic }));
const cron = (Spec: string): PeriodicConfig => ({ Enabled: true, Spec, SpecType: "cron" });

describe(schedule.statement, () => {
  test.each([
    "99 99 * * *",
    "0 0 31 2 *",
    "0 0 30 2 *",
    "0 0 31 4,6 *",
    "7 *",
    "a b c d e",
    "0 0 1 1 * 2020",
    "50-10 * * * *",
  ])("%s is refused", (spec) => {
    expect(judged(cron(spec))).toEqual([`homelab/electrs Periodic.Spec = ${spec}`]);
  });

  test.each([
    "7 * * * *",
    "37 3 * * 0",
    "17 4 1 * *",
    "0 0 29 2 *",
    "0 0 L * *",
    "@daily",
    "0 4 * * sun",
    "*/5 1-3 * * 1-5",
  ])("%s passes", (spec) => {
    expect(judged(cron(spec))).toEqual([]);
  });

  test("says what is wrong, and judges each of several", () => {
    expect(findings(schedule, ({ electrs }) => Object.assign(electrs.job, { Periodic: cron("99 4 * * *") }))).toEqual([
      expect.objectContaining({ problem: 'has "99" in its field minute' }),
    ]);
    expect(judged({ Enabled: true, SpecType: "cron", Specs: ["7 * * * *", "0 0 31 2 *"] })).toEqual([
      "homelab/electrs Periodic.Specs[1] = 0 0 31 2 *",
    ]);
  });

  test("a schedule that is off passes", () => {
    expect(judged({ ...cron("0 0 31 2 *"), Enabled: false })).toEqual([]);
  });
});
