/** Failure drills on the whole homelab: about fifteen minutes, as root. What they need: README.md. */
module.exports = {
  ...require("./jest.cluster.config.js"),
  roots: ["<rootDir>/__tests__/drills"],
};
