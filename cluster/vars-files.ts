import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { isMap, isScalar, LineCounter, parseDocument } from "yaml";
import type { Problems } from "./problems";
import { isVariable } from "./variables";

/**
 * Finds variables of the inventory in `group_vars` and `host_vars` beside it. Ansible takes those before the
 * inventory's own, so the Pis would get one figure and the jobs be checked against another. Variables of others may
 * be there, and so may files that `ansible-vault` has encrypted.
 */
export function findVariablesElsewhere(inventory: string, problems: Problems): void {
  for (const folder of ["group_vars", "host_vars"]) {
    for (const file of files(join(dirname(inventory), folder))) search(file, problems);
  }
}

function search(file: string, problems: Problems): void {
  const lineCounter = new LineCounter();
  const { contents } = parseDocument(readFileSync(file, "utf8"), { version: "1.1", lineCounter, logLevel: "silent" });
  if (!isMap(contents)) return;
  for (const { key } of contents.items) {
    if (!isScalar(key) || typeof key.value !== "string" || !key.range || !isVariable(key.value)) continue;
    const { line, col } = lineCounter.linePos(key.range[0]);
    const text = `${key.value} is set outside the inventory, where Ansible sees it and the jobs do not: move it to the inventory`;
    problems.add({ file, line, column: col }, text);
  }
}

/** Those that Ansible loads: YAML or JSON by their names' ends or without one, at any depth, and nothing hidden. */
function files(folder: string): string[] {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => ["", ".yml", ".yaml", ".json"].includes(extname(file)) && !basename(file).startsWith("."))
    .map((file) => join(folder, file))
    .filter((file) => statSync(file).isFile())
    .sort();
}
