import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Allocation, Deployment } from "./api";
import { attempt, command, until } from "./command";
import { describeOnHomelab, Homelab, NAMESPACE, SERVICES, type Service, testOn, VOLUMES } from "./homelab";
import { REAL } from "./images";

const DEPLOY = "is deployed by one command, which waits for a secret that comes late";

const hasTofu = attempt("which", ["tofu"]) !== "";
if (!hasTofu) process.stderr.write("the homelab is deployed with Terraform alone: no tofu here\n");

describe.each(["terraform", ...(hasTofu ? ["tofu" as const] : [])] as const)("with %s", (terraform) =>
  deployWith(terraform),
);

function deployWith(terraform: "terraform" | "tofu"): void {
  describeOnHomelab("the whole homelab on a real Nomad", () => {
    let homelab: Homelab;
    let deployed = false;

    beforeAll(async () => {
      homelab = await Homelab.start();
      homelab.project.terraform = terraform;
    });

    afterAll(async () => {
      await homelab?.end();
    });

    const step = (name: string, body: () => Promise<void>) =>
      testOn(
        () => homelab,
        name,
        async () => {
          if (!deployed && name !== DEPLOY) throw new Error("nothing is deployed");
          await body();
        },
      );

    const running = (job: string) => homelab.nomad.api.running(job, NAMESPACE);

    /** The job's allocation, once Nomad calls the check of a service a success. */
    const passing = async (job: string, service: string): Promise<Allocation> => {
      const allocation = await running(job);
      await until(`the check of ${service} succeeds`, 90, async () => {
        const result = (await homelab.nomad.api.checks(allocation.ID, NAMESPACE))[service];
        if (result?.Status !== "success") throw new Error(`${result?.Status}: ${result?.Output}`);
        return true;
      });
      return allocation;
    };

    step(DEPLOY, async () => {
      homelab.set("bitcoin-data", "warm-up-seconds", 30);
      await homelab.nomad.api.put(`namespace/${NAMESPACE}`, { Name: NAMESPACE });
      await homelab.writeSecrets(["electrs", "albyhub"]);
      const deployment = homelab.project.deploy();
      const late = until("bitcoind waits for its variable", 120, async () => {
        const bitcoin = (await homelab.nomad.api.allocations()).find(({ JobID }) => JobID === "bitcoin");
        const events = bitcoin?.TaskStates?.bitcoind?.Events ?? [];
        return events.some(({ DisplayMessage }) => DisplayMessage.includes("Missing: nomad.var")) || undefined;
      }).then(() => homelab.writeSecrets(["bitcoin"]));
      const [text] = await Promise.all([deployment, late]);
      expect(text).toMatch(/Apply complete! Resources: 10 added, 0 changed, 0 destroyed/);
      deployed = true;
    });

    step("brings every job into a deployment that succeeds", async () => {
      const plugins = ["csi-nfs-controller", "csi-nfs-node"].map((job) => [job, "default"] as const);
      for (const [job, namespace] of [...plugins, ...SERVICES.map((id) => [id, NAMESPACE] as const)]) {
        const { Status } = await homelab.nomad.api.get<Deployment>(`job/${job}/deployment`, namespace);
        expect([job, Status]).toEqual([job, "successful"]);
      }
      const allocations = await homelab.nomad.api.allocations();
      expect(allocations.map(({ JobID, ClientStatus }) => `${JobID} ${ClientStatus}`).sort()).toEqual([
        "albyhub running",
        "bitcoin running",
        ...Array(2).fill("csi-nfs-controller running"),
        ...Array(3).fill("csi-nfs-node running"),
        "electrs running",
      ]);
    });

    step("calls bitcoind healthy only when it has loaded its chain, and starts electrs after that", async () => {
      const loaded = homelab.journal("bitcoin-data").find(({ event }) => event === "loaded");
      const { SubmitTime } = await homelab.nomad.api.get<{ SubmitTime: number }>("job/electrs", NAMESPACE);
      expect(SubmitTime / 1e6).toBeGreaterThan(loaded?.at ?? Number.POSITIVE_INFINITY);
    });

    step("answers every health check", async () => {
      for (const service of ["bitcoin-rpc", "bitcoin-p2p", "bitcoin-indexer"]) await passing("bitcoin", service);
      await passing("electrs", "electrs");
      await passing("albyhub", "albyhub");
    });

    step("starts each program once, when it can run", async () => {
      for (const job of SERVICES) {
        const { TaskStates } = await running(job);
        const restarts = Object.entries(TaskStates ?? {}).map(([task, { Restarts }]) => `${task} ${Restarts}`);
        expect([job, ...restarts.filter((line) => !line.endsWith(" 0"))]).toEqual([job]);
      }
    });

    step("runs each program without privileges, within its memory", async () => {
      for (const job of Object.values(homelab.project.jobs()).filter(({ ID }) => SERVICES.includes(ID as Service))) {
        const { ID } = await running(job.ID);
        for (const { Name, Resources } of job.TaskGroups[0]?.Tasks ?? []) {
          if (Name === "busybox") continue;
          const [container] = JSON.parse(command("docker", ["inspect", `${Name}-${ID}`]));
          expect([Name, container.Config.User]).toEqual([Name, "3001:3001"]);
          expect(container.HostConfig).toMatchObject({
            CapDrop: [expect.stringMatching(/^all$/i)],
            Memory: (Resources?.MemoryMaxMB ?? 0) * 1024 * 1024,
            MemoryReservation: (Resources?.MemoryMB ?? 0) * 1024 * 1024,
            Privileged: false,
            ReadonlyRootfs: true,
            SecurityOpt: ["no-new-privileges"],
          });
        }
      }
    });

    step("has a hub that its owner sets up", async () => {
      const before = await until("the hub's page opens", 60, () => homelab.hub("info"));
      expect(before).toMatchObject({ setupCompleted: false, running: false });
      await homelab.setUpHub();
      expect(await homelab.hub("info")).toMatchObject({ setupCompleted: true, running: true });
    });

    step("has a hub that runs again after a restart, though electrs indexes anew at the same time", async () => {
      homelab.set("electrs-data", "index-seconds", 20);
      const { ID } = await running("albyhub");
      await homelab.nomad.api.restart((await running("electrs")).ID, NAMESPACE);
      await homelab.nomad.api.restart(ID, NAMESPACE);
      await until("the hub runs again", 90, async () => {
        const starts = homelab.journal("albyhub-data").filter(({ event }) => event === "start");
        return (starts.length > 1 && (await homelab.hub("info")).running === true) || undefined;
      });
      expect((await passing("albyhub", "albyhub")).ID).toBe(ID);
      expect(homelab.journal("albyhub-data").map(({ event }) => event)).toEqual(["start", "clean-stop", "start"]);
      const indexed = homelab.journal("electrs-data").filter(({ event }) => event === "indexed");
      expect(indexed).toHaveLength(2);
      expect(homelab.journal("albyhub-data").at(-1)?.at).toBeGreaterThan(indexed[1]?.at ?? Number.POSITIVE_INFINITY);
    });

    step("gives the hub its own database and never a public chain source", async () => {
      expect(homelab.database.logins).toEqual(Array(2).fill({ who: "albyhub@nwc", right: true }));
      expect(existsSync(join(homelab.folderOf("albyhub-data"), ".stand-in", "public-esplora"))).toBe(false);
    });

    step("reads back every key that was sent", async () => {
      for (const job of Object.values(homelab.project.jobs())) {
        expect(await homelab.nomad.api.get<object>(`job/${job.ID}`, job.Namespace)).toMatchObject(job);
      }
      const { nas } = homelab.cluster;
      for (const volume of VOLUMES) {
        expect(await homelab.nomad.api.get(`volume/csi/${volume}`, NAMESPACE)).toMatchObject({
          Context: { server: nas.address, share: `${nas.exportRoot}/${volume}` },
          ExternalID: volume,
          PluginID: "nfs",
          RequestedCapabilities: [{ AccessMode: "multi-node-single-writer", AttachmentMode: "file-system" }],
        });
      }
      // The namespace was there before, so that secrets could be written; it must have got its limits all the same.
      expect(await homelab.nomad.api.get(`namespace/${NAMESPACE}`)).toMatchObject({
        Capabilities: { EnabledNetworkModes: ["bridge"], EnabledTaskDrivers: ["docker"] },
      });
      expect(await homelab.nomad.api.get("operator/scheduler/configuration")).toMatchObject({
        SchedulerConfig: { MemoryOversubscriptionEnabled: true, SchedulerAlgorithm: "spread" },
      });
    });

    step("plans no change when nothing has changed", async () => {
      expect(await homelab.project.plan()).toMatch(/No changes\. Your infrastructure matches the configuration/);
    });

    step("is destroyed without a loss of data", async () => {
      // Nomad keeps a namespace as long as there are variables in it.
      await homelab.nomad.api.deleteVariables(NAMESPACE);
      await homelab.project.destroy();
      await until("every allocation is complete", 60, async () => {
        const allocations = await homelab.nomad.api.allocations();
        return allocations.every(({ ClientStatus }) => ClientStatus === "complete") || undefined;
      });
      const jobs = await homelab.nomad.api.get<{ ID: string; Stop: boolean }[]>("jobs", "*");
      expect(jobs.filter(({ Stop }) => !Stop)).toEqual([]);
      const data = {
        "bitcoin-data": REAL ? "regtest/chainstate" : "chainstate",
        "electrs-data": REAL ? "regtest/LOCK" : "bitcoin/LOCK",
        "albyhub-data": "ldk/storage/ldk_node_data.sqlite",
      };
      for (const volume of VOLUMES) {
        expect([volume, existsSync(join(homelab.folderOf(volume), data[volume]))]).toEqual([volume, true]);
        const events = homelab.journal(volume).map(({ event }) => event);
        // electrs ends by itself when bitcoind goes first.
        expect([volume, events.at(-1)]).toEqual([
          volume,
          expect.stringMatching(volume === "electrs-data" ? /clean-stop|gave-up/ : /clean-stop/),
        ]);
        expect(events.filter((event) => /unclean-stop|second-writer|locked-out/.test(event))).toEqual([]);
      }
    });
  });
}
