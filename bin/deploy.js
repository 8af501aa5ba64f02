#!/usr/bin/env node
// The last step of npm run deploy: cdktf deploy. Beside it, which services become bad meanwhile, because a deploy says
// nothing of a service that refuses to start until its deployment has failed, a quarter of an hour later. When it fails, our
// words beside Terraform's: they are told by Terraform's own log, because what it shows goes to the terminal, where it asks
// for the owner's yes.
const { spawn } = require("node:child_process");
const { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { join, relative } = require("node:path");
const { explainTerraform } = require("../dist/cli/shared/terraform-words.js");

const folder = mkdtempSync(join(tmpdir(), "deploy-"));
const log = join(folder, "terraform.log");
// Whoever wants the log has set it up.
const own = process.env.TF_LOG ? {} : { TF_LOG: "ERROR", TF_LOG_PATH: log };
const env = { ...process.env, CHECKPOINT_DISABLE: "1", DISABLE_VERSION_CHECK: "1", ...own };
const options = ["deploy", "--skip-provider-lock", ...process.argv.slice(2)];
const program = join(__dirname, "..", "dist", "cli", "homelab.js");
const follower = spawn(process.execPath, [program, "status", "--follow"], { stdio: ["ignore", "ignore", "inherit"] });
const child = spawn("cdktf", options, { stdio: "inherit", env });
// The terminal sends Ctrl-C to all of them. Terraform ends what it has begun and keeps its state: it is waited for.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => child.kill("SIGTERM"));
let failure;
child.on("error", (error) => {
  failure = error;
});
// Comes after an error, too.
child.on("close", (status) => {
  follower.kill();
  if (failure) console.error(`error: cdktf cannot be run (${failure.message}); run npm ci`);
  if (status !== 0 && existsSync(log)) {
    const stacks = join(process.env.CDKTF_OUTDIR || "cdktf.out", "stacks");
    const names = existsSync(stacks) ? readdirSync(stacks) : [];
    const stack = names.length === 1 ? names[0] : "<stack>";
    const words = explainTerraform(readFileSync(log, "utf8"), relative(process.cwd(), join(stacks, stack)));
    if (words.length > 0) console.error(["", "In other words:", ...words.map((line) => `  ${line}`)].join("\n"));
  }
  rmSync(folder, { recursive: true });
  process.exitCode = failure ? 1 : (status ?? 1);
});
