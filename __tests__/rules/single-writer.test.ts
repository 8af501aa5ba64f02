import type { DisconnectStrategy } from "../../.gen/nomad/job";
import { singleWriter } from "../../rules/single-writer";
import { addReader, type Draft, findings, hours, minutes, places, seconds } from "./homelab";

describe(singleWriter.statement, () => {
  describe("another writer", () => {
    test("in another job is refused", () => {
      const found = findings(singleWriter, ({ electrs }) => {
        electrs.request.Source = "bitcoin-data";
      });
      expect(found).toEqual([
        expect.objectContaining({
          path: "homelab/electrs",
          value: "bitcoin-data",
          problem: 'volume "bitcoin-data" is written by homelab/bitcoin (bitcoin) already',
        }),
      ]);
    });

    test("that leaves ReadOnly out is refused, and so is one whose mounts alone are read-only", () => {
      const second = "homelab/backup TaskGroups[backup].Volumes = bitcoin-data";
      expect(
        places(singleWriter, (draft) =>
          addReader(draft, "bitcoin-data", (group) => void delete group.Volumes?.data?.ReadOnly),
        ),
      ).toContain(second);
      expect(
        places(singleWriter, (draft) =>
          addReader(draft, "bitcoin-data", (group) => {
            Object.assign(group.Volumes?.data ?? {}, { ReadOnly: false });
            for (const task of group.Tasks)
              task.VolumeMounts = [{ Volume: "data", Destination: "/data", ReadOnly: true }];
          }),
        ),
      ).toContain(second);
    });

    test("under a second name in the same group is refused", () => {
      const found = places(singleWriter, ({ bitcoin: { group, request } }) => {
        group.Volumes = { data: request, again: { ...request, Name: "again" } };
      });
      expect(found).toEqual(["homelab/bitcoin TaskGroups[bitcoin].Volumes = bitcoin-data"]);
    });

    test("as a second task of the group is refused", () => {
      const found = findings(
        singleWriter,
        ({ bitcoin: { group, task } }) =>
          void group.Tasks.push({ ...task, Name: "backup", Lifecycle: { Hook: "poststart", Sidecar: true } }),
      );
      expect(found).toEqual([
        expect.objectContaining({ problem: expect.stringContaining("2 tasks of bitcoin: bitcoin, backup") }),
      ]);
    });

    test("as a task that runs once beside the main task is refused", () => {
      const found = places(singleWriter, ({ bitcoin: { group, task } }) => {
        group.Tasks.push({ ...task, Name: "once", Lifecycle: { Hook: "poststart", Sidecar: false } });
      });
      expect(found).toHaveLength(1);
    });

    test.each(["prestart", "poststop"] as const)(
      "that is a %s task passes, since it is done when the main task runs",
      (Hook) => {
        const found = places(
          singleWriter,
          ({ bitcoin: { group, task } }) =>
            void group.Tasks.push({ ...task, Name: "chown", Lifecycle: { Hook, Sidecar: false } }),
        );
        expect(found).toEqual([]);
      },
    );

    test("of a volume of that name in another namespace passes", () => {
      const found = places(singleWriter, ({ electrs, volumes, bitcoin }) => {
        electrs.request.Source = "bitcoin-data";
        electrs.job.Namespace = "other";
        volumes.push({ ...bitcoin.volume, namespace: "other" });
      });
      expect(found).toEqual([]);
    });

    test("of a volume that the homelab does not know is found all the same", () => {
      const found = places(singleWriter, (draft) => {
        draft.volumes = [];
        draft.electrs.request.Source = "bitcoin-data";
      });
      expect(found).toEqual(["homelab/electrs TaskGroups[electrs].Volumes = bitcoin-data"]);
    });

    test("of a volume that is declared twice, once with another mode, is found all the same", () => {
      const found = places(singleWriter, (draft) => {
        draft.volumes.unshift({ ...draft.bitcoin.volume, accessMode: "multi-node-multi-writer" });
        draft.electrs.request.Source = "bitcoin-data";
      });
      expect(found).toContain("homelab/electrs TaskGroups[electrs].Volumes = bitcoin-data");
    });
  });

  test("readers beside the writer pass", () => {
    expect(
      places(singleWriter, (draft) =>
        addReader(draft, "bitcoin-data", (group) => {
          group.Count = 3;
        }),
      ),
    ).toEqual([]);
  });

  describe("a second instance", () => {
    test.each([
      ["Count", "Count = 2", { Count: 2 }],
      ["the least of a scaling", "Count = 2", { Count: undefined, Scaling: { Min: 2, Max: 2 } }],
      ["the most of a scaling", "Count = 3", { Scaling: { Min: 1, Max: 3 } }],
    ])("by %s is refused", (_, told, change) => {
      const found = places(singleWriter, ({ electrs }) => void Object.assign(electrs.group, change));
      expect(found).toEqual([`homelab/electrs TaskGroups[electrs].${told}`]);
    });

    test("by a canary is refused, of the group or of the job", () => {
      const told = ["homelab/electrs TaskGroups[electrs].Update.Canary = 1"];
      expect(
        places(singleWriter, ({ electrs }) => void Object.assign(electrs.group.Update ?? {}, { Canary: 1 })),
      ).toEqual(told);
      expect(
        places(singleWriter, ({ electrs }) => {
          delete electrs.group.Update;
          electrs.job.Update = { Canary: 1 };
        }),
      ).toEqual(told);
    });

    test("by running on every machine is refused", () => {
      const found = places(singleWriter, ({ electrs }) => {
        electrs.job.Type = "system";
      });
      expect(found).toEqual(["homelab/electrs TaskGroups[electrs].Count = one on every client"]);
    });

    test("is not what Count 1 or none is", () => {
      expect(places(singleWriter, ({ electrs }) => void delete electrs.group.Count)).toEqual([]);
      expect(
        places(singleWriter, ({ electrs }) => {
          electrs.group.Scaling = { Min: 0, Max: 1 };
        }),
      ).toEqual([]);
    });
  });

  describe("the fence", () => {
    const withFence = (fence: DisconnectStrategy | undefined) =>
      places(singleWriter, ({ electrs }) => {
        electrs.group.Disconnect = fence;
      });
    const at = "homelab/electrs TaskGroups[electrs].Disconnect";
    const fence: DisconnectStrategy = { LostAfter: hours(720), Replace: false, Reconcile: "keep_original" };

    test("must stand", () => {
      expect(withFence(undefined)).toEqual([`${at} = not set`]);
      expect(withFence({})).toHaveLength(3);
    });

    test("of 720 h passes, of a second less does not", () => {
      expect(withFence(fence)).toEqual([]);
      expect(withFence({ ...fence, LostAfter: seconds(720 * 3600 - 1) })).toEqual([`${at}.LostAfter = 719h59m59s`]);
      expect(withFence({ ...fence, LostAfter: undefined })).toEqual([`${at}.LostAfter = not set`]);
    });

    test("must not replace, which is Nomad's default", () => {
      expect(withFence({ ...fence, Replace: true })).toEqual([`${at}.Replace = true`]);
      expect(withFence({ ...fence, Replace: undefined })).toEqual([
        `${at}.Replace = not set (Nomad's default is true)`,
      ]);
    });

    test.each(["best_score", "keep_replacement", "longest_running", undefined] as const)(
      "must keep the original, not %s",
      (Reconcile) => {
        expect(withFence({ ...fence, Reconcile })).toEqual([expect.stringContaining(`${at}.Reconcile = `)]);
      },
    );

    test("explains what happens when it runs out, and on which volume", () => {
      const [found] = findings(singleWriter, ({ electrs }) => {
        electrs.group.Disconnect = { ...fence, LostAfter: hours(12) };
      });
      expect(found?.problem).toBe(
        'is below 720h; when it runs out Nomad starts a second writer of volume "electrs-data", in spite of Replace = false',
      );
    });

    test("is asked of single-node-writer volumes too, not of readers or of groups without volumes", () => {
      const found = places(singleWriter, ({ electrs, bitcoin, controller }) => {
        Object.assign(electrs.volume, { accessMode: "single-node-writer" });
        electrs.request.AccessMode = "single-node-writer";
        bitcoin.request.ReadOnly = true;
        for (const { group } of [electrs, bitcoin, controller]) delete group.Disconnect;
      });
      expect(found).toEqual([`${at} = not set`]);
    });
  });

  test.each(["single-node-reader-only", "multi-node-reader-only"] as const)(
    "a volume that is %s is not written",
    (mode) => {
      const told = ["homelab/electrs TaskGroups[electrs].Volumes = electrs-data"];
      expect(places(singleWriter, ({ electrs }) => void Object.assign(electrs.volume, { accessMode: mode }))).toEqual(
        told,
      );
      expect(
        places(singleWriter, ({ electrs }) => {
          electrs.request.AccessMode = mode;
        }),
      ).toEqual(told);
      expect(
        places(singleWriter, ({ electrs }) => {
          Object.assign(electrs.volume, { accessMode: mode });
          electrs.request.ReadOnly = true;
        }),
      ).toEqual([]);
    },
  );

  test("a volume that lets any number write is refused by itself, and by nothing else", () => {
    const found = places(singleWriter, ({ electrs, bitcoin }) => {
      electrs.volume.accessMode = "multi-node-multi-writer";
      electrs.group.Count = 2;
      bitcoin.group.Update = { ProgressDeadline: minutes(30) };
    });
    expect(found).toEqual(["homelab/electrs-data accessMode = multi-node-multi-writer"]);
  });

  describe("backups", () => {
    const shared = (draft: Draft) => {
      Object.assign(draft.bitcoin.volume, { holds: "backup", accessMode: "multi-node-multi-writer" });
      draft.bitcoin.request.AccessMode = "multi-node-multi-writer";
      addReader(draft, "bitcoin-data", (group) =>
        Object.assign(group.Volumes?.data ?? {}, { ReadOnly: false, AccessMode: "multi-node-multi-writer" }),
      );
    };

    test("may be written by several jobs, of which none needs a fence", () => {
      expect(places(singleWriter, shared)).toEqual([]);
      expect(
        places(singleWriter, (draft) => {
          shared(draft);
          delete draft.bitcoin.group.Disconnect;
          draft.bitcoin.group.Count = 2;
        }),
      ).toEqual([]);
    });

    test("have one writer like all when their volume says so", () => {
      const found = places(singleWriter, (draft) => {
        shared(draft);
        draft.bitcoin.volume.accessMode = "multi-node-single-writer";
      });
      expect(found).toContain("homelab/backup TaskGroups[backup].Volumes = bitcoin-data");
    });

    test("alone may be written so: what holds anything else may not", () => {
      const found = places(singleWriter, (draft) => {
        shared(draft);
        draft.bitcoin.volume.holds = "chain";
      });
      expect(found).toEqual(["homelab/bitcoin-data accessMode = multi-node-multi-writer"]);
    });
  });
});
