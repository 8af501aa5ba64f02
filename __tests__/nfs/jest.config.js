/** The kernel's own NFS, server and clients, on an emulated machine: some minutes. */
module.exports = {
  ...require("../../jest.config.js"),
  rootDir: "../..",
  roots: [__dirname],
  testPathIgnorePatterns: [],
  testTimeout: 45 * 60 * 1000,
};
