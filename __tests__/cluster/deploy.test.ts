import { existsSync } from "node:fs";
import { join } from "node:path";
import { describeWith } from "../tools";
import type { Allocation, Deployment } from "./api";
import { until } from "./command";
import { Homelab } from "./homelab";

const NAMESPACE = "bitcoin";
const PLUGINS = ["csi-nfs-controller", "csi-nfs-node"];
const SERVICES = ["bitcoin", "electrs", "albyhub"];

describeWith(["nomad", "provider", "terraform", "docker", "go"], "the whole homelab on a real Nomad", () => {
  let homelab: Homelab;

  beforeAll(async () => {
    homelab = await Homelab.start();
  });

  afterAll(async () => {
    await homelab?.end();
  });

  /** A test that tells, when it fails, what agents and tasks said. */
  const step = (name: string, body: () => Promise<void>) =>
    test(name, async () => {
      try {
        await body();
      } catch (error) {
        process.stderr.write(`\n${await homelab.diagnosis()}\n`);
        throw error;
      }
    });

  /** What the hub says of itself, asked as an owner's browser asks. */
  const hub = async (path: string, body?: unknown): Promise<Record<string, unknown> | undefined> => {
    const { NodeName } = await homelab.nomad.api.running("albyhub", NAMESPACE);
    const url = `http://${homelab.addressOf(NodeName)}:8080/api/${path}`;
    const response = await fetch(url, { method: body ? "POST" : "GET", body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${url}: ${response.status}`);
    return response.status === 204 ? undefined : ((await response.json()) as Record<string, unknown>);
  };

  const hubRuns = () =>
    until("the hub's node runs", 60, async () => ((await hub("info"))?.running === true ? true : undefined));

  /** The only allocation of a job whose check Nomad calls a success. */
  const passing = async (job: string, service: string): Promise<Allocation> => {
    const allocation = await homelab.nomad.api.running(job, NAMESPACE);
    await until(`the check of ${service} succeeds`, 90, async () => {
      const result = (await homelab.nomad.api.checks(allocation.ID, NAMESPACE))[service];
      if (result?.Status !== "success") throw new Error(`${result?.Status}: ${result?.Output}`);
      return true;
    });
    return allocation;
  };

  step("deploys while its owner writes the secrets", async () => {
    const deployed = homelab.project.deploy();
    const written = until("the namespace exists", 240, async () => {
      await homelab.nomad.api.get(`namespace/${NAMESPACE}`);
      return true;
    }).then(() => homelab.writeSecrets());
    const [text] = await Promise.all([deployed, written]);
    expect(text).toMatch(/Apply complete! Resources: 10 added, 0 changed, 0 destroyed/);
  });

  step("brings every job into a deployment that succeeds", async () => {
    for (const [job, namespace] of [
      ...PLUGINS.map((id) => [id, "default"] as const),
      ...SERVICES.map((id) => [id, NAMESPACE] as const),
    ]) {
      const { Status, StatusDescription } = await homelab.nomad.api.get<Deployment>(`job/${job}/deployment`, namespace);
      expect([job, Status, StatusDescription]).toEqual([job, "successful", expect.anything()]);
    }
    const allocations = await homelab.nomad.api.allocations();
    const running = allocations.filter(({ ClientStatus }) => ClientStatus === "running").map(({ JobID }) => JobID);
    expect(running.sort()).toEqual([
      ...["albyhub", "bitcoin"],
      ...Array(2).fill("csi-nfs-controller"),
      ...Array(3).fill("csi-nfs-node"),
      "electrs",
    ]);
  });

  step("answers every health check", async () => {
    const checks = { "bitcoin-rpc": "bitcoin", "bitcoin-p2p": "bitcoin", "bitcoin-indexer": "bitcoin" };
    for (const [service, job] of Object.entries({ ...checks, electrs: "electrs", albyhub: "albyhub" })) {
      await passing(job, service);
    }
  });

  step("starts no program again that was started once it could run", async () => {
    for (const job of SERVICES) {
      const { TaskStates } = await homelab.nomad.api.running(job, NAMESPACE);
      const restarts = Object.entries(TaskStates).map(([task, { Restarts }]) => [task, Restarts]);
      expect([job, ...restarts.filter(([, count]) => count !== 0)]).toEqual([job]);
    }
  });

  step("has a hub that is set up once and runs again after a restart", async () => {
    const info = await until("the hub's page opens", 60, () => hub("info"));
    expect(info).toMatchObject({ setupCompleted: false, running: false });
    await hub("setup", { unlockPassword: homelab.secrets.unlockPassword });
    await hub("start", { unlockPassword: homelab.secrets.unlockPassword });
    expect(await hub("info")).toMatchObject({ setupCompleted: true, running: true });

    const { ID } = await homelab.nomad.api.running("albyhub", NAMESPACE);
    await homelab.nomad.api.restart(ID, NAMESPACE);
    await until("the hub has stopped and started", 60, () => homelab.journal("albyhub-data").length >= 3 || undefined);
    await hubRuns();
    expect((await passing("albyhub", "albyhub")).ID).toBe(ID);
    expect(homelab.journal("albyhub-data").map(({ event }) => event)).toEqual(["start", "clean-stop", "start"]);
    expect(homelab.database.logins).toEqual(Array(2).fill({ who: "albyhub@nwc", right: true }));
  });

  step("never lets the hub turn to a public chain source", async () => {
    expect(existsSync(join(homelab.folderOf("albyhub-data"), ".stand-in", "public-esplora"))).toBe(false);
  });

  step("reads back every key that was sent", async () => {
    for (const job of Object.values(homelab.project.jobs())) {
      const live = await homelab.nomad.api.get<object>(`job/${job.ID}`, job.Namespace);
      expect(live).toMatchObject(job);
    }
  });

  step("plans no change when nothing has changed", async () => {
    expect(await homelab.project.plan()).toMatch(/No changes\. Your infrastructure matches the configuration/);
  });

  step("is destroyed without a loss of data", async () => {
    // Nomad keeps a namespace as long as there are variables in it.
    await homelab.nomad.api.deleteVariables(NAMESPACE);
    await homelab.project.destroy();
    await until("every service has stopped", 60, async () => {
      const allocations = await homelab.nomad.api.allocations();
      return allocations.every(({ ClientStatus }) => ClientStatus === "complete") || undefined;
    });
    const jobs = await homelab.nomad.api.get<{ Stop: boolean }[]>("jobs", "*");
    expect(jobs.filter(({ Stop }) => !Stop)).toEqual([]);
    expect(existsSync(join(homelab.folderOf("bitcoin-data"), "chainstate"))).toBe(true);
    expect(existsSync(join(homelab.folderOf("electrs-data"), "bitcoin"))).toBe(true);
    expect(existsSync(join(homelab.folderOf("albyhub-data"), "ldk/storage/ldk_node_data.sqlite"))).toBe(true);
    for (const volume of ["bitcoin-data", "electrs-data", "albyhub-data"] as const) {
      const events = homelab.journal(volume).map(({ event }) => event);
      expect([volume, events.at(-1)]).toEqual([volume, "clean-stop"]);
      expect(events).not.toContain("unclean-stop");
      expect(events).not.toContain("second-writer");
    }
  });
});
