import { attempt, sleep, until } from "../cluster/command";
import { homelab as program, type Ran } from "../cluster/command-line";
import { Homelab, NAMESPACE } from "../cluster/homelab";
import { type Role, roleTokens } from "../cluster/policies";
import { describeWith } from "../tools";
import { WriterCount } from "./writers";

const JOBS = ["bitcoin", "electrs", "albyhub"] as const;
const ONE_WRITER = { "bitcoin-data": 1, "electrs-data": 1, "albyhub-data": 1 };

describeWith(
  ["nomad", "provider", "terraform", "docker", "go"],
  "failure drills on one server and three clients",
  () => {
    let lab: Homelab;
    let writers: WriterCount;
    let server: string;
    let tokens: Map<Role, string>;
    const version = { plugin: 1, bitcoin: 1, electrs: 1, albyhub: 1 };

    /** As the owner would: with a token that may do what the verb does and no more. */
    const run = (...args: string[]): Promise<Ran> => {
      const token = tokens.get(args[0] === "node-lost" ? "patcher" : "reader") ?? "";
      return program(lab.project.folder, args, { token, patience: 15 * 60 });
    };
    const running = (job: string) => lab.nomad.api.running(job, NAMESPACE, 120);
    const statusOf = async (job: string, id: string) =>
      (await lab.nomad.api.allocations()).find(({ JobID, ID }) => JobID === job && ID === id)?.ClientStatus;
    /** What the owner types and reads. */
    const shown = (title: string, { out, err, code }: Ran) =>
      process.stderr.write(`\n--- ${title} (exit code ${code})\n${out}${err}`);
    /** Ends the agent of a machine, and with its power also what ran on it and what answered for it. */
    const powerOff = async (name: string) => {
      const ids = lab.run.allocationsOn(name);
      await lab.nomad.kill(name);
      lab.lan.connect(name, false);
      for (const id of ids) {
        const containers = attempt("docker", ["ps", "-q", "--filter", `label=com.hashicorp.nomad.alloc_id=${id}`]);
        for (const container of containers.split("\n").filter(Boolean)) attempt("docker", ["kill", container]);
      }
    };
    const healthy = () =>
      until("homelab status has nothing bad", 300, async () => {
        const { code, out } = await run("status");
        if (code !== 0) throw new Error(out);
        return true;
      });

    beforeAll(async () => {
      lab = await Homelab.start();
      server = lab.cluster.servers[0]?.name ?? "";
      tokens = await roleTokens((path, body) => lab.nomad.api.put(path, body));
      await lab.nomad.api.put(`namespace/${NAMESPACE}`, { Name: NAMESPACE });
      await lab.writeSecrets(JOBS);
      await lab.project.deploy();
      await lab.setUpHub();
      writers = new WriterCount(lab.run);
      await healthy();
    });

    afterAll(async () => {
      writers?.stop();
      await lab?.end();
    });

    const drill = (name: string, body: () => Promise<void>) =>
      test(name, async () => {
        writers.reset();
        try {
          await body();
          await healthy();
        } catch (error) {
          process.stderr.write(`\n${name}: ${error}\n${await lab.diagnosis()}\n`);
          throw error;
        }
        process.stderr.write(`\n=== ${name}: most writers at once ${JSON.stringify(writers.highest)}\n`);
        for (const [volume, most] of Object.entries(writers.highest))
          expect([volume, most <= 1]).toEqual([volume, true]);
        expect(
          JOBS.flatMap((job) => lab.journal(`${job}-data`)).filter(({ event }) => event === "second-writer"),
        ).toEqual([]);
      });

    drill("a client is killed while its containers run on: the same allocation goes on when it is back", async () => {
      const { ID, NodeName } = await running("electrs");
      await lab.nomad.kill(NodeName);
      await until("electrs is unknown", 120, async () => (await statusOf("electrs", ID)) === "unknown" || undefined);
      const status = await run("status");
      shown("homelab status", status);
      expect([status.code, status.out]).toEqual([2, expect.stringContaining("its machine is away")]);
      shown(`homelab node-lost ${NodeName}`, await run("node-lost", NodeName));
      await sleep(10_000);
      lab.nomad.startOne(NodeName);
      await until("electrs runs again", 120, async () => (await statusOf("electrs", ID)) === "running" || undefined);
      expect(writers.highest).toEqual(ONE_WRITER);
    });

    drill("the network is cut, and a deploy in that time is refused", async () => {
      const { ID, NodeName } = await running("bitcoin");
      lab.lan.connect(NodeName, false);
      await until("bitcoin is unknown", 120, async () => (await statusOf("bitcoin", ID)) === "unknown" || undefined);
      lab.project.change({ metaVersion: { ...version, bitcoin: ++version.bitcoin } });
      await lab.project.plan();
      const guard = await run("guard");
      shown("npm run deploy asks homelab guard", guard);
      expect([guard.code, guard.out]).toEqual([2, expect.stringMatching(/of bitcoin is unknown[\s\S]* wait until /)]);
      lab.lan.connect(NodeName, true);
      await until("bitcoin runs again", 120, async () => (await statusOf("bitcoin", ID)) === "running" || undefined);
      const after = await until("the guard lets it pass", 60, async () => {
        const ran = await run("guard");
        return ran.code === 0 ? ran : undefined;
      });
      shown("npm run deploy asks homelab guard again", after);
      expect(await lab.project.deploy()).toMatch(/1 changed, 0 destroyed/);
    });

    drill("the server is restarted during a deploy, which is then done again", async () => {
      lab.project.change({ metaVersion: { ...version, bitcoin: ++version.bitcoin, electrs: ++version.electrs } });
      const deployed = lab.project.deploy().catch((error: Error) => error.message);
      await until("the deploy has begun", 120, async () => {
        const [newest] = (await lab.nomad.api.allocations()).filter(
          ({ JobID, JobVersion }) => JobID === "bitcoin" && JobVersion >= 2,
        );
        return newest && true;
      });
      await lab.nomad.kill(server);
      await sleep(5_000);
      shown("homelab status", await run("status"));
      lab.nomad.startOne(server);
      await deployed;
      await lab.nomad.ready();
      await lab.project.deploy();
      const drift = await run("drift");
      shown("homelab drift", drift);
      expect(drift.code).toBe(0);
    });

    drill("a machine is lost for good: it is given up, and its volume is written elsewhere", async () => {
      const { NodeName } = await running("electrs");
      await powerOff(NodeName);
      await until("its node is away", 120, async () => {
        const nodes = await lab.nomad.api.get<{ Name: string; Status: string }[]>("nodes");
        return nodes.some(({ Name, Status }) => Name === NodeName && Status !== "ready") || undefined;
      });
      const first = await run("node-lost", NodeName);
      shown(`homelab node-lost ${NodeName}`, first);
      expect([first.code, first.out]).toEqual([2, expect.stringContaining("--confirm-powered-off")]);
      lab.lan.connect(NodeName, true);
      const on = await run("node-lost", NodeName, "--confirm-powered-off");
      shown(`homelab node-lost ${NodeName} --confirm-powered-off, while it is on`, on);
      expect([on.code, on.err]).toEqual([
        1,
        expect.stringMatching(/ is on: it answers at .*:4646 .*nothing was purged/),
      ]);
      lab.lan.connect(NodeName, false);
      const done = await run("node-lost", NodeName, "--confirm-powered-off");
      shown(`homelab node-lost ${NodeName} --confirm-powered-off`, done);
      await until("a container writes it", 60, () => writers.highest["electrs-data"] === 1 || undefined);
      expect([done.code, done.out]).toEqual([
        0,
        expect.stringMatching(/is silent everywhere: asked [\s\S]*every volume has exactly one writer, after \d+ s/),
      ]);
    });
  },
);
