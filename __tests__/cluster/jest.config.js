/** Tests against a real Nomad: a few minutes, one after another, as root. What they need: README.md. */
module.exports = {
  ...require("../../jest.config.js"),
  rootDir: "../..",
  roots: [__dirname],
  testPathIgnorePatterns: [],
  testTimeout: 15 * 60 * 1000,
  maxWorkers: 1,
};
