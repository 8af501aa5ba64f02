/** Tests of the playbooks on machines of their own: twenty minutes and more, one after another, as root. What they need: CONTRIBUTING.md. */
module.exports = {
  ...require("../../jest.config.js"),
  rootDir: "../..",
  roots: [__dirname],
  testPathIgnorePatterns: [],
  testTimeout: 20 * 60 * 1000,
  maxWorkers: 1,
  // A step stands on the one before it.
  bail: 1,
};
