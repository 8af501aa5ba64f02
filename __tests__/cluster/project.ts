import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Job } from "../../.gen/nomad/job";
import { fromJobspec } from "../../nomad/jobspec";
import { type Images, REAL } from "./images";

/** What the tests change of the program that is deployed. */
export interface Settings {
  readonly images: Images;
  readonly chain: "main" | "regtest";
  readonly metaVersion: Readonly<Record<"plugin" | "bitcoin" | "electrs" | "albyhub", number>>;
  readonly firstStart: boolean;
  /** Whether it registers its volumes, or refers to those that live already. @default "registered" */
  readonly volumes?: "registered" | "live";
  /** How long a machine takes to write a changed secret into the files of bitcoind and electrs, in seconds. @default 0 */
  readonly renderDelay?: number;
  /** How long the hub's node may take to run, in seconds; left out, the construct's own default. */
  readonly startDeadline?: number;
}

const REPOSITORY = resolve(__dirname, "../..");

/** A cdktf project in a folder of its own, used as an owner uses theirs: through the cdktf command line. */
export class Project {
  /** The program that cdktf applies with: Terraform, or OpenTofu. */
  terraform: "terraform" | "tofu" = "terraform";
  private settings: Settings;
  /** Nomad's, with which it is deployed. */
  token = "";
  private child?: ChildProcess;

  constructor(
    readonly folder: string,
    inventory: string,
    images: Images,
  ) {
    mkdirSync(folder, { recursive: true });
    const app = `node ${JSON.stringify(join(__dirname, "app.js"))}`;
    writeFileSync(
      join(folder, "cdktf.json"),
      JSON.stringify({ language: "typescript", app, sendCrashReports: "false" }),
    );
    writeFileSync(join(folder, "inventory.yml"), inventory);
    const metaVersion = { plugin: 1, bitcoin: 1, electrs: 1, albyhub: 1 };
    this.settings = { images, chain: REAL ? "regtest" : "main", metaVersion, firstStart: true };
    this.change({});
  }

  get current(): Settings {
    return this.settings;
  }

  /** Edits the program. */
  change(changes: Partial<Settings>): void {
    this.settings = { ...this.settings, ...changes };
    writeFileSync(join(this.folder, "settings.json"), JSON.stringify(this.settings, null, 2));
  }

  deploy(): Promise<string> {
    return this.cdktf("deploy", "--auto-approve", "--skip-provider-lock");
  }

  synth(): Promise<string> {
    return this.cdktf("synth");
  }

  plan(): Promise<string> {
    return this.cdktf("diff", "--skip-provider-lock");
  }

  destroy(): Promise<string> {
    return this.cdktf("destroy", "--auto-approve", "--skip-provider-lock");
  }

  /** Ends a command that still runs, with all it has started. */
  stop(): void {
    if (this.child?.pid && this.child.exitCode === null) process.kill(-this.child.pid, "SIGKILL");
  }

  /** The jobs as they were sent, by their ids. */
  jobs(): Record<string, Job> {
    const file = join(this.folder, "cdktf.out", "stacks", "homelab", "cdk.tf.json");
    const jobs = Object.values<{ jobspec: string }>(JSON.parse(readFileSync(file, "utf8")).resource.nomad_job);
    return Object.fromEntries(jobs.map(({ jobspec }) => fromJobspec(jobspec)).map((job) => [job.ID, job]));
  }

  /** What it printed. @throws with all of it when the command fails. */
  private async cdktf(...args: string[]): Promise<string> {
    const child = spawn(join(REPOSITORY, "node_modules/.bin/cdktf"), args, {
      cwd: this.folder,
      env: { ...environment(), NOMAD_TOKEN: this.token, TERRAFORM_BINARY_NAME: this.terraform },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    this.child = child;
    const printed: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => printed.push(chunk));
    const code = await new Promise((done, fail) => child.once("error", fail).once("close", done));
    const text = Buffer.concat(printed).toString();
    if (code !== 0) throw new Error(`cdktf ${args.join(" ")} ended with ${code}:\n${text}`);
    return text;
  }
}

/** The environment of the tests, without what would lead to another Nomad or out of this machine. */
export function environment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(NOMAD_|CDKTF_|NODE_OPTIONS$|JEST_)/.test(name));
  return {
    ...Object.fromEntries(own),
    CHECKPOINT_DISABLE: "1",
    CI: "1",
    DISABLE_VERSION_CHECK: "1",
    FORCE_COLOR: "0",
    NO_PROXY: "*",
  };
}
