/** Backups with real restic and PostgreSQL: some four minutes, since restic derives its key anew for each command. */
module.exports = {
  ...require("../../jest.config.js"),
  rootDir: "../..",
  roots: [__dirname],
  testPathIgnorePatterns: [],
  testTimeout: 5 * 60 * 1000,
};
