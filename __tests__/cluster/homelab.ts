import { createHmac, randomBytes } from "node:crypto";
import { chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { Cluster } from "../../cluster/cluster";
import { SERVICE_USER } from "../../nomad/template";
import { Postgres } from "../backup/postgres";
import { FIXTURE_INVENTORY } from "../fixture-project";
import { describeSkipped, describeWith, type Tool } from "../tools";
import { Checkout } from "./checkout";
import { command, until } from "./command";
import { Database } from "./database";
import { buildImages, type Images } from "./images";
import { Lan } from "./lan";
import { type Host, NomadAgents } from "./nomad";
import { Project } from "./project";
import { missingHere, Run } from "./run";

/** The namespace of the services. */
export const NAMESPACE = "bitcoin";

export const VOLUMES = ["bitcoin-data", "electrs-data", "albyhub-data"] as const;
export type Volume = (typeof VOLUMES)[number];

/** Folders of the NAS that hold a volume. */
export type Folder = Volume | "backup";

/** The task of each service that is its program; others are beside it. */
export const MAIN_TASK = { bitcoin: "bitcoind", electrs: "electrs", albyhub: "albyhub" } as const;
export type Service = keyof typeof MAIN_TASK;
export const SERVICES = Object.keys(MAIN_TASK) as Service[];

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

/**
 * `describe` for tests on a {@link Homelab}: skipped with the reason where it cannot be, unless REQUIRE names `nomad`.
 *
 * @param more tools beyond those of every homelab.
 */
export function describeOnHomelab(title: string, tests: () => void, more: readonly Tool[] = []): void {
  const missing = missingHere();
  if (missing.length === 0 || process.env.REQUIRE?.split(",").includes("nomad")) {
    describeWith(["nomad", "provider", "docker", ...more], title, tests);
  } else {
    describeSkipped(title, `needs ${missing.join("; ")}`, tests);
  }
}

/** `test` on a homelab, which tells, when it fails, what agents and tasks said. */
export function testOn(homelab: () => Homelab, name: string, body: () => Promise<void>): void {
  test(name, async () => {
    try {
      await body();
    } catch (error) {
      process.stderr.write(`\n${name}: ${error}\n${await homelab().diagnosis()}\n`);
      throw error;
    }
  });
}

/**
 * The fixture homelab on this machine: its servers and clients as Nomad agents in a network of their own, a
 * NAS, a database, stand-in images, and a cdktf project to deploy.
 */
export class Homelab {
  /** @param options whether its database is a real one, which serves queries. */
  static async start(options: { readonly postgres?: true } = {}): Promise<Homelab> {
    const missing = missingHere();
    if (missing.length > 0) throw new Error(`the cluster tests need ${missing.join("; ")}`);
    const run = await Run.begin();
    try {
      return await Homelab.assemble(run, options);
    } catch (error) {
      await run.end();
      throw error;
    }
  }

  private static async assemble(run: Run, options: { readonly postgres?: true }): Promise<Homelab> {
    const images = buildImages(run);
    const lan = new Lan(run);
    const secrets = { rpcPassword: secret(), databasePassword: secret(), unlockPassword: secret() };
    const database = await Database.start(lan.ownAddress, secrets.databasePassword);
    // The stand-in of the hub knows no other proof than the password itself.
    const postgres = options.postgres && {
      postgres: await Postgres.start({ address: lan.ownAddress, password: secrets.databasePassword, auth: "password" }),
    };
    const inventory = parse(readFileSync(FIXTURE_INVENTORY, "utf8"));
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
      postgres_port: postgres?.postgres.port ?? database.port,
    });
    const project = new Project(run.path("project"), stringify(inventory), images);
    const cluster = Cluster.fromInventory(join(project.folder, "inventory.yml"));
    makeNas(run, cluster);
    const nomad = await NomadAgents.start(run, cluster, hosts, images.pause);
    project.token = nomad.api.token;
    return new Homelab(run, lan, hosts, cluster, database, project, nomad, secrets, images, postgres?.postgres);
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
    readonly images: Images,
    /** Instead of the other one, when it was asked for. */
    readonly postgres: Postgres | undefined,
  ) {}

  /** The repository as its owner has it, for this homelab. */
  checkout(): Checkout {
    const inventory = readFileSync(join(this.project.folder, "inventory.yml"), "utf8");
    return new Checkout(this.run.path("checkout"), inventory, this.images, this.nomad.api.token);
  }

  /** Writes the Nomad variables that the jobs read, or those of some jobs. */
  async writeSecrets(jobs: readonly Service[]): Promise<void> {
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

  /** Asks the hub as its owner's browser does. */
  async hub(path: string, body?: unknown): Promise<Record<string, unknown>> {
    const { NodeName } = await this.nomad.api.running("albyhub", NAMESPACE);
    const url = `http://${this.addressOf(NodeName)}:8080/api/${path}`;
    const response = await fetch(url, { method: body ? "POST" : "GET", body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${url}: ${response.status}`);
    return response.status === 204 ? {} : ((await response.json()) as Record<string, unknown>);
  }

  /** Waits for the hub's page and sets it up, as its owner does once. */
  async setUpHub(): Promise<void> {
    const { unlockPassword } = this.secrets;
    await until("the hub's page opens", 60, () => this.hub("info"));
    await this.hub("setup", { unlockPassword });
    await this.hub("start", { unlockPassword });
  }

  /** Waits until every program answers its honest check and the hub's node runs. */
  async well(seconds = 600): Promise<void> {
    const checks = { bitcoin: "bitcoin-indexer", electrs: "electrs", albyhub: "albyhub" };
    await until("every service is well", seconds, async () => {
      for (const [job, service] of Object.entries(checks)) {
        const { ID, TaskStates } = await this.nomad.api.running(job, NAMESPACE, 1);
        const { State } = TaskStates?.[MAIN_TASK[job as Service]] ?? {};
        if (State !== "running") throw new Error(`${job} is ${State}`);
        const { Status, Output } = (await this.nomad.api.checks(ID, NAMESPACE))[service] ?? {};
        if (Status !== "success") throw new Error(`${service}: ${Status} ${Output}`);
      }
      const { running } = await this.hub("info");
      if (!running) throw new Error("the hub's node does not run");
      return true;
    });
  }

  /** Restarts every task of a service's allocation in place, and waits until that has begun. */
  async restart(job: Service): Promise<void> {
    const restarts = async () => {
      const { ID, TaskStates } = await this.nomad.api.running(job, NAMESPACE);
      return { id: ID, count: TaskStates?.[MAIN_TASK[job]]?.Restarts ?? 0 };
    };
    const { id, count } = await restarts();
    await this.nomad.api.restart(id, NAMESPACE);
    await until(`${job} is restarted`, 60, async () => (await restarts()).count > count || undefined);
  }

  /** What the job's main task, and the script it starts with, have said in its running allocation. */
  async output(job: string, task: string): Promise<string> {
    const { ID, NodeName } = await this.nomad.api.running(job, NAMESPACE);
    const folder = this.run.path(NodeName, "data", "alloc", ID, "alloc", "logs");
    const files = readdirSync(folder).filter((name) => name.startsWith(`${task}.std`));
    return files.map((name) => readFileSync(join(folder, name), "utf8")).join("");
  }

  /** The address of the machine that an allocation is on. */
  addressOf(node: string): string {
    const host = this.hosts.get(node);
    if (!host) throw new Error(`${node} is no host of the homelab`);
    return host.address;
  }

  /** The folder of a volume on the NAS. */
  folderOf(volume: Folder): string {
    return nasFolder(this.run, this.cluster, volume);
  }

  /** Sets how a stand-in behaves from now on; see the calls of `seconds` in stand-ins/. */
  set(volume: Volume, name: string, value: number): void {
    const folder = join(this.folderOf(volume), ".stand-in");
    mkdirSync(folder, { recursive: true });
    chownSync(folder, SERVICE_USER, SERVICE_USER);
    writeFileSync(join(folder, name), String(value));
  }

  /** The containers of a task that run now, as Docker has them, whatever Nomad believes: names of task and allocation. */
  containers(task: string): string[] {
    const mine = new Set(this.run.allocations());
    const names = command("docker", ["ps", "--format", "{{.Names}}"]).split("\n");
    return names.filter((name) => name.startsWith(`${task}-`) && mine.has(name.slice(task.length + 1)));
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
    this.postgres?.stop();
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
  const snapshots = run.path("nas", cluster.nas.snapshotExport ?? "");
  for (const folder of [
    ...([...VOLUMES, "backup"] as const).map((volume) => nasFolder(run, cluster, volume)),
    snapshots,
  ]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chownSync(folder, SERVICE_USER, SERVICE_USER);
  }
  for (const { name } of cluster.clients) {
    const seen = run.path(name, "data", "client", "csi", "node", "nfs", "nas");
    mkdirSync(seen, { recursive: true });
    command("mount", ["--bind", run.path("nas"), seen]);
  }
}

function nasFolder(run: Run, cluster: Cluster, volume: Folder): string {
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
