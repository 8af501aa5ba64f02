// `npm run bench`: how long a synth takes, always beside the thing it is compared with, in one run.
// Wall time of the whole process tree, and the peak of its resident memory (Linux only).
import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const require = createRequire(import.meta.url);
require("../__tests__/cluster/typescript");
const { copyProject } = require("../__tests__/fixture-project");

const RUNS = 5;
const root = resolve(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "..");
const work = mkdtempSync(join(tmpdir(), "bench-"));
const environment = {
  ...process.env,
  CHECKPOINT_DISABLE: "1",
  DISABLE_VERSION_CHECK: "1",
  CI: "1",
  npm_config_loglevel: "error",
};
process.on("exit", () => rmSync(work, { recursive: true, force: true }));

/** Resident memory of a process and all below it, in MiB; 0 where there is no /proc. */
function residentMemory(pid) {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean);
    const kilobytes = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
    return kilobytes / 1024 + children.reduce((sum, child) => sum + residentMemory(child), 0);
  } catch {
    return 0;
  }
}

function run(command, cwd) {
  return new Promise((done, fail) => {
    const start = process.hrtime.bigint();
    const child = spawn("sh", ["-c", command], { cwd, env: environment, stdio: ["ignore", "pipe", "pipe"] });
    let printed = "";
    child.stdout.on("data", (text) => (printed += text));
    child.stderr.on("data", (text) => (printed += text));
    let peak = 0;
    const timer = setInterval(() => (peak = Math.max(peak, residentMemory(child.pid))), 10);
    child.on("exit", (code) => {
      clearInterval(timer);
      if (code !== 0) return fail(new Error(`${command} ended with ${code}:\n${printed}`));
      done({ seconds: Number(process.hrtime.bigint() - start) / 1e9, memory: peak });
    });
  });
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Runs the candidates in turn, so that a slow moment of the machine meets them all. */
async function measure(candidates, runs = RUNS) {
  const results = candidates.map(() => []);
  for (let turn = -1; turn < runs; turn++) {
    for (const [i, { command, cwd }] of candidates.entries()) {
      const result = await run(command, cwd);
      if (turn >= 0) results[i].push(result);
    }
  }
  return results.map((all) => ({
    seconds: median(all.map(({ seconds }) => seconds)),
    memory: median(all.map(({ memory }) => memory)),
  }));
}

function print(title, names, results) {
  console.log(`\n${title} (median of ${RUNS})`);
  for (const [i, { seconds, memory }] of results.entries()) {
    const ratio = i === 0 ? "" : `  ${(seconds / results[0].seconds).toFixed(1)} × the time of the first`;
    console.log(
      `  ${names[i].padEnd(44)} ${seconds.toFixed(2).padStart(6)} s  ${memory.toFixed(0).padStart(5)} MiB${ratio}`,
    );
  }
}

/** This project with the fixture homelab. */
function ownProject() {
  const own = join(work, "own");
  copyProject(own);
  return own;
}

/** The same program as the stock template of `cdktf init` runs it: ts-node with type check, TypeScript 5.9. */
function stockProject() {
  const stock = join(work, "stock");
  for (const name of ["main.ts", "constructs", "nomad", "model", "cluster", "rules", ".gen", "ansible"]) {
    cpSync(join(own, name), join(stock, name), { recursive: true });
  }
  const options = {
    target: "ES2022",
    lib: ["ES2023"],
    module: "commonjs",
    strict: true,
    skipLibCheck: true,
    esModuleInterop: true,
    types: ["node"],
  };
  writeFileSync(join(stock, "tsconfig.json"), JSON.stringify({ compilerOptions: options, include: ["**/*.ts"] }));
  writeFileSync(join(stock, "package.json"), JSON.stringify({ name: "stock", private: true }));
  writeFileSync(
    join(stock, "cdktf.json"),
    JSON.stringify({ language: "typescript", app: "npx ts-node main.ts", sendCrashReports: "false" }),
  );
  const { status, stderr } = spawnSync(
    "npm",
    ["install", "--no-audit", "--no-fund", "ts-node@10.9.2", "typescript@5.9.3"],
    { cwd: stock, encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`npm install of ts-node and TypeScript 5.9 failed:\n${stderr}`);
  // The same libraries for both, so that only the way to run the program differs.
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (["typescript", "ts-node", ".bin", ".package-lock.json"].includes(name)) continue;
    rmSync(join(stock, "node_modules", name), { recursive: true, force: true });
    symlinkSync(join(root, "node_modules", name), join(stock, "node_modules", name));
  }
  return stock;
}

const own = ownProject();
const stock = stockProject();
const { app } = JSON.parse(readFileSync(join(own, "cdktf.json"), "utf8"));
const cli = join(root, "node_modules", ".bin", "cdktf");
// As after an edit: it would not check the types of what it has checked before.
const edit = "rm -f dist/.compiled";
const ours = { command: `${edit} && ${app}`, cwd: own };
const names = ["this project: type check, then node", "stock template: npx ts-node main.ts"];

print("The program alone", names, await measure([ours, { command: "npx ts-node main.ts", cwd: stock }]));
print(
  "cdktf synth around it",
  names,
  await measure([
    { command: `${edit} && ${cli} synth`, cwd: own },
    { command: `${cli} synth`, cwd: stock },
  ]),
);

const sizes = [1, 10, 100, 1000];
const folders = sizes.map((size) => join(work, `services-${size}`));
for (const folder of folders) mkdirSync(folder);
const services = sizes.map((size, i) => ({ command: `node bench/services.mjs ${size} ${folders[i]}`, cwd: root }));
print(
  "Services, each on a machine of its own",
  sizes.map((size) => `${size} services`),
  await measure(services),
);
