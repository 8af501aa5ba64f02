#!/usr/bin/env node
// Stands here, and not in dist, because npm links a command once, and dist may not be there yet.
const { existsSync } = require("node:fs");
const { join } = require("node:path");

const program = join(__dirname, "..", "dist", "cli", "homelab.js");
if (!existsSync(program)) {
  console.error("error: the program is not compiled yet: run npm run synth first");
  process.exit(1);
}
require(program).main();
