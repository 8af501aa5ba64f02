import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { until } from "./command";
import { describeOnHomelab, Homelab, NAMESPACE, SERVICES, testOn } from "./homelab";
import { REAL } from "./images";

const HUB = "nomad/jobs/albyhub/albyhub/albyhub";
/** The hub's node may take this long to run, in seconds. */
const GRACE = 90;

describeOnHomelab("what an owner reads when something is wrong", () => {
  let homelab: Homelab;
  const lab = () => homelab;
  let data: string;

  beforeAll(async () => {
    homelab = await Homelab.start();
    data = homelab.folderOf("albyhub-data");
    homelab.project.change({ startDeadline: GRACE });
    await homelab.writeSecrets(SERVICES);
    await homelab.project.deploy();
    await homelab.setUpHub();
    homelab.project.change({ firstStart: false });
    await homelab.project.deploy();
    await homelab.well();
  });

  afterAll(async () => {
    await homelab?.end();
  });

  /** How often a task has said something. */
  const times = async (job: string, task: string, text: string) =>
    (await homelab.output(job, task)).split(text).length - 1;

  /** Does something, and waits until a task says something once more. */
  const says = async (job: string, task: string, text: string, act: () => unknown) => {
    const before = await times(job, task, text);
    await act();
    await until(`${task} says «${text}»`, 90, async () => (await times(job, task, text)) > before || undefined);
  };

  const check = async (job: string) => {
    const { ID } = await homelab.nomad.api.running(job, NAMESPACE);
    return (await homelab.nomad.api.checks(ID, NAMESPACE))[job];
  };

  const isOpen = (host: string, port: number) =>
    new Promise<boolean>((resolve) => {
      const socket = connect({ host, port, timeout: 2_000 });
      for (const event of ["error", "timeout"] as const) socket.once(event, () => resolve(false));
      socket.once("connect", () => resolve(true)).once("close", () => socket.destroy());
    });

  test.each([
    ["bitcoin", "bitcoind", "nomad/jobs/bitcoin/bitcoin/bitcoind", "rpcauth_electrs"],
    ["electrs", "electrs", "nomad/jobs/electrs/electrs/electrs", "bitcoin_rpc_password"],
    ["albyhub", "albyhub", HUB, "database_password"],
  ] as const)(
    "an empty secret of %s is named by path and key, and the service goes on when it is there",
    async (job, task, path, key) => {
      const variable = await homelab.nomad.api.get<{ Items: Record<string, string> }>(`var/${path}`, NAMESPACE);
      await homelab.nomad.api.putVariable(path, NAMESPACE, { ...variable.Items, [key]: "" });
      // Nomad renders the change some seconds later.
      await new Promise((resolve) => setTimeout(resolve, 8_000));
      await says(job, task, `the Nomad variable ${path} has no value under the key ${key}`, () => homelab.restart(job));
      await homelab.nomad.api.putVariable(path, NAMESPACE, variable.Items);
      await homelab.well();
    },
  );

  // The real one has indexed an empty chain before anybody can look.
  const testOfIndexing = REAL ? test.skip : (name: string, body: () => Promise<void>) => testOn(lab, name, body);

  testOfIndexing(
    "electrs, whose port opens long before its index is complete, is not healthy until it is",
    async () => {
      homelab.set("electrs-data", "index-seconds", 75);
      await homelab.restart("electrs");
      const { NodeName } = await homelab.nomad.api.running("electrs", NAMESPACE);
      const address = homelab.addressOf(NodeName);
      await until("the port is open", 60, async () => (await isOpen(address, 50001)) || undefined);
      await until("the probe fails", 60, async () => (await check("electrs"))?.Status === "failure" || undefined);
      expect((await check("electrs"))?.Output).toMatch(/not ready: (waiting|indexing)/);
      expect(await isOpen(address, 50001)).toBe(true);
      homelab.set("electrs-data", "index-seconds", 1);
      await homelab.well();
      expect(homelab.journal("electrs-data").at(-1)?.event).toBe("indexed");
    },
  );

  testOn(lab, "a hub whose node is dead is restarted when its grace is over, not before", async () => {
    const variable = await homelab.nomad.api.get<{ Items: Record<string, string> }>(`var/${HUB}`, NAMESPACE);
    const wrong = { ...variable.Items, auto_unlock_password: "not-the-one-it-was-set-up-with" };
    await homelab.nomad.api.putVariable(HUB, NAMESPACE, wrong);
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    const starts = () => homelab.journal("albyhub-data").filter(({ event }) => event === "start");
    const before = starts().length;
    await homelab.restart("albyhub");
    await until("it starts", 60, () => starts().length > before || undefined);
    expect(await homelab.hub("info")).toMatchObject({ setupCompleted: true, running: false });
    await until("it is started again", GRACE + 180, () => starts().length > before + 1 || undefined);
    const [first, second] = starts().slice(before);
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThan(GRACE * 1000);
    const { TaskStates } = await homelab.nomad.api.running("albyhub", NAMESPACE);
    const events = TaskStates?.albyhub?.Events.map(({ DisplayMessage }) => DisplayMessage) ?? [];
    expect(events.join("\n")).toMatch(/healthcheck.*unhealthy/);
    await homelab.nomad.api.putVariable(HUB, NAMESPACE, variable.Items);
    await homelab.well();
    expect(homelab.journal("albyhub-data").filter(({ event }) => event === "unclean-stop")).toEqual([]);
  });

  describe("a hub", () => {
    const marker = () => join(data, ".homelab-volume");
    let aside: string;

    const hubSays = (text: string, act: () => unknown) => says("albyhub", "albyhub", text, act);

    testOn(lab, "does not start on a foreign volume", () =>
      hubSays("refuses to start: the volume albyhub-data holds the data of other-data", async () => {
        writeFileSync(marker(), "other-data\n");
        await homelab.restart("albyhub");
      }),
    );

    testOn(lab, "does not start on an empty volume", async () => {
      aside = join(data, "..", "aside");
      mkdirSync(aside);
      await hubSays("refuses to start: the volume albyhub-data is empty", () => {
        for (const name of readdirSync(data)) renameSync(join(data, name), join(aside, name));
      });
      expect(readdirSync(data)).toEqual([]);
    });

    testOn(lab, "does not start when its Lightning state has gone", () =>
      hubSays("refuses to start: the Lightning state is gone from the volume albyhub-data", () => {
        const left = readdirSync(aside).filter((name) => name !== "ldk");
        for (const name of left) renameSync(join(aside, name), join(data, name));
        writeFileSync(marker(), "albyhub-data\n");
      }),
    );

    testOn(lab, "adopts a volume that has its data and no marker, and says so", async () => {
      await hubSays("adopts the data found on the volume albyhub-data", () => {
        renameSync(join(aside, "ldk"), join(data, "ldk"));
        rmSync(`${marker()}.lightning`);
        rmSync(marker());
      });
      await homelab.well();
      expect(existsSync(`${marker()}.lightning`)).toBe(true);
    });
  });
});
