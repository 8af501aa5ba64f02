#!/usr/bin/env node
// Runs a command, and tells beside it which services become bad meanwhile: a deploy says nothing of a service that refuses
// to start until its deployment has failed, a quarter of an hour later.
const { spawn } = require("node:child_process");
const { join } = require("node:path");

const [command, ...rest] = process.argv.slice(2);
const program = join(__dirname, "..", "dist", "cli", "homelab.js");
const follower = spawn(process.execPath, [program, "status", "--follow"], { stdio: ["ignore", "ignore", "inherit"] });
const child = spawn(command, rest, { stdio: "inherit" });
// The terminal sends Ctrl-C to all of them; what is followed decides when it ends.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => child.kill("SIGTERM"));
child.on("error", ({ message }) => {
  console.error(`error: ${command} cannot be run: ${message}`);
  follower.kill();
  process.exitCode = 1;
});
child.on("close", (code) => {
  follower.kill();
  process.exitCode = code ?? 1;
});
