import type { Nanoseconds } from "../../.gen/nomad/job";
import { stopChain } from "../../rules/stop-chain";
import { addReader, findings, minutes, places, seconds } from "./homelab";

describe(stopChain.statement, () => {
  const kill = "homelab/bitcoin TaskGroups[bitcoin].Tasks[bitcoin].KillTimeout";

  test("a kill timeout above the clients' maximum is refused", () => {
    const found = findings(stopChain, ({ bitcoin }) => {
      bitcoin.task.KillTimeout = minutes(20);
    });
    expect(found[0]).toMatchObject({ value: "20m", problem: expect.stringContaining("15m") });
  });

  test("so is one that the inventory's maximum has come below", () => {
    const found = places(stopChain, ({ cluster }) => {
      cluster.maxKillTimeout = "10m";
    });
    expect(found).toEqual([`${kill} = 15m`]);
  });

  test("one exactly at the maximum passes, one second more does not", () => {
    expect(
      places(stopChain, ({ bitcoin }) => {
        bitcoin.task.KillTimeout = minutes(15);
      }),
    ).toEqual([]);
    expect(
      places(stopChain, ({ bitcoin }) => {
        bitcoin.task.KillTimeout = seconds(901);
      }),
    ).toEqual([`${kill} = 15m1s`]);
    expect(
      places(stopChain, ({ bitcoin }) => {
        bitcoin.task.KillTimeout = (minutes(15) + 1) as Nanoseconds;
      }),
    ).toEqual([`${kill} = 15m0.000000001s`]);
  });

  test("a sidecar's kill timeout counts as well", () => {
    const found = places(
      stopChain,
      ({ electrs: { group, task } }) => void group.Tasks.push({ ...task, Name: "sidecar", KillTimeout: minutes(16) }),
    );
    expect(found).toEqual([
      "homelab/electrs TaskGroups[electrs].Tasks[sidecar].KillTimeout = 16m",
      "homelab/electrs TaskGroups[electrs].Update.ProgressDeadline = 15m",
    ]);
  });

  test.each([
    ["15m1s", "15m"],
    ["15m", "899s"],
  ])("a maximum of %s above a drain deadline of %s is refused, at the stack", (maxKillTimeout, drainDeadline) => {
    const found = findings(stopChain, ({ cluster }) => void Object.assign(cluster, { maxKillTimeout, drainDeadline }));
    expect(found).toEqual([
      expect.objectContaining({
        path: "homelab",
        value: maxKillTimeout,
        problem: expect.stringContaining(drainDeadline),
      }),
    ]);
  });

  test.each([undefined, 0])("a task that writes a volume must not leave it at Nomad's 5 s (%s)", (unset) => {
    const found = findings(stopChain, ({ electrs }) => {
      electrs.task.KillTimeout = unset as never;
    });
    expect(found).toEqual([
      expect.objectContaining({
        place: "TaskGroups[electrs].Tasks[electrs].KillTimeout",
        problem: expect.stringContaining("5s"),
      }),
    ]);
  });

  test("a task that only reads may", () => {
    const found = places(stopChain, (draft) =>
      addReader(draft, "bitcoin-data", (group) => {
        for (const task of group.Tasks) delete task.KillTimeout;
      }),
    );
    expect(found).toEqual([]);
  });

  describe("the writer of a chain", () => {
    test.each([minutes(10) - 1, seconds(30), seconds(5)])("needs more than %d ns to flush", (amount) => {
      const found = findings(stopChain, ({ bitcoin }) => {
        bitcoin.task.KillTimeout = amount as Nanoseconds;
      });
      expect(found).toEqual([
        expect.objectContaining({
          place: "TaskGroups[bitcoin].Tasks[bitcoin].KillTimeout",
          problem: expect.stringContaining("is below 10m: bitcoind is killed in the middle of its flush"),
        }),
      ]);
    });

    test("is content with 10 min, or what it is told beside the chain with less", () => {
      const found = places(stopChain, ({ bitcoin: { group, task } }) => {
        task.KillTimeout = minutes(10);
        const beside = { ...task, KillTimeout: seconds(30) };
        group.Tasks.push({ ...beside, Name: "probe", VolumeMounts: [] });
        group.Tasks.push({ ...beside, Name: "chown", Lifecycle: { Hook: "prestart", Sidecar: false } });
      });
      expect(found).toEqual([]);
    });
  });

  describe.each(["bitcoin", "electrs"] as const)("the writer %s", (service) => {
    const withSignal = (signal: string | undefined) =>
      places(stopChain, (draft) => {
        draft[service].task.KillSignal = signal;
      });

    test.each(["SIGKILL", "SIGQUIT", "SIGHUP", "sigterm"])("must not be stopped with %s", (signal) => {
      expect(withSignal(signal)).toEqual([
        `homelab/${service} TaskGroups[${service}].Tasks[${service}].KillSignal = ${signal}`,
      ]);
    });

    test.each([undefined, "", "SIGTERM", "SIGINT"])("may be stopped with %j", (signal) => {
      expect(withSignal(signal)).toEqual([]);
    });
  });

  test("a volume of funds is the business of the rule funds, and a reader's signal its own", () => {
    const found = places(stopChain, (draft) => {
      draft.albyhub.task.KillSignal = "SIGQUIT";
      addReader(draft, "bitcoin-data", (group) => {
        for (const task of group.Tasks) task.KillSignal = "SIGKILL";
      });
    });
    expect(found).toEqual([]);
  });

  describe("the deployment", () => {
    const deadline = "homelab/bitcoin TaskGroups[bitcoin].Update.ProgressDeadline";

    test("that is just long enough passes, one second less does not", () => {
      const withDeadline = (amount: number) =>
        places(stopChain, ({ bitcoin }) => {
          bitcoin.group.Update = { HealthyDeadline: minutes(10), ProgressDeadline: seconds(amount) };
        });
      expect(withDeadline(25 * 60)).toEqual([]);
      expect(withDeadline(25 * 60 - 1)).toEqual([`${deadline} = 24m59s`]);
    });

    test("is too short with a longer healthy deadline", () => {
      const found = findings(
        stopChain,
        ({ bitcoin }) => void Object.assign(bitcoin.group.Update ?? {}, { HealthyDeadline: minutes(16) }),
      );
      expect(found).toEqual([
        expect.objectContaining({ value: "30m", problem: expect.stringContaining("together 31m") }),
      ]);
    });

    test("is judged by Nomad's defaults where nothing is set", () => {
      expect(places(stopChain, ({ bitcoin }) => void delete bitcoin.group.Update)).toEqual([`${deadline} = 10m`]);
      expect(
        places(stopChain, ({ bitcoin }) => {
          bitcoin.group.Update = { ProgressDeadline: undefined };
        }),
      ).toEqual([`${deadline} = 10m`]);
    });

    test("takes from the job what the group leaves open", () => {
      const found = places(stopChain, ({ bitcoin: { job, group } }) => {
        job.Update = { HealthyDeadline: minutes(20), ProgressDeadline: minutes(30) };
        group.Update = { ProgressDeadline: minutes(34) };
      });
      expect(found).toEqual([`${deadline} = 34m`]);
    });

    test("includes the delay before the stop", () => {
      const withDelay = (level: "group" | "task", amount: number) =>
        places(stopChain, ({ bitcoin }) => {
          bitcoin[level].ShutdownDelay = seconds(amount);
        });
      for (const level of ["group", "task"] as const) {
        expect(withDelay(level, 300)).toEqual([]);
        expect(withDelay(level, 301)).toEqual([`${deadline} = 30m`]);
      }
    });

    test("does not exist for a batch job", () => {
      const found = places(stopChain, ({ bitcoin: { job, group } }) => {
        job.Type = "batch";
        delete group.Update;
      });
      expect(found).toEqual([]);
    });
  });
});
