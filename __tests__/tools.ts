import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** How each tool is looked for. Its absence skips the tests that need it, and fails them when REQUIRE names it. */
const TOOLS = {
  /** With the default options, as in its own images: Debian's has no `nc -z`, and a wget that crashes. */
  busybox: () => spawnSync("busybox", ["nc", "--help"], { encoding: "utf8" }).stderr?.includes("-z") ?? false,
  ansible: () => runs("ansible-inventory", "--version"),
  debootstrap: () => runs("debootstrap", "--version"),
  docker: () => runs("docker", "info"),
  go: () => runs("go", "version"),
  nfsplugin: () => spawnSync("nfsplugin", ["--help"]).error === undefined,
  nomad: () => runs("nomad", "version"),
  postgres: () => postgresBinaries() !== undefined,
  /** 0.17 says by its exit code why a repository does not open, and waits for locks. */
  restic: () =>
    /^restic 0\.(1[7-9]|[2-9]\d)\./.test(spawnSync("restic", ["version"], { encoding: "utf8" }).stdout ?? ""),
  /** The Nomad provider, from the registry or a mirror that Terraform's configuration names. */
  provider: () => findsProvider(),
  shellcheck: () => runs("shellcheck", "--version"),
  terraform: () => runs("terraform", "version"),
} as const;

export type Tool = keyof typeof TOOLS;

export const TOOL_NAMES = Object.keys(TOOLS) as Tool[];

/**
 * `describe` for tests that need tools. Without them the block is skipped, with the reason in its title; with
 * `REQUIRE=go,postgres` the absence of one of those is a failure.
 */
export function describeWith(tools: readonly Tool[], title: string, tests: () => void): void {
  const missing = tools.filter((tool) => !TOOLS[tool]());
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
  process.stderr.write(`skipped: ${title}: no ${missing.join(", ")} here\n`);
  describe.skip(`${title} (skipped: no ${missing.join(", ")} here)`, tests);
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
