import { funds } from "../../rules/funds";
import { addReader, findings, hours, minutes, places, seconds } from "./homelab";

describe(funds.statement, () => {
  const at = "homelab/albyhub TaskGroups[albyhub]";

  test("the fence must stand, and the volume is named", () => {
    const found = findings(funds, ({ albyhub }) => void delete albyhub.group.Disconnect);
    expect(found).toEqual([
      expect.objectContaining({
        path: "homelab/albyhub",
        place: "TaskGroups[albyhub].Disconnect",
        problem: expect.stringMatching(/"albyhub-data", which holds funds/),
      }),
    ]);
  });

  test("Nomad's default for replace is true, so it must be written out", () => {
    const found = places(funds, ({ albyhub }) => void delete albyhub.group.Disconnect?.Replace);
    expect(found).toEqual([`${at}.Disconnect.Replace = not set (Nomad's default is true)`]);
  });

  test("720 h of fence pass, 12 h do not", () => {
    const withLostAfter = (amount: number) =>
      places(funds, ({ albyhub }) => void Object.assign(albyhub.group.Disconnect ?? {}, { LostAfter: hours(amount) }));
    expect(withLostAfter(720)).toEqual([]);
    expect(withLostAfter(12)).toEqual([`${at}.Disconnect.LostAfter = 12h`]);
  });

  test("6 min to stop pass, less or nothing does not", () => {
    const withKill = (KillTimeout: ReturnType<typeof minutes> | undefined) =>
      places(funds, ({ albyhub }) => {
        albyhub.task.KillTimeout = KillTimeout;
      });
    expect(withKill(minutes(6))).toEqual([]);
    expect(withKill(seconds(359))).toEqual([`${at}.Tasks[albyhub].KillTimeout = 5m59s`]);
    expect(withKill(undefined)).toEqual([`${at}.Tasks[albyhub].KillTimeout = not set`]);
  });

  test("a task beside it that mounts nothing may stop quickly", () => {
    const found = places(
      funds,
      ({ albyhub: { group, task } }) =>
        void group.Tasks.push({
          ...task,
          Name: "probe",
          KillTimeout: seconds(5),
          KillSignal: "SIGQUIT",
          VolumeMounts: [],
        }),
    );
    expect(found).toEqual([]);
  });

  test.each(["SIGQUIT", "SIGKILL", "SIGHUP"])("%s is no clean stop", (signal) => {
    const found = places(funds, ({ albyhub }) => {
      albyhub.task.KillSignal = signal;
    });
    expect(found).toEqual([`${at}.Tasks[albyhub].KillSignal = ${signal}`]);
  });

  test.each(["SIGTERM", "SIGINT", ""])("%s is one", (signal) => {
    expect(
      places(funds, ({ albyhub }) => {
        albyhub.task.KillSignal = signal;
      }),
    ).toEqual([]);
  });

  test("job and volume must be retained", () => {
    expect(
      places(funds, ({ albyhub }) => {
        albyhub.record.retained = false;
      }),
    ).toEqual(["homelab/albyhub removalPolicy = destroy"]);
    expect(
      places(funds, ({ albyhub }) => {
        albyhub.volume.retained = false;
      }),
    ).toEqual(["homelab/albyhub-data removalPolicy = destroy"]);
  });

  test("it is never rolled back, by its group or by its job", () => {
    const told = [`${at}.Update.AutoRevert = true`];
    expect(
      places(funds, ({ albyhub }) => {
        albyhub.group.Update = { AutoRevert: true };
      }),
    ).toEqual(told);
    expect(
      places(funds, ({ albyhub }) => {
        albyhub.job.Update = { AutoRevert: true };
        delete albyhub.group.Update;
      }),
    ).toEqual(told);
    expect(
      places(funds, ({ albyhub }) => {
        albyhub.job.Update = { AutoRevert: true };
      }),
    ).toEqual([]);
  });

  test("it is alone: no second instance, no canary", () => {
    expect(
      places(funds, ({ albyhub }) => {
        albyhub.group.Count = 2;
      }),
    ).toEqual([`${at}.Count = 2`]);
    expect(
      places(funds, ({ albyhub }) => {
        albyhub.group.Update = { Canary: 1 };
      }),
    ).toEqual([`${at}.Update.Canary = 1`]);
  });

  test("a volume that is declared twice holds funds when one of the two says so", () => {
    const found = places(funds, (draft) => {
      draft.volumes.unshift({ ...draft.albyhub.volume, holds: "index" });
      delete draft.albyhub.group.Disconnect;
    });
    expect(found).toEqual([`${at}.Disconnect = not set`]);
  });

  test("a volume of the same name in another namespace is another volume", () => {
    const found = places(funds, (draft) => {
      draft.volumes.push({ ...draft.electrs.volume, namespace: "other", holds: "funds" });
    });
    expect(found).toEqual([]);
  });

  test("a backup that only reads, and an index, need none of this", () => {
    const found = places(funds, (draft) => {
      addReader(draft, "albyhub-data");
      draft.electrs.record.retained = false;
      delete draft.electrs.group.Disconnect;
    });
    expect(found).toEqual([]);
  });
});
