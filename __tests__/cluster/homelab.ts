import { createHmac, randomBytes } from "node:crypto";
import { chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse, stringify } from "yaml";
import { Cluster } from "../../cluster/cluster";
import { SERVICE_USER } from "../../nomad/template";
import { describeWith } from "../tools";
import { command } from "./command";
import { Database } from "./database";
import { buildImages } from "./images";
import { Lan } from "./lan";
import { type Host, NomadAgents } from "./nomad";
import { Project } from "./project";
import { missingHere, Run } from "./run";

/** The namespace of the services. */
export const NAMESPACE = "bitcoin";

export const VOLUMES = ["bitcoin-data", "electrs-data", "albyhub-data"] as const;
export type Volume = (typeof VOLUMES)[number];

/** An event of a volume's journal; see stand-ins/journal.go. */
export interface JournalEntry {
  readonly at: number;
  readonly id: string;
  readonly event:
    | "start"
    | "loaded"
    | "indexed"
    | "clean-stop"
    | "gave-up"
    | "unclean-stop"
    | "second-writer"
    | "locked-out";
}

/** The owner's secrets, of which Nomad is told the hashes and passwords. */
export interface Secrets {
  readonly rpcPassword: string;
  readonly databasePassword: string;
  readonly unlockPassword: string;
}

/** `describe` for tests on a {@link Homelab}: skipped with the reason where it cannot be, unless REQUIRE names `nomad`. */
export function describeOnHomelab(title: string, tests: () => void): void {
  const missing = missingHere();
  if (missing.length === 0 || process.env.REQUIRE?.split(",").includes("nomad")) {
    describeWith(["nomad", "provider", "docker"], title, tests);
  } else {
    process.stderr.write(`skipped: ${title}: needs ${missing.join("; ")}\n`);
    describe.skip(`${title} (skipped: needs ${missing.join("; ")})`, tests);
  }
}

/**
 * The homelab of the inventory on this machine: its servers and clients as Nomad agents in a network of their own, a
 * NAS, a database, stand-in images, and a cdktf project to deploy.
 */
export class Homelab {
  static async start(): Promise<Homelab> {
    const missing = missingHere();
    if (missing.length > 0) throw new Error(`the cluster tests need ${missing.join("; ")}`);
    const run = await Run.begin();
    try {
      return await Homelab.assemble(run);
    } catch (error) {
      await run.end();
      throw error;
    }
  }

  private static async assemble(run: Run): Promise<Homelab> {
    const images = buildImages(run);
    const lan = new Lan(run);
    const secrets = { rpcPassword: secret(), databasePassword: secret(), unlockPassword: secret() };
    const database = await Database.start(lan.ownAddress, secrets.databasePassword);
    const inventory = parse(readFileSync(resolve(__dirname, "../../ansible/inventory.yml"), "utf8"));
    const { nomad_servers, nomad_clients } = inventory.all.children;
    const hosts = new Map<string, Host>();
    for (const name of [...Object.keys(nomad_servers.hosts), ...Object.keys(nomad_clients.hosts)]) {
      hosts.set(name, lan.host(name));
    }
    for (const [name, client] of Object.entries<Record<string, unknown>>(nomad_clients.hosts)) {
      client.lan_address = hosts.get(name)?.address;
    }
    Object.assign(inventory.all.vars, {
      nomad_address: `http://${hosts.get(Object.keys(nomad_servers.hosts)[0] ?? "")?.address}:4646`,
      lan_cidr: lan.cidr,
      nas_address: lan.ownAddress,
      postgres_address: lan.ownAddress,
      postgres_port: database.port,
    });
    const project = new Project(run.path("project"), stringify(inventory), images);
    const cluster = Cluster.fromInventory(join(project.folder, "inventory.yml"));
    makeNas(run, cluster);
    const nomad = await NomadAgents.start(run, cluster, hosts, images.pause);
    project.token = nomad.api.token;
    return new Homelab(run, lan, hosts, cluster, database, project, nomad, secrets);
  }

  private constructor(
    readonly run: Run,
    readonly lan: Lan,
    readonly hosts: ReadonlyMap<string, Host>,
    readonly cluster: Cluster,
    readonly database: Database,
    readonly project: Project,
    readonly nomad: NomadAgents,
    readonly secrets: Secrets,
  ) {}

