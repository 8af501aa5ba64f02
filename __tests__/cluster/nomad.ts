import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import type { Cluster } from "../../cluster/cluster";
import { Api } from "./api";
import { until } from "./command";
import { cniFolder, type Run } from "./run";

/** A host in the network of the run. */
export interface Host {
  readonly namespace: string;
  readonly address: string;
}

/** The agents of a cluster: each with the name, figures and timings that the inventory gives it. */
export class NomadAgents {
  /** Starts servers and clients and waits until every node is ready. */
  static async start(
    run: Run,
    cluster: Cluster,
    hosts: ReadonlyMap<string, Host>,
    pause: string,
  ): Promise<NomadAgents> {
    const agents = new NomadAgents(run, cluster, hosts, pause);
    for (const { name } of [...cluster.servers, ...cluster.clients]) agents.startOne(name);
    await until("ACLs", 60, async () => {
      agents.api.token = (await agents.api.put<{ SecretID: string }>("acl/bootstrap", {})).SecretID;
      return true;
    });
    await agents.ready();
    return agents;
  }

  readonly api: Api;
  private readonly processes = new Map<string, ChildProcess>();

  private constructor(
    private readonly run: Run,
    private readonly cluster: Cluster,
    private readonly hosts: ReadonlyMap<string, Host>,
    private readonly pause: string,
  ) {
    this.api = new Api(cluster.nomadAddress);
  }

  /** Starts one agent, for the first time or again. */
  startOne(name: string): void {
    const host = this.host(name);
    mkdirSync(this.run.path(name), { recursive: true });
    const config = this.run.path(name, "agent.hcl");
    writeFileSync(config, this.config(name));
    const log = openSync(this.logOf(name), "a");
    // A host name of its own (attr.unique.hostname), in the host's network.
    const script = 'hostname "$0" && exec nomad agent -config "$1"';
    const args = [`--net=/run/netns/${host.namespace}`, "unshare", "--uts", "sh", "-c", script, name, config];
    const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith("NOMAD_")));
    this.processes.set(name, spawn("nsenter", args, { stdio: ["ignore", log, log], env }));
  }

  /** Kills an agent as a power cut would, except that its containers go on. */
  async kill(name: string): Promise<void> {
    await this.endOne(name, "SIGKILL");
  }

  /** Waits until every client of the inventory is a node that is ready. */
  async ready(): Promise<void> {
    const wanted = this.cluster.clients.map(({ name }) => name).sort();
    await until(`nodes ${wanted.join(", ")} ready`, 60, async () => {
      for (const [name, { exitCode }] of this.processes) {
        if (exitCode !== null) throw new Error(`the agent ${name} ended with ${exitCode}`);
      }
      const nodes = await this.api.get<{ Name: string; Status: string }[]>("nodes");
      const ready = nodes.filter(({ Status }) => Status === "ready").map(({ Name }) => Name);
      return wanted.every((name) => ready.includes(name)) || undefined;
    });
  }

  /** Stops and forgets every job, services first, then ends the agents. What is left is for the run to remove. */
  async stop(): Promise<void> {
    try {
      const jobs = await this.api.get<{ ID: string; Namespace: string }[]>("jobs", "*");
      for (const plugins of [false, true]) {
        for (const { ID, Namespace } of jobs.filter(({ ID }) => ID.startsWith("csi-") === plugins)) {
          await this.api.delete(`job/${ID}?purge=true`, Namespace);
        }
        const live = async () =>
          (await this.api.allocations()).filter(
            ({ JobID, ClientStatus }) => JobID.startsWith("csi-") === plugins && /running|pending/.test(ClientStatus),
          );
        await until("allocations stopped", 60, async () => (await live()).length === 0 || undefined);
      }
    } catch {
      // A test that failed may leave a cluster that does not answer; the run ends it all the same.
    }
    await Promise.all([...this.processes.keys()].map((name) => this.endOne(name, "SIGINT")));
  }

  logOf(name: string): string {
    return this.run.path(name, "agent.log");
  }

  /** What the agents said that was not good, at most so many lines each. */
  complaints(lines: number): string {
    return [...this.processes.keys()]
      .map((name) => {
        const log = readFileSync(this.logOf(name), "utf8").split("\n");
        return [`--- agent ${name}`, ...log.filter((line) => /\[(WARN|ERROR)\]|==>/.test(line)).slice(-lines)].join(
          "\n",
        );
      })
      .join("\n");
  }

  private async endOne(name: string, signal: NodeJS.Signals): Promise<void> {
    const process = this.processes.get(name);
    this.processes.delete(name);
    if (!process || process.exitCode !== null) return;
    const ended = new Promise((resolve) => process.once("exit", resolve));
    process.kill(signal);
    const patience = setTimeout(() => process.kill("SIGKILL"), 20_000);
    await ended;
    clearTimeout(patience);
  }

  private host(name: string): Host {
    const host = this.hosts.get(name);
    if (!host) throw new Error(`${name} is no host of the network`);
    return host;
  }

  private config(name: string): string {
    const { region, datacenter, servers } = this.cluster;
    const { address } = this.host(name);
    return `name = "${name}"
region = "${region}"
datacenter = "${datacenter}"
data_dir = "${this.run.path(name, "data")}"
bind_addr = "${address}"
disable_update_check = true
leave_on_interrupt = false
acl { enabled = true }
consul {
  auto_advertise = false
  server_auto_join = false
  client_auto_join = false
}
${
  servers.some((server) => server.name === name)
    ? `server {
  enabled = true
  bootstrap_expect = ${servers.length}
  server_join { retry_join = ${JSON.stringify(servers.map((server) => this.host(server.name).address))} }
}`
    : this.client(name)
}
`;
  }

  private client(name: string): string {
    const { clients, servers, maxKillTimeout, bridgeSubnet } = this.cluster;
    const client = clients.find((one) => one.name === name);
    if (!client) throw new Error(`${name} is no client of the inventory`);
    return `client {
  enabled = true
  servers = ${JSON.stringify(servers.map((server) => this.host(server.name).address))}
  network_interface = "eth0"
  cni_path = "${cniFolder()}"
  bridge_network_subnet = "${bridgeSubnet}"
  max_kill_timeout = "${maxKillTimeout}"
  alloc_mounts_dir = "${this.run.path(name, "alloc_mounts")}"
  memory_total_mb = ${client.memory.toMebibytes()}
  cpu_total_compute = ${client.cpu}
  reserved { memory = ${client.reservedMemory.toMebibytes()} }
  options = {
    # A cloud's metadata service would be asked for at 169.254.169.254, for seconds.
    "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean,consul,vault"
    "driver.allowlist" = "docker"
  }
}
plugin "docker" {
  config {
    allow_privileged = true
    volumes { enabled = true }
    infra_image = "${this.pause}"
    gc {
      image = false
      # Every agent would remove the others' containers, since all share one Docker engine.
      dangling_containers { enabled = false }
    }
  }
}`;
  }
}
