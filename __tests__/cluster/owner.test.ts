import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { rpcauth } from "../../cli/secrets/rpcauth";
import { fromJobspec } from "../../nomad/terraform-text";
import type { Deployment } from "./api";
import type { Checkout } from "./checkout";
import { describeOnHomelab, Homelab, NAMESPACE, SERVICES, testOn } from "./homelab";

const BITCOIND = "nomad/jobs/bitcoin/bitcoin/bitcoind";
const ELECTRS = "nomad/jobs/electrs/electrs/electrs";
const HUB = "nomad/jobs/albyhub/albyhub/albyhub";
const RESTIC = "nomad/jobs/backup/backup/restic";
const DEPLOY = "npm run deploy -- --auto-approve";

/** A deployment that gives up soon, of an image that is nowhere. */
const BROKEN = `
const broken = electrs.job.TaskGroups[0]!;
broken.Tasks[0]!.Config.image = "nowhere.invalid/electrs:v0.11.1";
broken.Tasks[0]!.KillTimeout = Duration.seconds(5).toNanoseconds();
broken.Update = { ...broken.Update, MinHealthyTime: Duration.seconds(1).toNanoseconds(), HealthyDeadline: Duration.seconds(10).toNanoseconds(), ProgressDeadline: Duration.seconds(20).toNanoseconds() };
`;

