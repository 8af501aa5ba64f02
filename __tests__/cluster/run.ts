import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { attempt, sleep } from "./command";

/** Short, and not below TMPDIR, because the path of a unix socket may have 107 characters, of which Nomad takes 80. */
const PREFIX = "/tmp/hl-cluster-";

/**
 * One run of the cluster tests on this machine: a folder below /tmp, and an id in the name of
 * everything that lives outside of it. Whatever a run leaves behind, because it was killed, the next one removes; what
 * carries no such id is never touched.
 */
export class Run {
  /** Cleans up after runs whose process is gone, then begins a new one. */
  static async begin(): Promise<Run> {
    for (const name of list("/tmp").filter((entry) => join("/tmp", entry).startsWith(PREFIX))) {
      const folder = join("/tmp", name);
      if (existsSync(join(folder, "owner")) && !ownerLives(folder)) await new Run(folder).end();
    }
    const run = new Run(PREFIX + randomBytes(2).toString("hex"));
    mkdirSync(run.folder, { mode: 0o700 });
    writeFileSync(run.path("owner"), `${process.pid} ${startOf(process.pid)}`);
    return run;
  }

  /** Four hex digits with a prefix: short enough for the name of a network interface. */
  readonly id: string;
  /** The registry that its images are named after; the name can never resolve, so nothing is ever pulled. */
  readonly registry: string;

  private constructor(readonly folder: string) {
    this.id = `hl${folder.slice(PREFIX.length)}`;
    this.registry = `${this.id}.invalid`;
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  /** Network namespaces of this run, by their names. */
  namespaces(): string[] {
    const names = attempt("ip", ["netns", "list"]).split("\n");
    return names.map((line) => line.split(" ")[0] ?? "").filter((name) => name.startsWith(`${this.id}-`));
  }

  /** Ends processes, containers, networks, mounts and images of this run, and its folder. It may be called again. */
  async end(): Promise<void> {
    const processes = () => this.namespaces().flatMap((name) => attempt("ip", ["netns", "pids", name]).split(/\s+/));
    for (let turn = 0; turn < 20 && processes().some(Boolean); turn++) {
      for (const pid of processes().filter(Boolean)) attempt("kill", ["-KILL", pid]);
      await sleep(100);
    }
    const allocations = this.allocations();
    for (const id of allocations) {
      const containers = attempt("docker", ["ps", "-aq", "--filter", `label=com.hashicorp.nomad.alloc_id=${id}`]);
      for (const container of containers.split("\n").filter(Boolean)) attempt("docker", ["rm", "-f", container]);
    }
    for (const name of this.namespaces()) attempt("ip", ["netns", "del", name]);
    attempt("ip", ["link", "del", this.id]);
    for (const mount of this.mounts()) attempt("umount", ["-l", mount]);
    forgetAddresses(allocations);
    const images = attempt("docker", ["images", "--format", "{{.Repository}}:{{.Tag}}"]).split("\n");
    for (const image of images) if (image.startsWith(`${this.registry}/`)) attempt("docker", ["rmi", "-f", image]);
    if (this.mounts().length > 0) throw new Error(`mounts are left below ${this.folder}, so nothing is deleted`);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Every allocation that a client of this run has placed. */
  allocations(): string[] {
    return list(this.folder).flatMap((machine) => this.allocationsOn(machine));
  }

  /** Those of one machine. */
  allocationsOn(machine: string): string[] {
    return list(this.path(machine, "data", "alloc"));
  }

  /** Mount points below the folder, the deepest first. */
  private mounts(): string[] {
    const points = readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .map((line) => line.split(" ")[4] ?? "");
    return points
      .filter((point) => point.startsWith(`${this.folder}/`))
      .sort()
      .reverse();
  }
}

/** Leases of bridge addresses, which CNI keeps in files that name the allocation. */
function forgetAddresses(allocations: readonly string[]): void {
  for (const folder of ["/var/lib/cni", "/run/cni"]) {
    for (const id of allocations) {
      const files = attempt("grep", ["-rlsF", id, folder]).split("\n").filter(Boolean);
      for (const file of files) rmSync(file, { force: true });
    }
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function ownerLives(folder: string): boolean {
  try {
    const [pid, start] = readFileSync(join(folder, "owner"), "utf8").split(" ");
    return startOf(Number(pid)) === start;
  } catch {
    return false;
  }
}

/** When a process was started, in the kernel's ticks: tells it from a later one with its number. */
function startOf(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")")).split(" ")[20];
}

/** What the tests need beyond the tools that REQUIRE can name; empty where they can run. */
export function missingHere(): string[] {
  const programs = [
    "busybox",
    "findmnt",
    "go",
    "ip",
    "iptables",
    "nfsplugin",
    "nsenter",
    "tar",
    "terraform",
    "unshare",
  ];
  const missing = [
    ...(process.getuid?.() === 0 ? [] : ["root, for network namespaces and mounts"]),
    ...programs.filter((program) => !attempt("which", [program])),
    ...(cniFolder() ? [] : ["the CNI plugins (containernetworking-plugins)"]),
  ];
  if (!missing.includes("busybox") && !/\s-z\s/.test(attempt("sh", ["-c", "busybox nc --help 2>&1"]))) {
    missing.push("a busybox whose nc knows -z, as upstream's does and Debian's does not");
  }
  // Mounts of the CSI plugin must travel from its container to the host, as they do where systemd is the init.
  if (!attempt("findmnt", ["-no", "PROPAGATION", "/"]).startsWith("shared")) {
    missing.push("a shared root mount (mount --make-rshared /)");
  }
  return missing;
}

export function cniFolder(): string | undefined {
  return ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"].find((folder) => list(folder).includes("portmap"));
}
