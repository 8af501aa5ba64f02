import type { Job } from "../../.gen/nomad/job";
import type { DriftReport } from "../../cli/drift/model";
import { rpcauth } from "../../cli/secrets/rpcauth";
import { describeWith } from "../tools";
import { sleep, until } from "./command";
import { median, homelab as program, type Ran, times } from "./command-line";
import { Homelab, NAMESPACE, testOn } from "./homelab";
import { type Role, roleTokens } from "./policies";

const BITCOIND = "nomad/jobs/bitcoin/bitcoin/bitcoind";
/** Seconds; longer than bitcoind takes to stop. */
const RENDER_DELAY = 12;
/** What bitcoind says to a wrong password. */
const TURNED_AWAY = "incorrect password";
/** Its machine was cut off. */
const AWAY = / {2}electrs .*its machine is away/;
const ELECTRS = "nomad/jobs/electrs/electrs/electrs";
const HUB = "nomad/jobs/albyhub/albyhub/albyhub";

describeWith(["nomad", "provider", "terraform", "docker", "go"], "the verbs of homelab on the whole homelab", () => {
  let lab: Homelab;
  let tokens: Map<Role, string>;

  const as = (role: Role, ...args: string[]): Promise<Ran> =>
    program(lab.project.folder, args, { token: tokens.get(role) ?? "", patience: 400 });
  const run = (...args: string[]): Promise<Ran> => as("management", ...args);
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
    tokens = await roleTokens((path, body) => lab.nomad.api.put(path, body));
    tokens.set("management", lab.project.token);
    await lab.nomad.api.put(`namespace/${NAMESPACE}`, { Name: NAMESPACE });
    await lab.writeSecrets(["bitcoin", "electrs", "albyhub"]);
    await lab.project.deploy();
  });

  afterAll(async () => {
    await lab?.end();
  });

  const step = (name: string, body: () => Promise<void>) => testOn(() => lab, name, body);

  step("drift finds nothing after a deploy, at once", async () => {
    const { code, out } = await as("reader", "drift");
    expect([code, out]).toEqual([0, expect.stringMatching(/: as the code says\n$/)]);
    const seconds = await times(lab.project.folder, ["drift"], tokens.get("reader") ?? "");
    process.stderr.write(`drift of the homelab: ${median(seconds)} s, at best ${seconds[0]} s\n`);
    // The machine of the tests does other things as well: what it can do shows at best.
    expect(seconds[0]).toBeLessThan(0.5);
  });

  step("status shows what electrs serves, and is red while set-up is open to anyone", async () => {
    const ready = await until("electrs answers", 60, async () => {
      const ran = await as("reader", "status");
      return ran.out.includes("answers server.ping; tip 900000") ? ran : undefined;
    });
    expect(ready.code).toBe(2);
    expect(ready.out).toMatch(/albyhub .*set-up is open to anyone/);
  });

  step("status is well, all of it, when the hub is set up and its node runs", async () => {
    await lab.setUpHub();
    const { code, out, err } = await until("all is well", 120, async () => {
      const ran = await as("reader", "status");
      return ran.code === 0 && !ran.out.includes("pending") ? ran : undefined;
    });
    process.stderr.write(out);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/^homelab at http:\/\/[\d.]+:4646: well\n/);
    expect(out).toMatch(/ {2}pinode1 +ready +eligible +\d+ +\d+\n {2}pinode3 +ready +eligible .*\n {2}pinode4 +ready/);
    expect(out).toMatch(/ {2}bitcoin +v1, job \d+ .* pinode\d .*synced, height 900000\n/);
    expect(out).toMatch(/ {2}electrs +v1, job \d+ .* pinode\d .*answers server\.ping; tip 900000/);
    expect(out).toMatch(/ {2}albyhub +v1, job \d+ .* pinode\d .*Lightning runs\n/);
    for (const [volume, job] of [
      ["bitcoin-data", "bitcoin"],
      ["electrs-data", "electrs"],
      ["albyhub-data", "albyhub"],
    ]) {
      expect(out).toMatch(new RegExp(` {2}${volume} +${job} on pinode\\d +well\n`));
    }
    expect(out).toMatch(/ {2}CSI plugin nfs: controllers 2 of 2, nodes 3 of 3\n/);
    const { stacks } = JSON.parse((await as("reader", "status", "--json")).out);
    const { nodes, services, plugins, volumes } = stacks[0];
    const moods = [nodes, services, plugins, volumes].flat().map(({ mood }: { mood: string }) => mood);
    expect(new Set(moods)).toEqual(new Set(["good"]));
  });

  step(
    "every verb with the token of a reader: what only looks is allowed, all else names what is missing",
    async () => {
      const lifecycle = `the capability "alloc-lifecycle" in namespace "${NAMESPACE}"`;
      const read = `the capability "read" for variables at ${BITCOIND} in namespace "${NAMESPACE}"`;
      const pause = 'the capabilities "write" and "destroy" for variables at homelab/pause in namespace "default"';
      const verbs: [verb: string, ends: number, takes?: string][] = [
        ["overview", 0],
        ["status", 0],
        ["logs bitcoin", 0],
        ["drift", 0],
        ["guard", 0],
        ["review --nomad", 0],
        ["adopt", 0],
        ["rebalance --dry-run", 0],
        ["resume", 0],
        ["secrets check", 0],
        ["secrets init --stdin", 1, read],
        [`secrets set ${HUB} database_password --yes`, 1, read.replace(BITCOIND, HUB)],
        ["secrets rotate electrs --yes", 1, read],
        ["restart electrs --yes", 1, lifecycle],
        ["pause --reason disk --yes", 1, pause],
      ];
      const rows: string[] = [];
      for (const [verb, ends, takes] of verbs) {
        const { code, out, err } = await program(lab.project.folder, verb.split(" "), {
          token: tokens.get("reader") ?? "",
          stdin: verb.startsWith("secrets init") ? "{}" : "x",
        });
        rows.push(`  ${verb.padEnd(64)} ${code}  ${takes ? err.trim() : "allowed"}\n`);
        expect([verb, code, code === ends ? "" : out + err]).toEqual([verb, ends, ""]);
        if (takes) expect(err).toContain(`this takes ${takes}`);
      }
      process.stderr.write(`the verbs with the token of a reader, and how they end\n${rows.join("")}`);
      expect((await run("status")).code).toBe(0);
    },
  );

  step("drift finds nothing after a raised metaVersion, nor after a restart by hand", async () => {
    // From now on a machine takes its time to write a changed secret: whoever does not wait for it restarts too early.
    const metaVersion = { plugin: 1, bitcoin: 1, electrs: 2, albyhub: 1 };
    lab.project.change({ metaVersion, renderDelay: RENDER_DELAY });
    await lab.project.deploy();
    expect(await differences()).toEqual([]);
    await lab.nomad.api.restart((await lab.nomad.api.running("electrs", NAMESPACE)).ID, NAMESPACE);
    expect(await differences()).toEqual([]);
  });

  step("rotate changes the password of electrs, which is never turned away", async () => {
    const before = [await items(BITCOIND), await items(ELECTRS)];
    const { code, out } = await run("secrets", "rotate", "electrs", "--yes");
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(
        /^bitcoin is healthy again after \d+ s\nelectrs is healthy again after \d+ s\nthe password of electrs is changed; bitcoin forgets the old one at its next restart\n$/,
      ),
    ]);
    const after = [await items(BITCOIND), await items(ELECTRS)];
    expect(Object.keys(after[0] ?? {})).toEqual(["rpcauth_electrs"]);
    expect(after[0]?.rpcauth_electrs).not.toBe(before[0]?.rpcauth_electrs);
    expect(after[1]?.bitcoin_rpc_password).not.toBe(before[1]?.bitcoin_rpc_password);
    // bitcoind takes the new password already, whenever electrs comes with it, and still does when it has read that alone.
    await sleep(2 * RENDER_DELAY * 1000);
    expect((await run("restart", "electrs", "--yes")).code).toBe(0);
    expect((await run("restart", "bitcoin", "--yes")).code).toBe(0);
    const { out: log } = await run("logs", "bitcoin", "--since", "1h");
    expect(log).toContain("init message: Done loading");
    expect(log).not.toContain(TURNED_AWAY);
    expect((await run("secrets", "check")).code).toBe(0);
  });

  step(
    "rotate mends a pair that does not belong together, and bitcoind's log tells of whom it turned away",
    async () => {
      await lab.nomad.api.putVariable(ELECTRS, NAMESPACE, {
        bitcoin_rpc_password: "wrong",
      });
      expect((await run("secrets", "check")).out).toContain("homelab secrets rotate electrs makes both anew");
      // The machine takes its time to write it into electrs' file.
      await sleep(2 * RENDER_DELAY * 1000);
      await lab.restart("electrs");
      await until(
        "electrs is turned away",
        60,
        async () => (await run("logs", "bitcoin")).out.includes(TURNED_AWAY) || undefined,
      );
      expect((await run("secrets", "rotate", "electrs", "--yes")).code).toBe(0);
      expect((await run("secrets", "check")).code).toBe(0);
    },
  );

  step("rotate goes on where an earlier run was ended: the consumer alone is left to be restarted", async () => {
    await lab.nomad.api.putVariable(BITCOIND, NAMESPACE, {
      ...(await items(BITCOIND)),
      rpcauth_electrs_next: rpcauth("another"),
    });
    await sleep(2 * RENDER_DELAY * 1000);
    expect((await run("restart", "bitcoin", "--yes")).code).toBe(0);
    await lab.nomad.api.putVariable(ELECTRS, NAMESPACE, { bitcoin_rpc_password: "another" });
    const { code, out } = await run("secrets", "rotate", "electrs", "--yes");
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(/^electrs is healthy again after \d+ s\nthe password of electrs is changed; /),
    ]);
    expect(Object.keys(await items(BITCOIND))).toEqual(["rpcauth_electrs"]);
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
    const { NodeName } = await lab.nomad.api.running("electrs", NAMESPACE);
    await lab.nomad.kill(NodeName);
    const { code, out } = await until("the machine is seen to be away", 120, async () => {
      const ran = await as("reader", "status");
      return AWAY.test(ran.out) ? ran : undefined;
    });
    process.stderr.write(out);
    expect(code).toBe(2);
    expect(out).toMatch(/^homelab at http:\/\/[\d.]+:4646: something is wrong\n/);
    expect(out).toMatch(new RegExp(` {2}${NodeName} +(disconnected|down) `));
    expect(out).toMatch(/ {2}bitcoin .*code: another/s);
    expect(out).toMatch(/ {2}albyhub .*was stopped: raise/);
    expect(out).toMatch(/albyhub-data +nobody +is not registered: deploy it/);
    const lost = await as("reader", "node-lost", NodeName, "--confirm-powered-off");
    expect([lost.code, lost.err]).toEqual([1, expect.stringContaining('this takes the policy "write" for nodes')]);
  });
});
