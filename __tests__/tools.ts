import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** How each tool is looked for. Its absence skips the tests that need it, and fails them when REQUIRE names it. */
const TOOLS = {
  ansible: () => runs("ansible-inventory", "--version"),
  /** With the default options, as in its own images: Debian's has no `nc -z`, and a wget that crashes. */
  busybox: () => spawnSync("busybox", ["nc", "--help"], { encoding: "utf8" }).stderr?.includes("-z") ?? false,
  debootstrap: () => process.getuid?.() === 0 && runs("debootstrap", "--version"),
  docker: () => runs("docker", "info"),
  go: () => runs("go", "version"),
  /** It says how it is used, with status 2, when it is not told what to run. */
  "kernel-run": () => spawnSync("kernel-run").status === 2,
  nfsplugin: () => spawnSync("nfsplugin", ["--help"]).error === undefined,
  nomad: () => runs("nomad", "version"),
  postgres: () => postgresBinaries() !== undefined,
  /** The Nomad provider, from the registry or a mirror that Terraform's configuration names. */
  provider: () => findsProvider(),
  /** 0.17 says by its exit code why a repository does not open, and waits for locks. */
  restic: () =>
    /^restic 0\.(1[7-9]|[2-9]\d)\./.test(spawnSync("restic", ["version"], { encoding: "utf8" }).stdout ?? ""),
  shellcheck: () => runs("shellcheck", "--version"),
  terraform: () => runs("terraform", "version"),
} as const;

export type Tool = keyof typeof TOOLS;

export const TOOL_NAMES = Object.keys(TOOLS) as Tool[];

/** What to put on PATH for each tool. */
const SOURCES: Readonly<Record<Tool, string>> = {
  ansible: "Python with venv and pip, for .ci/ansible-venv",
  busybox: "the program of the image busybox:1.37.0-musl, since Debian's has no nc -z",
  debootstrap: "the package debootstrap, and root",
  docker: "an engine that answers docker info, such as the package docker.io",
  go: "Go, as tools/nomad-api/go.mod names it",
  "kernel-run":
    "a program, called `kernel-run ROOT COMMAND`, that runs a command as root on a kernel of its own with NFS",
  nfsplugin: "the program of the image registry.k8s.io/sig-storage/nfsplugin:v4.13.4",
  nomad: "Nomad's binary",
  postgres: "the package postgresql",
  provider: "hashicorp/nomad 2.6.1, from the registry or a mirror that Terraform's configuration names",
  restic: "restic 0.17 or newer",
  shellcheck: "the package shellcheck",
  terraform: "Terraform's binary",
};

const found = new Map<Tool, boolean>();

function isMissing(tool: Tool): boolean {
  const known = found.get(tool) ?? TOOLS[tool]();
  found.set(tool, known);
  return !known;
}

/**
 * `describe` for tests that need tools. Without them the block is skipped, with the reason in its title; with
 * `REQUIRE=go,postgres` the absence of one of those is a failure.
 */
export function describeWith(tools: readonly Tool[], title: string, tests: () => void): void {
  const missing = tools.filter(isMissing);
  if (missing.length === 0) {
    describe(title, tests);
    return;
  }
  const required = missing.filter((tool) => process.env.REQUIRE?.split(",").includes(tool));
  if (required.length > 0) {
    describe(title, () => {
      test(`needs ${required.join(", ")}, which REQUIRE names`, () => {
        throw new Error(`not found: ${required.join(", ")}; install it, or take it from REQUIRE`);
      });
    });
    return;
  }
  describeSkipped(title, missing.map((tool) => `no ${tool} here (${SOURCES[tool]})`).join("; "), tests);
}

/** Skips a block, and says why in its title, from which .ci/summary.js gathers it. */
export function describeSkipped(title: string, reason: string, tests: () => void): void {
  process.stderr.write(`skipped: ${title}: ${reason}\n`);
  describe.skip(`${title} (skipped: ${reason})`, tests);
}

/** The folder of initdb and pg_ctl, on PATH or where Debian keeps them. */
export function postgresBinaries(): string | undefined {
  const folders = [
    ...(process.env.PATH ?? "").split(":"),
    ...[18, 17, 16, 15, 14].map((v) => `/usr/lib/postgresql/${v}/bin`),
  ];
  return folders.find((folder) => existsSync(`${folder}/initdb`) && existsSync(`${folder}/pg_ctl`));
}

function findsProvider(): boolean {
  const directory = mkdtempSync(join(tmpdir(), "provider-"));
  const required_providers = { nomad: { source: "hashicorp/nomad", version: "2.6.1" } };
  writeFileSync(join(directory, "main.tf.json"), JSON.stringify({ terraform: { required_providers } }));
  try {
    return runs("terraform", "init", directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function runs(command: string, argument: string, cwd = "."): boolean {
  try {
    execFileSync(command, [argument], { cwd, stdio: "ignore", timeout: 120_000 });
    return true;
  } catch {
    return false;
  }
}
