/** Tests against a real Nomad: an hour or so, one after another, as root. What they need: CONTRIBUTING.md. */
module.exports = {
  ...require("../../jest.config.js"),
  rootDir: "../..",
  roots: [__dirname],
  testPathIgnorePatterns: [],
  testTimeout: 15 * 60 * 1000,
  maxWorkers: 1,
};
