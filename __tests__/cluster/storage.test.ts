import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Job, VolumeRequest } from "../../.gen/nomad/job";
import type { Allocation } from "./api";
import { sleep, until } from "./command";
import { describeOnHomelab, Homelab, NAMESPACE, SERVICES, testOn } from "./homelab";

interface Evaluation {
  readonly Status: string;
  readonly FailedTGAllocs?: Record<string, { readonly ConstraintFiltered?: Record<string, number> | null }> | null;
}

describeOnHomelab("one writer, whatever happens", () => {
  let homelab: Homelab;
  const lab = () => homelab;

  beforeAll(async () => {
    homelab = await Homelab.start();
    await homelab.writeSecrets(SERVICES);
    await homelab.project.deploy();
    await homelab.setUpHub();
    await homelab.well();
  });

  afterAll(async () => {
    await homelab?.end();
  });

  const running = (job: string) => homelab.nomad.api.running(job, NAMESPACE);

  /** Registers a job that mounts a volume and runs a shell script, past every check of the constructs. */
  async function register(id: string, source: string, script: string, request: Partial<VolumeRequest> = {}) {
    const { NodeName } = await running("bitcoin");
    const job: Job = {
      ID: id,
      Name: id,
      Namespace: NAMESPACE,
      Datacenters: [homelab.cluster.datacenter],
      Type: "service",
      Constraints: [{ LTarget: "${node.unique.name}", Operand: "!=", RTarget: NodeName }],
      TaskGroups: [
        {
          Name: id,
          RestartPolicy: { Attempts: 0, Mode: "fail" },
          ReschedulePolicy: { Attempts: 0, Unlimited: false },
          Volumes: {
            data: {
              ...{ Name: "data", Type: "csi", Source: source, ReadOnly: false },
              ...{ AccessMode: "multi-node-single-writer", AttachmentMode: "file-system", ...request },
            },
          },
          Tasks: [
            {
              Name: id,
              Driver: "docker",
              User: "3001:3001",
              Config: { image: homelab.images.busybox, entrypoint: ["/bin/busybox"], args: ["sh", "-c", script] },
              Resources: { CPU: 20, MemoryMB: 32 },
              VolumeMounts: [{ Volume: "data", Destination: "/data", ReadOnly: request.ReadOnly ?? false }],
            },
          ],
        },
      ],
    };
    await homelab.nomad.api.put("jobs", { Job: job }, NAMESPACE);
  }

  const forget = (id: string) => homelab.nomad.api.delete(`job/${id}?purge=true`, NAMESPACE);

  /** Why Nomad does not place a job. */
  const refusal = (id: string): Promise<string> =>
    until(`Nomad says why it does not place ${id}`, 30, async () => {
      const evaluations = await homelab.nomad.api.get<Evaluation[]>(`job/${id}/evaluations`, NAMESPACE);
      const reasons = evaluations.flatMap(({ FailedTGAllocs }) =>
        Object.values(FailedTGAllocs ?? {}).flatMap(({ ConstraintFiltered }) => Object.keys(ConstraintFiltered ?? {})),
      );
      return reasons.length > 0 ? reasons.join("\n") : undefined;
    });

  /** What an allocation's owner reads in its events. */
  const told = (id: string, pattern: RegExp): Promise<string> =>
    until(`${id} says ${pattern}`, 90, async () => {
      const allocations = (await homelab.nomad.api.allocations(NAMESPACE)).filter(({ JobID }) => JobID === id);
      const texts = allocations.flatMap((one) => [
        one.ClientDescription,
        ...Object.values(one.TaskStates ?? {}).flatMap(({ Events }) =>
          Events.map(({ DisplayMessage }) => DisplayMessage),
        ),
      ]);
      const text = texts.find((one) => pattern.test(one));
      if (!text) throw new Error(texts.join("; "));
      return text;
    });

  /** Registers a volume by hand, past the constructs. */
  const volume = (id: string, context: Record<string, string>, more: object = {}) =>
    homelab.nomad.api.put(
      `volume/csi/${id}`,
      {
        Volumes: [
          {
            ...{ ID: id, Name: id, Namespace: NAMESPACE, ExternalID: id, PluginID: "nfs", Context: context },
            RequestedCapabilities: [{ AccessMode: "multi-node-single-writer", AttachmentMode: "file-system" }],
            ...more,
          },
        ],
      },
      NAMESPACE,
    );

  const export_ = (folder: string) => {
    const { nas } = homelab.cluster;
    return { server: nas.address, share: `${nas.exportRoot}/${folder}` };
  };

  testOn(lab, "a second writer is not placed", async () => {
    await register("second", "albyhub-data", "sleep 1000");
    expect(await refusal("second")).toMatch(/CSI volume albyhub-data has exhausted its available writer claims/);
    await forget("second");
    expect(homelab.containers("second")).toEqual([]);
  });

  testOn(lab, "a reader beside the writer, on another machine, can read and not write", async () => {
    const script = "ls /data/blocks >/dev/null && echo read; touch /data/written || echo kept out; sleep 1000";
    await register("reader", "bitcoin-data", script, { ReadOnly: true });
    const allocation = await running("reader");
    expect(allocation.NodeName).not.toBe((await running("bitcoin")).NodeName);
    await until("the reader has read", 30, async () => {
      const said = await homelab.output("reader", "reader");
      return (said.includes("read") && /Read-only file system/.test(said) && said.includes("kept out")) || undefined;
    });
    expect(readdirSync(homelab.folderOf("bitcoin-data"))).not.toContain("written");
    await forget("reader");
  });

  testOn(lab, "an access mode that the volume was not registered with is not placed", async () => {
    await register("moded", "electrs-data", "sleep 1000", { AccessMode: "multi-node-multi-writer" });
    expect(await refusal("moded")).toMatch(/electrs-data/);
    await forget("moded");
  });

  testOn(lab, "a misspelt mount option and a missing export are told in the words of the NFS client", async () => {
    await volume("misspelt", export_("electrs-data"), { MountOptions: { FSType: "nfs", MountFlags: ["hrad"] } });
    await register("misspelt", "misspelt", "sleep 1000");
    expect(await told("misspelt", /incorrect mount option/)).toMatch(
      /mount\.nfs: an incorrect mount option was specified/,
    );
    await forget("misspelt");

    await volume("missing", export_("no-such-folder"));
    await register("missing", "missing", "sleep 1000");
    expect(await told("missing", /no-such-folder/)).toMatch(/reason given by server: No such file or directory/);
    await forget("missing");
    expect([homelab.containers("misspelt"), homelab.containers("missing")]).toEqual([[], []]);
  });

  testOn(lab, "a writer writes on while the plugin of its machine is restarted and replaced", async () => {
    const writer = await running("bitcoin");
    const isAlive = () => {
      const folder = join(homelab.folderOf("bitcoin-data"), ".stand-in");
      const signs = readdirSync(folder).filter((name) => name.startsWith(`alive-${writer.ID}`));
      expect(signs).toHaveLength(1);
      return Date.now() - statSync(join(folder, signs[0] ?? "")).mtimeMs < 1_500;
    };
    const plugins = (await homelab.nomad.api.allocations("default")).filter(
      ({ JobID, NodeName }) => JobID === "csi-nfs-node" && NodeName === writer.NodeName,
    );
    expect(plugins).toHaveLength(1);
    await homelab.nomad.api.restart(plugins[0]?.ID ?? "", "default");
    for (let turn = 0; turn < 10; turn++) {
      await sleep(1_000);
      expect(isAlive()).toBe(true);
    }
    const { metaVersion } = homelab.project.current;
    homelab.project.change({ metaVersion: { ...metaVersion, plugin: metaVersion.plugin + 1 } });
    await homelab.project.deploy();
    expect(isAlive()).toBe(true);
    const now = await running("bitcoin");
    expect([now.ID, now.TaskStates?.bitcoind?.Restarts]).toEqual([writer.ID, writer.TaskStates?.bitcoind?.Restarts]);
    await homelab.restart("bitcoin");
    await homelab.well();
  });

  testOn(
    lab,
    "no second writer starts while a client is lost, and the same allocation is there when it is back",
    async () => {
      const writer = await running("bitcoin");
      const state = async (): Promise<Allocation> => {
        const allocations = await homelab.nomad.api.allocations(NAMESPACE);
        const [mine, ...others] = allocations.filter(
          ({ JobID, DesiredStatus, ClientStatus }) =>
            JobID === "bitcoin" && DesiredStatus === "run" && /pending|running|unknown/.test(ClientStatus),
        );
        expect(others).toEqual([]);
        if (!mine) throw new Error("bitcoin has no allocation");
        return mine;
      };
      expect(homelab.containers("bitcoind")).toEqual([`bitcoind-${writer.ID}`]);
      await homelab.nomad.kill(writer.NodeName);
      await until("the allocation is unknown", 90, async () => (await state()).ClientStatus === "unknown" || undefined);
      for (let turn = 0; turn < 120; turn++) {
        expect(homelab.containers("bitcoind")).toEqual([`bitcoind-${writer.ID}`]);
        await sleep(1_000);
      }
      expect(await state()).toMatchObject({ ID: writer.ID, ClientStatus: "unknown" });
      const node = (await homelab.nomad.api.get<{ Name: string; Status: string }[]>("nodes")).find(
        ({ Name }) => Name === writer.NodeName,
      );
      expect(node?.Status).toBe("disconnected");

      homelab.nomad.startOne(writer.NodeName);
      await until("the allocation runs", 90, async () => (await state()).ClientStatus === "running" || undefined);
      expect((await running("bitcoin")).ID).toBe(writer.ID);
      await homelab.well();
      expect(homelab.containers("bitcoind")).toEqual([`bitcoind-${writer.ID}`]);
      for (const volume of ["bitcoin-data", "electrs-data", "albyhub-data"] as const) {
        expect(homelab.journal(volume).filter(({ event }) => /second|locked|unclean/.test(event))).toEqual([]);
      }
    },
  );
});
