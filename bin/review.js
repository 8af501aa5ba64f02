#!/usr/bin/env node
// `npm run review`: compiles, synthesizes, plans and reviews in one process, since somebody waits. While the compiler
// runs, all is loaded that no source of ours changes; and it does not run when it would only find that out.
const { spawn } = require("node:child_process");
const { createHash } = require("node:crypto");
const { once } = require("node:events");
const { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");

const root = join(__dirname, "..");
const at = (name) => join(root, name);

/** What the last compilation was of, by content: a time stamp tells nothing of a file that was moved or brought back. */
function sources() {
  const { include } = JSON.parse(readFileSync(at("tsconfig.json"), "utf8"));
  const folders = [".gen", ...include.filter((name) => !name.endsWith(".ts"))];
  const files = folders.flatMap((folder) =>
    readdirSync(at(folder), { recursive: true })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => join(folder, name)),
  );
  const hash = createHash("sha256");
  const single = include.filter((name) => name.endsWith(".ts"));
  for (const name of ["tsconfig.json", "package-lock.json", ...single, ...files.sort()]) {
    hash
      .update(`${name}\0`)
      .update(readFileSync(at(name)))
      .update("\0");
  }
  return hash.digest("hex");
}

/** Changes whenever anybody compiles anything else into the same folder. */
function compilation() {
  const notes = at("dist/.tsbuildinfo");
  return existsSync(notes) ? String(statSync(notes).mtimeMs) : "none";
}

/** @returns whether `dist` is what the sources say. */
async function compile() {
  const record = at("dist/.compiled");
  const now = sources();
  if (existsSync(record) && readFileSync(record, "utf8") === `${now} ${compilation()}`) return true;
  const compiler = spawn(process.execPath, [at("node_modules/typescript/lib/tsc.js"), "-p", root], {
    stdio: "inherit",
  });
  const end = once(compiler, "exit");
  for (const name of ["cdktf", "commander", "yaml"]) require(name);
  const [code] = await end;
  if (code === 0) writeFileSync(record, `${now} ${compilation()}`);
  return code === 0;
}

async function main() {
  // When anything fails, nothing old must be taken for what the code says.
  rmSync(at("cdktf.out/manifest.json"), { force: true });
  // A program that does not compile is no finding: the compiler ends with 2, as a review does that needs an answer.
  if (!(await compile())) process.exit(1);
  require(at("dist/main.js"));
  process.argv.splice(2, 0, "review");
  require(at("dist/cli/homelab.js")).main();
}

main();
