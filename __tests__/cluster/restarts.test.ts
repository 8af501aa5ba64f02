import { sleep, until } from "./command";
import { describeOnHomelab, Homelab, MAIN_TASK, NAMESPACE, SERVICES, type Service, testOn } from "./homelab";

type Counts = Record<Service, number>;

/** How long an action may have late effects: the hub's check fails three times, 30 s apart, before it restarts it. */
const LATE = 120;

describeOnHomelab("who restarts when", () => {
  let homelab: Homelab;
  const lab = () => homelab;
  const rows: string[] = [];

  beforeAll(async () => {
    homelab = await Homelab.start();
    await homelab.writeSecrets(SERVICES);
    await homelab.project.deploy();
    homelab.project.change({ firstStart: false });
    await homelab.project.deploy();
    await homelab.setUpHub();
    await homelab.well();
  });

  afterAll(async () => {
    process.stdout.write(`\n${[`${"action".padEnd(44)} ${SERVICES.join("  ")}`, ...rows].join("\n")}\n\n`);
    await homelab?.end();
  });

  /**
   * How often the main task of each service was started again: restarts in place, as Nomad counts them from the
   * events of an allocation, and allocations beyond the first.
   */
  async function restarts(): Promise<Counts> {
    const allocations = await homelab.nomad.api.allocations(NAMESPACE);
    const count = (service: Service) => {
      const tasks = allocations
        .filter(({ JobID }) => JobID === service)
        .map(({ TaskStates }) => TaskStates?.[MAIN_TASK[service]]);
      const started = tasks.filter((task) => Date.parse(task?.StartedAt ?? "") > 0);
      return started.reduce((sum, task) => sum + 1 + (task?.Restarts ?? 0), -1);
    };
    return { bitcoin: count("bitcoin"), electrs: count("electrs"), albyhub: count("albyhub") };
  }

  /** What an action costs each service, its late effects included. */
  async function cost(action: string, act: () => Promise<unknown>, seconds = 30): Promise<Counts> {
    const before = await restarts();
    await act();
    await sleep(5_000);
    await homelab.well();
    const end = Date.now() + seconds * 1000;
    while (Date.now() < end) await sleep(1_000);
    await homelab.well();
    const after = await restarts();
    const counts = Object.fromEntries(SERVICES.map((name) => [name, after[name] - before[name]])) as Counts;
    rows.push(`${action.padEnd(44)} ${SERVICES.map((name) => String(counts[name]).padStart(name.length)).join("  ")}`);
    return counts;
  }

  const raise = async (job: Service) => {
    const { metaVersion } = homelab.project.current;
    homelab.project.change({ metaVersion: { ...metaVersion, [job]: metaVersion[job] + 1 } });
    await homelab.project.deploy();
  };

  /** Takes a service from its machine, and lets it find another. */
  const move = async (job: Service) => {
    const { ID, NodeName } = await homelab.nomad.api.running(job, NAMESPACE);
    const nodes = await homelab.nomad.api.get<{ ID: string; Name: string }[]>("nodes");
    const node = nodes.find(({ Name }) => Name === NodeName)?.ID;
    await homelab.nomad.api.put(`node/${node}/eligibility`, { Eligibility: "ineligible" });
    await homelab.nomad.api.put(`allocation/${ID}/stop`, {}, NAMESPACE);
    await until(`${job} runs on another machine`, 120, async () => {
      const now = await homelab.nomad.api.running(job, NAMESPACE, 1);
      return now.NodeName !== NodeName || undefined;
    });
    await homelab.nomad.api.put(`node/${node}/eligibility`, { Eligibility: "eligible" });
  };

  testOn(lab, "a secret that is written restarts nobody", async () => {
    expect(await cost("secrets of all three written", () => homelab.writeSecrets(SERVICES), 60)).toEqual({
      bitcoin: 0,
      electrs: 0,
      albyhub: 0,
    });
  });

  testOn(lab, "metaVersion of albyhub restarts it alone", async () => {
    expect(await cost("metaVersion of albyhub", () => raise("albyhub"))).toEqual({
      bitcoin: 0,
      electrs: 0,
      albyhub: 1,
    });
  });

  testOn(lab, "a restart of albyhub in place concerns it alone", async () => {
    expect(await cost("alloc restart of albyhub", () => homelab.restart("albyhub"))).toEqual({
      bitcoin: 0,
      electrs: 0,
      albyhub: 1,
    });
  });

  testOn(lab, "a restart of electrs in place does not restart Alby Hub", async () => {
    expect(await cost("alloc restart of electrs", () => homelab.restart("electrs"), LATE)).toEqual({
      bitcoin: 0,
      electrs: 1,
      albyhub: 0,
    });
  });

  testOn(lab, "a restart of bitcoind in place costs electrs one restart and Alby Hub none", async () => {
    expect(await cost("alloc restart of bitcoin", () => homelab.restart("bitcoin"), LATE)).toEqual({
      bitcoin: 1,
      electrs: 1,
      albyhub: 0,
    });
  });

  testOn(lab, "metaVersion of bitcoin restarts bitcoind, electrs at most once, Alby Hub not", async () => {
    const counts = await cost("metaVersion of bitcoin", () => raise("bitcoin"), LATE);
    expect(counts).toEqual({ bitcoin: 1, electrs: expect.any(Number), albyhub: 0 });
    expect(counts.electrs).toBeLessThanOrEqual(1);
  });

  testOn(lab, "when bitcoind moves to another machine and port, electrs follows", async () => {
    const counts = await cost("bitcoind moved to another machine", () => move("bitcoin"), LATE);
    expect(counts).toEqual({ bitcoin: 1, electrs: expect.any(Number), albyhub: 0 });
    expect(counts.electrs).toBeLessThanOrEqual(1);
  });

  testOn(lab, "when electrs moves to another machine, Alby Hub follows", async () => {
    expect(await cost("electrs moved to another machine", () => move("electrs"), LATE)).toEqual({
      bitcoin: 0,
      electrs: 1,
      albyhub: 1,
    });
  });

  testOn(lab, "the programs themselves saw the same, and every stop was clean", async () => {
    const counted = await restarts();
    for (const name of SERVICES) {
      const journal = homelab.journal(`${name}-data`).map(({ event }) => event);
      expect([name, journal.filter((event) => event === "start").length - 1]).toEqual([name, counted[name]]);
      expect([name, journal.filter((event) => /unclean|second|locked/.test(event))]).toEqual([name, []]);
    }
    for (const name of SERVICES) expect(homelab.containers(MAIN_TASK[name])).toHaveLength(1);
  });
});
