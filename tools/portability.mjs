// `npm run portability`: is there a way out of CDKTF, which is no longer developed? Two ways are tried on the fixture
// homelab: its maintained fork `cdktn` in its place, and Terraform's own language by `cdktf synth --hcl`.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { parse } from "@cdktf/hcl2json";

const require = createRequire(import.meta.url);
require("../__tests__/cluster/typescript");
const { copyProject } = require("../__tests__/fixture-project");

const FORK = "npm:cdktn@0.24.0";
const work = mkdtempSync(join(tmpdir(), "portability-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));
let failed = false;

/** Runs a program to its end. @throws with all that it said when it fails. */
function run(program, args, options = {}) {
  const env = { ...process.env, CHECKPOINT_DISABLE: "1", DISABLE_VERSION_CHECK: "1", CI: "1", ...options.env };
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8", ...options, env });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} failed: ${error?.message ?? stdout + stderr}`);
}

/** Prints what was compared and whether it is so. */
function report(is, text) {
  console.log(`${is ? "same     " : "DIFFERENT"}  ${text}`);
  failed ||= !is;
}

/** The project as it is. */
function original() {
  const copy = join(work, "original");
  copyProject(copy);
  return copy;
}

/** The project with the fork as its cdktf; the CLI, which synthesis does not need, stays behind. */
function forked() {
  const copy = join(work, "forked");
  copyProject(copy);
  for (const name of ["node_modules", "package-lock.json"]) rmSync(join(copy, name));
  const manifest = JSON.parse(readFileSync(join(copy, "package.json"), "utf8"));
  manifest.dependencies.cdktf = FORK;
  manifest.overrides = { ...manifest.overrides, cdktf: FORK };
  const { typescript, "@types/node": types } = manifest.devDependencies;
  manifest.devDependencies = { typescript, "@types/node": types };
  writeFileSync(join(copy, "package.json"), JSON.stringify(manifest, null, 2));
  run("npm", ["install", "--no-audit", "--no-fund"], { cwd: copy });
  return copy;
}

/** Type-checks and runs the program of a folder; gives its stacks by their names. */
function synthesize(folder) {
  const out = join(folder, "cdktf.out");
  run("npx", ["tsc"], { cwd: folder });
  run("node", ["dist/main.js"], { cwd: folder });
  const { stacks } = JSON.parse(readFileSync(join(out, "manifest.json"), "utf8"));
  const read = ({ synthesizedStackPath }) => JSON.parse(readFileSync(join(out, synthesizedStackPath), "utf8"));
  return Object.fromEntries(Object.entries(stacks).map(([name, stack]) => [name, read(stack)]));
}

/** Takes the version of what made a stack out of it, the one thing that may differ. */
function takeVersion(stack) {
  const { metadata } = stack?.["//"] ?? { metadata: {} };
  const { version } = metadata;
  delete metadata.version;
  return version;
}

const project = original();
const ours = synthesize(project);
const theirs = synthesize(forked());
for (const [name, stack] of Object.entries(ours)) {
  const versions = [stack, theirs[name]].map(takeVersion);
  const text = JSON.stringify(stack);
  report(
    text === JSON.stringify(theirs[name]) && versions[0] !== versions[1],
    `stack ${name}: ${text.length} characters of JSON by cdktf ${versions[0]} and by ${FORK} (${versions[1]})`,
  );
}

run("npx", ["cdktf", "synth", "--hcl", "-o", join(work, "hcl")], { cwd: project });
for (const [name, { resource }] of Object.entries(ours)) {
  const file = join(work, "hcl", "stacks", name, "cdk.tf");
  run("terraform", ["fmt", "-write=false", file]);
  const hcl = await parse(file, readFileSync(file, "utf8"));
  // An expression of HCL in JSON: a string as Terraform reads it, templates and all.
  const jobs = Object.entries(resource.nomad_job).map(([job, { jobspec }]) => {
    const [{ jobspec: written }] = hcl.resource.nomad_job[job] ?? [{}];
    return isDeepStrictEqual(JSON.parse(jobspec), written && JSON.parse(written));
  });
  const count = Object.keys(hcl.resource.nomad_job).length;
  report(
    jobs.length === count && jobs.every(Boolean),
    `stack ${name}: the ${count} jobs in cdktf synth --hcl, which terraform fmt can read`,
  );
}
if (failed) process.exitCode = 1;
