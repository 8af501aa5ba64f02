import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Job } from "../../.gen/nomad/job";
import { NomadClient } from "../../nomad/client";
import { command, until } from "./command";
import { endAgent, freePort, startAgent } from "./loopback-agent";
import { type Role, roleTokens } from "./policies";

/**
 * A Nomad server with ACLs and its clients on loopback, without containers: jobs are programs of this machine
 * (`raw_exec`). It starts within seconds, and notices the loss of a client within seconds.
 */
export class Agents {
  static async start(clients: readonly string[]): Promise<Agents> {
    // Not below TMPDIR, because the path of a unix socket may have 107 characters.
    const agents = new Agents(mkdtempSync("/tmp/hl-agents-"), await freePort(), await freePort());
    try {
      agents.run("server", [await freePort(), agents.serf], SERVER);
      const root = await until("a leader", 60, () => agents.send<{ SecretID: string }>("PUT", "acl/bootstrap"));
      agents.tokens.set("management", root.SecretID);
      const tokens = await roleTokens((path, body) => agents.send("PUT", path, body), "lab");
      for (const [role, token] of tokens) agents.tokens.set(role, token);
      for (const name of clients) await agents.startClient(name);
      await agents.ready(clients);
      return agents;
    } catch (error) {
      await agents.stop();
      throw error;
    }
  }

  private readonly processes = new Map<string, ChildProcess>();
  private readonly tokens = new Map<Role, string>();
  private readonly ports = new Map<string, number>();

  private constructor(
    readonly folder: string,
    private readonly http: number,
    private readonly serf: number,
  ) {}

  get address(): string {
    return `http://127.0.0.1:${this.http}`;
  }

  token(role: Role): string {
    return this.tokens.get(role) ?? "";
  }

  client(role: Role): NomadClient {
    return new NomadClient(this.address, { NOMAD_TOKEN: this.token(role) });
  }

  /** Starts a client, for the first time or again. */
  async startClient(name: string): Promise<void> {
    const number = this.ports.get(name) ?? (await freePort());
    this.ports.set(name, number);
    const at = [...this.ports.keys()].indexOf(name);
    this.run(name, [await freePort(), await freePort()], clientConfig(`127.0.0.1:${this.rpc}`, at), number);
  }

  /** Kills a client as a power cut would, except that its programs go on. */
  async kill(name: string): Promise<void> {
    const agent = this.processes.get(name);
    this.processes.delete(name);
    await endAgent(agent, "SIGKILL");
  }

  async ready(names: readonly string[]): Promise<void> {
    await until(`nodes ${names.join(", ")} ready`, 60, async () => {
      const nodes = await this.send<{ Name: string; Status: string }[]>("GET", "nodes");
      return names.every((name) => nodes.some((node) => node.Name === name && node.Status === "ready")) || undefined;
    });
  }

  /** Registers a job and waits until it runs, or its deployment has succeeded. */
  async register(job: Job): Promise<void> {
    await this.send("PUT", "jobs", { Job: job }, job.Namespace);
    await this.settled(job);
  }

  async settled({ ID, Namespace }: Pick<Job, "ID" | "Namespace">): Promise<void> {
    await until(`the deployment of ${ID}`, 60, async () => {
      const deployment = await this.send<{ Status: string; JobVersion: number } | null>(
        "GET",
        `job/${ID}/deployment`,
        undefined,
        Namespace,
      );
      const { Version } = await this.send<{ Version: number }>("GET", `job/${ID}`, undefined, Namespace);
      return (deployment?.Status === "successful" && deployment.JobVersion === Version) || undefined;
    });
  }

  /** Asks as the cluster's manager. @throws with status and text of a refusal. */
  async send<T>(method: string, path: string, body?: unknown, namespace = "default"): Promise<T> {
    const url = `${this.address}/v1/${path}${path.includes("?") ? "&" : "?"}namespace=${namespace}`;
    const headers = { "X-Nomad-Token": this.token("management") };
    const response = await fetch(url, { method, headers, body: JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text.trim()}`);
    return (text && JSON.parse(text)) as T;
  }

  log(name: string): string {
    return readFileSync(join(this.folder, name, "agent.log"), "utf8");
  }

  /** Ends agents and programs, and removes all that they wrote. */
  async stop(): Promise<void> {
    await Promise.all([...this.processes.keys()].map((name) => this.kill(name)));
    await until("the end of all programs", 30, () => {
      const left = programsBelow(this.folder);
      for (const pid of left) process.kill(pid, "SIGKILL");
      return left.length === 0 || undefined;
    });
    const mounts = readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .map((line) => line.split(" ")[4] ?? "");
    for (const mount of mounts.filter((point) => point.startsWith(`${this.folder}/`))) command("umount", ["-l", mount]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private rpc = 0;

  private run(name: string, [rpc, serf]: readonly [number, number], options: string, http = this.http): void {
    if (name === "server") this.rpc = rpc;
    const named = `name = "${name}"\nacl { enabled = true }\n${options}`;
    this.processes.set(name, startAgent({ folder: join(this.folder, name), http, rpc, serf, options: named }));
  }
}

const SERVER = `server {
  enabled = true
  bootstrap_expect = 1
  heartbeat_grace = "1s"
  min_heartbeat_ttl = "2s"
}`;

function clientConfig(server: string, at: number): string {
  return `client {
  enabled = true
  servers = ["${server}"]
  network_interface = "lo"
  min_dynamic_port = ${21000 + 200 * at}
  max_dynamic_port = ${21199 + 200 * at}
  memory_total_mb = 2048
  cpu_total_compute = 4000
  max_kill_timeout = "1m"
  options = {
    # A cloud's metadata service would be asked for at 169.254.169.254, for seconds.
    "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean,consul,vault,cni"
    "driver.allowlist" = "raw_exec"
  }
}
plugin "raw_exec" {
  config { enabled = true }
}`;
}

/** Programs that Nomad started with a folder below this one. */
function programsBelow(folder: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const [environment, line] = ["environ", "cmdline"].map((file) => readFileSync(`/proc/${pid}/${file}`, "utf8"));
        // Tasks have it in their environment, the processes that watch over them on their command line.
        return pid !== process.pid && (environment?.includes(`=${folder}/`) || line?.includes(`"${folder}/`));
      } catch {
        return false;
      }
    });
}

/** A folder for what a test writes. */
export function scratch(): string {
  return mkdtempSync(join(tmpdir(), "verbs-"));
}
