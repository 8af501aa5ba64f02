#!/usr/bin/env node
// `npm run review`: compiles, synthesizes, plans and reviews in one process. What no source of ours changes is loaded
// while the compiler runs, since somebody waits.
const { spawn } = require("node:child_process");
const { once } = require("node:events");
const { rmSync } = require("node:fs");
const { join } = require("node:path");

const root = join(__dirname, "..");

async function main() {
  // When anything fails, nothing old must be taken for what the code says.
  rmSync(join(root, "cdktf.out/manifest.json"), { force: true });
  const compiler = spawn(process.execPath, [join(root, "node_modules/typescript/lib/tsc.js"), "-p", root], {
    stdio: "inherit",
  });
  const compiled = once(compiler, "exit");
  for (const name of ["cdktf", "commander", "yaml"]) require(name);
  const [code] = await compiled;
  // A program that does not compile is no finding: those exit with 2.
  if (code !== 0) process.exit(1);
  require(join(root, "dist/main.js"));
  process.argv.splice(2, 0, "review");
  require(join(root, "dist/cli/homelab.js")).main();
}

main();
