import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What the compiler says of a program that would stand in place of main.ts; empty when it is right. */
export function typeErrors(main: string): string {
  mkdirSync("dist", { recursive: true });
  const folder = mkdtempSync(join("dist", "main-"));
  try {
    writeFileSync(join(folder, "main.ts"), main.replaceAll('from "./', 'from "../../'));
    const compilerOptions = { rootDir: "../..", noEmit: true, incremental: false, tsBuildInfoFile: null };
    const config = { extends: "../../tsconfig.json", compilerOptions, include: ["main.ts"], exclude: [] };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
    const compiler = join("node_modules", "typescript", "bin", "tsc");
    return spawnSync(process.execPath, [compiler, "-p", folder], { encoding: "utf8" }).stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
