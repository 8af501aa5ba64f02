import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { attempt, command, until } from "../cluster/command";
import { copyProject, FIXTURE_INVENTORY } from "../fixture-project";
import { baseImage } from "./base-image";

const PREFIX = "hl-ansible-";

/** How a playbook ended. */
export interface Play {
  readonly status: number;
  readonly output: string;
  /** Ansible's own count per host, such as `changed`. */
  readonly recap: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

interface Request {
  readonly method?: string;
  readonly body?: unknown;
  /** @default - the first token, which may do everything; none in a cluster without tokens */
  readonly token?: string;
}

/**
 * The machines of the inventory as containers that run systemd, and the playbooks on them. Whatever a run leaves behind,
 * because it was killed, the next one removes.
 */
export class Machines {
  /**
   * @param hosts the hosts of the inventory to start, the server among them.
   * @default - all
   */
  static async start(hosts?: readonly string[]): Promise<Machines> {
    const image = baseImage();
    for (const network of lines("network", "ls", "--filter", `name=^${PREFIX}`, "--format", "{{.Name}}")) {
      if (!existsSync(`/proc/${network.slice(PREFIX.length)}`)) remove(network);
    }
    const machines = new Machines(`${PREFIX}${process.pid}`, hosts);
    try {
      await machines.run(image);
      return machines;
    } catch (error) {
      await machines.end();
      throw error;
    }
  }

  readonly folder = mkdtempSync(join(tmpdir(), "machines-"));
  /** Every host of the inventory. */
  readonly hosts: readonly string[];
  private readonly source = parse(readFileSync(FIXTURE_INVENTORY, "utf8"));
  private readonly listeners: Server[] = [];
  /** Where the machines reach this one. */
  gateway = "";

  private constructor(
    private readonly id: string,
    only?: readonly string[],
  ) {
    copyProject(join(this.folder, "project"));
    const groups = Object.values<{ hosts: Record<string, unknown> }>(this.source.all.children);
    for (const { hosts } of groups) {
      for (const host of Object.keys(hosts)) if (only && !only.includes(host)) delete hosts[host];
    }
    this.hosts = groups.flatMap(({ hosts }) => Object.keys(hosts));
  }

  private async run(image: string): Promise<void> {
    command("docker", ["network", "create", this.id]);
    this.gateway = command("docker", [
      "network",
      "inspect",
      "--format",
      "{{(index .IPAM.Config 0).Gateway}}",
      this.id,
    ]).trim();
    mkdirSync(this.nas(), { recursive: true });
    for (const host of this.hosts) {
      const systemd = [
        "--privileged",
        "--cgroupns=private",
        "--stop-signal=SIGRTMIN+3",
        "--tmpfs=/run",
        "--tmpfs=/tmp",
      ];
      const disks = ["--volume=/var/lib/docker", `--volume=${this.nas()}:/nas`];
      const place = ["--name", this.container(host), "--hostname", host, "--network", this.id];
      // Docker starts the container again when systemd has restarted «the machine».
      command("docker", [
        "run",
        "--detach",
        "--restart=always",
        "--env=container=docker",
        ...systemd,
        ...disks,
        ...place,
        image,
      ]);
    }
    for (const host of this.hosts) {
      await until(`${host} has started`, 60, () => /running|degraded/.test(this.state(host)) || undefined);
    }
    // NAS and database need to answer only, for the pre-flight to go on.
    const [, postgres] = await Promise.all([this.listen(2049), this.listen(0)]);
    this.writeInventory({ postgres_port: postgres });
  }

  /** The name of a host's container. */
  container(host: string): string {
    return `${this.id}-${host}`;
  }

  /** Runs a shell script on a machine and gives what it printed. */
  on(host: string, script: string): string {
    return command("docker", ["exec", this.container(host), "sh", "-ec", script]);
  }

  copy(file: string, host: string, target: string): void {
    command("docker", ["cp", file, `${this.container(host)}:${target}`]);
  }

  address(host: string): string {
    const format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    return command("docker", ["inspect", "--format", format, this.container(host)]).trim();
  }

  /** A folder of the NAS, as this machine sees it. */
  nas(share = ""): string {
    return join(this.folder, "nas", share);
  }

  /** What the playbooks keep on the controller. */
  secret(name: string): string {
    return join(this.folder, ".secrets", name);
  }