  /** Writes the Nomad variables that the jobs read, or those of some jobs. */
  async writeSecrets(jobs: readonly ("bitcoin" | "electrs" | "albyhub")[]): Promise<void> {
    const { rpcPassword, databasePassword, unlockPassword } = this.secrets;
    const salt = randomBytes(16).toString("hex");
    const hash = createHmac("sha256", salt).update(rpcPassword).digest("hex");
    const variables = {
      bitcoin: ["nomad/jobs/bitcoin/bitcoin/bitcoind", { rpcauth_electrs: `${salt}$${hash}` }],
      electrs: ["nomad/jobs/electrs/electrs/electrs", { bitcoin_rpc_password: rpcPassword }],
      albyhub: [
        "nomad/jobs/albyhub/albyhub/albyhub",
        { database_password: databasePassword, auto_unlock_password: unlockPassword },
      ],
    } as const;
    for (const job of jobs) await this.nomad.api.putVariable(variables[job][0], NAMESPACE, { ...variables[job][1] });
  }

  /** The address of the machine that an allocation is on. */
  addressOf(node: string): string {
    const host = this.hosts.get(node);
    if (!host) throw new Error(`${node} is no host of the homelab`);
    return host.address;
  }

  /** The folder of a volume on the NAS. */
  folderOf(volume: Volume): string {
    return nasFolder(this.run, this.cluster, volume);
  }

  /** Sets how a stand-in behaves from now on; see the calls of `seconds` in stand-ins/. */
  set(volume: Volume, name: string, value: number): void {
    const folder = join(this.folderOf(volume), ".stand-in");
    mkdirSync(folder, { recursive: true });
    chownSync(folder, SERVICE_USER, SERVICE_USER);
    writeFileSync(join(folder, name), String(value));
  }

  /** Who wrote to a volume, and how it ended. */
  journal(volume: Volume): JournalEntry[] {
    const text = readFileSync(join(this.folderOf(volume), ".stand-in", "journal"), "utf8");
    return text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  }

  async end(): Promise<void> {
    this.project.stop();
    await this.nomad.stop();
    await this.database.stop();
    await this.run.end();
  }

  /** What agents and tasks said, for the reader of a failed test. */
  async diagnosis(): Promise<string> {
    const allocations = await this.nomad.api.allocations().catch(() => []);
    const told = allocations.map(({ ID, JobID, JobVersion, NodeName, DesiredStatus, ClientStatus, TaskStates }) => {
      const tasks = Object.entries(TaskStates ?? {}).map(([task, { State, Restarts, Events }]) => {
        const events = Events.slice(-6).map(({ DisplayMessage }) => `      ${DisplayMessage}`);
        const folder = this.run.path(NodeName, "data", "alloc", ID, "alloc", "logs");
        return [`  ${task}: ${State}, restarts ${Restarts}`, ...events, ...tails(folder, task)].join("\n");
      });
      return [`--- ${JobID} v${JobVersion} ${ID} on ${NodeName}: ${DesiredStatus}, ${ClientStatus}`, ...tasks].join(
        "\n",
      );
    });
    return [this.nomad.complaints(15), ...told].join("\n");
  }
}

function secret(): string {
  return randomBytes(16).toString("hex");
}

/**
 * The disk of the NAS, a file system of its own, with the folders that an owner makes. Each client sees it in the folder
 * that Nomad shows to its CSI plugins, where the stand-in of mount.nfs looks for it; no job knows of that.
 */
function makeNas(run: Run, cluster: Cluster): void {
  mkdirSync(run.path("nas"));
  command("mount", ["-t", "tmpfs", "-o", "mode=755", "tmpfs", run.path("nas")]);
  for (const volume of VOLUMES) {
    const folder = nasFolder(run, cluster, volume);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chownSync(folder, SERVICE_USER, SERVICE_USER);
  }
  for (const { name } of cluster.clients) {
    const seen = run.path(name, "data", "client", "csi", "node", "nfs", "nas");
    mkdirSync(seen, { recursive: true });
    command("mount", ["--bind", run.path("nas"), seen]);
  }
}

function nasFolder(run: Run, cluster: Cluster, volume: Volume): string {
  return run.path("nas", cluster.nas.exportRoot, volume);
}

/** The last lines of a task's output. */
function tails(folder: string, task: string): string[] {
  try {
    const files = readdirSync(folder).filter((name) => new RegExp(`^${task}\\.std(out|err)\\.\\d+$`).test(name));
    return files.flatMap((name) => {
      const lines = readFileSync(join(folder, name), "utf8").trim().split("\n").slice(-12);
      return [`    ${name}`, ...lines.map((line) => `      ${line}`)];
    });
  } catch {
    return [];
  }
}
