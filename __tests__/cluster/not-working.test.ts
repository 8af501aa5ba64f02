import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sleep, until } from "./command";
import { homelab as program } from "./command-line";
import { describeOnHomelab, Homelab, MAIN_TASK, NAMESPACE, SERVICES, type Service, testOn } from "./homelab";

describeOnHomelab("a service that is up and does not work", () => {
  let homelab: Homelab;
  const lab = () => homelab;

  beforeAll(async () => {
    homelab = await Homelab.start();
    await homelab.writeSecrets(SERVICES);
    homelab.project.change({ startDeadline: 60 });
    await homelab.project.deploy();
    await homelab.setUpHub();
    await homelab.well();
  });

  afterAll(async () => {
    await homelab?.end();
  });

  const run = (...args: string[]) =>
    program(homelab.project.folder, args, { token: homelab.project.token, patience: 900 });
  /** What status says of a service. */
  const status = async (name: Service) => {
    const { code, out } = await run("status", "--json");
    const [stack] = JSON.parse(out).stacks;
    const { mood, problem, says } = stack.services.find((one: { name: string }) => one.name === name);
    return { code, well: stack.well as boolean, mood, told: `${problem ?? ""}; ${says ?? ""}` };
  };
  const untilSaid = (name: Service, text: RegExp, seconds: number) =>
    until(`status says ${text} of ${name}`, seconds, async () => {
      const found = await status(name);
      if (!text.test(found.told)) throw new Error(`${found.mood}: ${found.told}`);
      return found;
    });
  const restarts = async (name: Service) => {
    const { TaskStates } = await homelab.nomad.api.running(name, NAMESPACE);
    return TaskStates?.[MAIN_TASK[name]]?.Restarts ?? 0;
  };

  testOn(lab, "a hub that refuses to start is told with its reason, and called well by nobody", async () => {
    const marker = join(homelab.folderOf("albyhub-data"), ".homelab-restore");
    writeFileSync(marker, "20261126T230000Z\n");
    await homelab.restart("albyhub");
    const found = await untilSaid("albyhub", /refuses to start: a restore of the work directory/, 60);
    expect(found).toMatchObject({ code: 2, well: false, mood: "bad" });
    rmSync(marker);
    await homelab.well();
    expect(await status("albyhub")).toMatchObject({ code: 0, mood: "good" });
  });

  testOn(lab, "strangers that register bitcoind's names are passed over, and named", async () => {
    const service = (Name: string, PortLabel: string) => ({ Name, PortLabel, Provider: "nomad" });
    const task = {
      Name: "ghost",
      Driver: "docker",
      Config: { image: homelab.images.busybox, entrypoint: ["/bin/busybox"], args: ["sh", "-c", "sleep 10000"] },
      Resources: { CPU: 20, MemoryMB: 16 },
    };
    const group = {
      Name: "ghost",
      Count: 2,
      Networks: [
        {
          Mode: "bridge",
          DynamicPorts: [
            { Label: "a", To: 9 },
            { Label: "b", To: 10 },
          ],
        },
      ],
      Services: [service("bitcoin-rpc", "a"), service("bitcoin-indexer", "b")],
      Tasks: [task],
    };
    const Job = { ID: "ghost", Name: "ghost", Namespace: NAMESPACE, Datacenters: ["*"], TaskGroups: [group] };
    await homelab.nomad.api.put("jobs", { Job }, NAMESPACE);
    await until("the strangers are there", 90, async () => {
      const found = await homelab.nomad.api.get<readonly unknown[]>("service/bitcoin-rpc", NAMESPACE);
      return found.length === 3 || undefined;
    });
    const { code, out, err } = await run("restart", "electrs", "--yes");
    expect([code, out + err]).toEqual([0, expect.stringMatching(/electrs is healthy again after \d+ s/)]);
    await homelab.well();
    const found = await status("bitcoin");
    expect(found).toMatchObject({ code: 2, mood: "bad" });
    expect(found.told).toMatch(/bitcoin-rpc is also registered by job ghost, at [\d.]+:\d+: rename its service/);
    await homelab.nomad.api.delete("job/ghost?purge=true", NAMESPACE);
    await until("the strangers are gone", 60, async () => (await status("bitcoin")).mood === "good" || undefined);
  });

  testOn(lab, "a hub that needs longer than its deadline gets more time, and status says what to raise", async () => {
    const before = await restarts("albyhub");
    homelab.set("albyhub-data", "node-seconds", 150);
    await homelab.restart("albyhub");
    await untilSaid("albyhub", /is restarted after 60 s; startDeadline is 60 s/, 60);
    await untilSaid("albyhub", /is restarted after 120 s; .*raise startDeadline/, 300);
    await homelab.well();
    await sleep(120_000);
    await homelab.well();
    // The one that the test made, and the one of the deadline.
    expect((await restarts("albyhub")) - before).toBe(2);
    homelab.set("albyhub-data", "node-seconds", 0);
  });

  testOn(
    lab,
    "an electrs that was ready and falls silent is told, and restarted by Nomad after some minutes",
    async () => {
      const before = await restarts("electrs");
      homelab.set("electrs-data", "silent", 1);
      const at = Date.now();
      const found = await untilSaid("electrs", /silent since \d{4}-\d\d-\d\d \d\d:\d\d UTC, was ready before/, 90);
      expect(found.well).toBe(false);
      const seconds = await until("Nomad restarts electrs", 600, async () =>
        (await restarts("electrs")) > before ? (Date.now() - at) / 1000 : undefined,
      );
      process.stderr.write(`electrs silent: restarted after ${Math.round(seconds)} s\n`);
      expect(seconds).toBeGreaterThan(240);
      await homelab.well();
      // A check may still speak of the time before the restart.
      await until("status is well again", 60, async () => (await status("electrs")).mood === "good" || undefined);
      // Neither did a hub that runs mind, nor is electrs restarted again.
      await sleep(60_000);
      expect((await restarts("electrs")) - before).toBe(1);
    },
  );
});