  /** Writes the fixture inventory for these machines, with other figures where they are given. */
  writeInventory(figures: Readonly<Record<string, unknown>> = {}): void {
    const { vars, children } = this.source.all;
    Object.assign(vars, {
      ansible_connection: "community.docker.docker",
      nomad_address: `http://${this.address("pinode2")}:4646`,
      nas_address: this.gateway,
      postgres_address: this.gateway,
      // A container keeps the kernel's boot id; its init is another process after each start.
      common_boot_time_command: "awk '{print $22}' /proc/1/stat",
      // The clock is that of the machine below.
      common_preflight_accepted: ["clock"],
      ...nomadBinary(),
      ...figures,
    });
    for (const { hosts } of Object.values<{ hosts: Record<string, Record<string, unknown>> }>(children)) {
      for (const [host, own] of Object.entries(hosts)) {
        own.ansible_host = this.container(host);
        if ("nomad_cpu_cores" in own) own.nomad_cpu_cores = Number(command("nproc", []));
      }
    }
    writeFileSync(join(this.folder, "inventory.yml"), stringify(this.source));
  }

  /** Runs a playbook. It need not succeed. */
  async play(playbook: string, args: readonly string[] = [], token = ""): Promise<Play> {
    const env = { ...process.env, ANSIBLE_NOCOLOR: "1", NO_COLOR: "1", NOMAD_TOKEN: token };
    const all = ["-i", join(this.folder, "inventory.yml"), playbook, ...args];
    const child = spawn("ansible-playbook", all, {
      cwd: join(this.folder, "project/ansible"),
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk) => {
        output += chunk;
      });
    const status = await new Promise<number>((done) => child.once("close", (code) => done(code ?? -1)));
    return { status, output, recap: recapOf(output) };
  }

  /** Asks the server's Nomad. @throws with its answer when that is no success. */
  async nomad<T>(path: string, request: Request = {}): Promise<T> {
    const response = await this.ask(path, request);
    const text = await response.text();
    if (!response.ok) throw new Error(`${response.url}: ${response.status} ${text}`);
    return text && JSON.parse(text);
  }

  /** The same, for any answer. */
  ask(path: string, { method, body, token }: Request): Promise<Response> {
    const file = this.secret("nomad-bootstrap-token");
    const headers = { "x-nomad-token": token ?? (existsSync(file) ? readFileSync(file, "utf8").trim() : "") };
    const url = `http://${this.address("pinode2")}:4646/v1/${path}`;
    return fetch(url, { method, body: JSON.stringify(body), headers });
  }

  async end(): Promise<void> {
    for (const listener of this.listeners) listener.close();
    remove(this.id);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private state(host: string): string {
    return attempt("docker", ["exec", this.container(host), "sh", "-c", "systemctl is-system-running || true"]);
  }

  private listen(port: number): Promise<number> {
    const server = createServer((socket) => socket.end());
    this.listeners.push(server);
    return new Promise((done, fail) => {
      server.once("error", fail);
      server.listen(port, this.gateway, () => done((server.address() as { port: number }).port));
    });
  }
}

/** What a playbook said. Ansible's YAML folds long lines; what a reader sees as one sentence is one here. */
export function text({ output }: Play): string {
  return output.replaceAll(/\s+/g, " ").replaceAll("''", "'");
}

/** The same play, when it ended well. @throws with all that it said when not. */
export function succeeded(play: Play): Play {
  if (play.status !== 0) throw new Error(`the playbook ended with ${play.status}:\n${play.output}`);
  return play;
}

/** Nomad as this machine has it, for machines that do not get it from a repository. */
function nomadBinary(): Record<string, string> {
  const path = attempt("which", ["nomad"]).trim();
  if (!path) return {};
  const sha256 = createHash("sha256").update(readFileSync(path)).digest("hex");
  const [, version = ""] = /Nomad v(\S+)/.exec(command(path, ["version"])) ?? [];
  return { nomad_version: version, common_nomad_binary: path, common_nomad_binary_sha256: sha256 };
}

function lines(...args: string[]): string[] {
  return attempt("docker", args).split("\n").filter(Boolean);
}

/** Removes the containers of a run, with their volumes, and its network. */
function remove(id: string): void {
  for (const name of lines("ps", "--all", "--filter", `name=^${id}-`, "--format", "{{.Names}}")) {
    attempt("docker", ["rm", "--force", "--volumes", name]);
  }
  attempt("docker", ["network", "rm", id]);
}

function recapOf(output: string): Record<string, Record<string, number>> {
  const [, recap = ""] = output.split("PLAY RECAP");
  const rows = [...recap.matchAll(/^(\S+) +: (ok=.*)$/gm)];
  return Object.fromEntries(
    rows.map(([, host = "", counts = ""]) => [
      host,
      Object.fromEntries([...counts.matchAll(/(\w+)=(\d+)/g)].map(([, name, count]) => [name, Number(count)])),
    ]),
  );
}