describeOnHomelab("the commands of the documents, from an empty Nomad", () => {
  let homelab: Homelab;
  let owner: Checkout;
  let allocations: Record<string, string>;

  beforeAll(async () => {
    homelab = await Homelab.start();
    owner = homelab.checkout();
    owner.edit("  channelBackups: backup,", "  channelBackups: backup,\n  firstStart: true,");
  });

  afterAll(async () => {
    await homelab?.end();
  });

  const step = (name: string, body: () => Promise<void>) => testOn(() => homelab, name, body);

  /** The running allocation of each service. */
  const running = async () => {
    const found = await Promise.all(SERVICES.map((job) => homelab.nomad.api.running(job, NAMESPACE)));
    return Object.fromEntries(found.map(({ JobID, ID }) => [JobID, ID]));
  };

  /** What Terraform plans of what was synthesized, which is then deployed. */
  const planAndDeploy = async (stack = "homelab") => {
    await owner.done("npm run synth");
    const plan = `terraform -chdir=cdktf.out/stacks/${stack}`;
    const text = await owner.done(`${plan} init -no-color && ${plan} plan -no-color`);
    await owner.done(DEPLOY);
    return text;
  };

  /** How often the programs have started, by what they wrote on their volumes. */
  const starts = () =>
    (["bitcoin-data", "electrs-data", "albyhub-data"] as const).map(
      (volume) => homelab.journal(volume).filter(({ event }) => event === "start").length,
    );

  // As the owner has them: the password of the database, and in the environment, where it does not belong, a pair that
  // electrs and bitcoind are given.
  const password = randomBytes(16).toString("hex");
  const onPaper = randomBytes(16).toString("hex");
  const planted = { password, hash: rpcauth(password) };
  const environment = { OWNERS_PASSWORD: planted.password, OWNERS_HASH: planted.hash };

  step("make the secrets before anything else is there", async () => {
    await owner.done("npm run synth");
    expect(await owner.run("npx homelab secrets check")).toMatchObject({ code: 2 });
    const { databasePassword: database_password } = homelab.secrets;
    const given = {
      [HUB]: { database_password },
      [ELECTRS]: { bitcoin_rpc_password: planted.password },
      [BITCOIND]: { rpcauth_electrs: planted.hash },
      [RESTIC]: { restic_password: onPaper },
    };
    const { code, text } = await owner.run("npx homelab secrets init --stdin", JSON.stringify(given), environment);
    expect([code, text]).toEqual([0, expect.stringMatching(/all 10 secrets are there/)]);
  });

  step("bring a first deploy that failed to its end", async () => {
    owner.edit("app.synth();", `${BROKEN}app.synth();`);
    owner.edit(
      'import { App } from "cdktf";',
      'import { App } from "cdktf";\nimport { Duration } from "./nomad/duration";',
    );
    const failed = await owner.run(DEPLOY);
    expect(failed.code).not.toBe(0);
    // What cdktf prints without a terminal may end early, so Nomad and Terraform are asked themselves.
    const { StatusDescription } = await homelab.nomad.api.get<Deployment>("job/electrs/deployment", NAMESPACE);
    expect(StatusDescription).toMatch(/Failed due to progress deadline/);

    owner.edit(BROKEN, "");
    const refused = await owner.run(DEPLOY);
    expect(refused.code).not.toBe(0);
    const plan = await owner.run("terraform -chdir=cdktf.out/stacks/homelab plan -no-color");
    expect([plan.code, plan.text]).toEqual([
      1,
      expect.stringMatching(/Instance cannot be destroyed[\s\S]*nomad_job\.electrs/),
    ]);

    await owner.done("terraform -chdir=cdktf.out/stacks/homelab untaint nomad_job.electrs");
    const watch = new ProcessWatch([planted.password, planted.hash, onPaper, homelab.secrets.databasePassword]);
    const { code, text } = await owner.run(DEPLOY, "", environment).finally(() => watch.stop());
    expect([code, code === 0 ? "" : text]).toEqual([0, ""]);
    expect(watch.seen).toEqual([]);
    allocations = await running();
    expect(starts()).toEqual([1, 1, 1]);
  });

  step("find all secrets there, and everything healthy", async () => {
    expect(await owner.done("npx homelab secrets check")).toMatch(/all 10 secrets are there/);
    for (const job of SERVICES) {
      expect(await homelab.nomad.api.get(`job/${job}/deployment`, NAMESPACE)).toMatchObject({ Status: "successful" });
    }
  });

  step(
    "plan nothing more, and Nomad has every key of every job that was sent, those of the backup among them",
    async () => {
      const plan = await owner.run("terraform -chdir=cdktf.out/stacks/homelab plan -no-color");
      expect([plan.code, plan.text]).toEqual([0, expect.stringMatching(/No changes\. Your infrastructure matches/)]);
      const file = readFileSync(join(owner.folder, "cdktf.out/stacks/homelab/cdk.tf.json"), "utf8");
      const jobs = Object.values<{ jobspec: string }>(JSON.parse(file).resource.nomad_job);
      expect(jobs).toHaveLength(10);
      for (const job of jobs.map(({ jobspec }) => fromJobspec(jobspec))) {
        expect(await homelab.nomad.api.get<object>(`job/${job.ID}`, job.Namespace)).toMatchObject(job);
      }
    },
  );

  step("leave no secret in a file, a state, a plan or a log", async () => {
    const { text } = await owner.run("npm run plan");
    const unlock = await homelab.nomad.api.get<{ Items: Record<string, string> }>(`var/${HUB}`, NAMESPACE);
    const secrets = [planted.password, planted.hash, onPaper, ...Object.values(unlock.Items)];
    expect(secrets).toHaveLength(5);
    for (const secret of secrets) {
      expect(text).not.toContain(secret);
      // Only where they are meant to be: in the files that Nomad renders for their reader, and in the hub's database.
      const files = filesWith(secret, homelab.run.folder).filter((file) => !/\/secrets\/|\/\.stand-in\//.test(file));
      expect(files).toEqual([]);
    }
  });

  step("do not destroy", async () => {
    const { code } = await owner.run("npx cdktf destroy --auto-approve --skip-provider-lock");
    expect(code).not.toBe(0);
    const plan = await owner.run("terraform -chdir=cdktf.out/stacks/homelab plan -destroy -no-color");
    expect([plan.code, plan.text]).toEqual([1, expect.stringMatching(/Instance cannot be destroyed/)]);
    expect(await running()).toEqual(allocations);
  });

  step("let a service run on whose construct is deleted, and take it back", async () => {
    const text = readFileSync(join(owner.folder, "main.ts"), "utf8");
    const [construct = ""] = /const albyHub = new AlbyHub\([\s\S]*?\n}\);\n/.exec(text) ?? [];
    const [acknowledged = ""] = /albyHub\.acknowledge\(.*\n/.exec(text) ?? [];
    owner.edit(construct, "// no hub\n");
    owner.edit(acknowledged, "// no risk\n");
    owner.edit(", albyHub.backupSet", "");
    // Its volume goes too, and the copies of it; the other jobs of the backup do without it.
    expect(await planAndDeploy()).toMatch(/Plan: 0 to add, 3 to change, 3 to destroy/);
    expect(await running()).toEqual(allocations);
    owner.edit("electrs.backupSet", "electrs.backupSet, albyHub.backupSet");
    owner.edit("// no hub\n", construct);
    owner.edit("// no risk\n", acknowledged);
    expect(await planAndDeploy()).toMatch(/Plan: 3 to add, 3 to change, 0 to destroy/);
    expect(await running()).toEqual(allocations);
  });

  step("let a service run on whose construct is renamed", async () => {
    owner.edit('new Electrs(homelab, "electrs"', 'new Electrs(homelab, "indexer"');
    expect(await planAndDeploy()).toMatch(/Plan: 1 to add, 0 to change, 1 to destroy/);
    expect(await running()).toEqual(allocations);
  });

  step("let everything run on when the stack is renamed", async () => {
    owner.edit('new HomelabStack(app, "homelab"', 'new HomelabStack(app, "lab"');
    expect(await planAndDeploy("lab")).toMatch(/Plan: 17 to add, 0 to change, 0 to destroy/);
    expect(await running()).toEqual(allocations);
    expect(starts()).toEqual([1, 1, 1]);
  });
});

/** Looks for texts in the command lines of every process of this machine. */
class ProcessWatch {
  readonly seen: string[] = [];
  private readonly timer: NodeJS.Timeout;

  constructor(texts: readonly string[]) {
    this.timer = setInterval(() => {
      for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
        try {
          const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
          if (texts.some((text) => line.includes(text))) this.seen.push(line);
        } catch {
          // It has ended.
        }
      }
    }, 50);
  }

  stop(): void {
    clearInterval(this.timer);
  }
}

/** Files below a folder that hold a text; links are not followed. */
function filesWith(text: string, folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesWith(text, path);
    if (!entry.isFile() || statSync(path).size > 1 << 28) return [];
    return readFileSync(path).includes(text) ? [path] : [];
  });
}
