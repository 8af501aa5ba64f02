const { chmodSync, mkdtempSync, rmSync } = require("node:fs");
const { availableParallelism, tmpdir } = require("node:os");
const { join } = require("node:path");

// One folder for all that the tests write, gone at the end: cdktf's test helpers remove nothing.
process.env.TMPDIR = mkdtempSync(join(tmpdir(), "hl-"));
// PostgreSQL runs as another user when the tests run as root.
chmodSync(process.env.TMPDIR, 0o755);
process.on("exit", () => rmSync(process.env.TMPDIR, { recursive: true, force: true }));

/** Unit, snapshot, contract and state tests. What needs a real Nomad or machines has a configuration beside it. */
module.exports = {
  // For a machine that does other things as well.
  testTimeout: 60_000,
  testEnvironment: "node",
  // One more than cores, since some files wait for servers of their own; jest itself would leave a core idle.
  maxWorkers: availableParallelism() + 1,
  transform: { "\\.ts$": ["@swc/jest", { jsc: { target: "es2022", parser: { syntax: "typescript" } } }] },
  setupFiles: ["<rootDir>/__tests__/setup.js"],
  roots: ["<rootDir>/__tests__"],
  testMatch: ["**/*.test.ts"],
  testPathIgnorePatterns: ["/__tests__/(?:ansible|backup|cluster|drills|nfs)/"],
};
