/** Failure drills on the whole homelab: about fifteen minutes, as root. What they need: CONTRIBUTING.md. */
module.exports = {
  ...require("../cluster/jest.config.js"),
  roots: [__dirname],
};
