import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Who may import whom; docs/architecture.md shows the same table. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  nomad: [".gen"],
  model: ["nomad", ".gen"],
  cluster: ["nomad"],
  rules: ["model", "nomad", ".gen"],
  review: ["rules", "model", "nomad", ".gen"],
  constructs: ["rules", "model", "cluster", "nomad", ".gen"],
  cli: ["review", "rules", "model", "nomad", ".gen"],
};

const files = Object.keys(MAY_IMPORT).flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(folder, name)),
);

/** The files that one imports, types included, and modules that are loaded later. */
const imports = new Map(
  files.map((file) => {
    const found = readFileSync(file, "utf8").matchAll(/(?:\bfrom |\bimport\(|\brequire\()"(\.[^"]*)"/g);
    const paths = [...found].map(([, path = ""]) => join(dirname(file), path));
    return [file, paths.map((path) => (existsSync(`${path}.ts`) ? `${path}.ts` : join(path, "index.ts")))] as const;
  }),
);

const folderOf = (file: string) => file.split("/")[0] ?? "";

test.each(Object.entries(MAY_IMPORT))("%s imports only what is below it", (folder, allowed) => {
  const above = [...imports]
    .filter(([file]) => folderOf(file) === folder)
    .flatMap(([file, targets]) => targets.map((target) => [file, target] as const))
    .filter(([, target]) => ![folder, ...allowed].includes(folderOf(target)));
  expect(above).toEqual([]);
});

test("no file imports itself by a detour, not even for a type", () => {
  const reaches = (from: string, seen: Set<string>): Set<string> => {
    for (const target of imports.get(from) ?? []) if (!seen.has(target)) reaches(target, seen.add(target));
    return seen;
  };
  expect(files.filter((file) => reaches(file, new Set()).has(file))).toEqual([]);
});

test("docs/architecture.md shows the table", () => {
  const text = readFileSync("docs/architecture.md", "utf8");
  const rows = [...text.matchAll(/^\| `([\w-]+)\/` \|.*\| ([^|]*) \|$/gm)].map(([, folder = "", names = ""]) => [
    folder,
    [...names.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name.replace(/\/$/, "")),
  ]);
  expect(Object.fromEntries(rows)).toEqual(MAY_IMPORT);
});
