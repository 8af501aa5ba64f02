import type { Job } from "../../.gen/nomad/job";
import type { DriftReport } from "../../cli/drift-model";
import { describeWith } from "../tools";
import { until } from "./command";
import { homelab as program, type Ran } from "./command-line";
import { Homelab, NAMESPACE } from "./homelab";

const BITCOIND = "nomad/jobs/bitcoin/bitcoin/bitcoind";

describeWith(["nomad", "provider", "terraform", "docker", "go"], "the verbs of homelab on the whole homelab", () => {
  let lab: Homelab;

  const run = (...args: string[]): Promise<Ran> =>
    program(lab.project.folder, args, { token: lab.project.token, patience: 400 });
  const differences = async () => {
    const { out, err } = await run("drift", "--json");
    expect(err.replace(/asking .*\n/g, "")).toBe("");
    return (JSON.parse(out).stacks[0] as DriftReport).differences.map(({ kind, name, problem, fields }) =>
      [kind, name, problem, ...fields.map(({ field, live, code }) => `${field}: ${live} → ${code}`)].filter(Boolean),
    );
  };
  const items = (path: string) =>
    lab.nomad.api.get<{ Items: Record<string, string> }>(`var/${path}`, NAMESPACE).then(({ Items }) => Items);

  beforeAll(async () => {
    lab = await Homelab.start();
    await lab.nomad.api.put(`namespace/${NAMESPACE}`, { Name: NAMESPACE });
    await lab.writeSecrets(["bitcoin", "electrs", "albyhub"]);
    await lab.project.deploy();
  });

  afterAll(async () => {
    await lab?.end();
  });

  const step = (name: string, body: () => Promise<void>) =>
    test(name, async () => {
      try {
        await body();
      } catch (error) {
        process.stderr.write(`\n${await lab.diagnosis()}\n`);
        throw error;
      }
    });

  step("drift finds nothing after a deploy, in less than a second", async () => {
    const { code, out, seconds } = await run("drift");
    process.stderr.write(`drift of the homelab: ${seconds} s\n`);
    expect([code, out]).toEqual([0, expect.stringMatching(/: as the code says\n$/)]);
  });

  step("drift finds nothing after a raised metaVersion, nor after a restart by hand", async () => {
    lab.project.change({ metaVersion: { plugin: 1, bitcoin: 1, electrs: 2, albyhub: 1 } });
    await lab.project.deploy();
    expect(await differences()).toEqual([]);
    await lab.nomad.api.restart((await lab.nomad.api.running("electrs", NAMESPACE)).ID, NAMESPACE);
    expect(await differences()).toEqual([]);
  });

  step("status shows what electrs serves, and is red while set-up is open to anyone", async () => {
    const ready = await until("electrs answers", 60, async () => {
      const ran = await run("status");
      return ran.out.includes("answers server.ping; tip 900000") ? ran : undefined;
    });
    process.stderr.write(ready.out);
    expect(ready.code).toBe(2);
    expect(ready.out).toMatch(/albyhub .*set-up is open to anyone/);
    expect(ready.out).toMatch(/ {2}bitcoin-data +bitcoin on pinode\d +well\n/);
    expect(ready.out).toMatch(/ {2}CSI plugin nfs: controllers 2 of 2, nodes 3 of 3\n/);
  });

  step("rotate changes the password of electrs, which is never turned away", async () => {
    const before = [await items(BITCOIND), await items("nomad/jobs/electrs/electrs/electrs")];
    const { code, out } = await run("secrets", "rotate", "electrs", "--yes");
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(
        /^bitcoin is healthy again after \d+ s\nelectrs is healthy again after \d+ s\nthe password of electrs is changed; bitcoin forgets the old one at its next restart\n$/,
      ),
    ]);
    const after = [await items(BITCOIND), await items("nomad/jobs/electrs/electrs/electrs")];
    expect(Object.keys(after[0] ?? {})).toEqual(["rpcauth_electrs"]);
    expect(after[0]?.rpcauth_electrs).not.toBe(before[0]?.rpcauth_electrs);
    expect(after[1]?.bitcoin_rpc_password).not.toBe(before[1]?.bitcoin_rpc_password);
    // With the first hash gone electrs still gets in: so it has the new password.
    expect((await run("restart", "bitcoin", "--yes")).code).toBe(0);
    const { out: log } = await run("logs", "bitcoin");
    expect(log).not.toContain("incorrect password");
    expect((await run("secrets", "check")).code).toBe(0);
  });

  step("drift finds an edited image, a foreign job, a deleted volume and changed settings, all at once", async () => {
    const { bitcoin, albyhub } = lab.project.jobs() as Record<string, Job>;
    const edited: Job = JSON.parse(JSON.stringify(bitcoin));
    const [task] = edited.TaskGroups[0]?.Tasks ?? [];
    if (task) task.Config.image = `${task.Config.image}@sha256:${"0".repeat(64)}`;
    await lab.nomad.api.delete("job/albyhub", NAMESPACE);
    await until("the hub is gone", 60, async () => {
      const live = (await lab.nomad.api.allocations()).filter(
        ({ JobID, ClientStatus }) => JobID === "albyhub" && ClientStatus === "running",
      );
      return live.length === 0 || undefined;
    });
    await until("the volume is let go of", 120, async () => {
      await lab.nomad.api.delete("volume/csi/albyhub-data?force=true", NAMESPACE);
      return true;
    });
    await lab.nomad.api.put("jobs", { Job: edited }, NAMESPACE);
    await lab.nomad.api.put(
      "jobs",
      {
        Job: {
          ...albyhub,
          ID: "stranger",
          Name: "stranger",
          TaskGroups: albyhub?.TaskGroups.map((group) => ({
            ...group,
            Volumes: undefined,
            Tasks: group.Tasks.map((one) => ({ ...one, VolumeMounts: undefined })),
          })),
        },
      },
      NAMESPACE,
    );
    await lab.nomad.api.put("operator/scheduler/configuration", { SchedulerAlgorithm: "binpack" });
    const { code, out } = await run("drift");
    process.stderr.write(out);
    expect(code).toBe(2);
    const found = await differences();
    expect(found).toContainEqual(["volume", "albyhub-data", "is not registered"]);
    expect(found).toContainEqual(["job", "stranger", "runs, and the code does not know it"]);
    expect(found).toContainEqual(["job", "albyhub", "was stopped", "Stop: true → false"]);
    expect(found.find(([, name]) => name === "bitcoin")?.join()).toMatch(/Config\[?\.?image\]? \(the digest\): /);
    expect(found.find(([kind]) => kind === "scheduler")).toContain("scheduler_algorithm: binpack → spread");
    expect(found).toHaveLength(5);
  });

  step("status of a broken homelab says what is wrong", async () => {
    const { code, out } = await run("status");
    process.stderr.write(out);
    expect(code).toBe(2);
    expect(out).toMatch(/albyhub-data +nobody +is not registered: deploy it/);
    expect(out).toContain("was stopped");
  });
});
