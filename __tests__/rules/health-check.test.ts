import type { Service, Task } from "../../.gen/nomad/job";
import { healthCheck } from "../../rules/health-check";
import { findings, places, seconds } from "./homelab";

const restart = { Limit: 3, Grace: seconds(60) };
const check = { Name: "tcp", Type: "tcp", Interval: seconds(15), Timeout: seconds(5) } as const;
const service: Service = { Name: "extra", Provider: "nomad", Checks: [check] };

describe(healthCheck.statement, () => {
  test.each([undefined, []])("a service of a group with checks %j is refused", (Checks) => {
    const found = places(healthCheck, ({ electrs }) => void electrs.group.Services?.push({ ...service, Checks }));
    expect(found).toEqual(["homelab/electrs TaskGroups[electrs].Services[extra].Checks = none"]);
  });

  test("so is a service of a task", () => {
    const found = places(healthCheck, ({ electrs }) => {
      electrs.task.Services = [{ ...service, Checks: [] }];
    });
    expect(found).toEqual(["homelab/electrs TaskGroups[electrs].Tasks[electrs].Services[extra].Checks = none"]);
  });

  test("a group without services passes", () => {
    expect(findings(healthCheck, ({ electrs }) => void delete electrs.group.Services)).toEqual([]);
  });

  describe("a node that may be syncing", () => {
    const withService = (change: (part: { group: { Services?: Service[]; Tasks: Task[] }; task: Task }) => void) =>
      places(healthCheck, ({ bitcoin }) => change(bitcoin));
    const ofGroup = "homelab/bitcoin TaskGroups[bitcoin].Services[extra].Checks[tcp].CheckRestart = limit 3";
    const ofTask =
      "homelab/bitcoin TaskGroups[bitcoin].Tasks[bitcoin].Services[extra].Checks[tcp].CheckRestart = limit 3";

    test("must not be restarted by a check of its group's service", () => {
      const checks = [{ ...check, CheckRestart: restart }];
      expect(withService(({ group }) => void group.Services?.push({ ...service, Checks: checks }))).toEqual([ofGroup]);
    });

    test("nor when that check names another task, since it restarts them all", () => {
      const found = withService(({ group, task }) => {
        group.Tasks.push({ ...task, Name: "probe", VolumeMounts: [] });
        group.Services?.push({
          ...service,
          TaskName: "probe",
          Checks: [{ ...check, TaskName: "probe", CheckRestart: restart }],
        });
      });
      expect(found).toEqual([ofGroup]);
    });

    test("nor by a check that inherits it from its service", () => {
      expect(
        withService(({ task }) => {
          task.Services = [{ ...service, CheckRestart: restart }];
        }),
      ).toEqual([ofTask]);
      expect(
        withService(({ task }) => {
          task.Services = [{ ...service, CheckRestart: restart, Checks: [{ ...check, CheckRestart: { Limit: 0 } }] }];
        }),
      ).toEqual([ofTask]);
    });

    test("may have checks with a limit of zero, which restart nothing", () => {
      const found = withService(({ task }) => {
        task.Services = [{ ...service, CheckRestart: { Limit: 0 } }];
      });
      expect(found).toEqual([]);
    });

    test("may stand beside a task that is restarted by its own service", () => {
      const found = withService(
        ({ group, task }) =>
          void group.Tasks.push({
            ...task,
            Name: "probe",
            VolumeMounts: [],
            Services: [{ ...service, CheckRestart: restart }],
          }),
      );
      expect(found).toEqual([]);
    });

    test("is not what a reader of the chain is", () => {
      const found = places(healthCheck, ({ bitcoin }) => {
        bitcoin.request.ReadOnly = true;
        bitcoin.task.Services = [{ ...service, CheckRestart: restart }];
      });
      expect(found).toEqual([]);
    });

    test("is not what Alby Hub is, which is dead until it is restarted", () => {
      expect(
        places(healthCheck, ({ albyhub }) => {
          albyhub.task.Services = [{ ...service, CheckRestart: restart }];
        }),
      ).toEqual([]);
    });
  });
});
