import { cpSync, readFileSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative, resolve } from "node:path";
import { transformSync } from "@swc/core";

const ROOT = resolve(__dirname, "..");

/** The owner's files. Only main.test.ts reads them; every other test uses the fixture homelab. */
const OWNERS_FILES = [
  "main.ts",
  "own",
  "ansible/inventory.yml",
  "ansible/group_vars",
  "ansible/host_vars",
  "__tests__/__snapshots__/main.test.ts.snap",
];

/** What a project generates and never checks in. */
const GENERATED = /(^|\/)(\.git|\.venv|\.secrets|node_modules|dist|cdktf\.out|coverage|[^/]*\.tfstate[^/]*)$/;

/** The owner's files of the fixture homelab, at their places in a project. */
const FIXTURE = join(__dirname, "fixtures/homelab");

export const FIXTURE_INVENTORY = join(FIXTURE, "ansible/inventory.yml");
export const FIXTURE_MAIN = readFileSync(join(FIXTURE, "main.ts"), "utf8");

/** Copies this project to a folder, ready to run, with the fixture homelab in place of the owner's files. */
export function copyProject(folder: string): void {
  const filter = (file: string) =>
    !OWNERS_FILES.includes(relative(ROOT, file)) && !GENERATED.test(relative(ROOT, file));
  cpSync(ROOT, folder, { recursive: true, filter });
  cpSync(FIXTURE, folder, { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
}

/**
 * Runs a program in this process as if it were main.ts. It writes to CDKTF_OUTDIR.
 *
 * @param inventory what it reads as `ansible/inventory.yml`.
 * @throws what the program throws.
 */
export function runMain(source = FIXTURE_MAIN, inventory = FIXTURE_INVENTORY): void {
  const { code } = transformSync(source.replace('"ansible/inventory.yml"', JSON.stringify(inventory)), {
    jsc: { target: "es2022", parser: { syntax: "typescript" } },
    module: { type: "commonjs" },
  });
  const ownRequire = createRequire(join(ROOT, "main.ts"));
  const requireFromRoot = (id: string) => {
    if (id.startsWith(".")) return require(resolve(ROOT, id));
    // The same module for the program and the test.
    return id === "cdktf" ? require("cdktf") : ownRequire(id);
  };
  new Function("require", "exports", code)(requireFromRoot, {});
}
